//! All reservations and all money of one concert, page after page in the order of their keys.
//!
//! Keys are random (a reservation) or a wallet's (a movement), so a page costs what it holds, however many came before.
//! What is made while somebody pages may come into a page that was read already.

use std::fmt;
use std::str::FromStr;

use sqlx::mysql::MySqlRow;
use sqlx::{MySql, QueryBuilder, Row as _};

use super::error::stored;
use super::log::read_text;
use super::page::{InvalidCursor, Page, read_all};
use super::{Archive, Error};
use crate::domain::ids::{ConcertId, Id20, LogName, PaymentId, ReservationId, ShowId};
use crate::domain::reservation::{Seats, Status};
use crate::domain::time::Millis;

/// The most rows of one page of an export.
pub const EXPORT_MAX: u32 = 10_000;

/// A reservation of a concert, with its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedReservation {
    /// Its id.
    pub reservation: ReservationId,
    /// Its owner.
    pub user: String,
    /// As the log has it: a PENDING one is EXPIRED from its end on.
    pub status: Status,
    /// Minor units.
    pub amount: i64,
    /// Its seats in the order asked.
    pub seats: Seats,
    /// When it was made.
    pub created: Millis,
    /// It lapses at this time unless paid.
    pub end: Millis,
    /// Its payment and when it was made.
    pub paid: Option<(PaymentId, Millis)>,
}

/// Money that came to a concert, or went back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// Its place in the ledger.
    pub entry: MovementCursor,
    /// When.
    pub at: Millis,
    /// `paid` or `refunded`, `card` or `card_back`, as the ledger has it.
    pub kind: String,
    /// Who paid, or got it back.
    pub user: String,
    /// For the concert: above 0 for what was paid. Minor units.
    pub amount: i64,
    /// The id of the payment or refund, within its reservation.
    pub reference: String,
    /// What for.
    pub reservation: ReservationId,
}

/// The last movement of a page: `w03-120-0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MovementCursor {
    log: LogName,
    number: u64,
    ordinal: u16,
}

impl Archive {
    /// A page of a concert's reservations; `limit` is 1 to [`EXPORT_MAX`].
    pub async fn reservations_in(
        &self,
        concert: ConcertId,
        after: Option<Id20>,
        limit: u32,
    ) -> Result<Page<ExportedReservation, Id20>, Error> {
        let limit = limit.clamp(1, EXPORT_MAX);
        let select = "select reservation, show_id, user, status, amount, seats, created_at, end_at, payment, paid_at \
                      from reservations where concert = ? and reservation > ? order by reservation limit ?";
        let after = after.map_or_else(String::new, |id| id.as_str().to_owned());
        let query = sqlx::query(select).bind(concert.0).bind(after).bind(limit + 1);
        let items = read_all(query.fetch(&self.pool), |row| read_reservation(concert, row)).await?;
        Ok(Page::of(items, limit, |item: &ExportedReservation| item.reservation.id))
    }

    /// A page of a concert's money, by the names that its reservations have: the ledger may know more (0015). `limit` is 1 to [`EXPORT_MAX`].
    pub async fn movements_in(
        &self,
        concert: ConcertId,
        after: Option<MovementCursor>,
        limit: u32,
    ) -> Result<Page<Movement, MovementCursor>, Error> {
        let limit = limit.clamp(1, EXPORT_MAX);
        let mut query = QueryBuilder::<MySql>::new(
            "select log, number, ordinal, at, kind, coalesce((select r.user from reservations r where r.concert = l.concert \
             and r.reservation = l.reservation), l.user) as user, coalesce(gateway_amount, -amount) as amount, reference, show_id, \
             reservation from ledger_transactions l where l.concert = ",
        );
        query.push_bind(concert.0);
        if let Some(cursor) = after {
            // Said twice, since MySQL makes a range of the index only of the first form.
            query.push(" and log >= ").push_bind(cursor.log.to_string());
            query.push(" and (log, number, ordinal) > (").push_bind(cursor.log.to_string());
            query.push(", ").push_bind(cursor.number).push(", ").push_bind(cursor.ordinal).push(")");
        }
        query.push(" order by log, number, ordinal limit ").push_bind(limit + 1);
        let rows = query.build().fetch(&self.pool);
        let items = read_all(rows, |row| read_movement(concert, row)).await?;
        Ok(Page::of(items, limit, |item: &Movement| item.entry))
    }
}

fn read_reservation(concert: ConcertId, row: &MySqlRow) -> Result<ExportedReservation, Error> {
    let (status, seats): (String, String) = (row.try_get("status")?, row.try_get("seats")?);
    let reservation = read_id(concert, row)?;
    let payment: Option<String> = row.try_get("payment")?;
    let paid = |(text, at): (String, i64)| match text.parse() {
        Ok(id) => Ok((PaymentId { reservation, id }, Millis(at))),
        Err(_) => Err(stored("reservations", text)),
    };
    Ok(ExportedReservation {
        reservation,
        user: read_text(row, "user")?,
        status: status.parse().map_err(|_| stored("reservations", status))?,
        amount: row.try_get("amount")?,
        seats: seats.parse().map_err(|_| stored("reservations", seats))?,
        created: Millis(row.try_get("created_at")?),
        end: Millis(row.try_get("end_at")?),
        paid: payment.zip(row.try_get("paid_at")?).map(paid).transpose()?,
    })
}

fn read_movement(concert: ConcertId, row: &MySqlRow) -> Result<Movement, Error> {
    let log: String = row.try_get("log")?;
    Ok(Movement {
        entry: MovementCursor {
            log: log.parse().map_err(|_| stored("ledger_transactions", log))?,
            number: row.try_get("number")?,
            ordinal: row.try_get("ordinal")?,
        },
        at: Millis(row.try_get("at")?),
        kind: row.try_get("kind")?,
        user: read_text(row, "user")?,
        amount: row.try_get("amount")?,
        reference: row.try_get("reference")?,
        reservation: read_id(concert, row)?,
    })
}

fn read_id(concert: ConcertId, row: &MySqlRow) -> Result<ReservationId, Error> {
    let id: String = row.try_get("reservation")?;
    let show = ShowId(row.try_get("show_id")?);
    let id = id.parse().map_err(|_| stored("reservations", id))?;
    Ok(ReservationId { concert, show, id })
}

impl fmt::Display for MovementCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.log, self.number, self.ordinal)
    }
}

impl FromStr for MovementCursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let parts: Vec<_> = text.split('-').collect();
        let [log, number, ordinal] = parts[..] else {
            return Err(InvalidCursor);
        };
        Ok(Self {
            log: log.parse().map_err(|_| InvalidCursor)?,
            number: number.parse().map_err(|_| InvalidCursor)?,
            ordinal: ordinal.parse().map_err(|_| InvalidCursor)?,
        })
    }
}
