//! How much is left to do of card payments, for whoever watches: counted while the worker looks at them anyway.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use crate::domain::card::CardState;
use crate::domain::ids::ConcertId;
use crate::metrics::{self, Gauge, concert_label, float, known_concert};

/// Records by state, each at the place of its number.
pub(super) type Counts = [u64; CardState::ALL.len()];

/// The gauges of all concerts. One that could not be read stays as it was.
#[derive(Default)]
pub(super) struct Board(Mutex<Known>);

#[derive(Default)]
struct Known {
    concerts: HashMap<ConcertId, Counts>,
    /// By label: concerts may share one.
    gauges: BTreeMap<String, [Gauge; CardState::ALL.len()]>,
}

impl Board {
    /// What a concert has now.
    pub(super) fn note(&self, concert: ConcertId, open: Counts) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.concerts.insert(concert, open);
    }

    /// Sets the gauges.
    pub(super) fn show(&self) {
        let Known { concerts, gauges } = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (label, sums) in sums(concerts) {
            let gauges = gauges.entry(label).or_insert_with_key(|label| {
                let gauge =
                    |state: CardState| metrics::CARD_OPEN.with([label.clone(), state.as_str().to_owned()]);
                CardState::ALL.map(gauge)
            });
            for (gauge, sum) in gauges.iter().zip(sums) {
                gauge.set(float(sum));
            }
        }
    }
}

/// By label.
fn sums(concerts: &HashMap<ConcertId, Counts>) -> BTreeMap<String, Counts> {
    let mut sums = BTreeMap::<String, Counts>::new();
    // A concert of which nothing was ever shown takes no label from those on sale.
    let shown =
        |(concert, open): &(&ConcertId, &Counts)| **open != Counts::default() || known_concert(**concert);
    for (concert, open) in concerts.iter().filter(shown) {
        let sum = sums.entry(concert_label(*concert)).or_default();
        for (sum, count) in sum.iter_mut().zip(open) {
            *sum += count;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_concert_is_shown_once_it_has_something_and_from_then_on() {
        let concert = ConcertId(4_000_000_001);
        let of = |open| sums(&HashMap::from([(concert, open)]));
        assert_eq!(of([0; 5]), BTreeMap::new());
        assert_eq!(of([1, 0, 0, 2, 0]), BTreeMap::from([(concert.to_string(), [1, 0, 0, 2, 0])]));
        assert_eq!(of([0; 5]), BTreeMap::from([(concert.to_string(), [0; 5])]));
    }

    #[test]
    fn numbers_of_states_are_their_places() {
        for (place, state) in CardState::ALL.into_iter().enumerate() {
            assert_eq!((state as usize, state.as_str()), (place, metrics::CARD_STATES[place]));
        }
    }
}
