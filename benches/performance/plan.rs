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
    /// Distinct users where each buys once: more than can buy in all rounds.
    pub(crate) buyers: usize,
    /// People in the line of the polls.
    pub(crate) waiting: usize,
    /// Shows of the concert that is sold.
    pub(crate) shows: u32,
    /// Rows of each show, of a hundred seats each.
    pub(crate) rows: u32,
    /// How long the server gets more than it can take.
    pub(crate) overload: Duration,
    /// The longest line, a power of ten above 1,000.
    pub(crate) line: usize,
    /// Joins over which their cost is taken.
    pub(crate) joins: usize,
    /// Calls of each script whose longest are looked at.
    pub(crate) calls: usize,
    /// The most concerts among which requests are spread.
    pub(crate) most_concerts: usize,
    /// Connections that do nothing.
    pub(crate) idle: usize,
    /// The largest installation that `up` starts with: concerts, each with a show of so many rows.
    pub(crate) concerts: u32,
    /// Rows of each of them, of a hundred seats each.
    pub(crate) concert_rows: u32,
}

impl Plan {
    /// For the document.
    pub(crate) fn full() -> Self {
        Self {
            rounds: 3,
            time: Duration::from_secs(2),
            users: 100_000,
            buyers: 800_000,
            waiting: 1_000_000,
            shows: 16,
            rows: 500,
            overload: Duration::from_mins(1),
            line: 10_000_000,
            joins: 50_000,
            calls: 1000,
            most_concerts: 1_000,
            idle: 10_000,
            concerts: 100,
            concert_rows: 100,
        }
    }

    /// For CI: every row once, on tiny loads.
    pub(crate) fn smoke() -> Self {
        Self {
            rounds: 1,
            time: Duration::from_millis(300),
            users: 2_000,
            buyers: 40_000,
            waiting: 5_000,
            shows: 4,
            rows: 100,
            overload: Duration::from_secs(1),
            line: 10_000,
            joins: 1000,
            calls: 10,
            most_concerts: 10,
            idle: 200,
            concerts: 5,
            concert_rows: 10,
        }
    }
}
