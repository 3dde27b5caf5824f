//! Labels for concerts and shows, bounded: the first 100 concerts and 500 shows of a process have series of their own.
//!
//! All others share the label `other`, under which gauges are sums. Who has a label keeps it: a series that changed its
//! meaning would be worse than one too many.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::domain::ids::{ConcertId, ShowId};

const CONCERTS_MAX: usize = 100;
const SHOWS_MAX: usize = 500;

/// Stands for all that have no label of their own.
const OTHER: &str = "other";

struct Labelled<Id>(Mutex<BTreeSet<Id>>);

impl<Id: Ord> Labelled<Id> {
    /// Whether it has a label, or gets one of at most `most`.
    fn admits(&self, id: Id, most: usize) -> bool {
        let mut labelled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        labelled.contains(&id) || (labelled.len() < most && labelled.insert(id))
    }

    fn contains(&self, id: &Id) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }
}

static CONCERTS: Labelled<ConcertId> = Labelled(Mutex::new(BTreeSet::new()));
static SHOWS: Labelled<ShowId> = Labelled(Mutex::new(BTreeSet::new()));

/// The label of a concert.
pub fn concert_label(concert: ConcertId) -> String {
    if CONCERTS.admits(concert, CONCERTS_MAX) { concert.to_string() } else { OTHER.to_owned() }
}

/// Whether a concert has been given a label of its own: one that is over gets none just to be shown.
pub fn known_concert(concert: ConcertId) -> bool {
    CONCERTS.contains(&concert)
}

/// The labels of a show: its concert's and its own. A show of a concert without one has none either.
pub fn show_label(concert: ConcertId, show: ShowId) -> [String; 2] {
    let concert = concert_label(concert);
    let own = concert != OTHER && SHOWS.admits(show, SHOWS_MAX);
    let show = if own { show.to_string() } else { OTHER.to_owned() };
    [concert, show]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_bounded_and_kept() {
        let labelled = Labelled(Mutex::new(BTreeSet::new()));
        assert_eq!([5, 9, 7, 5].map(|id| labelled.admits(id, 2)), [true, true, false, true]);
        assert!(!labelled.contains(&7));
    }
}
