//! The line of a concert as its log tells it: who waits, who is active, and whether each admission was right.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::findings::{Check, Findings};
use crate::domain::event::Event;
use crate::domain::ids::LogName;
use crate::domain::policy::PolicyState;
use crate::domain::time::Millis;
use crate::store::scan::Index;

/// An active place.
#[derive(Clone, Debug)]
struct Place {
    seq: u64,
    admitted: Millis,
    end: Millis,
    /// As given at the admission.
    claim_by: Millis,
    claimed: bool,
}

impl Place {
    /// By when it must still be claimed; 0 once claimed.
    fn unclaimed_until(&self) -> i64 {
        if self.claimed { 0 } else { self.claim_by.0 }
    }
}

/// The line.
#[derive(Debug)]
pub(super) struct Line {
    log: LogName,
    waiting: BTreeMap<u64, String>,
    places: HashMap<String, Place>,
    /// User → sequence number of his place, in line or active.
    living: HashMap<String, u64>,
    /// Sequence number → user, the same the other way round.
    users: HashMap<u64, String>,
    /// The last sequence number given.
    seq: u64,
    last_admitted: u64,
    max_active: usize,
    policy_version: u64,
    policy_json: String,
}

impl Line {
    pub(super) fn new(log: LogName) -> Self {
        Self {
            log,
            waiting: BTreeMap::new(),
            places: HashMap::new(),
            living: HashMap::new(),
            users: HashMap::new(),
            seq: 0,
            last_admitted: 0,
            max_active: 0,
            policy_version: 0,
            policy_json: String::new(),
        }
    }

    /// The last sequence number given, version and JSON of the policy.
    pub(super) fn head(&self) -> (u64, u64, &str) {
        (self.seq, self.policy_version, &self.policy_json)
    }

    /// Takes an event of the line in; the others are none of its business.
    pub(super) fn take(&mut self, at: Millis, event: &Event<'_>, findings: &mut Findings) {
        match *event {
            // After a recovery places are put back at their own numbers: the order begins anew.
            Event::Opened { .. } => self.last_admitted = 0,
            Event::Policy { version, json } => self.set_policy(version, json, findings),
            Event::Joined { seq, user } => self.join(seq, user, findings),
            Event::Admitted { seq, user, end, claim_by } => {
                let claimed = claim_by == Millis(0);
                self.admit(user, Place { seq, admitted: at, end, claim_by, claimed }, findings);
            }
            Event::Claimed { seq, user } => {
                self.change(seq, user, findings, |place| place.claimed = true);
            }
            Event::Stretched { seq, user, end } => self.change(seq, user, findings, |place| place.end = end),
            Event::Ended { seq, user, .. } => self.end(seq, user, findings),
            _ => {}
        }
    }

    fn set_policy(&mut self, version: u64, json: &str, findings: &mut Findings) {
        let state = serde_json::from_str::<PolicyState>(json);
        let log = self.log;
        findings.expect(Check::Line, state.is_ok(), || format!("{log}: policy {version} can't be read"));
        if let Ok(state) = state {
            self.max_active = usize::try_from(state.policy.max_active).unwrap_or(usize::MAX);
        }
        self.policy_version = version;
        json.clone_into(&mut self.policy_json);
    }

    fn join(&mut self, seq: u64, user: &str, findings: &mut Findings) {
        let log = self.log;
        let new = seq == self.seq + 1 && !self.living.contains_key(user);
        findings.expect(Check::Line, new, || {
            format!("{log}: {user:?} joined as {seq} after {}, or has a place already", self.seq)
        });
        self.seq = self.seq.max(seq);
        self.waiting.insert(seq, user.to_owned());
        self.living.insert(user.to_owned(), seq);
        self.users.insert(seq, user.to_owned());
    }

    fn admit(&mut self, user: &str, place: Place, findings: &mut Findings) {
        let (log, seq, active) = (self.log, place.seq, self.places.len());
        let first = self.waiting.first_key_value().map(|(seq, user)| (*seq, user.as_str()));
        let in_order = first == Some((seq, user)) && seq > self.last_admitted;
        findings.expect(Check::Line, in_order, || {
            format!("{log}: {user:?} was admitted as {seq} after {}, before {first:?}", self.last_admitted)
        });
        findings.expect(Check::Line, active < self.max_active, || {
            format!("{log}: {seq} was admitted beside {active} of at most {}", self.max_active)
        });
        self.waiting.remove(&seq);
        self.last_admitted = seq;
        self.places.insert(user.to_owned(), place);
    }

    fn change(&mut self, seq: u64, user: &str, findings: &mut Findings, change: impl FnOnce(&mut Place)) {
        let log = self.log;
        let place = self.places.get_mut(user).filter(|place| place.seq == seq);
        findings.expect(Check::Line, place.is_some(), || {
            format!("{log}: the place {seq} of {user:?} changed, which is not active")
        });
        if let Some(place) = place {
            change(place);
        }
    }

    fn end(&mut self, seq: u64, user: &str, findings: &mut Findings) {
        let log = self.log;
        let known = self.living.get(user) == Some(&seq);
        findings.expect(Check::Line, known, || {
            format!("{log}: the place {seq} of {user:?} ended, which is not there")
        });
        if known {
            self.living.remove(user);
            self.users.remove(&seq);
            self.waiting.remove(&seq);
            self.places.remove(user);
        }
    }

    /// What a key of Redis holds for a user.
    pub(super) fn value(&self, index: Index, user: &str) -> Option<String> {
        if index == Index::Line {
            let seq = self.living.get(user)?;
            return self.waiting.contains_key(seq).then(|| seq.to_string());
        }
        let place = self.places.get(user)?;
        let until = place.unclaimed_until();
        match index {
            Index::Active => Some(place.end.0.to_string()),
            Index::Unclaimed => (until > 0).then(|| until.to_string()),
            Index::Place => Some(format!("{} {} {} {until}", place.seq, place.admitted.0, place.end.0)),
            _ => None,
        }
    }

    /// The users that a key of Redis holds.
    pub(super) fn users_of(&self, index: Index) -> HashSet<String> {
        match index {
            Index::Line => self.waiting.values().cloned().collect(),
            Index::Unclaimed => {
                let unclaimed = self.places.iter().filter(|(_, place)| place.unclaimed_until() > 0);
                unclaimed.map(|(user, _)| user.clone()).collect()
            }
            Index::Active | Index::Place => self.places.keys().cloned().collect(),
            _ => HashSet::new(),
        }
    }

    /// How many those are.
    pub(super) fn total(&self, index: Index) -> usize {
        match index {
            Index::Line => self.waiting.len(),
            Index::Unclaimed => self.places.values().filter(|place| place.unclaimed_until() > 0).count(),
            _ => self.places.len(),
        }
    }

    /// The living places, by the key that their rows have in MySQL.
    pub(super) fn rows(&self) -> HashSet<String> {
        self.users.keys().map(ToString::to_string).collect()
    }

    /// The row of a living place in MySQL.
    pub(super) fn row(&self, seq: &str) -> Option<String> {
        let seq = seq.parse().ok()?;
        let user = self.users.get(&seq)?;
        let Some(place) = self.places.get(user) else {
            return Some(format!("{user}|~|~|~|0|0"));
        };
        let Place { admitted, end, claim_by, claimed, .. } = place;
        Some(format!("{user}|{}|{}|{}|{}|0", admitted.0, end.0, claim_by.0, u8::from(*claimed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(events: &[Event<'_>]) -> (Line, bool) {
        let (mut line, mut findings) = (Line::new(LogName::Wallet(0)), Findings::default());
        for event in events {
            line.take(Millis(5), event, &mut findings);
        }
        (line, findings.report(Vec::new()).ok)
    }

    const POLICY: Event<'_> = Event::Policy { version: 1, json: r#"{"policy":{"maxActive":1}}"# };

    fn admitted(seq: u64, user: &str) -> Event<'_> {
        Event::Admitted { seq, user, end: Millis(50), claim_by: Millis(9) }
    }

    #[test]
    fn a_line_in_order_is_right() {
        let joined = [Event::Joined { seq: 1, user: "a" }, Event::Joined { seq: 2, user: "b" }];
        let [first, second] = joined;
        let (line, ok) = played(&[POLICY, first, second, admitted(1, "a")]);
        assert!(ok);
        assert_eq!(line.value(Index::Place, "a").as_deref(), Some("1 5 50 9"));
        assert_eq!(line.value(Index::Line, "b").as_deref(), Some("2"));
        assert_eq!((line.total(Index::Unclaimed), line.total(Index::Line)), (1, 1));
        assert_eq!(line.row("1").as_deref(), Some("a|5|50|9|0|0"));
    }

    #[test]
    fn passing_somebody_and_letting_in_too_many_are_violations() {
        let joined = || [Event::Joined { seq: 1, user: "a" }, Event::Joined { seq: 2, user: "b" }];
        let [first, second] = joined();
        assert!(!played(&[POLICY, first, second, admitted(2, "b")]).1);
        let [first, second] = joined();
        assert!(!played(&[POLICY, first, second, admitted(1, "a"), admitted(2, "b")]).1);
    }
}
