//! What organisers did: written around each of their changing calls, read back newest first.
//!
//! A row is there before the change and says `begun`; its outcome follows before the answer. So no change is without
//! its row, whatever dies in between.

use std::fmt;
use std::str::FromStr;

use sqlx::mysql::MySqlRow;
use sqlx::{MySql, QueryBuilder, Row as _};

use super::log::read_text;
use super::page::{InvalidCursor, Page, bounded};
use super::{Archive, Error};
use crate::domain::ids::UserId;
use crate::domain::time::Millis;

/// The outcome of an action that never came to an end where it began.
const BEGUN: &str = "begun";

/// A call about to change something.
#[derive(Clone, Debug)]
pub struct NewAction {
    /// When it came.
    pub at: Millis,
    /// The caller.
    pub who: UserId,
    /// The organiser of what it changes, at most 64 characters.
    pub org: String,
    /// Method and route, at most 100 bytes.
    pub action: String,
    /// What it names, at most 100 bytes; empty if that is yet to be made.
    pub target: String,
    /// The id of the request.
    pub request: String,
}

/// How an action ended.
#[derive(Clone, Debug)]
pub struct ActionEnd {
    /// What it named, or has made.
    pub target: String,
    /// JSON of what was asked for.
    pub details: Option<String>,
    /// `done`, or the code of a problem.
    pub outcome: String,
}

/// An action as the archive has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAction {
    /// Its place in the trail; also its name for clients.
    pub id: ActionCursor,
    /// When it came.
    pub at: Millis,
    /// The caller.
    pub who: String,
    /// The organiser of what it changed.
    pub org: String,
    /// Method and route.
    pub action: String,
    /// What it named or made.
    pub target: String,
    /// JSON of what was asked for.
    pub details: Option<String>,
    /// The id of the request.
    pub request: String,
    /// `done`, the code of a problem, or `begun`.
    pub outcome: String,
}

/// The last action of a page: `a17`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionCursor(u64);

impl Archive {
    /// Writes that an action has begun and answers its row.
    pub async fn begin_action(&self, new: &NewAction) -> Result<ActionCursor, Error> {
        let insert = "insert into organiser_actions (at, who, org, action, target, request, outcome) \
                      values (?, ?, ?, ?, ?, ?, ?)";
        let query = sqlx::query(insert)
            .bind(new.at.0)
            .bind(new.who.as_str().as_bytes())
            .bind(&new.org)
            .bind(&new.action)
            .bind(&new.target)
            .bind(&new.request)
            .bind(BEGUN);
        Ok(ActionCursor(query.execute(&self.pool).await?.last_insert_id()))
    }

    /// Writes how an action ended.
    pub async fn end_action(&self, id: ActionCursor, end: &ActionEnd) -> Result<(), Error> {
        let update = "update organiser_actions set target = ?, details = ?, outcome = ? where action_id = ?";
        let query = sqlx::query(update).bind(&end.target).bind(&end.details).bind(&end.outcome).bind(id.0);
        query.execute(&self.pool).await?;
        Ok(())
    }

    /// The actions on what one organiser has, or on everything, newest first.
    pub async fn actions(
        &self,
        org: Option<&str>,
        after: Option<ActionCursor>,
        limit: u32,
    ) -> Result<Page<StoredAction, ActionCursor>, Error> {
        let limit = bounded(limit);
        let mut query = QueryBuilder::<MySql>::new(
            "select action_id, at, who, org, action, target, details, request, outcome \
             from organiser_actions where action_id < ",
        );
        // Auto-increment begins at 1 and a signed bound is what every client library sends.
        query.push_bind(after.map_or(i64::MAX.unsigned_abs(), |cursor| cursor.0));
        if let Some(org) = org {
            query.push(" and org = ").push_bind(org.to_owned());
        }
        query.push(" order by action_id desc limit ").push_bind(limit + 1);
        let rows = query.build().fetch_all(&self.pool).await?;
        let items = rows.iter().map(read_action).collect::<Result<_, _>>()?;
        Ok(Page::of(items, limit, |item: &StoredAction| item.id))
    }
}

fn read_action(row: &MySqlRow) -> Result<StoredAction, Error> {
    Ok(StoredAction {
        id: ActionCursor(row.try_get("action_id")?),
        at: Millis(row.try_get("at")?),
        who: read_text(row, "who")?,
        org: row.try_get("org")?,
        action: row.try_get("action")?,
        target: row.try_get("target")?,
        details: row.try_get("details")?,
        request: row.try_get("request")?,
        outcome: row.try_get("outcome")?,
    })
}

impl fmt::Display for ActionCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a{}", self.0)
    }
}

impl FromStr for ActionCursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let number = text.strip_prefix('a').and_then(|digits| digits.parse().ok());
        number.map(Self).ok_or(InvalidCursor)
    }
}
