//! Imports the shows of one concert: a show that is there gets the file's sections as it would get a seating plan.

use sqlx::mysql::MySqlConnection;

use super::Error;
use super::catalog::{CatalogConcert, CatalogShow, IMPORTED_IDS_MAX};
use super::import::{Change, ImportRefusal, ImportRefused, ImportedShow};
use super::seating::reseat;
use super::show::{ShowRow, count, insert_seats, names_json, rows_of};
use crate::domain::catalog::Show;
use crate::domain::ids::ConcertId;

/// Imports all shows of a concert whose row the transaction holds.
pub(super) async fn import_shows(
    connection: &mut MySqlConnection,
    file: &CatalogConcert,
) -> Result<Vec<ImportedShow>, Error> {
    let concert = file.concert_id;
    let mut stored = rows_of(connection, concert).await?;
    let dropped = |row: &&ShowRow| {
        // Shows that the API made are not the file's to drop.
        row.show.0 <= IMPORTED_IDS_MAX && !file.shows.iter().any(|show| show.show_id == row.show)
    };
    if let Some(row) = stored.iter().find(dropped) {
        let reason = ImportRefusal::ShowDropped;
        return Err(ImportRefused { concert, show: row.show, reason }.into());
    }
    let mut imported = Vec::with_capacity(file.shows.len());
    for show in &file.shows {
        let known = stored.iter().position(|row| row.show == show.show_id);
        let change = match known.map(|at| stored.swap_remove(at)) {
            None => create(connection, concert, show).await?,
            Some(row) => update(connection, row, show).await?,
        };
        imported.push(ImportedShow { show: show.show_id, change });
    }
    Ok(imported)
}

async fn create(
    connection: &mut MySqlConnection,
    concert: ConcertId,
    file: &CatalogShow,
) -> Result<Change, Error> {
    let show = file.show_id;
    let query = sqlx::query_scalar("select concert from shows where show_id = ?").bind(show.0);
    if let Some(owner) = query.fetch_optional(&mut *connection).await? {
        let reason = ImportRefusal::Elsewhere(ConcertId(owner));
        return Err(ImportRefused { concert, show, reason }.into());
    }
    let (sections, seats) = Show::layout(&file.sections)?;
    let insert = "insert into shows (show_id, concert, starts_at, currency, sections, seats_total) values (?, ?, ?, ?, ?, ?)";
    sqlx::query(insert)
        .bind(show.0)
        .bind(concert.0)
        .bind(file.starts_at.0)
        .bind(&file.currency)
        .bind(names_json(&sections))
        .bind(count(&seats))
        .execute(&mut *connection)
        .await?;
    insert_seats(connection, show, 0, &seats).await?;
    Ok(Change::New)
}

async fn update(connection: &mut MySqlConnection, row: ShowRow, file: &CatalogShow) -> Result<Change, Error> {
    let (concert, show) = (row.concert, row.show);
    let refused = |reason| ImportRefused { concert, show, reason };
    if row.currency != file.currency {
        return Err(refused(ImportRefusal::Currency).into());
    }
    let postponed = row.starts_at != file.starts_at;
    let reseated = reseat(connection, row, file.sections.clone()).await.map_err(|error| match error {
        Error::SeatsDropped(seats) => refused(ImportRefusal::SeatsDropped(seats)).into(),
        Error::Layout(error) => refused(ImportRefusal::Layout(error)).into(),
        error => error,
    })?;
    if postponed {
        sqlx::query("update shows set starts_at = ? where show_id = ?")
            .bind(file.starts_at.0)
            .bind(show.0)
            .execute(connection)
            .await?;
    }
    Ok(if postponed || !reseated.is_none() { Change::Changed } else { Change::Same })
}
