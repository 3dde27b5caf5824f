//! What a transaction has to write: the events of its batches, collapsed.
//!
//! States that follow each other within one transaction are written once, so a busy log costs the archive less for
//! each event, not more. The result depends on the entries alone: however they are cut into transactions, the
//! tables end up the same.

use std::collections::BTreeMap;

use sqlx::mysql::MySqlConnection;

use super::Error;
use super::cancellation::Cancellations;
use super::card::Cards;
use super::card_refund::CardRefunds;
use super::concert::apply_policy;
use super::log::{self, EventRow, LogBatch};
use super::payment::Bookings;
use super::queue::Places;
use super::renaming::apply_forgotten;
use super::reservation::{self, Reservations};
use super::rows;
use super::seats::BlockedSeats;
use super::top_up::TopUps;
use super::wallet::{self, Ledger};
use crate::domain::event::{CardRefund, Entry, Event, Forgotten, LogKind};
use crate::domain::fields::Malformed;
use crate::domain::ids::{ConcertId, LogName, Mark, Offset};

/// Everything that one archive transaction writes besides the offsets.
#[derive(Debug, Default)]
pub(super) struct Changes<'a> {
    /// Log id and epoch, with the offset before the entry that says so.
    opened: Vec<(LogName, Offset, Mark, u32)>,
    events: Vec<EventRow<'a>>,
    places: Places<'a>,
    reservations: Reservations<'a>,
    bookings: Bookings,
    cards: Cards<'a>,
    card_refunds: CardRefunds<'a>,
    blocked: BlockedSeats,
    cancelled: Cancellations<'a>,
    ledger: Ledger<'a>,
    top_ups: TopUps<'a>,
    /// The last policy of each concert: version and JSON.
    policies: BTreeMap<ConcertId, (u64, &'a str)>,
    /// Users who have another name, with the concert and the entry.
    forgotten: Vec<(ConcertId, u64, Forgotten<'a>)>,
}

impl<'a> Changes<'a> {
    /// Takes a batch in and answers the offset that it reaches.
    pub(super) fn take(&mut self, batch: &'a LogBatch) -> Result<Offset, Error> {
        let kind = LogKind::of(batch.log);
        let mut offset = batch.from;
        for (number, text) in &batch.entries {
            let malformed = |source| Error::Entry { log: batch.log, number: *number, source };
            let entry = Entry::decode(kind, text).map_err(malformed)?;
            if *number != offset.number + 1 || entry.previous != offset.mark {
                return Err(Error::Discontinuity { log: batch.log, expected: offset, found: *number });
            }
            self.take_entry(batch.log, offset, &entry)?;
            offset = Offset { number: *number, mark: entry.mark };
            let event =
                EventRow { log: batch.log, number: *number, mark: entry.mark, at: entry.at, body: text };
            self.events.push(event);
        }
        Ok(offset)
    }

    fn take_entry(&mut self, log: LogName, before: Offset, entry: &Entry<'a>) -> Result<(), Error> {
        let number = before.number + 1;
        for (ordinal, event) in entry.events.iter().enumerate() {
            if let Event::Opened { log_id, epoch } = *event {
                self.opened.push((log, before, log_id, epoch));
                continue;
            }
            match log {
                LogName::Concert(concert) => {
                    self.take_concert(reservation::Place { concert, number, at: entry.at }, event)?;
                }
                LogName::Wallet(_) => {
                    // 65,535 events of one script call would be a second of Redis; no batch is near it.
                    let source = Malformed { field: "number of events", at: 0 };
                    let ordinal = u16::try_from(ordinal).map_err(|_| Error::Entry { log, number, source })?;
                    let place = wallet::Place { log, number, ordinal, at: entry.at };
                    self.ledger.take(place, event);
                    self.top_ups.take(place, event);
                }
            }
        }
        Ok(())
    }

    fn take_concert(&mut self, place: reservation::Place, event: &Event<'a>) -> Result<(), Error> {
        match event {
            Event::Policy { version, json } => {
                self.policies.insert(place.concert, (*version, json));
            }
            Event::Paid(paid) | Event::Authorised(paid) => self.bookings.take(place, paid)?,
            Event::Blocked(blocking) => self.blocked.take(place.concert, blocking, true),
            Event::Unblocked(blocking) => self.blocked.take(place.concert, blocking, false),
            Event::Cancelled { show, reason } => self.cancelled.take(*show, place.at, reason),
            Event::Forgotten(forgotten) => self.forgotten.push((place.concert, place.number, *forgotten)),
            Event::Refunded(back) | Event::CardRefund(CardRefund::Decided { back, .. }) => {
                self.bookings.give_back(place, back)?;
            }
            _ => {}
        }
        self.places.take(place.concert, place.at, event);
        self.reservations.take(place, event);
        self.cards.take(place, event);
        self.card_refunds.take(place, event);
        Ok(())
    }

    /// Writes all of it; the caller's transaction owns the logs already.
    pub(super) async fn write(self, connection: &mut MySqlConnection) -> Result<(), Error> {
        for (log, expected, log_id, epoch) in self.opened {
            if !log::open(connection, log, log_id, epoch).await? {
                return Err(Error::Discontinuity { log, expected, found: expected.number + 1 });
            }
        }
        rows::write(connection, &self.events).await?;
        self.places.write(connection).await?;
        self.reservations.write(connection).await?;
        self.bookings.write(connection).await?;
        self.cards.write(connection).await?;
        self.card_refunds.write(connection).await?;
        self.blocked.write(connection).await?;
        self.cancelled.write(connection).await?;
        self.ledger.write(connection).await?;
        self.top_ups.write(connection).await?;
        for (concert, (version, json)) in self.policies {
            apply_policy(connection, concert, version, json).await?;
        }
        // Behind all rows: it takes those up to its entry.
        for (concert, number, forgotten) in self.forgotten {
            apply_forgotten(connection, concert, number, &forgotten).await?;
        }
        Ok(())
    }
}
