//! The line of a concert as its log tells it: who waits and who is active, by sequence number, never by user.
//!
//! Every change says what a place *is* afterwards, so one that comes twice (a snapshot page and the entry behind it)
//! changes nothing. Admissions are counted in log time; their rate is asked with the time of the question, since a line in
//! which nothing happens has no entries that would move it.

use std::collections::{HashMap, VecDeque};

use super::positions::{Positions, TooFar};
use crate::domain::time::Millis;

/// What a place in line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceView {
    /// Not admitted yet.
    Waiting {
        /// 1 for the next to be admitted.
        position: u64,
    },
    /// Admitted. The sweeper may be late: a place whose `end` has passed is over, whatever stands here.
    Active {
        /// The active place ends then.
        end: Millis,
        /// Whether its owner has shown up; if not, Redis decides what he gets (`api.md`: never from memory).
        claimed: bool,
    },
    /// It has ended.
    Gone,
    /// Never seen: the log has not come that far, or the number is invented.
    Unknown,
}

/// The line in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// Places waiting.
    pub waiting: u64,
    /// Places active.
    pub active: u64,
}

/// The line.
#[derive(Debug, Default)]
pub(crate) struct Line {
    waiting: Positions,
    /// Sequence number → end and whether it is claimed. As many as `maxActive`.
    active: HashMap<u64, (Millis, bool)>,
    last_seen: u64,
    admissions: Admissions,
}

impl Line {
    /// An empty line whose numbers up to `last_seen` have been given.
    pub(crate) fn after(last_seen: u64) -> Self {
        Self { last_seen, ..Self::default() }
    }

    /// What the place with this number is.
    pub(crate) fn place(&self, seq: u64) -> PlaceView {
        if self.waiting.contains(seq) {
            let position = self.waiting.below(seq) + 1;
            return PlaceView::Waiting { position };
        }
        match self.active.get(&seq) {
            Some(&(end, claimed)) => PlaceView::Active { end, claimed },
            None if seq <= self.last_seen => PlaceView::Gone,
            None => PlaceView::Unknown,
        }
    }

    /// The line in numbers.
    pub(crate) fn counts(&self) -> LineCounts {
        LineCounts { waiting: self.waiting.len(), active: self.active.len() as u64 }
    }

    /// Admissions a second over the last 10 s before `now`.
    pub(crate) fn admitted_per_second(&self, now: Millis) -> f64 {
        self.admissions.per_second(now)
    }

    /// It waits.
    pub(crate) fn wait(&mut self, seq: u64) -> Result<(), TooFar> {
        self.waiting.insert(seq)?;
        self.active.remove(&seq);
        self.last_seen = self.last_seen.max(seq);
        Ok(())
    }

    /// It is active.
    pub(crate) fn activate(&mut self, seq: u64, end: Millis, claimed: bool) {
        self.waiting.remove(seq);
        self.active.insert(seq, (end, claimed));
        self.last_seen = self.last_seen.max(seq);
    }

    /// Its owner is there.
    pub(crate) fn claim(&mut self, seq: u64) {
        if let Some(place) = self.active.get_mut(&seq) {
            place.1 = true;
        }
    }

    /// It ends then.
    pub(crate) fn stretch(&mut self, seq: u64, end: Millis) {
        if let Some(place) = self.active.get_mut(&seq) {
            place.0 = end;
        }
    }

    /// It is gone.
    pub(crate) fn end(&mut self, seq: u64) {
        self.waiting.remove(seq);
        self.active.remove(&seq);
    }

    /// Log time has come to `at`; `admitted` places became active at it.
    pub(crate) fn pass(&mut self, at: Millis, admitted: u32) {
        self.admissions.pass(at, admitted);
    }
}

/// The window over which admissions are counted, s: long enough to smooth the 100 ms steps of the admission loop.
const WINDOW_SECONDS: i64 = 10;

/// Admissions by second of log time.
#[derive(Debug, Default)]
struct Admissions {
    /// Second and count, the seconds of the window with any.
    seconds: VecDeque<(i64, u32)>,
    total: u64,
    /// First and last time seen.
    span: Option<(Millis, Millis)>,
}

impl Admissions {
    fn pass(&mut self, at: Millis, admitted: u32) {
        let first = self.span.map_or(at, |(first, _)| first);
        self.span = Some((first, at));
        let second = at.0.div_euclid(1000);
        while let Some(&(old, count)) = self.seconds.front() {
            if old > second - WINDOW_SECONDS {
                break;
            }
            self.total -= u64::from(count);
            self.seconds.pop_front();
        }
        if admitted == 0 {
            return;
        }
        self.total += u64::from(admitted);
        match self.seconds.back_mut() {
            Some((last, count)) if *last == second => *count += admitted,
            _ => self.seconds.push_back((second, admitted)),
        }
    }

    /// Every poll asks: no more is looked at than the seconds that are over but not yet passed, ten at the most.
    fn per_second(&self, now: Millis) -> f64 {
        let Some((first, last)) = self.span else {
            return 0.0;
        };
        // The clock of the question is another one: it may be behind that of the log.
        let now = now.max(last);
        let over = now.0.div_euclid(1000) - WINDOW_SECONDS;
        let gone = self.seconds.iter().take_while(|(second, _)| *second <= over);
        let counted = self.total - gone.map(|(_, count)| u64::from(*count)).sum::<u64>();
        let seen = (now.0 - first.0).clamp(1000, WINDOW_SECONDS * 1000);
        let millis = u32::try_from(seen).expect("clamped to 10,000");
        #[expect(clippy::cast_precision_loss, reason = "a count of 10 seconds is far below 2^52")]
        let counted = counted as f64;
        counted * 1000.0 / f64::from(millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: Millis = Millis(600_000);

    #[test]
    fn a_place_goes_from_waiting_to_active_to_gone() {
        let mut line = Line::default();
        for seq in 1..=3 {
            line.wait(seq).unwrap();
        }
        assert_eq!(line.place(3), PlaceView::Waiting { position: 3 });
        line.activate(1, END, false);
        line.claim(1);
        line.stretch(1, Millis(700_000));
        let active = PlaceView::Active { end: Millis(700_000), claimed: true };
        assert_eq!(line.place(1), active);
        assert_eq!(line.place(3), PlaceView::Waiting { position: 2 });
        line.end(1);
        line.end(2);
        assert_eq!((line.place(1), line.place(2)), (PlaceView::Gone, PlaceView::Gone));
        assert_eq!(line.place(3), PlaceView::Waiting { position: 1 });
        assert_eq!(line.place(4), PlaceView::Unknown);
        assert_eq!(Line::after(9).place(9), PlaceView::Gone);
    }

    #[test]
    fn a_place_put_back_after_a_recovery_stands_at_its_own_number() {
        let mut line = Line::after(100);
        line.wait(101).unwrap();
        line.wait(40).unwrap();
        assert_eq!(line.place(40), PlaceView::Waiting { position: 1 });
        assert_eq!(line.place(101), PlaceView::Waiting { position: 2 });
    }

    #[test]
    fn the_rate_is_that_of_the_last_ten_seconds() {
        let mut line = Line::default();
        let rate_at = |line: &Line, now| line.admitted_per_second(Millis(now));
        assert!(rate_at(&line, 0).abs() < 1e-9);
        for step in 0..300 {
            line.pass(Millis(step * 100), 5);
        }
        // It is the same whether an entry without admissions or only time has passed, and a clock behind the log's sees its end.
        for now in [0, 29_900] {
            assert!((rate_at(&line, now) - 50.0).abs() < 3.0, "{}", rate_at(&line, now));
        }
        let before = (rate_at(&line, 34_900), rate_at(&line, 60_000));
        assert!((before.0 - 25.0).abs() < 3.0 && before.1.abs() < 1e-9, "{before:?}");
        line.pass(Millis(34_900), 0);
        assert!((rate_at(&line, 34_900) - before.0).abs() < 1e-9);
        line.pass(Millis(60_000), 0);
        assert!(rate_at(&line, 60_000).abs() < 1e-9);
    }

    #[test]
    fn what_was_seen_for_a_moment_is_no_rate_for_long() {
        let mut line = Line::default();
        line.pass(Millis(500), 2);
        let rates = [500, 1500, 2500, 9_900, 10_000].map(|now| line.admitted_per_second(Millis(now)));
        for (rate, expected) in rates.into_iter().zip([2.0, 2.0, 1.0, 0.21, 0.0]) {
            assert!((rate - expected).abs() < 0.01, "{rates:?}");
        }
    }
}
