//! Concerts: made and changed by organisers, their policies written by their logs.
//!
//! Once a concert's log lives, its policy has one writer: the `policy` events, applied here. What an organiser
//! sets goes to Redis first.

use sqlx::Row as _;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use super::error::stored;
use super::{Archive, Error};
use crate::domain::catalog::Concert;
use crate::domain::ids::ConcertId;
use crate::domain::policy::PolicyState;

/// A concert to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewConcert {
    /// The organiser that owns it.
    pub org: String,
    /// Its title.
    pub title: String,
    /// Who plays.
    pub artist: String,
    /// Where.
    pub venue: String,
    /// The policy it is born with.
    pub policy: PolicyState,
}

/// A change of a concert's description; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConcertUpdate {
    /// Its title.
    pub title: Option<String>,
    /// Who plays.
    pub artist: Option<String>,
    /// Where.
    pub venue: Option<String>,
}

impl Archive {
    /// All concerts, by id.
    pub async fn concerts(&self) -> Result<Vec<Concert>, Error> {
        let select =
            "select concert, org, title, artist, venue, policy, version from concerts order by concert";
        let rows = sqlx::query(select).fetch_all(&self.pool).await?;
        rows.iter().map(read_concert).collect()
    }

    /// One concert.
    pub async fn concert(&self, concert: ConcertId) -> Result<Option<Concert>, Error> {
        let select =
            "select concert, org, title, artist, venue, policy, version from concerts where concert = ?";
        let query = sqlx::query(select).bind(concert.0);
        query.fetch_optional(&self.pool).await?.as_ref().map(read_concert).transpose()
    }

    /// The catalog version of each concert, by id.
    pub async fn catalog_versions(&self) -> Result<Vec<(ConcertId, u64)>, Error> {
        let query = sqlx::query_as("select concert, version from concerts order by concert");
        let rows: Vec<(u32, u64)> = query.fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|(concert, version)| (ConcertId(concert), version)).collect())
    }

    /// A concert's policy and its version, as fresh as the archive; version 0: as created, not yet in its log.
    pub async fn policy(&self, concert: ConcertId) -> Result<Option<(u64, PolicyState)>, Error> {
        let query =
            sqlx::query("select policy, policy_version from concerts where concert = ?").bind(concert.0);
        let Some(row) = query.fetch_optional(&self.pool).await? else {
            return Ok(None);
        };
        Ok(Some((row.try_get("policy_version")?, read_policy(&row)?)))
    }

    /// Makes a concert with an id above all that files may give, catalog version 1.
    pub async fn create_concert(&self, new: &NewConcert) -> Result<ConcertId, Error> {
        let insert = "insert into concerts (org, title, artist, venue, policy, policy_version, version) \
                      values (?, ?, ?, ?, ?, 0, 1)";
        let query = sqlx::query(insert)
            .bind(&new.org)
            .bind(&new.title)
            .bind(&new.artist)
            .bind(&new.venue)
            .bind(policy_json(&new.policy));
        let id = query.execute(&self.pool).await?.last_insert_id();
        id.try_into().map(ConcertId).map_err(|_| stored("concerts", id))
    }

    /// Changes a concert's description and answers its new catalog version; `None`: no such concert.
    pub async fn update_concert(
        &self,
        concert: ConcertId,
        change: &ConcertUpdate,
    ) -> Result<Option<u64>, Error> {
        let mut transaction = self.pool.begin().await?;
        let update = "update concerts set title = coalesce(?, title), artist = coalesce(?, artist), \
                      venue = coalesce(?, venue) where concert = ?";
        sqlx::query(update)
            .bind(&change.title)
            .bind(&change.artist)
            .bind(&change.venue)
            .bind(concert.0)
            .execute(&mut *transaction)
            .await?;
        let version = next_version(&mut transaction, concert).await?;
        transaction.commit().await?;
        Ok(version)
    }
}

/// Raises a concert's catalog version and answers it; `None`: no such concert. Holds its row until the
/// transaction ends, so changes of one concert come one after the other.
pub(super) async fn next_version(
    connection: &mut MySqlConnection,
    concert: ConcertId,
) -> Result<Option<u64>, Error> {
    sqlx::query("update concerts set version = version + 1 where concert = ?")
        .bind(concert.0)
        .execute(&mut *connection)
        .await?;
    let query = sqlx::query_scalar("select version from concerts where concert = ?").bind(concert.0);
    Ok(query.fetch_optional(connection).await?)
}

/// Stores the policy that a log tells, unless a later one is here (a log read again from an earlier offset).
pub(super) async fn apply_policy(
    connection: &mut MySqlConnection,
    concert: ConcertId,
    version: u64,
    json: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("update concerts set policy = ?, policy_version = ? where concert = ? and policy_version < ?")
        .bind(json)
        .bind(version)
        .bind(concert.0)
        .bind(version)
        .execute(connection)
        .await
        .map(drop)
}

pub(super) fn policy_json(policy: &PolicyState) -> String {
    serde_json::to_string(policy).expect("a policy has only string keys and finite numbers")
}

pub(super) fn read_policy(row: &MySqlRow) -> Result<PolicyState, Error> {
    let json: String = row.try_get("policy")?;
    serde_json::from_str(&json).map_err(|error| stored("concerts", error))
}

fn read_concert(row: &MySqlRow) -> Result<Concert, Error> {
    let state = read_policy(row)?;
    Ok(Concert {
        concert: ConcertId(row.try_get("concert")?),
        org: row.try_get("org")?,
        title: row.try_get("title")?,
        artist: row.try_get("artist")?,
        venue: row.try_get("venue")?,
        opens_at: state.opens_at,
        closes_at: state.closes_at,
        policy: state.policy,
        version: row.try_get("version")?,
    })
}
