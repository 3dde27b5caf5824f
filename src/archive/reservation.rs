//! Reservations: a row each; one that is held and paid within one transaction is written once.

use std::collections::HashMap;

use sqlx::mysql::MySqlConnection;

use super::Error;
use super::rows::{self, Query, Row};
use crate::domain::event::{CardRefund, Event, Extended, Freed, Held, Paid, Refunded};
use crate::domain::ids::{ConcertId, Id20, LogName, ShowId};
use crate::domain::reservation::{Seats, Status};
use crate::domain::time::Millis;

/// What one transaction does to a reservation.
#[derive(Debug)]
struct Changed<'a> {
    concert: ConcertId,
    reservation: Id20,
    show: ShowId,
    user: &'a str,
    status: Status,
    seats: Seats,
    /// Amount, time of creation and end; `None`: held in an earlier transaction, so the row exists.
    held: Option<(i64, Millis, Millis)>,
    ended: Option<Millis>,
    /// Its payment, the user's balance after it and its time.
    payment: Option<(Id20, i64, Millis)>,
    /// Number of the entry that made it; empty if `held` is `None`.
    entries: String,
    /// When it lapses since its hold was made longer, and number of the entry that did.
    extended: Option<(Millis, u64)>,
    /// Number of the entry that paid or ended it.
    ended_in: Option<u64>,
    /// All of its seats that have been refunded.
    refunded: Option<Seats>,
    /// Numbers of the entries that refunded.
    refunded_in: Vec<u64>,
}

/// The reservations that one transaction changes.
#[derive(Debug, Default)]
pub(super) struct Reservations<'a> {
    changed: Vec<Changed<'a>>,
    by_id: HashMap<(ConcertId, Id20), usize>,
}

/// Where an event stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) concert: ConcertId,
    /// Number of the entry.
    pub(super) number: u64,
    /// Time of the entry.
    pub(super) at: Millis,
}

impl<'a> Reservations<'a> {
    /// Takes a change of a reservation in; other events are none of its business.
    pub(super) fn take(&mut self, place: Place, event: &Event<'a>) {
        match event {
            Event::Held(held) => self.hold(place, held),
            Event::Released(freed) => self.free(place, freed, Status::Cancelled),
            Event::Expired(freed) => self.free(place, freed, Status::Expired),
            Event::Extended(extended) => self.extend(place, extended),
            Event::Paid(paid) | Event::Authorised(paid) => self.pay(place, paid),
            Event::Refunded(back) | Event::CardRefund(CardRefund::Decided { back, .. }) => {
                self.refund(place, back);
            }
            _ => {}
        }
    }

    fn hold(&mut self, place: Place, held: &Held<'a>) {
        let changed = self.change(place, held.reservation, held.show, held.user, &held.seats);
        changed.held = Some((held.amount, place.at, held.end));
        changed.entries = place.number.to_string();
    }

    fn extend(&mut self, place: Place, extended: &Extended<'a>) {
        let Extended { reservation, show, user, end } = *extended;
        // A row that is made here exists already, with its seats.
        let changed = self.change(place, reservation, show, user, &Seats::default());
        changed.extended = Some((end, place.number));
    }

    fn free(&mut self, place: Place, freed: &Freed<'a>, status: Status) {
        let changed = self.change(place, freed.reservation, freed.show, freed.user, &freed.seats);
        changed.status = status;
        changed.ended = Some(place.at);
        changed.ended_in = Some(place.number);
    }

    fn pay(&mut self, place: Place, paid: &Paid<'a>) {
        let changed = self.change(place, paid.reservation, paid.show, paid.user, &paid.seats);
        changed.status = Status::Confirmed;
        changed.payment = Some((paid.payment, paid.balance, place.at));
        changed.ended_in = Some(place.number);
    }

    fn refund(&mut self, place: Place, back: &Refunded<'a>) {
        // A row that is made here has a payment before; its own seats stand in it.
        let changed = self.change(place, back.reservation, back.show, back.user, &back.seats);
        changed.status = back.status;
        changed.ended = (back.status == Status::Refunded).then_some(place.at);
        changed.refunded = Some(back.refunded.clone());
        changed.refunded_in.push(place.number);
    }

    fn change(
        &mut self,
        place: Place,
        reservation: Id20,
        show: ShowId,
        user: &'a str,
        seats: &Seats,
    ) -> &mut Changed<'a> {
        let all = &mut self.changed;
        let index = *self.by_id.entry((place.concert, reservation)).or_insert_with(|| {
            all.push(Changed {
                concert: place.concert,
                reservation,
                show,
                user,
                status: Status::Pending,
                seats: seats.clone(),
                held: None,
                ended: None,
                payment: None,
                entries: String::new(),
                extended: None,
                ended_in: None,
                refunded: None,
                refunded_in: Vec::new(),
            });
            all.len() - 1
        });
        &mut self.changed[index]
    }

    /// Writes them: rows for the new ones, changes to the others, all of which must have a row.
    pub(super) async fn write(self, connection: &mut MySqlConnection) -> Result<(), Error> {
        let (new, known): (Vec<_>, Vec<_>) =
            self.changed.into_iter().partition(|changed| changed.held.is_some());
        let new: Vec<_> = new.into_iter().map(New).collect();
        let known: Vec<_> = known.into_iter().map(Known).collect();
        rows::write(connection, &new).await?;
        let affected = rows::write(connection, &known).await?;
        // Every change sets `extended_in` or `ended_in`, or makes `refunded_in` longer, so MySQL counts each row that was there as two.
        if affected == 2 * known.len() as u64 {
            return Ok(());
        }
        Err(Self::unknown(connection, &known).await)
    }

    /// Finds out which log changed a reservation that has only just got its row, without a time of creation.
    async fn unknown(connection: &mut MySqlConnection, known: &[Known<'_>]) -> Error {
        let select = "select created_at from reservations where concert = ? and reservation = ?";
        for Known(changed) in known {
            let query = sqlx::query_scalar::<_, i64>(select)
                .bind(changed.concert.0)
                .bind(changed.reservation.as_str());
            match query.fetch_one(&mut *connection).await {
                Ok(0) => {
                    return Error::UnknownReservation { log: LogName::Concert(changed.concert) };
                }
                Ok(_) => {}
                Err(error) => return error.into(),
            }
        }
        super::error::stored("reservations", "rows affected")
    }
}

const HEAD: &str = "insert into reservations (concert, reservation, show_id, user, status, amount, seats, created_at, \
                    end_at, ended_at, payment, balance, paid_at, entries, extended_in, ended_in, refunded_amount, refunded_seats, refunded_in) \
                    values";
const VALUES: &str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// A reservation that has no row yet.
struct New<'a>(Changed<'a>);

/// A reservation that has a row.
struct Known<'a>(Changed<'a>);

impl Row for New<'_> {
    const HEAD: &'static str = HEAD;
    const VALUES: &'static str = VALUES;

    fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        bind(&self.0, query)
    }
}

impl Row for Known<'_> {
    const HEAD: &'static str = HEAD;
    const VALUES: &'static str = VALUES;
    const TAIL: &'static str = "on duplicate key update \
        status = values(status), \
        ended_at = coalesce(values(ended_at), ended_at), \
        payment = coalesce(values(payment), payment), \
        balance = coalesce(values(balance), balance), \
        paid_at = coalesce(values(paid_at), paid_at), \
        end_at = if(values(extended_in) is null, end_at, values(end_at)), \
        extended_in = coalesce(values(extended_in), extended_in), \
        ended_in = coalesce(values(ended_in), ended_in), \
        refunded_amount = coalesce(values(refunded_amount), refunded_amount), \
        refunded_seats = coalesce(values(refunded_seats), refunded_seats), \
        refunded_in = if(values(refunded_in) is null, refunded_in, concat_ws(',', refunded_in, values(refunded_in)))";

    fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        bind(&self.0, query)
    }
}

fn bind<'q>(changed: &'q Changed<'_>, query: Query<'q>) -> Query<'q> {
    // Zeros only where the row exists and keeps its own.
    let (amount, created, first_end) = changed.held.unwrap_or_default();
    let end = changed.extended.map_or(first_end, |(end, _)| end);
    query
        .bind(changed.concert.0)
        .bind(changed.reservation.as_str())
        .bind(changed.show.0)
        .bind(changed.user.as_bytes())
        .bind(changed.status.as_str())
        .bind(amount)
        .bind(changed.seats.to_string())
        .bind(created.0)
        .bind(end.0)
        .bind(changed.ended.map(|at| at.0))
        .bind(changed.payment.as_ref().map(|(payment, _, _)| payment.as_str()))
        .bind(changed.payment.map(|(_, balance, _)| balance))
        .bind(changed.payment.map(|(_, _, at)| at.0))
        .bind(&changed.entries)
        .bind(changed.extended.map(|(_, number)| number))
        .bind(changed.ended_in)
        .bind(changed.refunded.as_ref().map(Seats::total))
        .bind(changed.refunded.as_ref().map(ToString::to_string))
        .bind((!changed.refunded_in.is_empty()).then(|| joined(&changed.refunded_in)))
}

fn joined(numbers: &[u64]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
