//! Another seating plan for a show that is there, from the API, the command line or a catalog file: seats are added at the end,
//! sections and prices change, none is dropped.

use sqlx::Row as _;
use sqlx::mysql::MySqlConnection;

use super::concert::next_version;
use super::rows::{self, Query, Row};
use super::show::{ShowRow, count, elsewhere, insert_seats, names_json, rows_of, seats};
use super::{Archive, Error};
use crate::domain::catalog::{Seat, Section};
use crate::domain::ids::{ConcertId, ShowId};
use crate::domain::seating::{SeatingChange, SeatingError};

/// What a plan did to a show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seated {
    /// The concert's catalog version now.
    pub version: u64,
    /// Seats of the show now.
    pub seats_total: u32,
    /// Seats that are new.
    pub added: u32,
    /// Seats that have another section or price.
    pub changed: u32,
}

impl Archive {
    /// The concert of a show.
    pub async fn concert_of(&self, show: ShowId) -> Result<Option<ConcertId>, Error> {
        let query = sqlx::query_scalar("select concert from shows where show_id = ?").bind(show.0);
        Ok(query.fetch_optional(&self.pool).await?.map(ConcertId))
    }

    /// Gives a show this plan; the same again changes nothing. `None`: no such show of this concert.
    /// [`Error::Layout`] if the plan makes no seat map, [`Error::SeatsDropped`] if it lacks a seat.
    pub async fn change_seating(
        &self,
        concert: ConcertId,
        show: ShowId,
        sections: Vec<Section>,
    ) -> Result<Option<Seated>, Error> {
        let mut transaction = self.pool.begin().await?;
        // Changes of one concert come one after the other.
        let lock = sqlx::query("select version from concerts where concert = ? for update").bind(concert.0);
        let Some(stands) = lock.fetch_optional(&mut *transaction).await? else {
            return Ok(None);
        };
        let mut version = stands.try_get("version")?;
        let rows = rows_of(&mut transaction, concert).await?;
        let Some(row) = rows.into_iter().find(|row| row.show == show) else {
            return Ok(None);
        };
        let reseated = reseat(&mut transaction, row, sections).await?;
        if !reseated.is_none() {
            version = next_version(&mut transaction, concert).await?.unwrap_or(version);
            transaction.commit().await?;
        }
        let Reseated { seats_total, added, changed } = reseated;
        Ok(Some(Seated { version, seats_total, added, changed }))
    }
}

/// What other sections did to the seats of a show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reseated {
    seats_total: u32,
    added: u32,
    changed: u32,
}

impl Reseated {
    /// Whether the show had these sections.
    pub(super) fn is_none(self) -> bool {
        self.added == 0 && self.changed == 0
    }
}

/// Gives these sections to a show of a concert whose row the transaction holds. Seats keep their indexes, new ones come behind
/// them. [`Error::SeatsDropped`] or [`Error::Layout`] if that can't be, and nothing was written.
pub(super) async fn reseat(
    connection: &mut MySqlConnection,
    row: ShowRow,
    sections: Vec<Section>,
) -> Result<Reseated, Error> {
    let show = row.show;
    let known = seats(connection, &row).await?;
    let (known, change) = changed(row, known, sections).await;
    let change = change?;
    let seats_total = count(&known) + count(&change.added);
    if !change.is_none() {
        move_seats(connection, show, &known, &change.changed).await?;
        insert_seats(connection, show, count(&known), &change.added).await?;
        sqlx::query("update shows set sections = ?, seats_total = ? where show_id = ?")
            .bind(names_json(&change.sections))
            .bind(seats_total)
            .bind(show.0)
            .execute(connection)
            .await?;
    }
    let changed = u32::try_from(change.changed.len()).expect("a show has at most SEATS_MAX seats");
    Ok(Reseated { seats_total, added: count(&change.added), changed })
}

/// What these sections change of a show's seats, which come back.
async fn changed(
    row: ShowRow,
    known: Vec<Seat>,
    sections: Vec<Section>,
) -> (Vec<Seat>, Result<SeatingChange, Error>) {
    elsewhere(move || {
        let change = SeatingChange::of(&row.sections, &known, &sections).map_err(|error| match error {
            SeatingError::Layout(error) => Error::Layout(error),
            SeatingError::Dropped(seats) => {
                let label = |index: u32| (index, known[index as usize].label.clone());
                Error::SeatsDropped(seats.into_iter().map(label).collect())
            }
        });
        (known, change)
    })
    .await
}

/// Gives seats (index, section, price; by index) their section and price, a thousand with one statement: the concert's row
/// is held meanwhile, and a plan whose prices alternate changes every seat for itself.
async fn move_seats(
    connection: &mut MySqlConnection,
    show: ShowId,
    known: &[Seat],
    seats: &[(u32, u16, i64)],
) -> Result<(), Error> {
    let label = |index: u32| known[index as usize].label.as_str();
    let row = |&(index, section, price)| MovedSeat { show, index, label: label(index), section, price };
    let rows: Vec<_> = seats.iter().map(row).collect();
    rows::write(connection, &rows).await?;
    Ok(())
}

/// A seat that is there.
struct MovedSeat<'a> {
    show: ShowId,
    index: u32,
    label: &'a str,
    section: u16,
    price: i64,
}

impl Row for MovedSeat<'_> {
    const HEAD: &'static str = "insert into seats (show_id, seat_index, label, section, price) values";
    const VALUES: &'static str = "(?, ?, ?, ?, ?)";
    const TAIL: &'static str = "on duplicate key update section = values(section), price = values(price)";
    const SIZES: &'static [usize] = &[1000, 50, 1];

    fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        query.bind(self.show.0).bind(self.index).bind(self.label).bind(self.section).bind(self.price)
    }

    fn bytes(&self) -> usize {
        self.label.len() + 32
    }
}
