//! Card payments in the model: begun, decided, done by the gateway.

use super::batch::{Authorise, Confirm, STRETCH_MS, Settle, partition};
use super::rules::{Card, Model, Reservation, Status};
use super::sale::{recall, seats_text};

impl Model {
    pub(super) fn authorise(&mut self, request: &Authorise) -> String {
        match recall(&self.requests, &request.request, &request.fingerprint) {
            Some(Err(refused)) => return refused,
            Some(Ok(result)) => {
                let (payment, id) = result.split_once(' ').unwrap();
                return self.told_card("replayed", id, payment);
            }
            None => {}
        }
        if let Some(r) = self.reservations.get(&request.id)
            && (self.cards.contains_key(&request.payment) || r.names_card(&request.payment))
        {
            return self.told_card("replayed", &request.id, &request.payment);
        }
        if self.stopped {
            return "sales_stopped".to_owned();
        }
        if let Some(reason) = self.unpayable(&request.id, &request.user, request.show) {
            return format!("invalid_reservation {reason}");
        }
        let now = self.now;
        let r = self.reservations.get_mut(&request.id).unwrap();
        if r.card.is_some() {
            return "request_in_progress".to_owned();
        }
        if r.declined.is_empty() {
            r.stop = r.stop.max(now + STRETCH_MS);
        }
        r.card = Some(request.payment.clone());
        let card = Card {
            state: "authorising",
            reservation: request.id.clone(),
            show: r.show,
            amount: r.amount(),
            since: now,
            of: String::new(),
            user: r.user.clone(),
        };
        self.cards.insert(request.payment.clone(), card);
        let result = format!("{} {}", request.payment, request.id);
        self.remember(&request.request, &request.fingerprint, result, &request.user);
        let stop = self.reservations[&request.id].stop;
        if self.live_place(&request.user).is_some() {
            self.claim_place(&request.user);
            self.stretch_place(&request.user, stop);
        }
        self.told_card("authorising", &request.id, &request.payment)
    }

    fn told_card(&self, outcome: &str, id: &str, payment: &str) -> String {
        let r = &self.reservations[id];
        let state = if r.is_declined(payment) {
            "declined"
        } else {
            self.cards.get(payment).map_or("ended", |card| card.state)
        };
        let Reservation { show, seats, stop, .. } = r;
        format!("{outcome} {id} {show} {payment} {} {} {stop} {state}", seats_text(seats), r.amount())
    }

    pub(super) fn confirm(&mut self, request: &Confirm) -> String {
        let now = self.now;
        let found = self.cards.get(&request.payment).cloned();
        let Some(card) = found.filter(|card| card.of.is_empty()) else {
            return "settled".to_owned();
        };
        if card.state != "authorising" {
            return card.state.to_owned();
        }
        if self.stopped {
            return "sales_stopped".to_owned();
        }
        let live = self.reservations.get(&card.reservation).filter(|r| r.is_live(now));
        if live.is_some_and(|r| self.is_cancelled(r.show)) {
            self.reservations.get_mut(&card.reservation).unwrap().status = Status::Cancelled(now);
            self.give(&card.reservation);
        }
        let mut lapsed = false;
        let leaving = self.wallets[usize::from(partition(&card.user))].leaving.contains(&card.user);
        let outcome = match self.reservations.get_mut(&card.reservation) {
            Some(r) if r.is_live(now) => match request.verdict {
                "authorised" if leaving => return "pending".to_owned(),
                "authorised" => "capture",
                "declined" => {
                    r.card = None;
                    r.declined.insert(0, request.payment.clone());
                    // Records don't grow with every card that is tried.
                    r.declined.truncate(8);
                    "void"
                }
                _ => return "pending".to_owned(),
            },
            Some(r) if r.status == Status::Pending => {
                r.status = Status::Expired(now);
                lapsed = true;
                "void"
            }
            _ => "void",
        };
        if lapsed {
            self.give(&card.reservation);
        }
        let told = self.cards.get_mut(&request.payment).unwrap();
        (told.state, told.since) = (outcome, now);
        if outcome == "capture" {
            let wallet = &self.wallets[usize::from(partition(&card.user))];
            let r = self.reservations.get_mut(&card.reservation).unwrap();
            r.balance = wallet.balances.get(&card.user).map_or(0, |(balance, _)| *balance);
            r.payment.clone_from(&request.payment);
            r.status = Status::Confirmed;
            self.settle_pay(&card.user);
        }
        outcome.to_owned()
    }

    pub(super) fn settle(&mut self, request: &Settle) -> String {
        let fits: &[&str] = match request.done {
            "captured" => &["capture"],
            "voided" => &["void"],
            _ => &["refund", "refused"],
        };
        match self.cards.get_mut(&request.payment) {
            Some(card) if !fits.contains(&card.state) => "kept".to_owned(),
            Some(card) if request.done == "refused" => {
                if card.state == "refund" {
                    (card.state, card.since) = ("refused", self.now);
                }
                "settled".to_owned()
            }
            _ => {
                self.cards.remove(&request.payment);
                "settled".to_owned()
            }
        }
    }
}

impl Model {
    /// The price of these seats goes back to the card that paid them.
    pub(super) fn owe_card(&mut self, refund: &str, reservation: &str, amount: i64) {
        let r = &self.reservations[reservation];
        let card = Card {
            state: "refund",
            reservation: reservation.to_owned(),
            show: r.show,
            amount,
            since: self.now,
            of: format!("{} {} ", r.payment, r.amount()),
            user: r.user.clone(),
        };
        self.cards.insert(refund.to_owned(), card);
    }
}

impl Reservation {
    pub(super) fn is_paid_by_card(&self) -> bool {
        self.card.as_ref() == Some(&self.payment)
    }

    /// The card payments that its record names: one that is under way or ended with the hold, or paid, and those declined.
    pub(super) fn cards_named(&self) -> impl Iterator<Item = &String> {
        self.card.iter().chain(&self.declined)
    }

    /// The same as the record has them.
    pub(super) fn cards_text(&self) -> Vec<String> {
        let overtaken = self.payment != "-" && !self.is_paid_by_card();
        let word = if overtaken { "overtaken" } else { "card" };
        let card = self.card.iter().map(|card| format!("{word}={card}"));
        card.chain(self.declined.iter().map(|card| format!("declined={card}"))).collect()
    }

    fn names_card(&self, payment: &str) -> bool {
        self.cards_named().any(|card| card == payment)
    }

    fn is_declined(&self, payment: &str) -> bool {
        self.declined.iter().any(|card| card == payment)
    }
}
