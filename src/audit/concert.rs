//! A concert as its log tells it, and what that makes of every key in Redis and every row in MySQL.

use std::collections::HashSet;

use super::Evidence;
use super::card::Cards;
use super::card_refund::CardRefunds;
use super::log::Model;
use super::queue::Line;
use super::request::Requests;
use super::reservation::{At, Reservation, Sale};
use crate::domain::event::{CardRefund, Entry, Event, Forgotten, Refunded, VoidReason};
use crate::domain::ids::{ConcertId, Id20, LogName, ShowId};
use crate::domain::reservation::Status;
use crate::domain::time::Millis;
use crate::store::scan::Index;

/// How long an ended reservation stays in Redis at least, ms.
const ENDED_KEEP_MS: i64 = 24 * 3600 * 1000;

/// Of a reservation's declined payments its record in Redis has the last ones (`lua/lib/card.lua`).
const DECLINED_MAX: usize = 8;

/// A table that a concert's log writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Reservations,
    Payments,
    Cards,
    CardRefunds,
    BookedSeats(ShowId),
    BlockedSeats(ShowId),
}

/// A concert.
#[derive(Debug)]
pub(super) struct Concert {
    pub(super) line: Line,
    pub(super) sale: Sale,
    cards: Cards,
    card_refunds: CardRefunds,
    requests: Requests,
}

impl Model for Concert {
    fn apply(&mut self, number: u64, entry: &Entry<'_>, evidence: &mut Evidence) {
        let at = At { number, time: entry.at };
        let log = LogName::Concert(self.sale.concert);
        for event in &entry.events {
            self.line.take(entry.at, event, &mut evidence.findings);
            self.cards.take(at, event, &mut evidence.findings);
            match event {
                Event::Show { show, seats, catalog } => self.sale.open_show(at, *show, *seats, *catalog),
                Event::Catalog { catalog } => self.sale.catalog = self.sale.catalog.max(*catalog),
                Event::Held(held) => {
                    self.requests.take(log, held.request, entry.at, &mut evidence.findings);
                    self.sale.hold(at, held, &mut evidence.findings);
                }
                Event::Released(freed) => {
                    self.sale.free(at, freed, Status::Cancelled, &mut evidence.findings);
                }
                Event::Expired(freed) => self.sale.free(at, freed, Status::Expired, &mut evidence.findings),
                Event::Paid(paid) => {
                    self.requests.take(log, paid.request, entry.at, &mut evidence.findings);
                    self.sale.pay(at, paid, &mut evidence.findings);
                    evidence.pairs.take_paid(self.sale.concert, paid, &mut evidence.findings);
                }
                Event::Extended(extended) => self.sale.extend(at, extended, &mut evidence.findings),
                Event::Authorising(begun) => {
                    self.requests.take(log, begun.request, entry.at, &mut evidence.findings);
                    self.sale.authorise(at, begun, &mut evidence.findings);
                }
                Event::Voiding { card, reason: VoidReason::Declined } => self.sale.decline(card),
                Event::Authorised(paid) => {
                    self.sale.pay(at, paid, &mut evidence.findings);
                    evidence.pairs.take_paid(self.sale.concert, paid, &mut evidence.findings);
                }
                Event::Blocked(blocking) | Event::Unblocked(blocking) => {
                    self.requests.take(log, blocking.request, entry.at, &mut evidence.findings);
                    let blocked = matches!(event, Event::Blocked(_));
                    self.sale.block(at, blocking, blocked, &mut evidence.findings);
                }
                Event::Cancelled { show, reason } => {
                    self.sale.cancelled.entry(*show).or_insert_with(|| (*reason).to_owned());
                }
                Event::Refunded(back) => self.refund(at, back, None, evidence),
                Event::CardRefund(step) => {
                    self.card_refunds.take(at, step, &self.cards, &mut evidence.findings);
                    if let CardRefund::Decided { back, payment, .. } = step {
                        self.refund(at, back, Some(*payment), evidence);
                    }
                }
                Event::Forgotten(Forgotten { user, pseudonym }) if user != pseudonym => {
                    self.sale.rename(user, pseudonym);
                    self.cards.rename(user, pseudonym);
                    self.card_refunds.rename(user, pseudonym);
                    self.requests.forget(user);
                }
                _ => {}
            }
        }
    }
}

impl Concert {
    pub(super) fn new(concert: ConcertId) -> Self {
        let line = Line::new(LogName::Concert(concert));
        let (cards, card_refunds) = (Cards::new(concert), CardRefunds::new(concert));
        Self { line, sale: Sale::new(concert), cards, card_refunds, requests: Requests::default() }
    }

    /// Takes a refund in; `card` is the payment whose card the money goes to.
    fn refund(&mut self, at: At, back: &Refunded<'_>, card: Option<Id20>, evidence: &mut Evidence) {
        let log = LogName::Concert(self.sale.concert);
        self.requests.take(log, back.request, at.time, &mut evidence.findings);
        self.sale.refund(at, back, card, &mut evidence.findings);
        evidence.pairs.take_refunded(self.sale.concert, back, &mut evidence.findings);
    }

    /// What a key of Redis holds under a field.
    pub(super) fn value(&self, index: Index, field: &str) -> Option<String> {
        let reservation = || self.sale.reservations.get(&field.parse::<Id20>().ok()?);
        match index {
            Index::Reservations => reservation().map(Self::record),
            Index::Ended => reservation()?.ended.map(|at| at.0.to_string()),
            Index::Expiry => {
                reservation().filter(|made| made.status == Status::Pending).map(|made| made.end.0.to_string())
            }
            Index::Cards => {
                let name = field.parse().ok()?;
                self.cards.record(name).or_else(|| self.card_refunds.record(name))
            }
            Index::Pending => self.sale.pending.get(field).map(|ids| joined(ids)),
            Index::Holder(show) => {
                Some(self.sale.shows.get(&show)?.holders.get(&field.parse().ok()?)?.to_string())
            }
            Index::Owned(show) => Some(self.sale.shows.get(&show)?.owned.get(field)?.to_string()),
            Index::Line | Index::Active | Index::Unclaimed | Index::Place => self.line.value(index, field),
        }
    }

    /// The fields that a key of Redis holds.
    pub(super) fn fields(&self, index: Index) -> HashSet<String> {
        let sale = &self.sale;
        let with_status = |wanted: &dyn Fn(Status) -> bool| {
            let those = sale.reservations.iter().filter(|(_, made)| wanted(made.status));
            those.map(|(id, _)| id.to_string()).collect()
        };
        match index {
            Index::Reservations => {
                with_status(&|status| matches!(status, Status::Pending | Status::Confirmed))
            }
            Index::Expiry => with_status(&|status| status == Status::Pending),
            Index::Ended => sale.ended.iter().map(ToString::to_string).collect(),
            Index::Pending => sale.pending.keys().cloned().collect(),
            Index::Cards => {
                self.cards.open().chain(self.card_refunds.open()).map(ToString::to_string).collect()
            }
            Index::Holder(show) => sale
                .shows
                .get(&show)
                .into_iter()
                .flat_map(|show| show.holders.keys())
                .map(ToString::to_string)
                .collect(),
            Index::Owned(show) => {
                sale.shows.get(&show).into_iter().flat_map(|show| show.owned.keys()).cloned().collect()
            }
            Index::Line | Index::Active | Index::Unclaimed | Index::Place => self.line.users_of(index),
        }
    }

    /// How many elements a key of Redis holds; `found` there at `now`, which is right for `ended` if only those older than a
    /// day are gone.
    pub(super) fn total(&self, index: Index, found: u64, now: Millis) -> u64 {
        let sale = &self.sale;
        let show = |show| sale.shows.get(&show);
        let total = match index {
            Index::Reservations => sale.reservations.len() - sale.ended.len(),
            Index::Expiry => sale.count_pending,
            Index::Ended => sale.ended.len(),
            Index::Pending => sale.pending.len(),
            Index::Cards => self.cards.open().chain(self.card_refunds.open()).count(),
            Index::Holder(of) => show(of).map_or(0, |show| show.holders.len()),
            Index::Owned(of) => show(of).map_or(0, |show| show.owned.len()),
            Index::Line | Index::Active | Index::Unclaimed | Index::Place => self.line.total(index),
        };
        let total = u64::try_from(total).unwrap_or(u64::MAX);
        if index == Index::Ended && found < total {
            let ends = sale.ended.iter().filter_map(|id| sale.reservations.get(id)?.ended);
            let kept = ends.filter(|end| end.0 > now.0 - ENDED_KEEP_MS).count();
            return found.max(u64::try_from(kept).unwrap_or(u64::MAX));
        }
        total
    }

    /// The columns of a row in MySQL, as `archive::snapshot` reads them.
    pub(super) fn row(&self, table: Table, key: &str) -> Option<String> {
        let sale = &self.sale;
        match table {
            Table::Reservations => Some(row(sale.reservations.get(&key.parse().ok()?)?)),
            Table::Payments => {
                let (reservation, payment) = key.split_once('|')?;
                let made = sale.reservations.get(&reservation.parse().ok()?)?;
                let paid = made.payment.filter(|paid| paid.id.as_str() == payment)?;
                Some(format!("{}|{}|{}|{}", made.user, made.amount, paid.balance, paid.at.0))
            }
            Table::Cards => self.cards.row(key.parse().ok()?),
            Table::CardRefunds => self.card_refunds.row(key.parse().ok()?),
            Table::BookedSeats(show) => {
                let holder = sale.shows.get(&show)?.holders.get(&key.parse().ok()?)?;
                let made = sale.reservations.get(holder).filter(|made| made.status == Status::Confirmed);
                made.map(|_| format!("{}|{holder}", sale.concert))
            }
            Table::BlockedSeats(show) => {
                let blocked = sale.shows.get(&show)?.blocked.contains(&key.parse().ok()?);
                blocked.then(|| sale.concert.to_string())
            }
        }
    }

    /// The keys of the rows in MySQL.
    pub(super) fn rows(&self, table: Table) -> HashSet<String> {
        let sale = &self.sale;
        match table {
            Table::Reservations => sale.reservations.keys().map(ToString::to_string).collect(),
            Table::Payments => {
                let paid = sale.reservations.iter().filter_map(|(id, made)| Some((id, made.payment?)));
                paid.map(|(id, paid)| format!("{id}|{}", paid.id)).collect()
            }
            Table::Cards => self.cards.all().map(ToString::to_string).collect(),
            Table::CardRefunds => self.card_refunds.all().map(ToString::to_string).collect(),
            Table::BlockedSeats(show) => {
                let seats = sale.shows.get(&show).into_iter().flat_map(|show| &show.blocked);
                seats.map(ToString::to_string).collect()
            }
            Table::BookedSeats(show) => {
                let seats = sale.shows.get(&show).into_iter().flat_map(|show| show.holders.keys());
                let keys = seats.map(ToString::to_string);
                keys.filter(|seat| self.row(table, seat).is_some()).collect()
            }
        }
    }
}

fn joined(ids: &[Id20]) -> String {
    let ids: Vec<_> = ids.iter().map(Id20::as_str).collect();
    ids.join(" ")
}

impl Concert {
    /// A reservation's record in Redis (formats 1).
    fn record(made: &Reservation) -> String {
        let payment = made.payment.as_ref().map_or("-", |paid| paid.id.as_str());
        let Reservation { status, show, amount, created, end, catalog, seats, user, .. } = made;
        let (status, created, end, ext) = (status.as_str(), created.0, end.0, Self::extras(made));
        format!("{status} {show} {amount} {created} {end} {catalog} {payment} {seats} {ext} {user}")
    }

    fn extras(made: &Reservation) -> String {
        let mut extras: Vec<_> =
            made.payment.iter().map(|paid| format!("balance={}", paid.balance)).collect();
        if let Some(card) = made.card.filter(|card| !made.declined.contains(card)) {
            let overtaken = made.payment.is_some_and(|paid| paid.id != card);
            extras.push(format!("{}={card}", if overtaken { "overtaken" } else { "card" }));
        }
        extras.extend(made.declined.iter().take(DECLINED_MAX).map(|card| format!("declined={card}")));
        if !made.refunded.0.is_empty() {
            let refunded: Vec<_> = made.refunded.indexes().map(|index| index.to_string()).collect();
            extras.push(format!("refunded={}", refunded.join(";")));
        }
        if extras.is_empty() { "-".to_owned() } else { extras.join(",") }
    }
}

/// A reservation's row in MySQL.
fn row(made: &Reservation) -> String {
    let payment = made.payment.as_ref().map_or("~", |paid| paid.id.as_str());
    let ended = made.ended.map_or("~".to_owned(), |at| at.0.to_string());
    let Reservation { status, show, user, amount, seats, created, end, refunded, entries, .. } = made;
    let (status, created, end) = (status.as_str(), created.0, end.0);
    let back =
        if refunded.0.is_empty() { "~|~".to_owned() } else { format!("{}|{refunded}", refunded.total()) };
    format!("{show}|{user}|{status}|{amount}|{seats}|{created}|{end}|{ended}|{payment}|{back}|{entries}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::findings::Findings;
    use crate::domain::event::{Freed, Held};

    #[test]
    fn only_what_ended_a_day_ago_may_be_forgotten() {
        let (mut concert, mut findings) = (Concert::new(ConcertId(7)), Findings::default());
        let (id, seats) = (Id20::from_bits(1), "3:500".parse::<crate::domain::reservation::Seats>().unwrap());
        let show = ShowId(12);
        concert.sale.open_show(At { number: 1, time: Millis(0) }, show, 9, 1);
        let held = Held {
            reservation: id,
            show,
            user: "a",
            amount: 500,
            end: Millis(10),
            catalog: 1,
            seats: seats.clone(),
            request: "",
            fingerprint: "-",
        };
        concert.sale.hold(At { number: 2, time: Millis(0) }, &held, &mut findings);
        let freed = Freed { reservation: id, show, user: "a", seats };
        concert.sale.free(At { number: 3, time: Millis(10) }, &freed, Status::Expired, &mut findings);
        assert!(findings.report(Vec::new()).ok);
        let total = |now| concert.total(Index::Ended, 0, Millis(now));
        assert_eq!((total(9 + ENDED_KEEP_MS), total(10 + ENDED_KEEP_MS)), (1, 0));
        assert_eq!(concert.total(Index::Reservations, 0, Millis(0)), 0);
        let row = "12|a|expired|500|3:500|0|10|10|~|~|~|2,3";
        assert_eq!(concert.row(Table::Reservations, id.as_str()).as_deref(), Some(row));
    }
}
