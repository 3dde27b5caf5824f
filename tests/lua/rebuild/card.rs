//! What card payments do to what was told before, and what reservations remember of them.

use onsale::domain::event::{Card, CardRefund, Event, OpenRefund, Refunded, VoidReason};
use onsale::domain::ids::Id20;

use super::Rebuilt;

impl Rebuilt<'_> {
    pub(super) fn apply_card(&mut self, event: &Event<'_>) {
        match event {
            Event::Extended(extended) => {
                let path = format!("res/{}", extended.reservation);
                let record = self.get(&path).expect("it was held");
                let mut fields: Vec<_> = record.splitn(6, ' ').collect();
                let end = extended.end.0.to_string();
                fields[4] = &end;
                self.set(&path, &fields.join(" "));
                self.set(&format!("expiry/{}", extended.reservation), &end);
            }
            Event::Authorising(begun) => {
                let Card { reservation, payment, .. } = begun.card;
                let declined = self.declined(reservation);
                self.set_extras(&begun.card, &format!("card={payment}{declined}"));
                self.set(&format!("cards/{payment}"), &format!("- - - {} -", begun.amount));
                self.set_card(&begun.card, "authorising");
                self.remember(begun.request, &format!("{} {payment} {reservation}", begun.fingerprint));
            }
            Event::Authorised(paid) => {
                let declined = self.declined(paid.reservation);
                self.paid(paid, &format!(",card={}{declined}", paid.payment));
                let (reservation, show, user, payment) =
                    (paid.reservation, paid.show, paid.user, paid.payment);
                self.set_card(&Card { reservation, show, user, payment }, "capture");
            }
            Event::Voiding { card, reason } => {
                self.set_card(card, "void");
                if *reason == VoidReason::Declined {
                    let before = self.declined(card.reservation);
                    let kept: Vec<_> = before.split(',').take(8).collect();
                    self.set_extras(card, &format!("declined={}{}", card.payment, kept.join(",")));
                }
            }
            Event::Captured(card) | Event::Voided(card) => self.remove(&format!("cards/{}", card.payment)),
            // A card moves no balance.
            Event::TopUp(top_up) => self.apply_top_up(top_up),
            Event::Passed(_) | Event::PassedBack(_) => {}
            Event::CardRefund(CardRefund::Decided { back, payment, paid }) => {
                self.refunded(back);
                let Refunded { reservation, show, user, refund, amount, .. } = back;
                let now = self.now;
                let record = format!("refund {reservation} {show} {amount} {now} {payment} {paid} {user}");
                self.set(&format!("cards/{refund}"), &record);
            }
            Event::CardRefund(CardRefund::Refused(OpenRefund { card, refund, amount })) => {
                let Card { reservation, show, user, payment } = card;
                let path = format!("cards/{refund}");
                let record = self.get(&path).expect("it was decided");
                let paid = record.split(' ').nth(6).expect("a refund knows what was paid").to_owned();
                let now = self.now;
                let record = format!("refused {reservation} {show} {amount} {now} {payment} {paid} {user}");
                self.set(&path, &record);
            }
            Event::CardRefund(CardRefund::Returned(open)) => self.remove(&format!("cards/{}", open.refund)),
            other => panic!("{other:?} is no step of a card payment"),
        }
    }

    /// The extras of a record that has not been paid: the ninth field, before the user.
    fn set_extras(&mut self, card: &Card<'_>, extras: &str) {
        let path = format!("res/{}", card.reservation);
        let record = self.get(&path).expect("it was held");
        let mut fields: Vec<_> = record.splitn(10, ' ').collect();
        fields[8] = extras;
        self.set(&path, &fields.join(" "));
    }

    pub(super) fn extras(&self, reservation: Id20) -> String {
        let record = self.get(&format!("res/{reservation}")).expect("it was held");
        record.split(' ').nth(8).expect("a record has extras").to_owned()
    }

    /// Of those the declined payments, each behind a comma.
    fn declined(&self, reservation: Id20) -> String {
        let extras = self.extras(reservation);
        let declined = extras.split(',').filter(|extra| extra.starts_with("declined="));
        declined.flat_map(|extra| [",", extra]).collect()
    }

    fn set_card(&mut self, card: &Card<'_>, state: &str) {
        let Card { reservation, show, user, payment } = card;
        let path = format!("cards/{payment}");
        let record = self.get(&path).expect("it was begun");
        let amount = record.split(' ').nth(3).expect("a record has an amount").to_owned();
        let now = self.now;
        self.set(&path, &format!("{state} {reservation} {show} {amount} {now} {user}"));
    }
}
