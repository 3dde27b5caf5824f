//! What one poll needs to know of a concert, read under one lock.
//!
//! Polls are most of what is asked in an onsale: reading each figure for itself would take the lock, which all cores
//! share, eight times, and could show the place before and the sale after an entry.

use std::sync::Arc;

use super::catalog::SaleState;
use super::queue::PlaceView;
use super::sale::{Sale, SaleCounts};
use crate::domain::ids::Mark;
use crate::domain::policy::PolicyState;
use crate::domain::time::Millis;

/// A concert at one moment, seen from one place in its line.
#[derive(Clone, Debug)]
pub struct Glance {
    /// The log that is followed.
    pub log_id: Mark,
    /// Number of the last entry applied.
    pub number: u64,
    /// How often the log was recovered.
    pub epoch: u16,
    /// The policy as the log tells it.
    pub policy: Arc<PolicyState>,
    /// The place that was asked for.
    pub place: PlaceView,
    /// Seats and money, all shows.
    pub sales: SaleCounts,
    /// Admissions a second of late.
    pub admitted_per_second: f64,
    /// Whether the log is known to be lost.
    pub recovering: bool,
    /// Whether there are shows and none has a seat available or held.
    sold_out: bool,
}

impl Glance {
    pub(crate) fn of(sale: &Sale, seq: u64, now: Millis, recovering: bool) -> Self {
        Self {
            log_id: sale.log_id,
            number: sale.offset.number,
            epoch: sale.epoch,
            policy: Arc::clone(&sale.policy),
            place: sale.line.place(seq),
            sales: sale.counts(),
            admitted_per_second: sale.line.admitted_per_second(now),
            recovering,
            sold_out: sale.is_sold_out(),
        }
    }

    /// What the concert is at `now`.
    pub fn state(&self, now: Millis) -> SaleState {
        if self.recovering { SaleState::Recovering } else { SaleState::of(&self.policy, self.sold_out, now) }
    }
}
