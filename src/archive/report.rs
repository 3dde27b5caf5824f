//! What a concert has sold, for its organiser: its money by day and the seats that are taken, of one moment.
//!
//! All reservations of a concert are read for it, in the order of their key, page by page: seconds for some 100,000s of them.
//! No index by status: each hold, payment and lapse would have to keep it up, for what somebody asks now and then.

use sqlx::Row as _;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use super::error::stored;
use super::page::read_all;
use super::{Archive, Error};
use crate::domain::ids::{ConcertId, ShowId};
use crate::domain::reservation::{Seats, Status};
use crate::domain::time::Millis;

/// Reservations read with one statement: bounds the memory.
const PAGE: u32 = 5_000;

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
    /// What a concert has sold, as fresh as the archive: its money by show and day, and, told to `take` in no order, each seat
    /// that is taken. A hold counts until its end, which `now` decides.
    pub async fn sales(
        &self,
        concert: ConcertId,
        now: Millis,
        take: impl FnMut(TakenSeat) + Send,
    ) -> Result<Vec<MoneyOfDay>, Error> {
        let mut moment = self.moment().await?;
        let money = money(&mut moment, concert).await?;
        taken(&mut moment, concert, now, take).await?;
        moment.rollback().await?;
        Ok(money)
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

/// The seats of confirmed reservations but those that were refunded, and those of pending ones that have not lapsed.
async fn taken(
    connection: &mut MySqlConnection,
    concert: ConcertId,
    now: Millis,
    mut take: impl FnMut(TakenSeat) + Send,
) -> Result<(), Error> {
    let select = "select reservation, show_id, status, seats, refunded_seats from reservations \
                  where concert = ? and reservation > ? \
                  and (status = 'confirmed' or (status = 'pending' and end_at > ?)) \
                  order by reservation limit ?";
    let mut after = String::new();
    loop {
        let query = sqlx::query(select).bind(concert.0).bind(after.clone()).bind(now.0).bind(PAGE);
        let mut rows = 0;
        let read = |row: &MySqlRow| {
            rows += 1;
            after = row.try_get("reservation")?;
            seats_of(row)?.for_each(&mut take);
            Ok(())
        };
        read_all(query.fetch(&mut *connection), read).await?;
        if rows < PAGE {
            return Ok(());
        }
    }
}

/// The seats that a reservation has.
fn seats_of(row: &MySqlRow) -> Result<impl Iterator<Item = TakenSeat> + use<>, Error> {
    let (show, status): (u32, String) = (row.try_get("show_id")?, row.try_get("status")?);
    let (show, booked) = (ShowId(show), status == Status::Confirmed.as_str());
    let read = |text: String| text.parse::<Seats>().map_err(|_| stored("reservations", text));
    let seats = read(row.try_get("seats")?)?;
    let refunded: Option<String> = row.try_get("refunded_seats")?;
    let refunded = refunded.map(read).transpose()?.unwrap_or_default();
    let left = move |(seat, _): &(u32, i64)| refunded.0.iter().all(|(gone, _)| gone != seat);
    let taken = move |(seat, price)| TakenSeat { show, seat, price, booked };
    Ok(seats.0.into_iter().filter(left).map(taken))
}
