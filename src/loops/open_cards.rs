//! How much is left to do of card payments, for whoever watches: counted while the worker looks at them anyway.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use crate::domain::card::{CardPayment, CardState};
use crate::domain::ids::ConcertId;
use crate::domain::time::Millis;
use crate::metrics::{self, Gauge, concert_label, float, known_concert};

/// What is not at its end in one concert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OpenCards {
    counts: [u64; CardState::ALL.len()],
    /// Age of the oldest of those that were decided, ms.
    oldest: i64,
}

impl OpenCards {
    /// Counts one, seen at `now`.
    pub(super) fn take(&mut self, card: &CardPayment, now: Millis) {
        self.counts[card.state as usize] += 1;
        // One that nobody has decided waits for its buyer.
        if card.state != CardState::Authorising {
            self.oldest = self.oldest.max(now.0 - card.since.0);
        }
    }
}

/// The gauges of all concerts. One that could not be read stays as it was.
#[derive(Default)]
pub(super) struct Board(Mutex<Known>);

#[derive(Default)]
struct Known {
    concerts: HashMap<ConcertId, OpenCards>,
    /// By label: concerts may share one.
    series: BTreeMap<String, Series>,
}

struct Series {
    counts: [Gauge; CardState::ALL.len()],
    oldest: Gauge,
}

impl Series {
    fn new(label: &str) -> Self {
        let count = |state: CardState| metrics::CARD_OPEN.with([label.to_owned(), state.as_str().to_owned()]);
        Self { counts: CardState::ALL.map(count), oldest: metrics::CARD_OLDEST.with([label.to_owned()]) }
    }
}

impl Board {
    /// What a concert has now.
    pub(super) fn note(&self, concert: ConcertId, open: OpenCards) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One that was over before it was ever shown takes no label from those on sale.
        if open == OpenCards::default() && !known_concert(concert) {
            known.concerts.remove(&concert);
        } else {
            known.concerts.insert(concert, open);
        }
    }

    /// Sets the gauges.
    pub(super) fn show(&self) {
        let Known { concerts, series } = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sums = BTreeMap::<String, OpenCards>::new();
        for (concert, open) in concerts.iter() {
            let sum = sums.entry(concert_label(*concert)).or_default();
            for (count, more) in sum.counts.iter_mut().zip(open.counts) {
                *count += more;
            }
            sum.oldest = sum.oldest.max(open.oldest);
        }
        for (label, sum) in sums {
            let series = series.entry(label).or_insert_with_key(|label| Series::new(label));
            for (gauge, count) in series.counts.iter().zip(sum.counts) {
                gauge.set(float(count));
            }
            series.oldest.set(float(u64::try_from(sum.oldest / 1000).unwrap_or(0)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_decided_grows_old() {
        let card = |state: &str, since: i64| {
            let (id, of) = ("0".repeat(20), "1".repeat(20));
            let of = if state == "refused" { format!("{of} 5 ") } else { String::new() };
            CardPayment::decode(&format!("{state} {id} 12 5 {since} {of}u")).unwrap()
        };
        let mut open = OpenCards::default();
        open.take(&card("authorising", 1_000), Millis(100_000));
        open.take(&card("refused", 60_000), Millis(100_000));
        open.take(&card("capture", 90_000), Millis(100_000));
        assert_eq!(open, OpenCards { counts: [1, 1, 0, 0, 1], oldest: 40_000 });
    }

    #[test]
    fn numbers_of_states_are_their_places() {
        for (place, state) in CardState::ALL.into_iter().enumerate() {
            assert_eq!((state as usize, state.as_str()), (place, metrics::CARD_STATES[place]));
        }
    }
}
