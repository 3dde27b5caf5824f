//! What a load counted.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

use super::connection::Exchange;

/// Latencies above are counted as this, microseconds.
const LATENCY_MAX_US: u64 = 60_000_000;

/// Answers of one or more connections.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// Answers that were expected.
    pub(crate) done: u64,
    /// From the first request to the end of the load.
    pub(crate) wall: Duration,
    /// Of expected answers, microseconds.
    pub(crate) latency: Histogram<u64>,
    pub(crate) by_status: BTreeMap<u16, u64>,
    /// Answers that were not expected, and connections that broke.
    pub(crate) unexpected: u64,
    /// Requests that nobody sent: those who wanted to had lost their patience.
    pub(crate) given_up: u64,
    /// The first of them, with its request.
    pub(crate) example: Option<String>,
}

impl Report {
    pub(super) fn new() -> Self {
        let latency = Histogram::new_with_bounds(1, LATENCY_MAX_US, 3).expect("bounds and digits are fine");
        Self {
            done: 0,
            wall: Duration::ZERO,
            latency,
            by_status: BTreeMap::new(),
            unexpected: 0,
            given_up: 0,
            example: None,
        }
    }

    /// Counts one exchange that was due at `due`. False: there was nothing to ask.
    pub(super) fn count(&mut self, exchange: std::io::Result<Exchange>, due: Instant) -> bool {
        match exchange {
            Ok(Exchange::Idle) => false,
            Ok(Exchange::Done { status, unexpected }) => {
                *self.by_status.entry(status).or_default() += 1;
                if unexpected.is_none() {
                    self.done += 1;
                    let us = u64::try_from(due.elapsed().as_micros()).unwrap_or(LATENCY_MAX_US);
                    self.latency.saturating_record(us.max(1));
                    return true;
                }
                self.unexpected += 1;
                self.example = self.example.take().or(unexpected);
                true
            }
            Err(error) => {
                self.unexpected += 1;
                self.example.get_or_insert_with(|| error.to_string());
                false
            }
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.done += other.done;
        self.wall = self.wall.max(other.wall);
        self.latency.add(&other.latency).expect("all have the same bounds");
        for (status, count) in &other.by_status {
            *self.by_status.entry(*status).or_default() += count;
        }
        self.unexpected += other.unexpected;
        self.given_up += other.given_up;
        self.example = self.example.take().or_else(|| other.example.clone());
    }

    /// Expected answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.count_f64() / self.wall.as_secs_f64()
    }

    /// Expected answers, for dividing by.
    #[expect(clippy::cast_precision_loss, reason = "no load has 2^52 requests")]
    pub(crate) fn count_f64(&self) -> f64 {
        self.done as f64
    }

    /// What was not as expected, if anything: a load without any answer is not, either.
    pub(crate) fn trouble(&self) -> Option<String> {
        if self.unexpected == 0 && self.done > 0 {
            return None;
        }
        let example = self.example.as_deref().unwrap_or("no answer at all");
        Some(format!("{} unexpected answers, the first: {example}", self.unexpected))
    }
}
