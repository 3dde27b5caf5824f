//! Retention (0015): which logs are due, and how far each is in giving its users other names.

use sqlx::Row as _;
use sqlx::mysql::MySqlRow;

use super::error::stored;
use super::log::read_text;
use super::{Archive, Error};
use crate::domain::ids::{ConcertId, LogName, UserId};
use crate::domain::retention::RetentionKey;
use crate::domain::time::Millis;

/// A log that is about to give all whose time is over other names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionState {
    /// The log.
    pub log: LogName,
    /// What the names are made with.
    pub key: RetentionKey,
    /// The last entry, and the last sequence number given, when nothing in it was live any more.
    pub since: Option<(u64, u64)>,
    /// The last entry to be rewritten, once Redis has only new names.
    pub upto: Option<u64>,
}

impl Archive {
    /// What was begun and is not done, by log.
    pub async fn retentions_under_way(&self) -> Result<Vec<RetentionState>, Error> {
        let query = sqlx::query(
            "select log, name_key, since, seq, upto from retentions where done_at is null order by log",
        );
        query.fetch_all(&self.pool).await?.iter().map(read_retention).collect()
    }

    /// A log that has new names in some pages only.
    pub async fn rewriting(&self) -> Result<Option<LogName>, Error> {
        let query = sqlx::query_scalar(
            "select log from retentions where upto is not null and done_at is null limit 1",
        );
        let found: Option<String> = query.fetch_optional(&self.pool).await?;
        Ok(read_logs(found.into_iter().collect())?.first().copied())
    }

    /// Concerts whose shows lie before a time, and in which nothing has happened since; none a second time, unless something has.
    pub async fn concerts_over(&self, before: Millis) -> Result<Vec<LogName>, Error> {
        let select = "select o.log from log_offsets o left join retentions t on t.log = o.log \
                      join events e on e.log = o.log and e.number = o.number \
                      where o.state = 'selling' and o.log like 'c%' and e.at < ? \
                      and (t.log is null or t.done_at is not null and t.since < o.number) \
                      and not exists (select 1 from shows s \
                      where s.concert = cast(substring(o.log, 2) as unsigned) and s.starts_at >= ?) order by o.log";
        let query = sqlx::query_scalar(select).bind(before.0).bind(before.0);
        read_logs(query.fetch_all(&self.pool).await?)
    }

    /// Wallet partitions that were not looked through since a time.
    pub async fn wallets_not_kept_since(&self, since: Millis) -> Result<Vec<LogName>, Error> {
        let select = "select o.log from log_offsets o left join retentions t on t.log = o.log \
                      where o.state = 'selling' and o.log like 'w%' and (t.log is null or t.done_at < ?) order by o.log";
        read_logs(sqlx::query_scalar(select).bind(since.0).fetch_all(&self.pool).await?)
    }

    /// Some users of a wallet partition who have nothing, have moved nothing since a time, and whose reservations, if they had any,
    /// have other names: at most `limit`, none of them up to `after`, in the order of their ids.
    pub async fn idle_users(
        &self,
        log: LogName,
        before: Millis,
        after: Option<&UserId>,
        limit: u32,
    ) -> Result<Vec<UserId>, Error> {
        let select = "select m.user from (select user, amount, at from ledger_transactions where log = ? \
                      union all select user, if(state in ('credited', 'voided'), 0, 1), changed_at from top_ups where log = ?) m \
                      where m.user > ? and m.user not like 'anonymous-%' and m.user not like 'forgotten-%' \
                      group by m.user having sum(m.amount) = 0 and max(m.at) < ? \
                      and not exists (select 1 from reservations r where r.user = m.user) order by m.user limit ?";
        let query = sqlx::query(select)
            .bind(log.to_string())
            .bind(log.to_string())
            .bind(after.map_or(&b""[..], |user| user.as_str().as_bytes()))
            .bind(before.0)
            .bind(limit);
        query.fetch_all(&self.pool).await?.iter().map(|row| read_user(row, "ledger_transactions")).collect()
    }

    /// Some users who have reservations in Redis, CONFIRMED or ended not long before `ended`: at most `limit`, none of them up to
    /// `after`, in the order of their ids.
    pub async fn buyers(
        &self,
        concert: ConcertId,
        ended: Millis,
        after: Option<&UserId>,
        limit: u32,
    ) -> Result<Vec<UserId>, Error> {
        let select = "select distinct user from reservations where concert = ? and user > ? \
                      and (status in ('pending', 'confirmed') or ended_at >= ?) \
                      and user not like 'anonymous-%' and user not like 'forgotten-%' order by user limit ?";
        let query = sqlx::query(select)
            .bind(concert.0)
            .bind(after.map_or(&b""[..], |user| user.as_str().as_bytes()))
            .bind(ended.0)
            .bind(limit);
        query.fetch_all(&self.pool).await?.iter().map(|row| read_user(row, "reservations")).collect()
    }

    /// Some places that have not ended, with their numbers: at most `limit`, behind number `after`.
    pub async fn open_places(
        &self,
        concert: ConcertId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<(u64, UserId)>, Error> {
        let select = "select seq, user from queue_tokens where concert = ? and seq > ? and ended_at is null \
                      order by seq limit ?";
        let query = sqlx::query(select).bind(concert.0).bind(after).bind(limit);
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((row.try_get("seq")?, read_user(row, "queue_tokens")?))).collect()
    }

    /// The last number that a concert has given in line, as far as the archive is; 0: none.
    pub async fn last_place(&self, concert: ConcertId) -> Result<u64, Error> {
        let query = sqlx::query_scalar(
            "select cast(coalesce(max(seq), 0) as unsigned) from queue_tokens where concert = ?",
        );
        Ok(query.bind(concert.0).fetch_one(&self.pool).await?)
    }

    /// Begins; a log that was done before begins anew.
    pub async fn begin_retention(&self, log: LogName, key: RetentionKey, now: Millis) -> Result<(), Error> {
        let insert = "insert into retentions (log, name_key, begun_at) values (?, ?, ?) \
                      on duplicate key update name_key = values(name_key), begun_at = values(begun_at), \
                      since = null, seq = null, upto = null, done_at = null";
        let query = sqlx::query(insert).bind(log.to_string()).bind(&key.0[..]).bind(now.0);
        query.execute(&self.pool).await?;
        Ok(())
    }

    /// Nothing is live from this entry on, and no place behind this number was known.
    pub async fn note_idle(&self, log: LogName, number: u64, seq: u64) -> Result<(), Error> {
        let query = sqlx::query("update retentions set since = ?, seq = ? where log = ?");
        query.bind(number).bind(seq).bind(log.to_string()).execute(&self.pool).await?;
        Ok(())
    }

    /// Redis has only new names since this entry.
    pub async fn note_renamed(&self, log: LogName, upto: u64) -> Result<(), Error> {
        let query = sqlx::query("update retentions set upto = ? where log = ?");
        query.bind(upto).bind(log.to_string()).execute(&self.pool).await?;
        Ok(())
    }

    /// So has MySQL: nobody knows any more whom they stand for.
    pub async fn end_retention(&self, log: LogName, now: Millis) -> Result<(), Error> {
        let query = sqlx::query("update retentions set name_key = null, done_at = ? where log = ?");
        query.bind(now.0).bind(log.to_string()).execute(&self.pool).await?;
        Ok(())
    }
}

fn read_retention(row: &MySqlRow) -> Result<RetentionState, Error> {
    let (log, key): (String, Vec<u8>) = (row.try_get("log")?, row.try_get("name_key")?);
    let key = <[u8; 32]>::try_from(key).map_err(|key| stored("retentions", key.len()))?;
    let since: Option<u64> = row.try_get("since")?;
    let seq: Option<u64> = row.try_get("seq")?;
    let upto = row.try_get("upto")?;
    let log = log.parse().map_err(|_| stored("retentions", log))?;
    Ok(RetentionState { log, key: RetentionKey(key), since: since.zip(seq), upto })
}

fn read_logs(logs: Vec<String>) -> Result<Vec<LogName>, Error> {
    logs.into_iter().map(|log| log.parse().map_err(|_| stored("log_offsets", log.clone()))).collect()
}

fn read_user(row: &MySqlRow, table: &'static str) -> Result<UserId, Error> {
    let text = read_text(row, "user")?;
    UserId::new(&text).ok_or_else(|| stored(table, text))
}
