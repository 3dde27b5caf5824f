//! The payments and top-ups that somebody looked at lately, and what the gateway said of each.
//!
//! Pages ask again and again; the gateway is asked once a second about one payment, and in between the answer is what it was.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::gateway::Standing;

/// How often one payment is asked about because somebody looks at it.
const PERIOD: Duration = Duration::from_secs(1);

/// Payments that are remembered; beyond it those are forgotten that may be asked about again.
const REMEMBERED_MAX: usize = 10_000;

/// Whose turn it is to ask, by the payment's name at the gateway.
#[derive(Default)]
pub(super) struct Looked(Mutex<HashMap<String, Look>>);

struct Look {
    at: Instant,
    said: Option<Standing>,
}

/// What somebody who looks does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Asks the gateway. Nobody else does for a second.
    Ask,
    /// Takes what it said last, if that is known: it is asked just now, or was.
    Take(Option<Standing>),
}

impl Looked {
    /// The turn of whoever looks at a payment now.
    pub(super) fn turn(&self, payment: &str, now: Instant) -> Turn {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(look) = looks.get_mut(payment) {
            if now - look.at < PERIOD {
                return Turn::Take(look.said.clone());
            }
            // What it said stays for those who come while it is asked.
            look.at = now;
            return Turn::Ask;
        }
        if looks.len() >= REMEMBERED_MAX {
            looks.retain(|_, look| now - look.at < PERIOD);
        }
        looks.insert(payment.to_owned(), Look { at: now, said: None });
        Turn::Ask
    }

    /// Notes what the gateway answered to whoever's turn it was.
    pub(super) fn note(&self, payment: String, said: &Standing) {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let look = looks.entry(payment).or_insert_with(|| Look { at: Instant::now(), said: None });
        look.said = Some(said.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_those_who_look_within_a_second_asks_and_the_others_take_what_was_said() {
        let (looked, start) = (Looked::default(), Instant::now());
        assert_eq!(looked.turn("a", start), Turn::Ask);
        assert_eq!(looked.turn("a", start), Turn::Take(None));
        assert_eq!(looked.turn("b", start), Turn::Ask);
        looked.note("a".into(), &Standing::Processing);
        assert_eq!(looked.turn("a", start + PERIOD / 2), Turn::Take(Some(Standing::Processing)));
        assert_eq!(looked.turn("a", start + PERIOD), Turn::Ask);
        // While it is asked again, what it said last is still the best there is.
        assert_eq!(looked.turn("a", start + PERIOD), Turn::Take(Some(Standing::Processing)));
        looked.note("a".into(), &Standing::Authorised);
        assert_eq!(looked.turn("a", start + PERIOD), Turn::Take(Some(Standing::Authorised)));
    }

    #[test]
    fn those_who_looked_long_ago_are_forgotten() {
        let (looked, start) = (Looked::default(), Instant::now());
        for payment in 0..REMEMBERED_MAX {
            looked.turn(&payment.to_string(), start);
        }
        looked.turn("late", start + PERIOD / 2);
        assert_eq!(looked.0.lock().unwrap().len(), REMEMBERED_MAX + 1);
        looked.turn("later", start + PERIOD);
        assert_eq!(looked.0.lock().unwrap().len(), 2);
    }
}
