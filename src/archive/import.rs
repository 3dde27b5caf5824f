//! Imports a catalog file: all of it in one transaction, and only what differs.
//!
//! The digest of what a file said of a concert stands beside it (`concerts.source`), so the same file again changes nothing,
//! not even what an organiser has changed since. It is written last, when Redis knows all of it: until then the
//! beginning of it stands there, marked, so an import that broke off is done again in full, and two files at once are found out.
//!
//! Once a concert's log lives, only the log may change its policy, and what stands here may be older than what is in
//! force: the caller compares and sets it there.

use std::fmt::Write;

use sha2::{Digest, Sha256};
use sqlx::Row as _;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use super::catalog::{CatalogConcert, CatalogFile, CatalogShow};
use super::concert::{next_version, policy_json, read_policy};
use super::error::listed;
use super::import_show::import_shows;
use super::{Archive, Error};
use crate::domain::catalog::LayoutError;
use crate::domain::ids::{ConcertId, LogName, ShowId};
use crate::domain::policy::PolicyState;

/// What an import did to a concert or show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was not there.
    New,
    /// It was there and differed.
    Changed,
    /// It was as the file says.
    Same,
}

/// What an import did.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportReport {
    /// For each concert of the file, in its order.
    pub concerts: Vec<ImportedConcert>,
}

/// What an import did to one concert.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportedConcert {
    /// The concert.
    pub concert: ConcertId,
    /// Whether its description, shows or policy were changed in MySQL.
    pub change: Change,
    /// Its catalog version now.
    pub version: u64,
    /// Its shows of the file.
    pub shows: Vec<ImportedShow>,
    /// Until [`Archive::end_import`] has ended it: Redis has to know policy and version first. Else the file was imported before,
    /// all of it.
    pub unfinished: bool,
}

/// What an import did to one show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportedShow {
    /// The show.
    pub show: ShowId,
    /// Whether its seats, prices or time were changed.
    pub change: Change,
}

/// Why a file can't be imported over what is there; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("concert {concert}, show {show}: {reason}")]
pub struct ImportRefused {
    /// The concert of the file.
    pub concert: ConcertId,
    /// The show of the file, or the one that is missing there.
    pub show: ShowId,
    /// Why.
    pub reason: ImportRefusal,
}

/// What a file may not do to a show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportRefusal {
    /// A show that was imported is not in the file any more.
    #[error("it is missing; a show can't be dropped")]
    ShowDropped,
    /// The show is this other concert's.
    #[error("it belongs to concert {0}")]
    Elsewhere(ConcertId),
    /// The file lacks these seats of the show: index and label of each.
    #[error("the file lacks {} that it has: {}; a seat can't be dropped", counted(.0.len()), listed(.0))]
    SeatsDropped(Vec<(u32, String)>),
    /// Together with what the show has already.
    #[error("{0}")]
    Layout(LayoutError),
    /// Prices that were paid would change their meaning.
    #[error("its currency can't change")]
    Currency,
}

fn counted(seats: usize) -> String {
    if seats == 1 { "1 seat".to_owned() } else { format!("{seats} seats") }
}

impl Archive {
    /// Imports a checked file. [`Error::Refused`] if it would drop a seat or show that is there. What it answers as unfinished
    /// has to be told to Redis and then to [`Archive::end_import`].
    pub async fn import(&self, file: &CatalogFile) -> Result<ImportReport, Error> {
        let mut transaction = self.pool.begin().await?;
        let mut concerts = Vec::with_capacity(file.concerts.len());
        for concert in &file.concerts {
            concerts.push(import_concert(&mut transaction, concert).await?);
        }
        transaction.commit().await?;
        Ok(ImportReport { concerts })
    }

    /// Ends the import of a concert whose policy and version Redis knows: the same file changes nothing from here on. False:
    /// another file was imported meanwhile, so nobody knows whose policy stands; the next import does all of it.
    pub async fn end_import(&self, file: &CatalogConcert) -> Result<bool, Error> {
        let mut transaction = self.pool.begin().await?;
        let select = sqlx::query_scalar("select source from concerts where concert = ? for update");
        let stands = select.bind(file.concert_id.0).fetch_optional(&mut *transaction).await?;
        let stands: Option<String> = stands.flatten();
        let digest = digest(file);
        // By this run, or by another with the same file.
        let ended = stands.is_some_and(|stands| stands == digest || stands == under_way(&digest));
        sqlx::query("update concerts set source = ? where concert = ?")
            .bind(ended.then_some(digest))
            .bind(file.concert_id.0)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(ended)
    }
}

/// What stands in the place of the digest until a run with the file has ended.
fn under_way(digest: &str) -> String {
    format!("importing {}", &digest[..32])
}

async fn import_concert(
    connection: &mut MySqlConnection,
    file: &CatalogConcert,
) -> Result<ImportedConcert, Error> {
    let concert = file.concert_id;
    let select = "select org, title, artist, venue, policy, version, source from concerts where concert = ? for update";
    let row = sqlx::query(select).bind(concert.0).fetch_optional(&mut *connection).await?;
    let Some(row) = row else {
        create(connection, file).await?;
        let shows = import_shows(connection, file).await?;
        return Ok(ImportedConcert { concert, change: Change::New, version: 1, shows, unfinished: true });
    };
    let stood = row.try_get("version")?;
    if row.try_get::<Option<String>, _>("source")?.as_ref() == Some(&digest(file)) {
        let same = |show: &CatalogShow| ImportedShow { show: show.show_id, change: Change::Same };
        let shows = file.shows.iter().map(same).collect();
        return Ok(ImportedConcert {
            concert,
            change: Change::Same,
            version: stood,
            shows,
            unfinished: false,
        });
    }

    let described = describe(connection, file, &row).await?;
    let shows = import_shows(connection, file).await?;
    let mut version = stood;
    if described || shows.iter().any(|show| show.change != Change::Same) {
        version = next_version(connection, concert).await?.unwrap_or(version);
    }
    let policy_changed = change_policy(connection, file, &read_policy(&row)?).await?;
    sqlx::query("update concerts set source = ? where concert = ?")
        .bind(under_way(&digest(file)))
        .bind(concert.0)
        .execute(&mut *connection)
        .await?;
    let changed = version != stood || policy_changed;
    Ok(ImportedConcert {
        concert,
        change: if changed { Change::Changed } else { Change::Same },
        version,
        shows,
        unfinished: true,
    })
}

async fn create(connection: &mut MySqlConnection, file: &CatalogConcert) -> Result<(), Error> {
    let insert = "insert into concerts (concert, org, title, artist, venue, policy, policy_version, version, source) \
                  values (?, ?, ?, ?, ?, ?, 0, 1, ?)";
    sqlx::query(insert)
        .bind(file.concert_id.0)
        .bind(&file.org)
        .bind(&file.title)
        .bind(&file.artist)
        .bind(&file.venue)
        .bind(policy_json(&file.policy_over(&PolicyState::default())))
        .bind(under_way(&digest(file)))
        .execute(connection)
        .await?;
    Ok(())
}

/// Writes the description if it differs from the row.
async fn describe(
    connection: &mut MySqlConnection,
    file: &CatalogConcert,
    row: &MySqlRow,
) -> Result<bool, Error> {
    let fields =
        [("org", &file.org), ("title", &file.title), ("artist", &file.artist), ("venue", &file.venue)];
    let mut differs = false;
    for (column, text) in fields {
        differs |= row.try_get::<String, _>(column)? != *text;
    }
    if differs {
        sqlx::query("update concerts set org = ?, title = ?, artist = ?, venue = ? where concert = ?")
            .bind(&file.org)
            .bind(&file.title)
            .bind(&file.artist)
            .bind(&file.venue)
            .bind(file.concert_id.0)
            .execute(connection)
            .await?;
    }
    Ok(differs)
}

/// Writes the policy of a concert that has no log yet, which will be born with it. Answers whether it differed.
async fn change_policy(
    connection: &mut MySqlConnection,
    file: &CatalogConcert,
    stored: &PolicyState,
) -> Result<bool, Error> {
    let wanted = file.policy_over(stored);
    let log = LogName::Concert(file.concert_id).to_string();
    let query = sqlx::query("select 1 from log_offsets where log = ?").bind(log);
    if wanted == *stored || query.fetch_optional(&mut *connection).await?.is_some() {
        return Ok(false);
    }
    sqlx::query("update concerts set policy = ? where concert = ?")
        .bind(policy_json(&wanted))
        .bind(file.concert_id.0)
        .execute(connection)
        .await?;
    Ok(true)
}

fn digest(file: &CatalogConcert) -> String {
    let text = serde_json::to_vec(file).expect("a catalog has only string keys and finite numbers");
    let mut digits = String::with_capacity(64);
    for byte in Sha256::digest(text) {
        write!(digits, "{byte:02x}").expect("a string takes what is written");
    }
    digits
}
