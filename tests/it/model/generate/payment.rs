//! Reservations that are paid, from balances and by card, and paid back.

use super::Generator;
use crate::model::batch::{Authorise, Batch, Confirm, Pay, Refund, Settle};
use crate::model::forget::{is_anonymous, is_pseudonym};
use crate::model::rules::{Model, Reservation, Status};

impl Generator {
    pub(super) fn pay(&mut self, model: &Model) -> Pay {
        if !self.pays.is_empty() && self.random.percent(15) {
            let again = self.random.pick(&self.pays);
            return Pay { fingerprint: self.fingerprint(), ..again };
        }
        let leaving = self.hold_of_one_who_leaves(model);
        let (id, show, owner) = leaving.unwrap_or_else(|| self.reservation(model));
        let user = self.owner_or_other(owner);
        let request = if self.random.percent(60) { self.request(&user, "pay:") } else { String::new() };
        let pay = Pay { user, show, id, payment: self.id(), request, fingerprint: self.fingerprint() };
        self.pays.push(pay.clone());
        pay
    }

    pub(super) fn authorise(&mut self, model: &Model) -> Authorise {
        if !self.cards.is_empty() && self.random.percent(15) {
            let again = self.random.pick(&self.cards);
            return Authorise { fingerprint: self.fingerprint(), ..again };
        }
        // Few are live at a time: left to chance, some seeds would meet too few payments.
        let live: Vec<_> = model.reservations.iter().filter(|(_, r)| r.is_live(model.now)).collect();
        let (id, show, owner) = if live.is_empty() || self.random.percent(25) {
            self.reservation(model)
        } else {
            let (id, r) = self.random.pick(&live);
            (id.clone(), r.show, r.user.clone())
        };
        let user = self.owner_or_other(owner);
        let request = if self.random.percent(60) { self.request(&user, "card:") } else { String::new() };
        let card = Authorise { user, show, id, payment: self.id(), request, fingerprint: self.fingerprint() };
        self.cards.push(card.clone());
        card
    }

    /// The user and name of a card payment, mostly one that is not at its end.
    pub(super) fn card(&mut self, model: &Model) -> (String, String) {
        let open: Vec<_> = model.cards.iter().map(|(id, card)| (card.user.clone(), id.clone())).collect();
        if open.is_empty() || self.random.percent(15) {
            let ended = self.cards.last().map(|card| (card.user.clone(), card.payment.clone()));
            return ended.unwrap_or_else(|| (self.user(), self.id()));
        }
        self.random.pick(&open)
    }

    pub(super) fn confirm(&mut self, model: &Model) -> Confirm {
        let waiting: Vec<_> = model.cards.iter().filter(|(_, card)| card.state == "authorising").collect();
        let (user, payment) = if waiting.is_empty() || self.random.percent(15) {
            self.card(model)
        } else {
            let (id, card) = self.random.pick(&waiting);
            (card.user.clone(), id.clone())
        };
        let verdicts = ["authorised", "authorised", "authorised", "pending", "pending", "declined"];
        let verdict = self.random.pick(&verdicts);
        Confirm { user, payment, verdict }
    }

    pub(super) fn settle(&mut self, model: &Model) -> Settle {
        let refunds: Vec<_> = model.cards.iter().filter(|(_, card)| card.state.starts_with("ref")).collect();
        if !refunds.is_empty() && self.random.percent(70) {
            let (refund, _) = self.random.pick(&refunds);
            return Settle {
                payment: refund.clone(),
                done: self.random.pick(&["returned", "returned", "refused"]),
            };
        }
        let (_, payment) = self.card(model);
        Settle { payment, done: self.random.pick(&["captured", "voided", "returned", "refused"]) }
    }

    /// Few, so that something is left of what was paid.
    pub(super) fn refunds(&mut self, model: &Model) -> Batch {
        let mut refunds = self.some(Self::refund, model);
        refunds.truncate(6);
        Batch::Refund(refunds)
    }

    fn refund(&mut self, model: &Model) -> Refund {
        if !self.refunds.is_empty() && self.random.percent(25) {
            let again = self.random.pick(&self.refunds);
            return Refund { fingerprint: self.fingerprint(), ..again };
        }
        let paid: Vec<_> = model.reservations.iter().filter(|(_, r)| r.status == Status::Confirmed).collect();
        let (id, show, owner) = if paid.is_empty() || self.random.percent(15) {
            self.reservation(model)
        } else {
            // Few are paid by card, few are of those who are or were forgotten.
            let (by_card, of_pseudonyms) = (self.random.percent(40), self.random.percent(40));
            // Seldom has anybody paid by card whose name is another since.
            let to_anonymous =
                |(_, r): &(&String, &Reservation)| r.is_paid_by_card() && is_anonymous(&r.user);
            let to_card = paid.iter().any(to_anonymous);
            let of_anonymous = self.random.percent(if to_card { 85 } else { 15 });
            let (waits, whole) = (self.random.percent(30), self.random.percent(70));
            let mut few = paid.clone();
            few.retain(|(_, r)| {
                if of_anonymous {
                    return is_anonymous(&r.user) && r.is_paid_by_card() == to_card;
                }
                if waits {
                    return model.waits_for_its_balance(r);
                }
                (!by_card || r.is_paid_by_card())
                    && (!of_pseudonyms || is_pseudonym(&r.user))
                    && (!whole || r.refunded.is_empty())
            });
            let few = if few.is_empty() { paid } else { few };
            let (id, r) = self.random.pick(&few);
            (id.clone(), r.show, r.user.clone())
        };
        let known = model.reservations.get(&id);
        let any = self.random.percent(30);
        let left = |r: &Reservation, index: u32| any || !r.refunded.contains(&index);
        let mut seats: Vec<_> = known
            .into_iter()
            .flat_map(|r| r.seats.iter().map(|(index, _)| *index).filter(|index| left(r, *index)))
            .collect();
        let first = seats.first().copied().filter(|_| self.random.percent(60));
        seats.retain(|_| self.random.percent(40));
        seats.extend(first.filter(|_| seats.is_empty()));
        let (user, by) = (self.owner_or_other(owner), self.user());
        let request = if self.random.percent(60) { self.request(&by, "refund:") } else { String::new() };
        let refund =
            Refund { user, show, id, name: self.id(), request, fingerprint: self.fingerprint(), by, seats };
        self.refunds.push(refund.clone());
        refund
    }
}
