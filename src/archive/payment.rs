//! Payments and the seats they booked: the one place where a seat sold twice would show, and is refused.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use sqlx::Row as _;
use sqlx::mysql::MySqlConnection;

use super::error::stored;
use super::reservation::Place;
use super::rows::{self, Query, Row};
use super::{Archive, Error};
use crate::domain::event::Paid;
use crate::domain::ids::{ConcertId, Id20, LogName, PaymentId, ShowId};
use crate::domain::reservation::Seats;
use crate::domain::time::Millis;

/// A payment as the archive has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPayment {
    /// Its id.
    pub payment: PaymentId,
    /// The show of the reservation it paid.
    pub show: ShowId,
    /// Who paid.
    pub user: String,
    /// The seats it booked, by index, with their prices.
    pub seats: Seats,
    /// Minor units.
    pub amount: i64,
    /// The user's balance after it, minor units.
    pub balance: i64,
    /// When.
    pub paid_at: Millis,
}

/// The seats that the payments of one transaction book.
#[derive(Debug, Default)]
pub(super) struct Bookings {
    booked: Vec<BookedRow>,
    by_seat: HashMap<(ShowId, u32), Id20>,
}

#[derive(Debug)]
struct BookedRow {
    show: ShowId,
    seat: u32,
    concert: ConcertId,
    reservation: Id20,
}

impl BookedRow {
    fn refused(&self, first: Id20) -> Error {
        Error::DoubleBooked {
            log: LogName::Concert(self.concert),
            show: self.show,
            seat: self.seat,
            first,
            second: self.reservation,
        }
    }
}

impl Bookings {
    /// Takes a payment in; an error if one of its seats is booked by another of this transaction.
    pub(super) fn take(&mut self, place: Place, paid: &Paid<'_>) -> Result<(), Error> {
        for seat in paid.seats.indexes() {
            let row =
                BookedRow { show: paid.show, seat, concert: place.concert, reservation: paid.reservation };
            match self.by_seat.entry((row.show, seat)) {
                Entry::Occupied(first) => return Err(row.refused(*first.get())),
                Entry::Vacant(free) => free.insert(row.reservation),
            };
            self.booked.push(row);
        }
        Ok(())
    }

    /// Writes them; an error that names the seat if one is booked already.
    pub(super) async fn write(self, connection: &mut MySqlConnection) -> Result<(), Error> {
        match rows::write(connection, &self.booked).await {
            Ok(_) => Ok(()),
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                let named = first_refused(connection, &self.booked).await?;
                Err(named.unwrap_or_else(|| sqlx::Error::Database(error).into()))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The first of these seats that another reservation has. MySQL's own message names only the key.
async fn first_refused(
    connection: &mut MySqlConnection,
    booked: &[BookedRow],
) -> Result<Option<Error>, Error> {
    let select = "select reservation from booked_seats where show_id = ? and seat_index = ?";
    for row in booked {
        let query = sqlx::query_scalar::<_, String>(select).bind(row.show.0).bind(row.seat);
        let Some(owner) = query.fetch_optional(&mut *connection).await? else {
            continue;
        };
        let first: Id20 = owner.parse().map_err(|_| stored("booked_seats", owner))?;
        if first != row.reservation {
            return Ok(Some(row.refused(first)));
        }
    }
    Ok(None)
}

impl Row for BookedRow {
    const HEAD: &'static str = "insert into booked_seats (show_id, seat_index, concert, reservation) values";
    const VALUES: &'static str = "(?, ?, ?, ?)";

    fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        query.bind(self.show.0).bind(self.seat).bind(self.concert.0).bind(self.reservation.as_str())
    }
}

impl Archive {
    /// A payment, as fresh as the archive. The caller compares its owner.
    pub async fn payment(&self, id: PaymentId) -> Result<Option<StoredPayment>, Error> {
        let select = "select user, amount, balance, paid_at, show_id, seats from reservations \
                      where concert = ? and reservation = ? and payment = ? and show_id = ?";
        let query = sqlx::query(select)
            .bind(id.reservation.concert.0)
            .bind(id.reservation.id.as_str())
            .bind(id.id.as_str())
            .bind(id.reservation.show.0);
        let Some(row) = query.fetch_optional(&self.pool).await? else {
            return Ok(None);
        };
        let seats: String = row.try_get("seats")?;
        Ok(Some(StoredPayment {
            payment: id,
            show: ShowId(row.try_get("show_id")?),
            user: super::log::read_text(&row, "user")?,
            seats: seats.parse().map_err(|_| stored("reservations", seats))?,
            amount: row.try_get("amount")?,
            balance: row.try_get("balance")?,
            paid_at: Millis(row.try_get("paid_at")?),
        }))
    }
}
