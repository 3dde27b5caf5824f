//! Payments and the seats they booked: the one place where a seat sold twice would show, and is refused. Refunds free them.

use std::collections::BTreeMap;

use sqlx::Row as _;
use sqlx::mysql::MySqlConnection;

use super::error::stored;
use super::reservation::Place;
use super::reservation_history::read_refunded;
use super::rows::{self, Query, Row};
use super::{Archive, Error};
use crate::domain::event::{Paid, Refunded};
use crate::domain::ids::{ConcertId, Id20, LogName, PaymentId, ShowId};
use crate::domain::reservation::{Seats, Status};
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
    /// Those of them that were refunded.
    pub refunded: Seats,
    /// CONFIRMED, or REFUNDED once all of them were.
    pub status: Status,
    /// Minor units.
    pub amount: i64,
    /// The user's balance after it, minor units.
    pub balance: i64,
    /// When.
    pub paid_at: Millis,
}

/// What the payments and refunds of one transaction do to booked seats. A seat may be given back and booked again.
#[derive(Debug, Default)]
pub(super) struct Bookings(BTreeMap<(ShowId, u32), Booking>);

/// What becomes of one seat.
#[derive(Debug)]
struct Booking {
    concert: ConcertId,
    /// Whose row goes: he booked it in an earlier transaction.
    gone: Option<Id20>,
    /// Who has it at the end.
    booked: Option<Id20>,
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
            let booking = self.of(place, paid.show, seat);
            if let Some(first) = booking.booked.replace(paid.reservation) {
                let row = BookedRow {
                    show: paid.show,
                    seat,
                    concert: place.concert,
                    reservation: paid.reservation,
                };
                return Err(row.refused(first));
            }
        }
        Ok(())
    }

    /// Takes a refund in; an error if one of its seats is another's.
    pub(super) fn give_back(&mut self, place: Place, refunded: &Refunded<'_>) -> Result<(), Error> {
        let id = refunded.reservation;
        for seat in refunded.seats.indexes() {
            let booking = self.of(place, refunded.show, seat);
            let not_his = match booking.booked.take() {
                Some(other) => other != id,
                None => booking.gone.replace(id).is_some(),
            };
            if not_his {
                return Err(not_booked(place.concert, refunded.show, seat, id));
            }
        }
        Ok(())
    }

    fn of(&mut self, place: Place, show: ShowId, seat: u32) -> &mut Booking {
        let fresh = Booking { concert: place.concert, gone: None, booked: None };
        self.0.entry((show, seat)).or_insert(fresh)
    }

    /// Writes them; an error that names the seat if one is booked already, or was not booked by whom it is taken from.
    pub(super) async fn write(self, connection: &mut MySqlConnection) -> Result<(), Error> {
        let mut booked = Vec::with_capacity(self.0.len());
        for ((show, seat), Booking { concert, gone, booked: by }) in self.0 {
            if let Some(reservation) = gone {
                delete(connection, &BookedRow { show, seat, concert, reservation }).await?;
            }
            booked.extend(by.map(|reservation| BookedRow { show, seat, concert, reservation }));
        }
        match rows::write(connection, &booked).await {
            Ok(_) => Ok(()),
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                let named = first_refused(connection, &booked).await?;
                Err(named.unwrap_or_else(|| sqlx::Error::Database(error).into()))
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn not_booked(concert: ConcertId, show: ShowId, seat: u32, reservation: Id20) -> Error {
    Error::NotBooked { log: LogName::Concert(concert), show, seat, reservation }
}

/// One statement a seat: refunds are few, and throttled where they are many.
async fn delete(connection: &mut MySqlConnection, row: &BookedRow) -> Result<(), Error> {
    let delete = "delete from booked_seats where show_id = ? and seat_index = ? and reservation = ?";
    let query = sqlx::query(delete).bind(row.show.0).bind(row.seat).bind(row.reservation.as_str());
    if query.execute(connection).await?.rows_affected() == 1 {
        return Ok(());
    }
    Err(not_booked(row.concert, row.show, row.seat, row.reservation))
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
        let select = "select user, amount, balance, paid_at, show_id, seats, refunded_seats, status from reservations \
                      where concert = ? and reservation = ? and payment = ? and show_id = ?";
        let query = sqlx::query(select)
            .bind(id.reservation.concert.0)
            .bind(id.reservation.id.as_str())
            .bind(id.id.as_str())
            .bind(id.reservation.show.0);
        let Some(row) = query.fetch_optional(&self.pool).await? else {
            return Ok(None);
        };
        let (seats, status): (String, String) = (row.try_get("seats")?, row.try_get("status")?);
        Ok(Some(StoredPayment {
            payment: id,
            show: ShowId(row.try_get("show_id")?),
            user: super::log::read_text(&row, "user")?,
            seats: seats.parse().map_err(|_| stored("reservations", seats))?,
            refunded: read_refunded(&row)?,
            status: status.parse().map_err(|_| stored("reservations", status))?,
            amount: row.try_get("amount")?,
            balance: row.try_get("balance")?,
            paid_at: Millis(row.try_get("paid_at")?),
        }))
    }
}
