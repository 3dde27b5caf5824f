//! Catalogs in YAML, and the seats in them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::plan::Plan;

/// Seats of a row, in every hall of ours.
const ROW: u64 = 100;

/// The price of every seat, minor units.
pub(crate) const PRICE: i64 = 10_000;

/// One concert, number 1, with shows of the same size, numbered from 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hall {
    pub(crate) shows: u32,
    /// Of a hundred seats.
    pub(crate) rows: u32,
}

/// A seat: by label, and by index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    pub(crate) show: u32,
    pub(crate) index: u32,
}

/// Seats that were not sold yet, one after the other. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Seats {
    hall: Hall,
    next: Arc<AtomicU64>,
}

/// Everybody is admitted at once, and nothing lapses while we measure.
pub(crate) const WIDE_OPEN: &str = "{ maxActive: 10000000, admitPerSecond: 100000, activeSeconds: 86400, claimSeconds: 0, \
     holdSeconds: 86400, maxSeatsPerUser: 1000 }";

/// One more show, to be put behind [`Hall::yaml`]: number 1000, of fifty seats.
pub(crate) const SMALL_SHOW: &str = "      - { showId: 1000, startsAt: \"2030-01-01T00:00:00.000Z\", currency: KRW, sections: \
     [{ name: A, rows: 5, seatsPerRow: 10, price: 10000 }] }\n";

/// A concert with each of these policies, numbered from 1, each with shows of these many seats, below a hundred or hundreds of them. Shows
/// are numbered from 1, concert after concert.
pub(crate) fn concerts(policies: &[&str], sizes: &[u64]) -> String {
    let mut text = "concerts:\n".to_owned();
    let mut show = 0;
    for (number, policy) in policies.iter().enumerate() {
        let concert = number + 1;
        let head = format!(
            "  - concertId: {concert}\n    title: Number {concert}\n    artist: A\n    venue: V\n    policy: {policy}\n    shows:\n"
        );
        text.push_str(&head);
        for size in sizes {
            show += 1;
            let (rows, row) = if *size < ROW { (1, *size) } else { (size / ROW, ROW) };
            let line = format!(
                "      - {{ showId: {show}, startsAt: \"2030-01-01T00:00:00.000Z\", currency: KRW, sections: \
                 [{{ name: A, rows: {rows}, seatsPerRow: {row}, price: {PRICE} }}] }}\n"
            );
            text.push_str(&line);
        }
    }
    text
}

impl Hall {
    pub(crate) fn of(plan: &Plan) -> Self {
        Self { shows: plan.shows, rows: plan.rows }
    }

    /// The catalog with this policy.
    pub(crate) fn yaml(self, policy: &str) -> String {
        let mut text = format!(
            "concerts:\n  - concertId: 1\n    title: One\n    artist: A\n    venue: V\n    policy: {policy}\n    shows:\n"
        );
        for show in 1..=self.shows {
            let show = format!(
                "      - {{ showId: {show}, startsAt: \"2030-01-01T00:00:00.000Z\", currency: KRW, sections: \
                 [{{ name: A, rows: {}, seatsPerRow: {ROW}, price: {PRICE} }}] }}\n",
                self.rows
            );
            text.push_str(&show);
        }
        text
    }

    /// All seats of all shows.
    pub(crate) fn seats(self) -> Seats {
        Seats { hall: self, next: Arc::default() }
    }
}

impl Seats {
    /// The next one, if any is left.
    pub(crate) fn take(&self) -> Option<Seat> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let of_show = u64::from(self.hall.rows) * ROW;
        let show = u32::try_from(number / of_show).ok().filter(|show| *show < self.hall.shows)?;
        let index = u32::try_from(number % of_show).expect("a show has fewer than 2^32 seats");
        Some(Seat { show: show + 1, index })
    }
}

impl Seat {
    /// As clients name it.
    pub(crate) fn label(self) -> String {
        let row = u32::try_from(ROW).expect("a row is short");
        format!("A-{}-{}", self.index / row + 1, self.index % row + 1)
    }
}
