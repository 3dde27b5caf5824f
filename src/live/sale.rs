//! The state of one concert's sale after a log entry: its line, seat maps, policy and takings.
//!
//! Entries are applied in order, each only if it continues the log (number + 1 with the mark of the one before), so a
//! log that lost its tail and grew again is found here. Everything but `revenue` is absolute; `revenue` is exact because
//! an entry is applied once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::positions::TooFar;
use super::queue::Line;
use super::seats::{AVAILABLE, BLOCKED, BOOKED, HELD, NoSuchSeat, SeatMap};
use crate::domain::event::{CardRefund, Entry, Event};
use crate::domain::ids::{Mark, Offset, ShowId};
use crate::domain::policy::PolicyState;
use crate::domain::time::Millis;

/// Seats and money of one concert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SaleCounts {
    /// Seats free to be held, all shows.
    pub available: u64,
    /// Seats held by PENDING reservations.
    pub held: u64,
    /// Seats booked.
    pub booked: u64,
    /// Seats not for sale.
    pub blocked: u64,
    /// Confirmed less refunded, minor units.
    pub revenue: i64,
    /// Available or held: while there is one, nothing is sold out for good.
    pub sellable: u64,
}

/// Why an entry cannot be applied. What it changed until then stays: the view takes a new snapshot.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It does not continue what was applied: entries are missing, or this is another history.
    #[error("entry {found} does not continue entry {}", ours.number)]
    Discontinuity {
        /// The last entry applied.
        ours: Offset,
        /// Number of the entry that came.
        found: u64,
    },
    /// It names a seat that the map does not have.
    #[error("show {show}: {source}")]
    Seat {
        /// The show.
        show: ShowId,
        /// The seat.
        source: NoSuchSeat,
    },
    /// It names a place that cannot be in this line.
    #[error(transparent)]
    Place(#[from] TooFar),
    /// Its policy is not one that this version knows.
    #[error("policy {version} cannot be read: {source}")]
    Policy {
        /// Version of the policy.
        version: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// What applying an entry did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The state has moved on.
    Moved {
        /// The catalog version that MySQL holds by now, if the entry says so.
        catalog: Option<u64>,
    },
    /// It had been applied before; nothing changed.
    Known,
}

/// The state.
#[derive(Debug, Default)]
pub(crate) struct Sale {
    pub(crate) log_id: Mark,
    pub(crate) epoch: u16,
    /// The last entry applied.
    pub(crate) offset: Offset,
    pub(crate) policy: Arc<PolicyState>,
    pub(crate) policy_version: u64,
    pub(crate) line: Line,
    pub(crate) maps: BTreeMap<ShowId, SeatMap>,
    pub(crate) revenue: i64,
    /// Cancelled shows with the reason.
    pub(crate) cancelled: BTreeMap<ShowId, Arc<str>>,
    /// All maps together, as of the last entry: polls ask for it, and a concert may have hundreds of shows.
    pub(super) totals: SaleCounts,
    /// Time of the first hold; `None`: none yet, or it lies before the snapshot.
    pub(crate) first_hold: Option<Millis>,
    /// Whether holds may have come before the first one seen here.
    pub(crate) began_before: bool,
    /// When the last seat was sold; `None`: not sold out, or it was before the snapshot.
    pub(crate) sold_out: Option<Millis>,
}

impl Sale {
    /// Applies entry `number`.
    pub(crate) fn apply(&mut self, number: u64, entry: &Entry<'_>) -> Result<Applied, ApplyError> {
        let ours = self.offset;
        if number <= ours.number {
            // The same number with another mark is another history.
            return if number == ours.number && entry.mark != ours.mark {
                Err(ApplyError::Discontinuity { ours, found: number })
            } else {
                Ok(Applied::Known)
            };
        }
        if number != ours.number + 1 || entry.previous != ours.mark {
            return Err(ApplyError::Discontinuity { ours, found: number });
        }
        let was_sold_out = self.is_sold_out();
        let (mut announced, mut admitted) = (None, 0);
        for event in &entry.events {
            if let Event::Show { catalog, .. } | Event::Catalog { catalog } = event {
                announced = Some(*catalog);
            }
            admitted += u32::from(matches!(event, Event::Admitted { .. }));
            self.apply_event(number, entry.at, event)?;
        }
        self.line.pass(entry.at, admitted);
        self.offset = Offset { number, mark: entry.mark };
        self.tally();
        match (was_sold_out, self.is_sold_out()) {
            (false, true) => self.sold_out = Some(entry.at),
            (_, false) => self.sold_out = None,
            (true, true) => {}
        }
        Ok(Applied::Moved { catalog: announced })
    }

    fn apply_event(&mut self, number: u64, at: Millis, event: &Event<'_>) -> Result<(), ApplyError> {
        match event {
            Event::Opened { log_id, epoch } => {
                self.log_id = *log_id;
                self.epoch = u16::try_from(*epoch).unwrap_or(u16::MAX);
            }
            Event::Policy { version, json } => self.set_policy(*version, json)?,
            Event::Show { show, seats, .. } => self.maps.entry(*show).or_default().grow(number, *seats),
            Event::Joined { seq, .. } => self.line.wait(*seq)?,
            Event::Admitted { seq, end, claim_by, .. } => self.line.activate(*seq, *end, claim_by.0 == 0),
            Event::Claimed { seq, .. } => self.line.claim(*seq),
            Event::Stretched { seq, end, .. } => self.line.stretch(*seq, *end),
            Event::Ended { seq, .. } => self.line.end(*seq),
            Event::Held(held) => {
                if self.first_hold.is_none() && !self.began_before {
                    self.first_hold = Some(at);
                }
                self.set_seats(number, held.show, held.seats.indexes(), HELD)?;
            }
            Event::Released(freed) | Event::Expired(freed) => {
                self.set_seats(number, freed.show, freed.seats.indexes(), AVAILABLE)?;
            }
            Event::Paid(paid) | Event::Authorised(paid) => {
                self.set_seats(number, paid.show, paid.seats.indexes(), BOOKED)?;
                self.revenue += paid.amount;
            }
            Event::Refunded(refunded) | Event::CardRefund(CardRefund::Decided { back: refunded, .. }) => {
                self.set_seats(number, refunded.show, refunded.seats.indexes(), AVAILABLE)?;
                self.revenue -= refunded.amount;
            }
            Event::Blocked(blocking) => {
                self.set_seats(number, blocking.show, blocking.seats.iter().copied(), BLOCKED)?;
            }
            Event::Unblocked(blocking) => {
                self.set_seats(number, blocking.show, blocking.seats.iter().copied(), AVAILABLE)?;
            }
            Event::Cancelled { show, reason } => {
                self.cancelled.entry(*show).or_insert_with(|| (*reason).into());
            }
            // Wallet words are refused by `Entry::decode` for a concert's log.
            Event::Catalog { .. }
            | Event::Charged { .. }
            | Event::Spent { .. }
            | Event::Returned(_)
            | Event::Passed(_)
            | Event::TopUp(_)
            | Event::PassedBack(_)
            | Event::CardRefund(_)
            // Of a card payment only that it has paid shows in a map.
            | Event::Extended(_)
            | Event::Authorising(_)
            | Event::Voiding { .. }
            | Event::Captured(_)
            | Event::Voided(_)
            // Views know places and seats, not people.
            | Event::Leaving { .. }
            | Event::Forgotten(_) => {}
        }
        Ok(())
    }

    /// Takes over a policy from its JSON.
    pub(crate) fn set_policy(&mut self, version: u64, json: &str) -> Result<(), ApplyError> {
        let state = serde_json::from_str(json).map_err(|source| ApplyError::Policy { version, source })?;
        self.policy = Arc::new(state);
        self.policy_version = version;
        Ok(())
    }

    fn set_seats(
        &mut self,
        number: u64,
        show: ShowId,
        mut seats: impl Iterator<Item = u32>,
        byte: u8,
    ) -> Result<(), ApplyError> {
        let map = self.maps.entry(show).or_default();
        seats
            .try_for_each(|index| map.set(number, index, byte))
            .map_err(|source| ApplyError::Seat { show, source })
    }

    /// Whether there are shows and none has a seat available or held.
    pub(crate) fn is_sold_out(&self) -> bool {
        !self.maps.is_empty() && self.totals.sellable == 0
    }

    /// Seats and money.
    pub(crate) fn counts(&self) -> SaleCounts {
        SaleCounts { revenue: self.revenue, ..self.totals }
    }

    /// Adds the maps up; to be called when they have changed.
    pub(crate) fn tally(&mut self) {
        let mut totals = SaleCounts::default();
        for counts in self.maps.values().map(SeatMap::counts) {
            totals.available += counts.available;
            totals.held += counts.held;
            totals.booked += counts.booked;
            totals.blocked += counts.blocked;
        }
        totals.sellable = totals.available + totals.held;
        self.totals = totals;
    }
}
