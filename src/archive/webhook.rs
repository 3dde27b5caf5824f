//! Webhooks as organisers made them. How far each has been told is `webhook_progress`'s.

use sqlx::Row as _;
use sqlx::mysql::MySqlRow;

use super::error::stored;
use super::{Archive, Error};
use crate::config::Secret;
use crate::domain::time::Millis;

/// An endpoint of an organiser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Given by MySQL, never twice.
    pub webhook: u32,
    /// Whose concerts it is told of.
    pub org: String,
    /// Where to.
    pub url: String,
    /// The types told; empty: all.
    pub types: Vec<String>,
    /// Signs what is told.
    pub secret: Secret,
    /// When it was made.
    pub created: Millis,
}

/// How a webhook fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookState {
    /// It.
    pub webhook: Webhook,
    /// Failures in a row, of the log where there are most; 0: it takes what it is told.
    pub failures: u32,
    /// What was wrong with the last of them; empty without any.
    pub error: String,
    /// Events that it was given up to be told of.
    pub dead_letters: u64,
}

const COLUMNS: &str = "w.webhook, w.org, w.url, w.types, w.secret, w.created_at";

impl Archive {
    /// Makes a webhook, told from now on: what the archive has of the organiser's concerts is not told. Answers its id; `None`:
    /// the organiser has `most` already.
    pub async fn create_webhook(&self, new: &Webhook, most: u32) -> Result<Option<u32>, Error> {
        let mut transaction = self.pool.begin().await?;
        let count = sqlx::query_scalar("select count(*) from webhooks where org = ?").bind(&new.org);
        let count: i64 = count.fetch_one(&mut *transaction).await?;
        if count >= i64::from(most) {
            return Ok(None);
        }
        let insert = "insert into webhooks (org, url, types, secret, created_at) values (?, ?, ?, ?, ?)";
        let done = sqlx::query(insert)
            .bind(&new.org)
            .bind(&new.url)
            .bind(new.types.join(" "))
            .bind(new.secret.expose())
            .bind(new.created.0)
            .execute(&mut *transaction)
            .await?;
        let id = done.last_insert_id();
        let id = u32::try_from(id).map_err(|_| stored("webhooks", id))?;
        let begin = "insert into webhook_offsets (webhook, log, number, events, failures, next_at, error) \
                     select ?, l.log, l.number, 0, 0, 0, '' from log_offsets l \
                     join concerts c on l.log = concat('c', c.concert) where c.org = ?";
        sqlx::query(begin).bind(id).bind(&new.org).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(Some(id))
    }

    /// All webhooks, by id.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, Error> {
        let select = sqlx::AssertSqlSafe(format!("select {COLUMNS} from webhooks w order by w.webhook"));
        sqlx::query(select).fetch_all(&self.pool).await?.iter().map(read).collect()
    }

    /// How the webhooks of an organiser fare, by id.
    pub async fn webhook_states(&self, org: &str) -> Result<Vec<WebhookState>, Error> {
        let select = sqlx::AssertSqlSafe(format!(
            "select {COLUMNS}, cast(ifnull((select max(failures) from webhook_offsets o where o.webhook = w.webhook), 0) as unsigned), \
             ifnull((select error from webhook_offsets o where o.webhook = w.webhook order by failures desc limit 1), ''), \
             cast((select count(*) from webhook_dead_letters d where d.webhook = w.webhook) as unsigned) \
             from webhooks w where w.org = ? order by w.webhook"
        ));
        let rows = sqlx::query(select).bind(org).fetch_all(&self.pool).await?;
        let state = |row: &MySqlRow| {
            let failures: u64 = row.try_get(6)?;
            let failures = u32::try_from(failures).map_err(|_| stored("webhook_offsets", failures))?;
            let error = if failures == 0 { String::new() } else { row.try_get(7)? };
            Ok(WebhookState { webhook: read(row)?, failures, error, dead_letters: row.try_get(8)? })
        };
        rows.iter().map(state).collect()
    }

    /// Ends a webhook of this organiser; `false`: he has none of this id.
    pub async fn delete_webhook(&self, org: &str, webhook: u32) -> Result<bool, Error> {
        let mut transaction = self.pool.begin().await?;
        let delete =
            sqlx::query("delete from webhooks where webhook = ? and org = ?").bind(webhook).bind(org);
        if delete.execute(&mut *transaction).await?.rows_affected() == 0 {
            return Ok(false);
        }
        for delete in [
            "delete from webhook_offsets where webhook = ?",
            "delete from webhook_dead_letters where webhook = ?",
        ] {
            sqlx::query(delete).bind(webhook).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }
}

fn read(row: &MySqlRow) -> Result<Webhook, Error> {
    let (types, secret): (String, Vec<u8>) = (row.try_get("types")?, row.try_get("secret")?);
    Ok(Webhook {
        webhook: row.try_get("webhook")?,
        org: row.try_get("org")?,
        url: row.try_get("url")?,
        types: types.split_whitespace().map(str::to_owned).collect(),
        secret: Secret::new(secret),
        created: Millis(row.try_get("created_at")?),
    })
}
