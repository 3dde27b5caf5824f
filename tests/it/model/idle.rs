//! Who keeps his name when all who are idle in a log get new ones (decision 0015), and why: each reason by itself is enough.

use std::collections::BTreeSet;

use super::batch::partition;
use super::forget::Forget;
use super::rules::{Model, Requests, Wallet};

impl Model {
    /// Why he keeps his name in the concert; none: he gets the new one. `mine` are his reservations among those named; then
    /// his holds, and whether he stands in line.
    pub(super) fn reasons(
        &self,
        user: &str,
        mine: &BTreeSet<String>,
        (holds, stands, before): (usize, bool, i64),
    ) -> Reasons {
        let later = mine.iter().any(|id| self.reservations[id].created > before);
        fitting([
            ("a hold", holds > 0),
            ("a place", stands),
            ("a later reservation", later),
            ("a request", is_remembered(&self.requests, user)),
            // His, or another's.
            ("a card", !self.cards.is_empty()),
        ])
    }
}

impl Wallet {
    /// Why he keeps his name in the partition. `open`: whether a charge of his through the gateway is, among those named.
    pub(super) fn reasons(&self, request: &Forget, (open, before): (bool, i64)) -> Reasons {
        let Forget { user, pseudonym, .. } = request;
        let requested = ("a request", is_remembered(&self.requests, user));
        if self.balances.contains_key(pseudonym) {
            // What there is under the old name is somebody else's.
            return fitting([("the name itself", true), requested]);
        }
        let (balance, moved) = self.balances.get(user).copied().unwrap_or_default();
        fitting([
            ("money", balance > 0),
            ("a movement", moved > before),
            ("a mark", self.leaving.contains(user)),
            ("a charge", open),
            requested,
        ])
    }
}

impl Model {
    /// What he has, if there is a record of it.
    pub(super) fn balance_of(&self, user: &str) -> Option<i64> {
        Some(self.wallets[usize::from(partition(user))].balances.get(user)?.0)
    }
}

/// Names of reasons.
pub(super) type Reasons = Vec<&'static str>;

fn fitting<const N: usize>(reasons: [(&'static str, bool); N]) -> Reasons {
    reasons.into_iter().filter(|(_, fits)| *fits).map(|(reason, _)| reason).collect()
}

/// Whether a request of his is. What became of a charge through the gateway is no request of his own.
pub(super) fn is_remembered(requests: &Requests, user: &str) -> bool {
    let end = format!("{}:{user}ended:", user.len());
    requests.iter().any(|(name, kept)| kept.3 == user && !name.starts_with(&end))
}
