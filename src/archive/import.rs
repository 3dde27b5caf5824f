//! Imports a catalog file: all of it in one transaction, and only what differs.
//!
//! The digest of what a file said of a concert stands beside it, so the same file again changes nothing, not even
//! what an organiser has changed since. Where the concert's log lives, a new policy has to go through Redis: the
//! report names it, and the digest is stored by the import that finds it has come back.

use std::fmt::Write;

use sha2::{Digest, Sha256};
use sqlx::Row as _;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use super::catalog::{CatalogConcert, CatalogFile};
use super::concert::{next_version, policy_json, read_policy};
use super::import_show::import_shows;
use super::{Archive, Error};
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
    /// What the caller must set in Redis, since the concert's log lives; importing again tells it again until then.
    pub policy: Option<PolicyState>,
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
pub enum ImportRefused {
    /// A show that was imported is not in the file any more.
    #[error("concert {concert}: show {show} is missing; a show can't be dropped")]
    ShowDropped {
        /// Its concert.
        concert: ConcertId,
        /// The show.
        show: ShowId,
    },
    /// The show is another concert's.
    #[error("show {show} belongs to concert {owner}")]
    ShowElsewhere {
        /// The show.
        show: ShowId,
        /// Its concert.
        owner: ConcertId,
    },
    /// The seat at an index would be dropped or become another.
    #[error("show {show}: seat {label:?} would be dropped or moved; seats can only be added at the end")]
    SeatMoved {
        /// The show.
        show: ShowId,
        /// The seat's label now.
        label: String,
    },
    /// Prices that were paid would change their meaning.
    #[error("show {0}: its currency can't change")]
    Currency(ShowId),
}

impl Archive {
    /// Imports a checked file. [`Error::Refused`] if it would drop or move a seat that is there.
    pub async fn import(&self, file: &CatalogFile) -> Result<ImportReport, Error> {
        let mut transaction = self.pool.begin().await?;
        let mut concerts = Vec::with_capacity(file.concerts.len());
        for concert in &file.concerts {
            concerts.push(import_concert(&mut transaction, concert).await?);
        }
        transaction.commit().await?;
        Ok(ImportReport { concerts })
    }
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
        return Ok(ImportedConcert { concert, change: Change::New, version: 1, shows, policy: None });
    };
    let mut version = row.try_get("version")?;
    if row.try_get::<Option<String>, _>("source")?.as_ref() == Some(&digest(file)) {
        let same = |show: &super::CatalogShow| ImportedShow { show: show.show_id, change: Change::Same };
        let shows = file.shows.iter().map(same).collect();
        return Ok(ImportedConcert { concert, change: Change::Same, version, shows, policy: None });
    }

    let described = describe(connection, file, &row).await?;
    let shows = import_shows(connection, file).await?;
    if described || shows.iter().any(|show| show.change != Change::Same) {
        version = next_version(connection, concert).await?.unwrap_or(version);
    }
    let wanted = wanted(file, &read_policy(&row)?);
    let policy = change_policy(connection, concert, &read_policy(&row)?, &wanted).await?;
    if policy != PolicyChange::Pending {
        sqlx::query("update concerts set source = ? where concert = ?")
            .bind(digest(file))
            .bind(concert.0)
            .execute(&mut *connection)
            .await?;
    }
    let changed = version != row.try_get::<u64, _>("version")? || policy == PolicyChange::Stored;
    Ok(ImportedConcert {
        concert,
        change: if changed { Change::Changed } else { Change::Same },
        version,
        shows,
        policy: (policy == PolicyChange::Pending).then_some(wanted),
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
        .bind(policy_json(&wanted(file, &PolicyState::default())))
        .bind(digest(file))
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

/// The policy that the file asks for. Pausing is the organiser's hand on a live sale: no file undoes it.
fn wanted(file: &CatalogConcert, stored: &PolicyState) -> PolicyState {
    PolicyState {
        policy: file.policy.clone(),
        opens_at: file.opens_at,
        closes_at: file.closes_at,
        paused: stored.paused,
        pause_reason: stored.pause_reason.clone(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PolicyChange {
    None,
    /// The concert has no log yet: it will be born with it.
    Stored,
    /// Only its log may change it.
    Pending,
}

async fn change_policy(
    connection: &mut MySqlConnection,
    concert: ConcertId,
    stored: &PolicyState,
    wanted: &PolicyState,
) -> Result<PolicyChange, Error> {
    if wanted == stored {
        return Ok(PolicyChange::None);
    }
    let log = LogName::Concert(concert).to_string();
    let query = sqlx::query("select 1 from log_offsets where log = ?").bind(log);
    if query.fetch_optional(&mut *connection).await?.is_some() {
        return Ok(PolicyChange::Pending);
    }
    sqlx::query("update concerts set policy = ? where concert = ?")
        .bind(policy_json(wanted))
        .bind(concert.0)
        .execute(connection)
        .await?;
    Ok(PolicyChange::Stored)
}

fn digest(file: &CatalogConcert) -> String {
    let text = serde_json::to_vec(file).expect("a catalog has only string keys and finite numbers");
    let mut digits = String::with_capacity(64);
    for byte in Sha256::digest(text) {
        write!(digits, "{byte:02x}").expect("a string takes what is written");
    }
    digits
}
