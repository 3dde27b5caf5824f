//! Seats that are held, given back, taken out of sale.

use std::collections::BTreeSet;

use super::Generator;
use crate::model::batch::{Block, Hold, PlaceOf, Release, SHOWS};
use crate::model::rules::{Model, Reservation, Status};

impl Generator {
    pub(super) fn hold(&mut self, model: &Model) -> Hold {
        if !self.holds.is_empty() && self.random.percent(12) {
            let again = self.random.pick(&self.holds);
            return Hold { fingerprint: self.fingerprint(), ..again };
        }
        let show = self.random.pick(&SHOWS);
        // A show that is not on sale has no seats to ask for: the server knows no label of it.
        let show = if model.shows.contains_key(&show) { show } else { *model.shows.keys().next().unwrap() };
        let seats = u64::from(model.shows[&show]);
        let (first, count) = (self.random.below(seats), 1 + self.random.below(4));
        let seats = (0..count.min(seats))
            .map(|i| u32::try_from((first + i * 3) % seats).unwrap())
            .collect::<BTreeSet<_>>();
        let active: Vec<_> = model.places.keys().cloned().collect();
        let user = if active.is_empty() || self.random.percent(12) {
            self.user()
        } else {
            self.random.pick(&active)
        };
        let PlaceOf { user, seq } = self.place_of(user, model);
        let prices = self.prices(seats.len(), &user, model);
        let request = if self.random.percent(60) { self.request(&user, "hold:") } else { String::new() };
        let hold = Hold {
            seq: self.random.percent(90).then_some(seq),
            show,
            catalog: model.catalog - u64::from(model.catalog > 0 && self.random.percent(3)),
            id: self.id(),
            request,
            fingerprint: self.fingerprint(),
            seats: seats.into_iter().zip(prices).collect(),
            user,
        };
        self.holds.push(hold.clone());
        hold
    }

    /// Some cost all that he has: only so does a balance become 0.
    fn prices(&mut self, seats: usize, user: &str, model: &Model) -> Vec<i64> {
        let seats = i64::try_from(seats).unwrap();
        let all = model.balance_of(user).filter(|balance| (seats..2000).contains(balance));
        match all.filter(|_| self.random.percent(55)) {
            Some(all) => (0..seats)
                .map(|at| if at == 0 { all - (seats - 1) * (all / seats) } else { all / seats })
                .collect(),
            None => (0..seats).map(|at| 60 + at).collect(),
        }
    }

    /// Id, show and owner of a reservation, mostly one that is PENDING; at times one that nobody made.
    pub(super) fn reservation(&mut self, model: &Model) -> (String, u32, String) {
        let kind = self.random.below(100);
        let chosen = |r: &Reservation| match kind {
            0..50 => r.is_live(model.now),
            50..80 => r.status == Status::Pending,
            _ => true,
        };
        let found: Vec<_> = model.reservations.iter().filter(|(_, r)| chosen(r)).collect();
        if found.is_empty() || kind == 99 {
            return ("0".repeat(20), SHOWS[0], self.user());
        }
        let (id, r) = self.random.pick(&found);
        (id.clone(), r.show, r.user.clone())
    }

    pub(super) fn reservation_of_any(&mut self, model: &Model) -> String {
        self.reservation(model).0
    }

    pub(super) fn release(&mut self, model: &Model) -> Release {
        let (id, show, owner) = self.reservation(model);
        Release { id, show: if self.random.percent(4) { 12 } else { show }, user: self.owner_or_other(owner) }
    }

    pub(super) fn owner_or_other(&mut self, owner: String) -> String {
        if self.random.percent(95) { owner } else { self.user() }
    }

    pub(super) fn block(&mut self, model: &Model) -> Block {
        if !self.blocks.is_empty() && self.random.percent(15) {
            let again = self.random.pick(&self.blocks);
            return Block { fingerprint: self.fingerprint(), ..again };
        }
        let show = self.random.pick(&SHOWS);
        let blocked: Vec<_> =
            model.blocked.iter().filter(|(of, _)| *of == show).map(|(_, seat)| *seat).collect();
        // Seats come back sooner than they go, so that there is something left to sell.
        let word = if blocked.is_empty() || self.random.percent(20) { "blocked" } else { "unblocked" };
        let end = model.shows.get(&show).copied().unwrap_or(0) + 1;
        let any = u32::try_from(self.random.below(u64::from(end))).unwrap();
        let mut seats = if word == "blocked" || self.random.percent(10) { vec![any] } else { blocked };
        if word == "blocked" && self.random.percent(30) {
            seats.push(any + 1);
        }
        let by = if self.random.percent(80) { self.user() } else { String::new() };
        let request = format!("{}:{by}block:k{}", by.len(), self.random.below(25));
        let block = Block { word, show, request, fingerprint: self.fingerprint(), by, seats };
        self.blocks.push(block.clone());
        block
    }
}
