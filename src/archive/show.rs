//! Shows and their seats. An index is given once: seats are only ever added at the end, only prices change.

use sqlx::Row as _;
use sqlx::mysql::{MySqlConnection, MySqlRow};
use tokio::task::spawn_blocking;

use super::concert::next_version;
use super::error::stored;
use super::page::read_all;
use super::rows::{self, Query, Row};
use super::{Archive, Error};
use crate::domain::catalog::{Seat, Section, Show};
use crate::domain::ids::{ConcertId, ShowId};
use crate::domain::time::Millis;

/// Seats read with one statement: bounds the memory beside the map that is being built.
const PAGE: u32 = 20_000;

/// A row of `shows` without its seats.
#[derive(Clone, Debug)]
pub(super) struct ShowRow {
    pub(super) show: ShowId,
    pub(super) concert: ConcertId,
    pub(super) starts_at: Millis,
    pub(super) currency: String,
    pub(super) sections: Vec<String>,
    pub(super) seats_total: u32,
}

impl Archive {
    /// Makes a show with its seats, its id above all that files may give. Answers it with the concert's new
    /// catalog version; `None`: no such concert. [`Error::Layout`] if the sections make no seat map.
    pub async fn create_show(
        &self,
        concert: ConcertId,
        starts_at: Millis,
        currency: &str,
        sections: Vec<Section>,
    ) -> Result<Option<(ShowId, u64)>, Error> {
        let (sections, seats) = elsewhere(move || Show::layout(&sections)).await?;
        let mut transaction = self.pool.begin().await?;
        let Some(version) = next_version(&mut transaction, concert).await? else {
            return Ok(None);
        };
        let insert =
            "insert into shows (concert, starts_at, currency, sections, seats_total) values (?, ?, ?, ?, ?)";
        let done = sqlx::query(insert)
            .bind(concert.0)
            .bind(starts_at.0)
            .bind(currency)
            .bind(names_json(&sections))
            .bind(count(&seats))
            .execute(&mut *transaction)
            .await?;
        let id = done.last_insert_id();
        let show = id.try_into().map(ShowId).map_err(|_| stored("shows", id))?;
        insert_seats(&mut transaction, show, 0, &seats).await?;
        transaction.commit().await?;
        Ok(Some((show, version)))
    }

    /// The shows of a concert with the number of their seats, by id.
    pub async fn show_sizes(&self, concert: ConcertId) -> Result<Vec<(ShowId, u32)>, Error> {
        let rows =
            sqlx::query_as("select show_id, seats_total from shows where concert = ? order by show_id")
                .bind(concert.0)
                .fetch_all(&self.pool)
                .await?;
        Ok(rows.into_iter().map(|(show, seats)| (ShowId(show), seats)).collect())
    }

    /// The shows of a concert with all their seats, by id.
    pub async fn shows(&self, concert: ConcertId) -> Result<Vec<Show>, Error> {
        let mut connection = self.pool.acquire().await?;
        let mut shows = Vec::new();
        for row in rows_of(&mut connection, concert).await? {
            let seats = seats(&mut connection, &row).await?;
            let (seats, by_label) = elsewhere(move || {
                let by_label = Show::index(&seats);
                (seats, by_label)
            })
            .await;
            shows.push(Show {
                show: row.show,
                concert: row.concert,
                starts_at: row.starts_at,
                currency: row.currency,
                sections: row.sections,
                seats,
                by_label,
            });
        }
        Ok(shows)
    }
}

/// The rows of a concert's shows, by id.
pub(super) async fn rows_of(
    connection: &mut MySqlConnection,
    concert: ConcertId,
) -> Result<Vec<ShowRow>, Error> {
    let select = "select show_id, concert, starts_at, currency, sections, seats_total from shows \
                  where concert = ? order by show_id";
    let rows = sqlx::query(select).bind(concert.0).fetch_all(connection).await?;
    rows.iter().map(read_row).collect()
}

/// What may take a fifth of a second for 200,000 seats, on a thread where that may be: who asks may be a core that serves buyers.
pub(super) async fn elsewhere<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    spawn_blocking(work).await.expect("laying out seats panics at nothing, and nobody aborts it")
}

/// All seats of a show, by index.
pub(super) async fn seats(connection: &mut MySqlConnection, show: &ShowRow) -> Result<Vec<Seat>, Error> {
    let select = "select label, section, seat_row, seat_number, price, seat_index from seats \
                  where show_id = ? and seat_index >= ? order by seat_index limit ?";
    let mut seats = Vec::with_capacity(show.seats_total as usize);
    while seats.len() < show.seats_total as usize {
        let first = count(&seats);
        let query = sqlx::query(select).bind(show.show.0).bind(first).bind(PAGE);
        let read = |row: &MySqlRow| {
            let seat = read_seat(row)?;
            let index: u32 = row.try_get(5)?;
            if index != count(&seats) || usize::from(seat.section) >= show.sections.len() {
                return Err(stored("seats", format!("show {} at seat {index}", show.show)));
            }
            seats.push(seat);
            Ok(())
        };
        read_all(query.fetch(&mut *connection), read).await?;
        if count(&seats) == first {
            return Err(stored("seats", format!("show {} ends at seat {first}", show.show)));
        }
    }
    Ok(seats)
}

/// Adds seats from index `first` on.
pub(super) async fn insert_seats(
    connection: &mut MySqlConnection,
    show: ShowId,
    first: u32,
    seats: &[Seat],
) -> Result<(), sqlx::Error> {
    let rows: Vec<_> = (first..).zip(seats).map(|(index, seat)| SeatRow { show, index, seat }).collect();
    rows::write(connection, &rows).await.map(drop)
}

/// The number of these seats, which [`Show::layout`] bounds.
pub(super) fn count(seats: &[Seat]) -> u32 {
    u32::try_from(seats.len()).expect("a show has at most SEATS_MAX seats")
}

pub(super) fn names_json(sections: &[String]) -> String {
    serde_json::to_string(sections).expect("names are strings")
}

struct SeatRow<'a> {
    show: ShowId,
    index: u32,
    seat: &'a Seat,
}

impl Row for SeatRow<'_> {
    const HEAD: &'static str =
        "insert into seats (show_id, seat_index, label, section, seat_row, seat_number, price) values";
    const VALUES: &'static str = "(?, ?, ?, ?, ?, ?, ?)";
    /// A show comes in one piece, so a larger size pays.
    const SIZES: &'static [usize] = &[1000, 50, 1];

    fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        query
            .bind(self.show.0)
            .bind(self.index)
            .bind(&self.seat.label)
            .bind(self.seat.section)
            .bind(self.seat.row)
            .bind(self.seat.number)
            .bind(self.seat.price)
    }

    fn bytes(&self) -> usize {
        self.seat.label.len() + 32
    }
}

fn read_row(row: &MySqlRow) -> Result<ShowRow, Error> {
    let sections: String = row.try_get("sections")?;
    Ok(ShowRow {
        show: ShowId(row.try_get("show_id")?),
        concert: ConcertId(row.try_get("concert")?),
        starts_at: Millis(row.try_get("starts_at")?),
        currency: row.try_get("currency")?,
        sections: serde_json::from_str(&sections).map_err(|error| stored("shows", error))?,
        seats_total: row.try_get("seats_total")?,
    })
}

/// By place, not by name: a million of these are read at a start.
fn read_seat(row: &MySqlRow) -> Result<Seat, sqlx::Error> {
    Ok(Seat {
        label: row.try_get(0)?,
        section: row.try_get(1)?,
        row: row.try_get(2)?,
        number: row.try_get(3)?,
        price: row.try_get(4)?,
    })
}
