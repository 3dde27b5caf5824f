//! Reads of reservations: a user's own, newest first, and the history of one, read from the log entries that
//! changed it.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use sqlx::mysql::MySqlRow;
use sqlx::{MySql, QueryBuilder, Row as _};
use utoipa::ToSchema;

use super::error::stored;
use super::log::read_text;
use super::page::{InvalidCursor, Page, bounded};
use super::{Archive, Error};
use crate::domain::event::{CardRefund, Entry, Event, LogKind};
use crate::domain::ids::{ConcertId, Id20, LogName, PaymentId, ReservationId, ShowId};
use crate::domain::reservation::{Seats, Status};
use crate::domain::time::Millis;

/// A reservation as the archive has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredReservation {
    /// Its id.
    pub reservation: ReservationId,
    /// As the log has it: a PENDING one is EXPIRED from its end on, swept or not.
    pub status: Status,
    /// Price of all its seats, minor units.
    pub amount: i64,
    /// Its seats in the order asked.
    pub seats: Seats,
    /// Those of them that were refunded.
    pub refunded: Seats,
    /// When it was made.
    pub created: Millis,
    /// It lapses at this time unless paid.
    pub end: Millis,
    /// Its payment, once CONFIRMED.
    pub payment: Option<PaymentId>,
}

/// The last reservation of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReservationCursor {
    created: Millis,
    reservation: ReservationId,
}

/// What happened to a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Action {
    /// Its seats were held.
    Held,
    /// Its hold was made longer, for a card payment.
    Extended,
    /// It was paid.
    Confirmed,
    /// Its owner gave it back.
    Released,
    /// Its seats went back by themselves.
    AutoRelease,
    /// Money and seats went back, of all or of some.
    Refunded,
}

/// One change of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct HistoryItem {
    /// When.
    pub at: Millis,
    /// What.
    pub action: Action,
    /// Why, where there is more than one reason: `EXPIRED`.
    #[schema(required = true)]
    pub reason: Option<&'static str>,
}

impl Archive {
    /// A user's reservations, newest first.
    pub async fn reservations_of(
        &self,
        user: &str,
        after: Option<ReservationCursor>,
        limit: u32,
    ) -> Result<Page<StoredReservation, ReservationCursor>, Error> {
        let limit = bounded(limit);
        let mut query = QueryBuilder::<MySql>::new(
            "select concert, reservation, show_id, status, amount, seats, refunded_seats, created_at, end_at, \
             payment from reservations where user = ",
        );
        query.push_bind(user.as_bytes().to_vec());
        if let Some(cursor) = after {
            let ReservationId { concert, id, .. } = cursor.reservation;
            // Said twice, since MySQL makes a range of the index only of the first form.
            query.push(" and created_at <= ").push_bind(cursor.created.0);
            query.push(" and (created_at, concert, reservation) < (").push_bind(cursor.created.0);
            query.push(", ").push_bind(concert.0).push(", ").push_bind(id.as_str().to_owned()).push(")");
        }
        query.push(" order by created_at desc, concert desc, reservation desc limit ").push_bind(limit + 1);
        let rows = query.build().fetch_all(&self.pool).await?;
        let items = rows.iter().map(read_reservation).collect::<Result<_, _>>()?;
        Ok(Page::of(items, limit, |item: &StoredReservation| ReservationCursor {
            created: item.created,
            reservation: item.reservation,
        }))
    }

    /// One reservation of this user, as fresh as the archive.
    pub async fn reservation(
        &self,
        id: ReservationId,
        user: &str,
    ) -> Result<Option<StoredReservation>, Error> {
        let select = "select concert, reservation, show_id, status, amount, seats, refunded_seats, created_at, end_at, \
                      payment from reservations where concert = ? and reservation = ? and show_id = ? and user = ?";
        let query =
            sqlx::query(select).bind(id.concert.0).bind(id.id.as_str()).bind(id.show.0).bind(user.as_bytes());
        query.fetch_optional(&self.pool).await?.as_ref().map(read_reservation).transpose()
    }

    /// What a reservation is, whoever owns it, as fresh as the archive.
    pub async fn status_of(&self, id: ReservationId) -> Result<Option<Status>, Error> {
        let select = "select status from reservations where concert = ? and reservation = ? and show_id = ?";
        let query = sqlx::query_scalar(select).bind(id.concert.0).bind(id.id.as_str()).bind(id.show.0);
        let status: Option<String> = query.fetch_optional(&self.pool).await?;
        status.map(|status| status.parse().map_err(|_| stored("reservations", status))).transpose()
    }

    /// What a reservation costs, minor units, whoever owns it, as fresh as the archive.
    pub async fn amount_of(&self, id: ReservationId) -> Result<Option<i64>, Error> {
        let select = "select amount from reservations where concert = ? and reservation = ? and show_id = ?";
        let query = sqlx::query_scalar(select).bind(id.concert.0).bind(id.id.as_str()).bind(id.show.0);
        Ok(query.fetch_optional(&self.pool).await?)
    }

    /// Every change of a reservation, oldest first; empty if the archive has none of that name.
    pub async fn history_of(&self, id: ReservationId) -> Result<Vec<HistoryItem>, Error> {
        let query = sqlx::query_scalar(
            "select concat_ws(',', entries, extended_in, ended_in, refunded_in) from reservations where concert = ? and reservation = ? and show_id = ?",
        )
        .bind(id.concert.0)
        .bind(id.id.as_str())
        .bind(id.show.0);
        let entries: Option<String> = query.fetch_optional(&self.pool).await?;
        let mut history = Vec::new();
        let log = LogName::Concert(id.concert);
        let mut last = "";
        for number in entries.as_deref().unwrap_or_default().split(',').filter(|number| !number.is_empty()) {
            // An entry that changed it twice is named twice.
            if last == number {
                continue;
            }
            last = number;
            let query = sqlx::query("select body from events where log = ? and number = ?")
                .bind(log.to_string())
                .bind(number);
            let body = read_text(&query.fetch_one(&self.pool).await?, "body")?;
            let entry = Entry::decode(LogKind::Concert, &body).map_err(|error| stored("events", error))?;
            let items = entry.events.iter().filter_map(|event| action(event, id.id));
            history.extend(items.map(|(action, reason)| HistoryItem { at: entry.at, action, reason }));
        }
        Ok(history)
    }
}

/// What an event did to this reservation, if anything.
fn action(event: &Event<'_>, id: Id20) -> Option<(Action, Option<&'static str>)> {
    match event {
        Event::Held(held) if held.reservation == id => Some((Action::Held, None)),
        Event::Extended(extended) if extended.reservation == id => Some((Action::Extended, None)),
        Event::Paid(paid) | Event::Authorised(paid) if paid.reservation == id => {
            Some((Action::Confirmed, None))
        }
        Event::Refunded(back) | Event::CardRefund(CardRefund::Decided { back, .. })
            if back.reservation == id =>
        {
            Some((Action::Refunded, None))
        }
        Event::Released(freed) if freed.reservation == id => Some((Action::Released, None)),
        Event::Expired(freed) if freed.reservation == id => Some((Action::AutoRelease, Some("EXPIRED"))),
        _ => None,
    }
}

/// The seats in `refunded_seats`.
pub(super) fn read_refunded(row: &MySqlRow) -> Result<Seats, Error> {
    let seats: Option<String> = row.try_get("refunded_seats")?;
    seats.map_or(Ok(Seats::default()), |seats| seats.parse().map_err(|_| stored("reservations", seats)))
}

fn read_reservation(row: &MySqlRow) -> Result<StoredReservation, Error> {
    let id: String = row.try_get("reservation")?;
    let status: String = row.try_get("status")?;
    let seats: String = row.try_get("seats")?;
    let payment: Option<String> = row.try_get("payment")?;
    let reservation = ReservationId {
        concert: ConcertId(row.try_get("concert")?),
        show: ShowId(row.try_get("show_id")?),
        id: id.parse().map_err(|_| stored("reservations", id))?,
    };
    let paid = |text: String| match text.parse() {
        Ok(id) => Ok(PaymentId { reservation, id }),
        Err(_) => Err(stored("reservations", text)),
    };
    Ok(StoredReservation {
        reservation,
        status: status.parse().map_err(|_| stored("reservations", status))?,
        amount: row.try_get("amount")?,
        seats: seats.parse().map_err(|_| stored("reservations", seats))?,
        refunded: read_refunded(row)?,
        created: Millis(row.try_get("created_at")?),
        end: Millis(row.try_get("end_at")?),
        payment: payment.map(paid).transpose()?,
    })
}

impl fmt::Display for ReservationCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.created.0, self.reservation)
    }
}

impl FromStr for ReservationCursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (created, reservation) = text.split_once('-').ok_or(InvalidCursor)?;
        Ok(Self {
            created: Millis(created.parse().map_err(|_| InvalidCursor)?),
            reservation: reservation.parse().map_err(|_| InvalidCursor)?,
        })
    }
}
