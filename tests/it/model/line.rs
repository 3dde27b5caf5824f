//! The line of the model: join, claim, leave, admit, and what holding and paying do to a place.

use super::batch::{Hold, PlaceOf};
use super::rules::{Model, Place};

impl Model {
    pub(super) fn join(&mut self, user: &str) -> String {
        if let Some(closed) = self.closed().filter(|_| self.has_ended()) {
            return closed;
        }
        if let Some(place) = self.live_place(user) {
            self.claim_place(user);
            return format!("active {} 0 {} 0", place.seq, place.stop);
        }
        if let Some(seq) = self.waiting(user) {
            return format!("waiting {seq} 0 {} 0", self.position(seq));
        }
        if let Some(closed) = self.closed() {
            return closed;
        }
        if !self.shows.is_empty() && self.sellable() == 0 {
            return "sold_out".to_owned();
        }
        self.seq += 1;
        let seq = self.seq;
        if self.queue.is_empty() && self.room_when_swept() > 0 {
            let place = self.let_in(user, seq, true);
            return format!("active {seq} 0 {} 1", place.stop);
        }
        self.queue.insert(seq, user.to_owned());
        format!("waiting {seq} 0 {} 1", self.position(seq))
    }

    pub(super) fn claim(&mut self, request: &PlaceOf) -> String {
        let place = self.live_place(&request.user).filter(|place| place.seq == request.seq);
        if let Some(place) = place {
            self.claim_place(&request.user);
            return format!("active {}", place.stop);
        }
        if self.waiting(&request.user) == Some(request.seq) {
            return format!("waiting {}", self.position(request.seq));
        }
        "queue_token_expired".to_owned()
    }

    pub(super) fn leave(&mut self, request: &PlaceOf) -> String {
        if self.places.get(&request.user).is_some_and(|place| place.seq == request.seq) {
            self.places.remove(&request.user);
        } else if self.waiting(&request.user) == Some(request.seq) {
            self.queue.remove(&request.seq);
        }
        "left".to_owned()
    }

    /// What a hold does to the place of its user; `gated`: an active one let him hold.
    pub(super) fn settle_hold(&mut self, request: &Hold, gated: bool, stop: i64) {
        let user = &request.user;
        if self.policy.end_token_on != "reservation" {
            if gated {
                self.claim_place(user);
                self.stretch_place(user, stop);
            }
        } else if gated {
            self.places.remove(user);
        } else if let Some(seq) = request.seq.filter(|seq| self.waiting(user) == Some(*seq)) {
            self.queue.remove(&seq);
        }
    }

    /// What a payment does to the place of its user.
    pub(super) fn settle_pay(&mut self, user: &str) {
        let place = self.live_place(user);
        let holds = self.reservations.values().any(|r| r.user == user && r.is_live(self.now));
        if self.policy.end_token_on != "payment" || holds {
            self.claim_place(user);
        } else if place.is_some() {
            self.places.remove(user);
        } else if let Some(seq) = self.waiting(user).filter(|_| !self.policy.gate_reserve) {
            self.queue.remove(&seq);
        }
    }

    pub(super) fn admit(&mut self) -> String {
        let ended = self.sweep();
        let next: Vec<_> =
            self.queue.iter().take(self.room()).map(|(seq, user)| (*seq, user.clone())).collect();
        for (seq, user) in &next {
            self.queue.remove(seq);
            self.let_in(user, *seq, false);
        }
        format!("admitted {} {ended} 0", next.len())
    }

    /// The user's place, if it is still his; one that is over is gone for good.
    pub(super) fn live_place(&mut self, user: &str) -> Option<Place> {
        let place = self.places.get(user).copied()?;
        if is_over(&place, self.now) {
            self.places.remove(user);
            return None;
        }
        Some(place)
    }

    pub(super) fn claim_place(&mut self, user: &str) {
        if let Some(place) = self.places.get_mut(user) {
            place.claim_by = 0;
        }
    }

    pub(super) fn waiting(&self, user: &str) -> Option<u64> {
        self.queue.iter().find(|(_, other)| *other == user).map(|(seq, _)| *seq)
    }

    /// 1 for the next to be admitted.
    pub(super) fn position(&self, seq: u64) -> usize {
        self.queue.range(..=seq).count()
    }

    /// Ends all places that are over; how many.
    fn sweep(&mut self) -> usize {
        let (places, now) = (self.places.len(), self.now);
        self.places.retain(|_, place| !is_over(place, now));
        places - self.places.len()
    }

    /// Places that are over make no room full.
    fn room_when_swept(&mut self) -> usize {
        if self.room() == 0 {
            self.sweep();
        }
        self.room()
    }

    fn credit_now(&self) -> f64 {
        let rate = self.policy.admit_per_second;
        let most = (rate * 100.0 / 1000.0).max(1.0);
        let (saved, at) = self.credit.unwrap_or((most, 0));
        let elapsed = f64::from(i32::try_from((self.now - at).min(i64::from(i32::MAX))).unwrap());
        most.min(saved + elapsed * rate / 1000.0)
    }

    fn room(&self) -> usize {
        if self.policy.paused || self.policy.admit_per_second <= 0.0 || self.closed().is_some() {
            return 0;
        }
        let capacity = self.policy.max_active.saturating_sub(self.places.len());
        let credit = self.credit_now() + 1e-6;
        capacity.min((1..=100).take_while(|places| f64::from(*places) <= credit).count())
    }

    fn let_in(&mut self, user: &str, seq: u64, claimed: bool) -> Place {
        let left = format!("{:.6}", self.credit_now() - 1.0);
        self.credit = Some((left.parse().unwrap(), self.now));
        let needs_claim = self.policy.claim_ms > 0 && !claimed;
        let claim_by = if needs_claim { self.now + self.policy.claim_ms } else { 0 };
        let place = Place { seq, admitted: self.now, stop: self.now + self.policy.active_ms, claim_by };
        self.places.insert(user.to_owned(), place);
        place
    }
}

/// Whether a place has come to its end or was not claimed in time.
pub(super) fn is_over(place: &Place, now: i64) -> bool {
    now >= place.stop || (place.claim_by > 0 && now >= place.claim_by)
}
