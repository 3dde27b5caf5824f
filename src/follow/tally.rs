//! What a process counts of the entries that its live follower applies.
//!
//! Each entry is applied once and in order, and a snapshot is no entry: what happened before it, or while a view was
//! cold, is not counted, and nothing is counted twice. Every process counts all that it reads, so two processes tell of
//! the same events.

use std::collections::BTreeMap;

use crate::domain::event::{CardRefund, EndReason, Entry, Event};
use crate::domain::ids::ConcertId;
use crate::metrics::{self, Counter, concert_label};

/// Counters of all concerts.
pub(super) struct Tallies {
    concerts: BTreeMap<ConcertId, Tally>,
    entries: Counter,
}

struct Tally {
    joined: Counter,
    admitted: Counter,
    claimed: Counter,
    ended: [Counter; 5],
    held: Counter,
    released: Counter,
    expired: Counter,
    paid: Counter,
    refunded: Counter,
    card_ended: [Counter; 4],
}

impl Tallies {
    pub(super) fn new() -> Self {
        Self { concerts: BTreeMap::new(), entries: metrics::FOLLOWER_ENTRIES.with([metrics::LIVE]) }
    }

    /// Counts an entry that was applied now.
    pub(super) fn note(&mut self, concert: ConcertId, entry: &Entry<'_>) {
        self.entries.increment(1);
        let tally = self.concerts.entry(concert).or_insert_with(|| Tally::new(concert));
        for event in &entry.events {
            tally.note(event);
        }
    }
}

impl Tally {
    fn new(concert: ConcertId) -> Self {
        let label = concert_label(concert);
        let ended = |reason: EndReason| {
            metrics::QUEUE_ENDED.with([label.as_str().to_owned(), reason.as_str().to_owned()])
        };
        let reservations = |event: &str| metrics::RESERVATIONS.with([label.clone(), event.to_owned()]);
        let card_ended =
            metrics::CARD_ENDS.map(|end| metrics::CARD_ENDED.with([label.clone(), end.to_owned()]));
        let [held, released, expired, paid, refunded] = metrics::RESERVATION_EVENTS.map(reservations);
        Self {
            joined: metrics::QUEUE_JOINED.with([label.clone()]),
            admitted: metrics::QUEUE_ADMITTED.with([label.clone()]),
            claimed: metrics::QUEUE_CLAIMED.with([label.clone()]),
            ended: EndReason::ALL.map(ended),
            held,
            released,
            expired,
            paid,
            refunded,
            card_ended,
        }
    }

    fn note(&self, event: &Event<'_>) {
        let counter = match event {
            Event::Joined { .. } => &self.joined,
            Event::Admitted { .. } => &self.admitted,
            Event::Claimed { .. } => &self.claimed,
            Event::Ended { reason, .. } => &self.ended[*reason as usize],
            Event::Held(_) => &self.held,
            Event::Released(_) => &self.released,
            Event::Expired(_) => &self.expired,
            Event::Paid(_) | Event::Authorised(_) => &self.paid,
            Event::Refunded(_) | Event::CardRefund(CardRefund::Decided { .. }) => &self.refunded,
            Event::Captured(_) => &self.card_ended[0],
            Event::Voided(_) => &self.card_ended[1],
            Event::CardRefund(CardRefund::Returned(_)) => &self.card_ended[2],
            Event::CardRefund(CardRefund::Refused(_)) => &self.card_ended[3],
            Event::Opened { .. }
            | Event::Show { .. }
            | Event::Catalog { .. }
            | Event::Policy { .. }
            | Event::Stretched { .. }
            | Event::Charged { .. }
            | Event::Spent { .. }
            | Event::Extended(_)
            | Event::Authorising(_)
            | Event::Voiding { .. }
            | Event::Passed(_)
            | Event::TopUp(_)
            | Event::PassedBack(_)
            | Event::Blocked(_)
            | Event::Cancelled { .. }
            | Event::Unblocked(_)
            | Event::Leaving { .. }
            | Event::Forgotten(_)
            | Event::Returned(_) => return,
        };
        counter.increment(1);
    }
}
