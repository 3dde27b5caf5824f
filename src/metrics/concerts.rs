//! Labels for concerts and shows, bounded: 100 concerts and 500 shows at a time have series of their own.
//!
//! All others share the label `other`, under which gauges are sums. Who has a label keeps it: a series that changed its
//! meaning would be worse than one too many. But a concert that is over makes room for another, so that a process that
//! runs for a year shows those on sale; in all it shows ten times as many, since series stay until it ends.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::ids::{ConcertId, ShowId};

const CONCERTS_MAX: usize = 100;
const SHOWS_MAX: usize = 500;

/// Labels given in a process's life, for each that may be in use at a time.
const TURNS: usize = 10;

/// Stands for all that have no label of their own.
const OTHER: &str = "other";

struct Labelled<Id>(Mutex<Labels<Id>>);

struct Labels<Id> {
    given: BTreeSet<Id>,
    /// Those of the given that take no room any more.
    over: BTreeSet<Id>,
}

impl<Id: Ord + Copy> Labelled<Id> {
    const fn new() -> Self {
        Self(Mutex::new(Labels { given: BTreeSet::new(), over: BTreeSet::new() }))
    }

    fn lock(&self) -> MutexGuard<'_, Labels<Id>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has a label, or gets one of at most `most` at a time.
    fn admits(&self, id: Id, most: usize) -> bool {
        let Labels { given, over } = &mut *self.lock();
        let has_room = given.len() - over.len() < most && given.len() < most * TURNS;
        given.contains(&id) || (has_room && given.insert(id))
    }

    /// Makes room for another. Its label stays its own.
    fn make_room(&self, id: Id) {
        let Labels { given, over } = &mut *self.lock();
        if given.contains(&id) {
            over.insert(id);
        }
    }

    fn contains(&self, id: &Id) -> bool {
        self.lock().given.contains(id)
    }
}

static CONCERTS: Labelled<ConcertId> = Labelled::new();
static SHOWS: Labelled<ShowId> = Labelled::new();

/// The label of a concert.
pub fn concert_label(concert: ConcertId) -> String {
    if CONCERTS.admits(concert, CONCERTS_MAX) { concert.to_string() } else { OTHER.to_owned() }
}

/// Whether a concert has been given a label of its own: one that is over gets none just to be shown.
pub fn known_concert(concert: ConcertId) -> bool {
    CONCERTS.contains(&concert)
}

/// A concert is over, and so are its shows: others may have labels in their stead. It keeps its own, should it open again.
pub fn concert_over(concert: ConcertId, shows: impl IntoIterator<Item = ShowId>) {
    CONCERTS.make_room(concert);
    shows.into_iter().for_each(|show| SHOWS.make_room(show));
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
        let labelled = Labelled::new();
        assert_eq!([5, 9, 7, 5].map(|id| labelled.admits(id, 2)), [true, true, false, true]);
        assert!(!labelled.contains(&7));
    }

    #[test]
    fn one_that_is_over_makes_room_once_and_keeps_its_label() {
        let labelled = Labelled::new();
        assert_eq!([5, 9].map(|id| labelled.admits(id, 2)), [true, true]);
        for over in [7, 5, 5] {
            labelled.make_room(over);
        }
        assert_eq!([7, 8, 5].map(|id| labelled.admits(id, 2)), [true, false, true]);
        // Each makes room for the next: 20 in all.
        let given = (100..200).filter(|id| {
            labelled.make_room(*id - 1);
            labelled.make_room(7);
            labelled.admits(*id, 2)
        });
        assert_eq!(given.count(), 17);
    }
}
