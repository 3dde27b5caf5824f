//! How much is measured: one set of numbers for the document, one that only proves that the harness runs.

use std::time::Duration;

/// The sizes of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Rounds of A-B-A-B; medians are over these.
    pub(crate) rounds: usize,
    /// Length of each side of a round.
    pub(crate) time: Duration,
    /// Distinct users, each with tokens of his own.
    pub(crate) users: usize,
    /// People in the line of the polls.
    pub(crate) waiting: usize,
    /// Shows of the concert that is sold.
    pub(crate) shows: u32,
    /// Rows of each show, of a hundred seats each.
    pub(crate) rows: u32,
    /// How long the server gets more than it can take.
    pub(crate) overload: Duration,
}

impl Plan {
    /// For the document.
    pub(crate) fn full() -> Self {
        Self {
            rounds: 5,
            time: Duration::from_secs(3),
            users: 100_000,
            waiting: 1_000_000,
            shows: 16,
            rows: 500,
            overload: Duration::from_mins(1),
        }
    }

    /// For CI: every row once, on tiny loads.
    pub(crate) fn smoke() -> Self {
        Self {
            rounds: 1,
            time: Duration::from_millis(300),
            users: 2_000,
            waiting: 5_000,
            shows: 4,
            rows: 100,
            overload: Duration::from_secs(1),
        }
    }
}
