//! Fills the state of a concert from pages that were read one after the other while the sale went on.
//!
//! The head names the entry from which to follow. A page read later is ahead of it, so the entries in between come a
//! second time, which is harmless for what is absolute; until the number of the last page is reached the state mixes
//! moments and is shown to nobody.

use super::queue::Line;
use super::sale::{Applied, ApplyError, Sale};
use super::seats::SeatMap;
use crate::domain::event::Entry;
use crate::domain::ids::{Mark, Offset, ShowId};
use crate::domain::time::Millis;

/// What the first page says.
#[derive(Clone, Debug)]
pub struct Head {
    /// The log.
    pub log_id: Mark,
    /// How often it was recovered.
    pub epoch: u16,
    /// The last entry that these fields reflect: following starts behind it.
    pub offset: Offset,
    /// Version of [`Head::policy_json`].
    pub policy_version: u64,
    /// The policy as in a `policy` event.
    pub policy_json: String,
    /// The last sequence number given.
    pub seq: u64,
    /// Confirmed less refunded, minor units.
    pub revenue: i64,
    /// Each show on sale with the number of the last entry that changed its seat map.
    pub show_versions: Vec<(ShowId, u64)>,
    /// Cancelled shows with the reason.
    pub cancelled: Vec<(ShowId, String)>,
}

/// An active place as a page tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its sequence number.
    pub seq: u64,
    /// It ends then.
    pub end: Millis,
    /// It must be claimed by then; 0: it is.
    pub claim_by: Millis,
}

/// A state being filled.
#[derive(Debug)]
pub struct Filling {
    sale: Sale,
    /// The highest entry that any page reflects.
    complete_at: u64,
}

impl Filling {
    /// A state with the head of a snapshot.
    pub fn start(head: &Head) -> Result<Self, ApplyError> {
        let maps = head.show_versions.iter();
        let mut sale = Sale {
            log_id: head.log_id,
            epoch: head.epoch,
            offset: head.offset,
            line: Line::after(head.seq),
            maps: maps.map(|&(show, version)| (show, SeatMap::to_fill(version))).collect(),
            revenue: head.revenue,
            cancelled: head.cancelled.iter().map(|(show, reason)| (*show, reason.as_str().into())).collect(),
            ..Sale::default()
        };
        sale.set_policy(head.policy_version, &head.policy_json)?;
        Ok(Self { sale, complete_at: head.offset.number })
    }

    /// Adds a page of waiting sequence numbers, read at entry `number`.
    pub fn add_waiting(&mut self, number: u64, seqs: &[u64]) -> Result<(), ApplyError> {
        self.complete_at = self.complete_at.max(number);
        seqs.iter().try_for_each(|&seq| self.sale.line.wait(seq)).map_err(ApplyError::from)
    }

    /// Adds a page of active places, read at entry `number`.
    pub fn add_places(&mut self, number: u64, places: impl IntoIterator<Item = Place>) {
        self.complete_at = self.complete_at.max(number);
        for place in places {
            self.sale.line.activate(place.seq, place.end, place.claim_by.0 == 0);
        }
    }

    /// Adds a page of the seat map of `show` from index `from` on, read at entry `number`.
    pub fn add_seats(
        &mut self,
        number: u64,
        show: ShowId,
        from: u32,
        bytes: &[u8],
    ) -> Result<(), ApplyError> {
        self.complete_at = self.complete_at.max(number);
        let map = self.sale.maps.entry(show).or_default();
        map.fill(from, bytes).map_err(|source| ApplyError::Seat { show, source })
    }

    /// All pages are in: what lies before the snapshot is not known from now on.
    pub fn close_pages(&mut self) {
        self.sale.tally();
        let counts = self.sale.counts();
        self.sale.began_before = counts.held + counts.booked > 0 || self.sale.revenue > 0;
    }

    /// Applies an entry behind the head.
    pub fn apply(&mut self, number: u64, entry: &Entry<'_>) -> Result<Applied, ApplyError> {
        self.sale.apply(number, entry)
    }

    /// The last entry applied, at first that of the head.
    pub fn offset(&self) -> Offset {
        self.sale.offset
    }

    /// The log that it is a state of.
    pub fn log_id(&self) -> Mark {
        self.sale.log_id
    }

    /// Whether every entry that a page reflects is applied: the state is that of one moment.
    pub fn is_complete(&self) -> bool {
        self.sale.offset.number >= self.complete_at
    }

    pub(crate) fn into_sale(mut self) -> Sale {
        self.sale.tally();
        self.sale
    }
}
