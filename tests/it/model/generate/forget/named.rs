//! Whom a run forgets, and what its calls name: what the archive has of him, at times too little of it, or of others, too.

use onsale::domain::fields::prefixed;
use onsale::domain::forgetting::{only, renamed_request};

use super::Run;
use crate::model::batch::partition;
use crate::model::forget::{Forget, Mode};
use crate::model::generate::Generator;
use crate::model::rules::{Card, Model, Requests, Reservation, Status};

const NO_ID: &str = "00000000000000000000";
const NO_REQUEST: &str = "6:nobodyhold:k1";

impl Generator {
    /// Anybody; more often one of the few who have something that forgetting has to do with.
    pub(super) fn somebody(&mut self, model: &Model) -> Option<String> {
        let reservations = |fits: fn(&Reservation, i64) -> bool| {
            let of = model.reservations.values().filter(move |r| fits(r, model.now));
            of.map(|r| r.user.clone()).collect::<Vec<_>>()
        };
        let cards = |fits: fn(&Card, &Model) -> bool| {
            let of = model.cards.values().filter(move |card| fits(card, model));
            of.map(|card| card.user.clone()).collect::<Vec<_>>()
        };
        let found = match self.random.below(100) {
            0..10 => reservations(|r, _| r.status == Status::Confirmed),
            10..24 => reservations(|r, _| r.status == Status::Confirmed && !r.refunded.is_empty()),
            24..52 => reservations(Reservation::is_live),
            52..66 => cards(|card, _| !card.of.is_empty()),
            66..73 => cards(|card, _| card.of.is_empty()),
            // All else that he had has been forgotten already.
            73..79 => cards(|card, model| !model.reservations.contains_key(&card.reservation)),
            79..90 => {
                let top_ups = model.wallets.iter().flat_map(|wallet| wallet.top_ups.values());
                top_ups.map(|open| open.user.clone()).collect()
            }
            // Who was forgotten before has nothing, or next to nothing.
            90..94 => model.wallets.iter().flat_map(|wallet| &wallet.leaving).cloned().collect(),
            94..98 => self.forgetting.names.iter().map(|(old, _)| old.clone()).collect(),
            _ => vec![self.user()],
        };
        (!found.is_empty()).then(|| self.random.pick(&found))
    }

    /// As the archive names what is his: of a sweep what is the pseudonym's.
    pub(super) fn named_in_concert(&mut self, model: &Model, run: &mut Run, mode: Mode) -> Forget {
        let swept = matches!(mode, Mode::Sweep(_));
        if mode == Mode::Forget {
            run.had.take(model, &run.user);
        }
        let owner = if swept { &run.pseudonym } else { &run.user };
        let archived = |id: &String| {
            model.reservations.get(id).is_some_and(|r| r.user == *owner)
                || swept && run.had.reservations.contains(id)
        };
        let mut reservations: Vec<_> = model.reservations.keys().filter(|id| archived(id)).cloned().collect();
        let cards = model.cards.iter().filter(|(name, card)| {
            archived(&card.reservation) || card.user == *owner || swept && run.had.cards.contains(*name)
        });
        let mut cards: Vec<_> = cards.map(|(name, _)| name.clone()).collect();
        let mut requests = named(&model.requests, &run.user);
        if self.random.percent(if mode == Mode::Forget { 50 } else { 15 }) {
            run.complete = false;
            for list in [&mut reservations, &mut cards, &mut requests] {
                list.retain(|_| self.random.percent(50));
            }
        }
        if mode == Mode::Forget && self.random.percent(35) {
            // He has bought since, or they have come to the archive since.
            let is_paid =
                |id: &String| model.reservations.get(id).is_some_and(|r| r.status == Status::Confirmed);
            reservations.retain(|id| !is_paid(id));
        }
        if mode == Mode::Forget && self.random.percent(40) {
            cards.clear();
        }
        if self.random.percent(30) {
            let others = model.reservations.iter().filter(|(_, r)| r.user != run.user);
            self.add(&mut reservations, others.map(|(id, _)| id), NO_ID);
            let others = model.cards.iter().filter(|(_, card)| card.user != run.user);
            self.add(&mut cards, others.map(|(name, _)| name), NO_ID);
            let others =
                model.requests.keys().filter(|name| renamed_request(name, only(&run.user, "")).is_none());
            self.add(&mut requests, others, NO_REQUEST);
        }
        let (user, pseudonym) = (run.user.clone(), run.pseudonym.clone());
        Forget { user, pseudonym, mode, reservations, requests, cards }
    }

    pub(super) fn named_in_wallet(&mut self, model: &Model, run: &mut Run, mode: Mode) -> Forget {
        let wallet = &model.wallets[usize::from(partition(&run.user))];
        if mode == Mode::Forget && run.told_at.is_none() {
            run.had_wallet.take_requests(&wallet.requests, &run.user);
        }
        let his = wallet.top_ups.iter().filter(|(_, open)| open.user == run.user);
        let mut cards: Vec<_> = his.map(|(charge, _)| charge.clone()).collect();
        let mut requests = named(&wallet.requests, &run.user);
        if self.random.percent(25) {
            run.complete = false;
            // Once his balance is marked he begins no charge through the gateway, and all that he has begun are archived.
            requests.retain(|name| name.contains("topup:") || self.random.percent(60));
        }
        if self.random.percent(30) {
            let others =
                wallet.requests.keys().filter(|name| renamed_request(name, only(&run.user, "")).is_none());
            self.add(&mut requests, others, NO_REQUEST);
            let others = wallet.top_ups.iter().filter(|(_, open)| open.user != run.user);
            self.add(&mut cards, others.map(|(charge, _)| charge), NO_ID);
        }
        let (user, pseudonym) = (run.user.clone(), run.pseudonym.clone());
        Forget { user, pseudonym, mode, reservations: Vec::new(), requests, cards }
    }

    /// One of others, one twice, and one that nobody has.
    fn add<'a>(&mut self, list: &mut Vec<String>, others: impl Iterator<Item = &'a String>, nobodys: &str) {
        let others: Vec<_> = others.collect();
        if !others.is_empty() {
            list.push(self.random.pick(&others).clone());
        }
        list.extend(list.first().cloned());
        list.push(nobodys.to_owned());
    }
}

/// As `Store::requests_of` finds them.
fn named(requests: &Requests, user: &str) -> Vec<String> {
    requests.keys().filter(|name| name.contains(&prefixed(user))).cloned().collect()
}
