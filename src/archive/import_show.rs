//! Imports the shows of one concert: new seats at the end and new prices, never a seat less or elsewhere.

use sqlx::mysql::MySqlConnection;

use super::Error;
use super::catalog::{CatalogConcert, CatalogShow, IMPORTED_IDS_MAX};
use super::import::{Change, ImportRefused, ImportedShow};
use super::show::{ShowRow, count, insert_seats, names_json, rows_of, seats};
use crate::domain::catalog::{Seat, Show};
use crate::domain::ids::ConcertId;

/// Imports all shows of a concert whose row the transaction holds.
pub(super) async fn import_shows(
    connection: &mut MySqlConnection,
    file: &CatalogConcert,
) -> Result<Vec<ImportedShow>, Error> {
    let concert = file.concert_id;
    let stored = rows_of(connection, concert).await?;
    let dropped = |row: &&ShowRow| {
        // Shows that the API made are not the file's to drop.
        row.show.0 <= IMPORTED_IDS_MAX && !file.shows.iter().any(|show| show.show_id == row.show)
    };
    if let Some(row) = stored.iter().find(dropped) {
        return Err(ImportRefused::ShowDropped { concert, show: row.show }.into());
    }
    let mut imported = Vec::with_capacity(file.shows.len());
    for show in &file.shows {
        let change = match stored.iter().find(|row| row.show == show.show_id) {
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
        return Err(ImportRefused::ShowElsewhere { show, owner: ConcertId(owner) }.into());
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

async fn update(
    connection: &mut MySqlConnection,
    row: &ShowRow,
    file: &CatalogShow,
) -> Result<Change, Error> {
    let show = row.show;
    if row.currency != file.currency {
        return Err(ImportRefused::Currency(show).into());
    }
    let (sections, wanted) = Show::layout(&file.sections)?;
    let stored = seats(connection, row).await?;
    check_kept(row, &stored, &sections, &wanted)?;

    let prices = changed_prices(&stored, &wanted);
    for (section, price) in &prices {
        sqlx::query("update seats set price = ? where show_id = ? and section = ?")
            .bind(price)
            .bind(show.0)
            .bind(section)
            .execute(&mut *connection)
            .await?;
    }
    insert_seats(connection, show, count(&stored), &wanted[stored.len()..]).await?;
    let grown = wanted.len() > stored.len();
    if prices.is_empty() && !grown && row.starts_at == file.starts_at {
        return Ok(Change::Same);
    }
    sqlx::query("update shows set starts_at = ?, sections = ?, seats_total = ? where show_id = ?")
        .bind(file.starts_at.0)
        .bind(names_json(&sections))
        .bind(count(&wanted))
        .bind(show.0)
        .execute(connection)
        .await?;
    Ok(Change::Changed)
}

/// Every seat that is there keeps its index, label and place.
fn check_kept(
    row: &ShowRow,
    stored: &[Seat],
    sections: &[String],
    wanted: &[Seat],
) -> Result<(), ImportRefused> {
    let names = |seat: &Seat, names: &[String]| names.get(usize::from(seat.section)).cloned();
    for (index, seat) in stored.iter().enumerate() {
        let kept = wanted.get(index).is_some_and(|other| {
            let same = (&seat.label, seat.section, seat.row, seat.number)
                == (&other.label, other.section, other.row, other.number);
            same && names(seat, &row.sections) == names(other, sections)
        });
        if !kept {
            return Err(ImportRefused::SeatMoved { show: row.show, label: seat.label.clone() });
        }
    }
    Ok(())
}

/// Section and new price of each section that has another one; all seats of a section cost the same.
fn changed_prices(stored: &[Seat], wanted: &[Seat]) -> Vec<(u16, i64)> {
    let differing = stored.iter().zip(wanted).filter(|(old, new)| old.price != new.price);
    let mut prices: Vec<_> = differing.map(|(_, new)| (new.section, new.price)).collect();
    prices.dedup();
    prices
}
