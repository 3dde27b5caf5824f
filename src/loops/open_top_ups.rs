//! How much is left to do of charges through the gateway, for whoever watches: counted while the worker looks at them anyway.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::domain::time::Millis;
use crate::domain::top_up::{TopUp, TopUpState};
use crate::metrics::{self, Gauge, float};

/// What is left in one wallet partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    /// By state, each at the place of its number.
    counts: [u64; TopUpState::ALL.len()],
    /// How long the one that should have been over first has been so, ms.
    overdue: u64,
}

impl Left {
    /// Of these, at `now`.
    pub(super) fn of<'a>(open: impl Iterator<Item = &'a TopUp>, now: Millis) -> Self {
        open.fold(Self::default(), |mut left, top_up| {
            left.counts[top_up.state as usize] += 1;
            // Who is at his bank has until then; what is decided is the gateway's to do at once.
            let due = if top_up.state == TopUpState::Authorising { top_up.end } else { top_up.since };
            left.overdue = left.overdue.max(u64::try_from(now.0 - due.0).unwrap_or(0));
            left
        })
    }
}

/// The gauges of all partitions. One that could not be read stays as it was.
pub(super) struct Board {
    partitions: Mutex<HashMap<u8, Left>>,
    open: [Gauge; TopUpState::ALL.len()],
    overdue: Gauge,
}

impl Board {
    pub(super) fn new() -> Self {
        let open = TopUpState::ALL.map(|state| metrics::TOP_UP_OPEN.with([state.as_str()]));
        Self { partitions: Mutex::default(), open, overdue: metrics::TOP_UP_OVERDUE.handle() }
    }

    /// What a partition has now.
    pub(super) fn note(&self, partition: u8, left: Left) {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner).insert(partition, left);
    }

    /// Sets the gauges.
    pub(super) fn show(&self) {
        let partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, gauge) in self.open.iter().enumerate() {
            gauge.set(float(partitions.values().map(|left| left.counts[place]).sum()));
        }
        let overdue = partitions.values().map(|left| left.overdue).max().unwrap_or(0);
        self.overdue.set(float(overdue) / 1000.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(records: &[&str]) -> Left {
        let open: Vec<_> = records.iter().map(|record| TopUp::decode(record).unwrap()).collect();
        Left::of(open.iter(), Millis(10_000))
    }

    #[test]
    fn what_is_decided_counts_from_then_and_what_is_not_from_its_end() {
        assert_eq!(left(&[]), Left::default());
        let waits = "authorising 5 KRW 10001 2000 u";
        assert_eq!(left(&[waits]), Left { counts: [1, 0, 0, 0], overdue: 0 });
        let over = "authorising 5 KRW 9000 2000 u";
        assert_eq!(left(&[waits, over]), Left { counts: [2, 0, 0, 0], overdue: 1000 });
        let [taken, let_go] = ["capture 5 KRW 99999 4000 u", "expired 5 KRW 3000 7000 u"];
        assert_eq!(left(&[waits, taken, let_go]), Left { counts: [1, 1, 0, 1], overdue: 6000 });
    }

    #[test]
    fn numbers_of_states_are_their_places() {
        for (place, state) in TopUpState::ALL.into_iter().enumerate() {
            assert_eq!((state as usize, state.as_str()), (place, metrics::TOP_UP_STATES[place]));
        }
    }
}
