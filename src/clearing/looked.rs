//! When the gateway was last asked about a payment, and what it said: who looks at one asks no more often than it can bear.
//!
//! Where it tells by itself, one that waits for its buyer rests longer: when he has done something a message says so, and a minute at his
//! bank would cost a call for each of its seconds. A message lost costs him that time, no more.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::gateway::Standing;

/// How often one payment is asked about because somebody looks at it.
const LOOK: Duration = Duration::from_secs(1);

/// The same, and of the worker, while it waits for its buyer and the gateway tells by itself.
const REST: Duration = Duration::from_secs(8);

/// Payments that are remembered before those that are over are looked for.
const MOST: usize = 10_000;

/// What is remembered, by name.
pub(super) struct Looked {
    /// Whether the gateway tells by itself.
    tells: bool,
    known: Mutex<Known>,
}

struct Known {
    looks: HashMap<String, Look>,
    /// At so many the next search for those that are over is due.
    most: usize,
}

struct Look {
    at: Instant,
    said: Option<Standing>,
}

impl Looked {
    pub(super) fn new(tells: bool) -> Self {
        Self { tells, known: Mutex::new(Known { looks: HashMap::new(), most: MOST }) }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long after a look there is no other; `is_open`: nothing is decided of it yet.
    fn pause(&self, look: &Look, is_open: bool) -> Duration {
        let waits = self.tells && is_open && matches!(look.said, Some(Standing::RequiresAction { .. }));
        if waits { REST } else { LOOK }
    }

    /// Whether it is time to ask about a payment; if so it counts as asked at `now`.
    pub(super) fn turn(&self, payment: &str, is_open: bool, now: Instant) -> bool {
        let mut known = self.lock();
        if let Some(look) = known.looks.get_mut(payment) {
            let is_time = now - look.at >= self.pause(look, is_open);
            if is_time {
                look.at = now;
            }
            return is_time;
        }
        self.insert(&mut known, payment, Look { at: now, said: None });
        true
    }

    /// What the gateway said last.
    pub(super) fn said(&self, payment: &str) -> Option<Standing> {
        self.lock().looks.get(payment).and_then(|look| look.said.clone())
    }

    /// Notes what it says now.
    pub(super) fn keep(&self, payment: &str, standing: &Standing, now: Instant) {
        self.insert(&mut self.lock(), payment, Look { at: now, said: Some(standing.clone()) });
    }

    /// Whether an open payment waits for its buyer and is to be left alone.
    pub(super) fn rests(&self, payment: &str, now: Instant) -> bool {
        let known = self.lock();
        known.looks.get(payment).is_some_and(|look| {
            let pause = self.pause(look, true);
            pause == REST && now - look.at < pause
        })
    }

    fn insert(&self, known: &mut Known, payment: &str, look: Look) {
        if known.looks.len() >= known.most {
            known.looks.retain(|_, old| look.at - old.at < self.pause(old, true));
            // So that a search is paid for by as many payments as it goes through.
            known.most = MOST.max(2 * known.looks.len());
        }
        known.looks.insert(payment.to_owned(), look);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn at(begin: Instant, ms: u64) -> Instant {
        begin + Duration::from_millis(ms)
    }

    const WAITS: Standing = Standing::RequiresAction { next: Value::Null };

    #[test]
    fn a_payment_is_looked_at_once_a_second() {
        let (looked, begin) = (Looked::new(true), Instant::now());
        assert!(looked.turn("p", true, begin));
        looked.keep("p", &Standing::Processing, begin);
        assert!(!looked.turn("p", true, at(begin, 999)) && !looked.rests("p", at(begin, 1)));
        assert_eq!(looked.said("p"), Some(Standing::Processing));
        assert!(looked.turn("p", true, at(begin, 1000)) && !looked.turn("p", true, at(begin, 1999)));
        assert!(looked.turn("q", true, begin) && looked.said("q").is_none());
    }

    #[test]
    fn one_that_waits_for_its_buyer_rests_where_the_gateway_tells() {
        let begin = Instant::now();
        for (tells, pause) in [(true, 8000), (false, 1000)] {
            let looked = Looked::new(tells);
            looked.keep("p", &WAITS, begin);
            assert!(!looked.turn("p", true, at(begin, pause - 1)), "{tells}");
            assert_eq!(looked.rests("p", at(begin, pause - 1)), tells);
            assert!(!looked.rests("p", at(begin, pause)) && looked.turn("p", true, at(begin, pause)));
            assert_eq!(looked.rests("p", at(begin, pause + 1)), tells, "it was asked again");
            assert_eq!(looked.said("p"), Some(WAITS));
            // Decided, so nobody is waited for.
            assert!(looked.turn("p", false, at(begin, pause + 1000)));
            looked.keep("p", &Standing::Processing, at(begin, pause + 2000));
            assert!(looked.turn("p", true, at(begin, pause + 3000)));
        }
    }

    #[test]
    fn those_that_are_over_are_forgotten() {
        let (looked, begin) = (Looked::new(true), Instant::now());
        looked.keep("waits", &WAITS, begin);
        for number in 1..MOST {
            assert!(looked.turn(&number.to_string(), true, begin));
        }
        assert!(looked.turn("new", true, at(begin, 1000)));
        assert_eq!(looked.lock().looks.len(), 2);
        assert!(looked.rests("waits", at(begin, 1000)));
    }
}
