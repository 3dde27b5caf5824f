//! What one core counts about its calls: handles made once, one set for each script, shared by all concerts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Failure;
use super::scripts::ALL;
use crate::metrics::{self, Counter, Gauge, Histogram};

/// Handles of one connection and of the lanes that use it.
pub(super) struct Meters {
    durations: HashMap<&'static str, Histogram>,
    lanes: Mutex<HashMap<&'static str, Arc<LaneMeters>>>,
    pub(super) connects: Counter,
}

/// Handles of all lanes of one script.
pub(super) struct LaneMeters {
    script: &'static str,
    /// Requests of each batch.
    pub(super) batch: Histogram,
    /// Requests that waited when a batch was taken.
    pub(super) waiting: Gauge,
    /// By name; as many as the script has outcomes, found by comparing.
    results: Mutex<Vec<(String, Counter)>>,
}

impl Meters {
    pub(super) fn new() -> Self {
        let durations = ALL.map(|script| (script.name, metrics::SCRIPT_DURATION.with([script.name])));
        Self {
            durations: durations.into(),
            lanes: Mutex::default(),
            connects: metrics::REDIS_CONNECTS.handle(),
        }
    }

    /// The duration of calls of a script.
    pub(super) fn duration(&self, script: &str) -> &Histogram {
        self.durations.get(script).expect("the table of scripts has every script")
    }

    /// The handles of a script's lanes.
    pub(super) fn lane(&self, script: &'static str) -> Arc<LaneMeters> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lanes.entry(script).or_insert_with(|| Arc::new(LaneMeters::new(script))))
    }
}

impl LaneMeters {
    fn new(script: &'static str) -> Self {
        // From zero on: the growth of a series that begins with its first failure would not show it.
        let from_zero = |failure: &str| {
            let counter = metrics::OUTCOMES.with([script.to_owned(), failure.to_owned()]);
            (failure.to_owned(), counter)
        };
        Self {
            script,
            batch: metrics::SCRIPT_BATCH.with([script]),
            waiting: metrics::COALESCER_WAITING.with([script]),
            results: Mutex::new(metrics::FAILURES.map(from_zero).into()),
        }
    }

    /// Counts answers, if there are any. `result` is a name of the script's outcomes, or of a failure: there are few.
    pub(super) fn count(&self, result: &str, times: u64) {
        if times == 0 {
            return;
        }
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, counter)) = results.iter().find(|(name, _)| name == result) {
            return counter.increment(times);
        }
        let counter = metrics::OUTCOMES.with([self.script.to_owned(), result.to_owned()]);
        counter.increment(times);
        results.push((result.to_owned(), counter));
    }

    /// Counts one request that failed or was refused.
    pub(super) fn count_failure(&self, failure: &Failure) {
        let result = match failure {
            Failure::Refused(refusal) => refusal.name(),
            Failure::Stopped(_) => "log_lost",
            Failure::Overloaded => "overloaded",
            Failure::Unavailable(_) => "unavailable",
            Failure::OutcomeUnknown(_) => "outcome_unknown",
            Failure::Fault(_) => "fault",
        };
        self.count(result, 1);
    }

    /// The queue of one lane has come from so many requests to so many.
    pub(super) fn moved(&self, from: usize, to: usize) {
        // Queues are bounded far below what a float holds exactly.
        let float = |count| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        if from != to {
            self.waiting.increment(float(to) - float(from));
        }
    }
}
