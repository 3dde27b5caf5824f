//! The seat map of one show: a byte a seat, as Redis holds it, with the changes of the last while.
//!
//! Its version is the number of the last log entry that changed it, so it is the same on all servers. Changes are
//! kept for those who ask for what is new since a version; beyond the bound they get the whole map.

use std::collections::VecDeque;

/// Changes kept for each show: some seconds of a fast sale, 160 KB.
const CHANGES_MAX: usize = 10_000;

/// Free to be held.
pub(crate) const AVAILABLE: u8 = b'0';
/// Held by a PENDING reservation.
pub(crate) const HELD: u8 = b'1';
/// Booked by a CONFIRMED reservation.
pub(crate) const BOOKED: u8 = b'2';

/// Not for sale.
pub(crate) const BLOCKED: u8 = b'3';

/// How many seats are what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeatCounts {
    /// Free to be held.
    pub available: u64,
    /// Held by a PENDING reservation.
    pub held: u64,
    /// Booked by a CONFIRMED reservation.
    pub booked: u64,
    /// Not for sale.
    pub blocked: u64,
}

impl SeatCounts {
    /// Whether no seat is, or can be, anybody's.
    pub fn is_clear(&self) -> bool {
        self.available + self.held + self.booked == 0
    }
}

/// A seat or byte that a seat map cannot have: the log and the map do not belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("seat {index} cannot become {byte:#04x} in a map of {seats} seats")]
pub struct NoSuchSeat {
    /// Its index.
    pub index: u32,
    /// What it should have become.
    pub byte: u8,
    /// Seats of the map.
    pub seats: usize,
}

/// The map.
#[derive(Debug, Default)]
pub(crate) struct SeatMap {
    bytes: Vec<u8>,
    counts: [u64; 4],
    version: u64,
    /// Entry number and index, in the order of the log.
    changes: VecDeque<(u64, u32)>,
    /// Every change of an entry after this one is in `changes`.
    complete_after: u64,
}

impl SeatMap {
    /// An empty map, to be filled from pages; `version` is that of the snapshot's head, so every later change will be
    /// applied and remembered.
    pub(crate) fn to_fill(version: u64) -> Self {
        Self { version, complete_after: version, ..Self::default() }
    }

    /// One byte a seat, by index: `b'0'` available, `b'1'` held, `b'2'` booked, `b'3'` blocked.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Number of the last entry that changed it; 0: none.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// How many seats are what.
    pub(crate) fn counts(&self) -> SeatCounts {
        let [available, held, booked, blocked] = self.counts;
        SeatCounts { available, held, booked, blocked }
    }

    /// Entry `number` made this seat `byte`. Remembered as a change even if it was that already: the byte may come
    /// from a snapshot page that was ahead of this entry.
    pub(crate) fn set(&mut self, number: u64, index: u32, byte: u8) -> Result<(), NoSuchSeat> {
        self.put(index, byte)?;
        self.version = number;
        if self.changes.len() == CHANGES_MAX {
            let dropped = self.changes.pop_front().map_or(0, |(number, _)| number);
            self.complete_after = self.complete_after.max(dropped);
        }
        self.changes.push_back((number, index));
        Ok(())
    }

    /// Entry `number` put the show on sale with this many seats, or made it grow to them; new ones are available.
    pub(crate) fn grow(&mut self, number: u64, seats: u32) {
        self.extend(seats as usize);
        self.version = number;
        self.changes.clear();
        self.complete_after = number;
    }

    /// Bytes from a snapshot page, from index `from` on.
    pub(crate) fn fill(&mut self, from: u32, page: &[u8]) -> Result<(), NoSuchSeat> {
        self.extend(from as usize + page.len());
        for (index, &byte) in (from..).zip(page) {
            self.put(index, byte)?;
        }
        Ok(())
    }

    /// Index and byte of every seat that changed after entry `number`, by index; `None` if that is too long ago.
    pub(crate) fn changes_since(&self, number: u64) -> Option<Vec<(u32, u8)>> {
        if number > self.version || number < self.complete_after {
            return None;
        }
        let first = self.changes.partition_point(|&(entry, _)| entry <= number);
        let mut indexes: Vec<u32> = self.changes.range(first..).map(|&(_, index)| index).collect();
        indexes.sort_unstable();
        indexes.dedup();
        let seat = |index: u32| (index, self.bytes[index as usize]);
        Some(indexes.into_iter().map(seat).collect())
    }

    fn extend(&mut self, seats: usize) {
        let more = seats.saturating_sub(self.bytes.len());
        self.bytes.resize(self.bytes.len() + more, AVAILABLE);
        self.counts[0] += more as u64;
    }

    fn put(&mut self, index: u32, byte: u8) -> Result<(), NoSuchSeat> {
        let seats = self.bytes.len();
        let wrong = NoSuchSeat { index, byte, seats };
        let seat = self.bytes.get_mut(index as usize).ok_or(wrong)?;
        let after = byte.checked_sub(b'0').map(usize::from).ok_or(wrong)?;
        *self.counts.get_mut(after).ok_or(wrong)? += 1;
        self.counts[usize::from(*seat - b'0')] -= 1;
        *seat = byte;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_follow_the_bytes() {
        let mut map = SeatMap::default();
        map.grow(3, 5);
        map.set(4, 1, HELD).unwrap();
        map.set(5, 1, BOOKED).unwrap();
        map.set(5, 4, HELD).unwrap();
        map.set(5, 4, HELD).unwrap();
        assert_eq!((map.bytes(), map.version()), (&b"02001"[..], 5));
        let counts = SeatCounts { available: 3, held: 1, booked: 1, blocked: 0 };
        assert_eq!(map.counts(), counts);
        assert!(map.set(6, 5, HELD).is_err());
        assert!(map.set(6, 0, b'4').is_err());
        assert!(map.set(6, 0, b'/').is_err());
        assert_eq!(map.counts(), counts);
    }

    #[test]
    fn changes_are_told_once_with_what_the_seat_is_now() {
        let mut map = SeatMap::default();
        map.grow(1, 9);
        map.set(4, 7, HELD).unwrap();
        map.set(5, 2, HELD).unwrap();
        map.set(9, 7, AVAILABLE).unwrap();
        assert_eq!(map.changes_since(1), Some(vec![(2, HELD), (7, AVAILABLE)]));
        assert_eq!(map.changes_since(5), Some(vec![(7, AVAILABLE)]));
        assert_eq!(map.changes_since(9), Some(vec![]));
        assert_eq!((map.changes_since(0), map.changes_since(10)), (None, None));
    }

    #[test]
    fn changes_beyond_the_bound_are_not_half_told() {
        let mut map = SeatMap::default();
        map.grow(1, 10);
        // Two seats an entry: the bound falls between the two changes of one entry.
        for number in 2..=CHANGES_MAX as u64 {
            map.set(number, 0, HELD).unwrap();
            map.set(number, 1, HELD).unwrap();
        }
        map.set(CHANGES_MAX as u64 + 1, 5, HELD).unwrap();
        let half = CHANGES_MAX as u64 / 2 + 1;
        assert_eq!(map.changes_since(half - 1), None);
        assert_eq!(
            map.changes_since(half).map(|seats| seats.len()),
            Some(3),
            "entry {half} lost one of its changes, so those after it are complete"
        );
    }

    #[test]
    fn a_filled_map_knows_only_the_changes_after_its_snapshot() {
        let mut map = SeatMap::to_fill(40);
        map.fill(0, b"0123").unwrap();
        map.fill(4, b"1").unwrap();
        assert_eq!(map.changes_since(40), Some(vec![]));
        map.set(52, 4, HELD).unwrap();
        assert_eq!(map.bytes(), b"01231");
        assert_eq!(map.changes_since(39), None);
        assert_eq!(map.changes_since(40), Some(vec![(4, HELD)]));
    }
}
