//! What a concert has sold, for its organiser: its money by day and the seats that are taken, of one moment.

use std::collections::HashMap;

use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Connection as _, Row as _};

use super::error::stored;
use super::{Archive, Error};
use crate::domain::ids::{ConcertId, Id20, ShowId};
use crate::domain::reservation::{Seats, Status};
use crate::domain::time::Millis;

/// Reservations read with one statement.
const PAGE: u32 = 5_000;

/// All of a report that MySQL knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sales {
    /// By show, then by day.
    pub money: Vec<MoneyOfDay>,
    /// In no order.
    pub taken: Vec<TakenSeat>,
}

/// What one show took in on one day of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MoneyOfDay {
    /// The show.
    pub show: ShowId,
    /// Its first millisecond.
    pub day: Millis,
    /// Number of payments.
    pub payments: u64,
    /// Their sum, minor units.
    pub paid: i64,
    /// Number of refunds.
    pub refunds: u64,
    /// Their sum, minor units, above 0.
    pub refunded: i64,
}

/// A seat that is booked, or held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenSeat {
    /// Its show.
    pub show: ShowId,
    /// Its index.
    pub seat: u32,
    /// What was asked for it, minor units.
    pub price: i64,
    /// Whether it is paid.
    pub booked: bool,
}

impl Archive {
    /// What a concert has sold, as fresh as the archive; a hold counts until its end, which `now` decides.
    pub async fn sales(&self, concert: ConcertId, now: Millis) -> Result<Sales, Error> {
        let mut connection = self.pool.acquire().await?;
        // All statements see one moment; the connection's usual level would show each its own.
        sqlx::query("set transaction isolation level repeatable read").execute(&mut *connection).await?;
        let mut moment = connection.begin_with("start transaction with consistent snapshot").await?;
        let money = money(&mut moment, concert).await?;
        let taken = taken(&mut moment, concert, now).await?;
        moment.rollback().await?;
        Ok(Sales { money, taken })
    }
}

async fn money(connection: &mut MySqlConnection, concert: ConcertId) -> Result<Vec<MoneyOfDay>, Error> {
    // A user's amount is below 0 for what he paid, above 0 for what he got back; a card's the other way round.
    let select = "select show_id, at div 86400000 as day, \
                  cast(sum(kind in ('paid', 'card')) as signed) as payments, \
                  cast(sum(if(kind in ('paid', 'card'), coalesce(gateway_amount, -amount), 0)) as signed) as paid, \
                  cast(sum(kind in ('refunded', 'card_back')) as signed) as refunds, \
                  cast(-sum(if(kind in ('refunded', 'card_back'), coalesce(gateway_amount, -amount), 0)) as signed) as refunded \
                  from ledger_transactions where concert = ? group by show_id, day order by show_id, day";
    let rows = sqlx::query(select).bind(concert.0).fetch_all(connection).await?;
    rows.iter().map(read_money).collect()
}

fn read_money(row: &MySqlRow) -> Result<MoneyOfDay, Error> {
    Ok(MoneyOfDay {
        show: ShowId(row.try_get("show_id")?),
        day: Millis(row.try_get::<i64, _>("day")? * 86_400_000),
        payments: row.try_get::<i64, _>("payments")?.unsigned_abs(),
        paid: row.try_get("paid")?,
        refunds: row.try_get::<i64, _>("refunds")?.unsigned_abs(),
        refunded: row.try_get("refunded")?,
    })
}

/// The seats of confirmed reservations that are booked for them, and those of pending ones that have not lapsed.
async fn taken(
    connection: &mut MySqlConnection,
    concert: ConcertId,
    now: Millis,
) -> Result<Vec<TakenSeat>, Error> {
    let booked = booked(connection, concert).await?;
    let select = "select reservation, show_id, status, seats from reservations \
                  where concert = ? and reservation > ? \
                  and (status = 'confirmed' or (status = 'pending' and end_at > ?)) \
                  order by reservation limit ?";
    let (mut taken, mut after) = (Vec::with_capacity(booked.len()), String::new());
    loop {
        let query = sqlx::query(select).bind(concert.0).bind(&after).bind(now.0).bind(PAGE);
        let rows = query.fetch_all(&mut *connection).await?;
        for row in &rows {
            take(row, &booked, &mut taken)?;
        }
        match rows.last() {
            Some(last) if rows.len() == PAGE as usize => after = last.try_get("reservation")?,
            _ => return Ok(taken),
        }
    }
}

fn take(
    row: &MySqlRow,
    booked: &HashMap<(ShowId, u32), Id20>,
    taken: &mut Vec<TakenSeat>,
) -> Result<(), Error> {
    let (id, status): (String, String) = (row.try_get("reservation")?, row.try_get("status")?);
    let (id, show) = (read_id(id)?, ShowId(row.try_get("show_id")?));
    let seats: String = row.try_get("seats")?;
    let seats: Seats = seats.parse().map_err(|_| stored("reservations", seats))?;
    let is_confirmed = status == Status::Confirmed.as_str();
    for (seat, price) in seats.0 {
        // A seat that was refunded is booked for nobody, or for somebody else by now.
        if !is_confirmed || booked.get(&(show, seat)) == Some(&id) {
            taken.push(TakenSeat { show, seat, price, booked: is_confirmed });
        }
    }
    Ok(())
}

/// Whom each booked seat of a concert is booked for.
async fn booked(
    connection: &mut MySqlConnection,
    concert: ConcertId,
) -> Result<HashMap<(ShowId, u32), Id20>, Error> {
    let select = "select b.show_id, b.seat_index, b.reservation from shows s \
                  join booked_seats b on b.show_id = s.show_id where s.concert = ?";
    let rows = sqlx::query(select).bind(concert.0).fetch_all(connection).await?;
    let entry = |row: &MySqlRow| {
        let seat = (ShowId(row.try_get("show_id")?), row.try_get("seat_index")?);
        Ok((seat, read_id(row.try_get("reservation")?)?))
    };
    rows.iter().map(entry).collect()
}

fn read_id(text: String) -> Result<Id20, Error> {
    text.parse().map_err(|_| stored("reservations", text))
}
