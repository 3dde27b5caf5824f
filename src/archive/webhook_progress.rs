//! How far webhooks have been told, and what they were given up to be told of.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row as _;

use super::error::stored;
use super::{Archive, Error};
use crate::domain::ids::LogName;
use crate::domain::time::Millis;

/// How far a webhook has been told one log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookProgress {
    /// The last entry told whole.
    pub number: u64,
    /// How many events of the next one.
    pub events: u32,
    /// Tries in a row that failed.
    pub failures: u32,
    /// The next try is not before.
    pub next_at: Millis,
    /// What was wrong with the last one.
    pub error: String,
    /// When the next event first failed; 0: it has not.
    pub failing_since: Millis,
}

/// An event that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Who was to be told.
    pub webhook: u32,
    /// Of which log.
    pub log: LogName,
    /// Its entry.
    pub number: u64,
    /// Which of the entry's events, from 0.
    pub event: u32,
    /// Its id as a `CloudEvent`.
    pub id: String,
    /// What was wrong with the last try.
    pub error: String,
}

/// Bytes of an error that are kept.
const ERROR_MAX: usize = 200;

impl Archive {
    /// How far a webhook has been told, by log.
    pub async fn webhook_progress(&self, webhook: u32) -> Result<BTreeMap<LogName, WebhookProgress>, Error> {
        let select = "select log, number, events, failures, next_at, error, failing_since from webhook_offsets \
                      where webhook = ?";
        let rows = sqlx::query(select).bind(webhook).fetch_all(&self.pool).await?;
        let read = |row: &sqlx::mysql::MySqlRow| {
            let log: String = row.try_get(0)?;
            let progress = WebhookProgress {
                number: row.try_get(1)?,
                events: row.try_get(2)?,
                failures: row.try_get(3)?,
                next_at: Millis(row.try_get(4)?),
                error: row.try_get(5)?,
                failing_since: Millis(row.try_get(6)?),
            };
            Ok((log.parse().map_err(|_| stored("webhook_offsets", log))?, progress))
        };
        rows.iter().map(read).collect()
    }

    /// Stores it, unless the webhook has been deleted. A process that lost its lease unawares does not set it back.
    pub async fn store_webhook_progress(
        &self,
        webhook: u32,
        log: LogName,
        progress: &WebhookProgress,
    ) -> Result<(), Error> {
        let moves = "(webhook_offsets.number, webhook_offsets.events) <= (values(number), values(events))";
        let taken = |column| format!("{column} = if({moves}, values({column}), {column})");
        // `events` and `number` last: what is assigned to them is seen by what stands behind it.
        let store = format!(
            "insert into webhook_offsets (webhook, log, number, events, failures, next_at, error, failing_since) \
             select webhook, ?, ?, ?, ?, ?, ?, ? from webhooks where webhook = ? on duplicate key update \
             {}, {}, {}, {}, \
             events = if(webhook_offsets.number < values(number), values(events), \
               if(webhook_offsets.number = values(number), greatest(webhook_offsets.events, values(events)), webhook_offsets.events)), \
             number = greatest(webhook_offsets.number, values(number))",
            taken("failures"),
            taken("next_at"),
            taken("error"),
            taken("failing_since"),
        );
        sqlx::query(sqlx::AssertSqlSafe(store))
            .bind(log.to_string())
            .bind(progress.number)
            .bind(progress.events)
            .bind(progress.failures)
            .bind(progress.next_at.0)
            .bind(kept(&progress.error))
            .bind(progress.failing_since.0)
            .bind(webhook)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Gives an event up until its organiser asks for it.
    pub async fn bury(&self, letter: &DeadLetter) -> Result<(), Error> {
        let bury = "insert into webhook_dead_letters (webhook, log, number, event, id, error, due) \
                    select webhook, ?, ?, ?, ?, ?, false from webhooks where webhook = ? \
                    on duplicate key update error = values(error), due = false";
        sqlx::query(bury)
            .bind(letter.log.to_string())
            .bind(letter.number)
            .bind(letter.event)
            .bind(&letter.id)
            .bind(kept(&letter.error))
            .bind(letter.webhook)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Has a webhook's dead letters told once more: that of this id, or all. Answers how many.
    pub async fn resend(&self, webhook: u32, id: Option<&str>) -> Result<u64, Error> {
        let due = "update webhook_dead_letters set due = true where webhook = ? and (? is null or id = ?)";
        sqlx::query(due).bind(webhook).bind(id).bind(id).execute(&self.pool).await?;
        let count = "select count(*) from webhook_dead_letters where webhook = ? and (? is null or id = ?)";
        let count: i64 =
            sqlx::query_scalar(count).bind(webhook).bind(id).bind(id).fetch_one(&self.pool).await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// The webhooks with a dead letter that is to be told once more.
    pub async fn webhooks_with_due_letters(&self) -> Result<BTreeSet<u32>, Error> {
        let select = "select w.webhook from webhooks w where exists \
                      (select 1 from webhook_dead_letters d where d.due = true and d.webhook = w.webhook)";
        let webhooks: Vec<u32> = sqlx::query_scalar(select).fetch_all(&self.pool).await?;
        Ok(webhooks.into_iter().collect())
    }

    /// Dead letters of a webhook to be told once more, at most `limit`, in the order of their logs.
    pub async fn due_letters(&self, webhook: u32, limit: u32) -> Result<Vec<DeadLetter>, Error> {
        let select = "select webhook, log, number, event, id, error from webhook_dead_letters \
                      where due = true and webhook = ? order by log, number, event limit ?";
        let rows = sqlx::query(select).bind(webhook).bind(limit).fetch_all(&self.pool).await?;
        let read = |row: &sqlx::mysql::MySqlRow| {
            let log: String = row.try_get(1)?;
            Ok(DeadLetter {
                webhook: row.try_get(0)?,
                log: log.parse().map_err(|_| stored("webhook_dead_letters", log))?,
                number: row.try_get(2)?,
                event: row.try_get(3)?,
                id: row.try_get(4)?,
                error: row.try_get(5)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Forgets a dead letter that was told at last.
    pub async fn forget_letter(&self, letter: &DeadLetter) -> Result<(), Error> {
        let forget =
            "delete from webhook_dead_letters where webhook = ? and log = ? and number = ? and event = ?";
        sqlx::query(forget)
            .bind(letter.webhook)
            .bind(letter.log.to_string())
            .bind(letter.number)
            .bind(letter.event)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

fn kept(error: &str) -> &str {
    &error[..error.floor_char_boundary(ERROR_MAX)]
}
