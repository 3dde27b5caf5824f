//! What had a user's name when he was forgotten: once all is swept that the archive has, none of it has his name any more.

use std::collections::{BTreeMap, BTreeSet};

use onsale::domain::forgetting::{only, renamed_request};

use crate::model::rules::{Model, Requests};

/// What had his name when he was forgotten.
#[derive(Clone, Debug, Default)]
pub(super) struct Had {
    pub(super) reservations: BTreeSet<String>,
    pub(super) cards: BTreeSet<String>,
    /// With the ms from which they may be forgotten: a new user may use the same key.
    requests: BTreeMap<String, i64>,
}

impl Had {
    pub(super) fn take(&mut self, model: &Model, user: &str) {
        let reservations = model.reservations.iter().filter(|(_, r)| r.user == user);
        self.reservations.extend(reservations.map(|(id, _)| id.clone()));
        let cards = model.cards.iter().filter(|(_, card)| card.user == user);
        self.cards.extend(cards.map(|(name, _)| name.clone()));
        self.take_requests(&model.requests, user);
    }

    pub(super) fn take_requests(&mut self, requests: &Requests, user: &str) {
        let his = requests.iter().filter(|(name, _)| renamed_request(name, only(user, "")).is_some());
        self.requests.extend(his.map(|(name, kept)| (name.clone(), kept.2)));
    }

    /// Nothing that he had when he was forgotten has his name any more.
    pub(super) fn check_gone(&self, model: &Model, user: &str) {
        for id in &self.reservations {
            assert!(model.reservations.get(id).is_none_or(|r| r.user != user), "{user} still has {id}");
        }
        for name in &self.cards {
            assert!(model.cards.get(name).is_none_or(|card| card.user != user), "{user} still has {name}");
        }
        self.check_requests_gone(&model.requests);
    }

    pub(super) fn check_requests_gone(&self, kept: &Requests) {
        for (name, stop) in &self.requests {
            assert!(kept.get(name).is_none_or(|kept| kept.2 != *stop), "{name} is still remembered");
        }
    }
}
