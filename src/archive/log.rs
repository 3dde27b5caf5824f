//! The logs as the archive knows them: how far each has been applied, and every entry as it was written.
//!
//! A log has a row before Redis is asked to give birth to it, so that its id is known before anything can be sold.

use std::time::Duration;

use sqlx::Row as _;
use sqlx::mysql::{MySqlConnection, MySqlRow};
use tokio::time::{Instant, sleep};

use super::error::stored;
use super::rows::{Query, Row};
use super::{Archive, Error};
use crate::domain::ids::{LogName, Mark, Offset};
use crate::domain::time::Millis;

/// Between two looks at how far a log has been applied.
const LOOK: Duration = Duration::from_millis(50);

/// Whether the archive takes entries of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogState {
    /// It has an id and nothing has been applied: Redis may not have it yet.
    Unborn,
    /// Its entries are applied as they come.
    Selling,
    /// It was lost or tells what can't be; nothing is applied until `recover` has mended it.
    Recovering,
}

impl LogState {
    /// The word in `log_offsets`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unborn => "unborn",
            Self::Selling => "selling",
            Self::Recovering => "recovering",
        }
    }
}

/// How far one log has been applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOffset {
    /// The log.
    pub log: LogName,
    /// Its random id, given at birth.
    pub log_id: Mark,
    /// How often it was recovered.
    pub epoch: u16,
    /// The last entry applied.
    pub offset: Offset,
    /// Whether more will be applied.
    pub state: LogState,
}

/// Entries of one log that follow each other, to be applied together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogBatch {
    /// The log.
    pub log: LogName,
    /// The offset before the first of them.
    pub from: Offset,
    /// Number and text, in order, at least one.
    pub entries: Vec<(u64, String)>,
}

impl Archive {
    /// The offsets of all logs.
    pub async fn offsets(&self) -> Result<Vec<LogOffset>, Error> {
        let query =
            sqlx::query("select log, log_id, epoch, number, mark, state from log_offsets order by log");
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter().map(read_offset).collect()
    }

    /// The offset of one log; `None` if it has not begun.
    pub async fn offset(&self, log: LogName) -> Result<Option<LogOffset>, Error> {
        let query =
            sqlx::query("select log, log_id, epoch, number, mark, state from log_offsets where log = ?")
                .bind(log.to_string());
        query.fetch_optional(&self.pool).await?.as_ref().map(read_offset).transpose()
    }

    /// Gives all wallet partitions of an installation that has none their ids, in one step: their number is fixed from then
    /// on. Answers how many there are, whoever was first.
    pub async fn begin_wallets(&self, log_ids: &[Mark]) -> Result<Vec<LogName>, Error> {
        let mut transaction = self.pool.begin().await?;
        for (partition, log_id) in (0..).zip(log_ids) {
            // Whoever comes second waits at the first row until the first has committed, and adds nothing.
            if !begin(&mut transaction, LogName::Wallet(partition), *log_id).await? {
                break;
            }
        }
        let begun = wallets(&mut transaction).await?;
        transaction.commit().await?;
        Ok(begun)
    }

    /// Gives a log its id before Redis has it. Answers the id that stands: an earlier one wins.
    pub async fn begin_log(&self, log: LogName, log_id: Mark) -> Result<Mark, Error> {
        begin(&mut *self.pool.acquire().await?, log, log_id).await?;
        let query = sqlx::query("select log_id from log_offsets where log = ?").bind(log.to_string());
        read_mark(&query.fetch_one(&self.pool).await?, "log_id")
    }

    /// Stops applying a log, for all workers, until it has been recovered.
    pub async fn mark_recovering(&self, log: LogName) -> Result<(), Error> {
        sqlx::query("update log_offsets set state = ? where log = ?")
            .bind(LogState::Recovering.as_str())
            .bind(log.to_string())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Waits until a log has been applied up to an entry, as far as it ever will be while it is recovering, or for as long as there
    /// is time. Answers how far it is then.
    pub async fn reached(
        &self,
        log: LogName,
        number: u64,
        until: Instant,
    ) -> Result<Option<LogOffset>, Error> {
        loop {
            let known = self.offset(log).await?;
            let ended =
                |known: &LogOffset| known.offset.number >= number || known.state == LogState::Recovering;
            if known.as_ref().is_some_and(ended) || Instant::now() + LOOK >= until {
                return Ok(known);
            }
            sleep(LOOK).await;
        }
    }

    /// The same; `false`: it was not by then.
    pub async fn is_level(&self, log: LogName, number: u64, until: Instant) -> Result<bool, Error> {
        let known = self.reached(log, number, until).await?;
        Ok(known.is_some_and(|known| known.offset.number >= number))
    }

    /// Entries of a log after the one with this number, oldest first, at most `limit`: for a reader that has
    /// fallen behind what Redis keeps.
    pub async fn entries_after(
        &self,
        log: LogName,
        number: u64,
        limit: u32,
    ) -> Result<Vec<(u64, String)>, Error> {
        let query = sqlx::query(
            "select number, body from events where log = ? and number > ? order by number limit ?",
        )
        .bind(log.to_string())
        .bind(number)
        .bind(limit);
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((row.try_get("number")?, read_text(row, "body")?))).collect()
    }
}

/// A row for a log that has none; an earlier one stays as it is. Answers whether it is this one.
async fn begin(connection: &mut MySqlConnection, log: LogName, log_id: Mark) -> Result<bool, Error> {
    let insert = "insert into log_offsets (log, log_id, epoch, number, mark, state) \
                  values (?, ?, 0, 0, ?, ?) on duplicate key update log = log";
    let insert = sqlx::query(insert)
        .bind(log.to_string())
        .bind(log_id.to_string())
        .bind(Mark::default().to_string())
        .bind(LogState::Unborn.as_str());
    Ok(insert.execute(connection).await?.rows_affected() == 1)
}

/// The wallet partitions that have begun.
async fn wallets(connection: &mut MySqlConnection) -> Result<Vec<LogName>, Error> {
    let query = sqlx::query_scalar("select log from log_offsets where log like 'w%' order by log");
    let logs: Vec<String> = query.fetch_all(connection).await?;
    logs.iter().map(|log| log.parse().map_err(|_| stored("log_offsets", log.clone()))).collect()
}

/// Moves an offset if it still is where the batch begins; `false` if another worker was there first or the log
/// has been stopped. From here to the end of the transaction the log belongs to it.
pub(super) async fn advance(
    connection: &mut MySqlConnection,
    batch: &LogBatch,
    to: Offset,
) -> Result<bool, sqlx::Error> {
    let update = "update log_offsets set number = ?, mark = ?, state = ? \
                  where log = ? and number = ? and mark = ? and state <> ?";
    let done = sqlx::query(update)
        .bind(to.number)
        .bind(to.mark.to_string())
        .bind(LogState::Selling.as_str())
        .bind(batch.log.to_string())
        .bind(batch.from.number)
        .bind(batch.from.mark.to_string())
        .bind(LogState::Recovering.as_str())
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Stores the epoch that `opened` tells; `false` if it opens another log than the one with this id.
pub(super) async fn open(
    connection: &mut MySqlConnection,
    log: LogName,
    log_id: Mark,
    epoch: u32,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("update log_offsets set epoch = ? where log = ? and log_id = ?")
        .bind(epoch)
        .bind(log.to_string())
        .bind(log_id.to_string())
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// A row of `events`.
#[derive(Debug)]
pub(super) struct EventRow<'a> {
    pub(super) log: LogName,
    pub(super) number: u64,
    pub(super) mark: Mark,
    pub(super) at: Millis,
    pub(super) body: &'a str,
}

impl Row for EventRow<'_> {
    const HEAD: &'static str = "insert into events (log, number, mark, at, body) values";
    const VALUES: &'static str = "(?, ?, ?, ?, ?)";

    fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        query
            .bind(self.log.to_string())
            .bind(self.number)
            .bind(self.mark.to_string())
            .bind(self.at.0)
            .bind(self.body.as_bytes())
    }

    fn bytes(&self) -> usize {
        self.body.len() + 64
    }
}

pub(super) fn read_offset(row: &MySqlRow) -> Result<LogOffset, Error> {
    let log: String = row.try_get("log")?;
    let epoch: u32 = row.try_get("epoch")?;
    let state: String = row.try_get("state")?;
    let states = [LogState::Unborn, LogState::Selling, LogState::Recovering];
    let offset = Offset { number: row.try_get("number")?, mark: read_mark(row, "mark")? };
    Ok(LogOffset {
        log: log.parse().map_err(|_| stored("log_offsets", log))?,
        log_id: read_mark(row, "log_id")?,
        epoch: epoch.try_into().map_err(|_| stored("log_offsets", epoch))?,
        offset,
        state: states
            .into_iter()
            .find(|known| known.as_str() == state)
            .ok_or_else(|| stored("log_offsets", state))?,
    })
}

pub(super) fn read_mark(row: &MySqlRow, column: &str) -> Result<Mark, Error> {
    let text: String = row.try_get(column)?;
    text.parse().map_err(|_| stored("log_offsets", text))
}

/// The text in a column of bytes.
pub(super) fn read_text(row: &MySqlRow, column: &'static str) -> Result<String, Error> {
    let bytes: Vec<u8> = row.try_get(column)?;
    String::from_utf8(bytes).map_err(|error| stored(column, error))
}
