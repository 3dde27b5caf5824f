//! Retention (0015): which logs are due, and how far each is in giving its users other names.

use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::error::stored;
use super::log::read_text;
use super::{Archive, Error};
use crate::domain::ids::{ConcertId, LogName, UserId};
use crate::domain::retention::RetentionKey;
use crate::domain::time::Millis;

/// That `m.user` is no pseudonym (`domain/pseudonym.rs`): `_` is a byte of a column of bytes.
const NO_PSEUDONYM: &str =
    "m.user not like 'anonymous-____________________' and m.user not like 'forgotten-____________________'";

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

    /// How many logs are under way to the end of their retention, and when the first of them was begun: those of which entries are being
    /// rewritten, and the others unless they are of concerts with a show that does not lie before a time. Without one: only the former.
    pub async fn retentions_awaited(&self, before: Option<Millis>) -> Result<(u64, Option<Millis>), Error> {
        let select = "select cast(count(*) as unsigned), min(t.begun_at) from retentions t where t.done_at is null \
                      and (t.upto is not null or ? and not exists (select 1 from shows s where t.log like 'c%' \
                      and s.concert = cast(substring(t.log, 2) as unsigned) and s.starts_at >= ?))";
        let query =
            sqlx::query_as(select).bind(before.is_some()).bind(before.map_or(i64::MIN, |before| before.0));
        let (logs, first): (u64, Option<i64>) = query.fetch_one(&self.pool).await?;
        Ok((logs, first.map(Millis)))
    }

    /// Whether a concert has a show that does not lie before a time.
    pub async fn has_show_ahead(&self, concert: ConcertId, before: Millis) -> Result<bool, Error> {
        let select = "select exists (select 1 from shows where concert = ? and starts_at >= ?)";
        let query = sqlx::query_scalar::<_, i64>(select).bind(concert.0).bind(before.0);
        Ok(query.fetch_one(&self.pool).await? != 0)
    }

    /// Whether somebody has bought seats of a show of the concert that was cancelled, and is not paid back. Who has another name already
    /// may never be: nobody knows whose balance it was.
    pub async fn owes_for_cancelled(&self, concert: ConcertId) -> Result<bool, Error> {
        let select = format!(
            "select exists (select 1 from shows s join reservations m on m.concert = s.concert and m.show_id = s.show_id \
             where s.concert = ? and s.cancelled_at is not null and m.status = 'confirmed' and {NO_PSEUDONYM})"
        );
        let query = sqlx::query_scalar::<_, i64>(AssertSqlSafe(select)).bind(concert.0);
        Ok(query.fetch_one(&self.pool).await? != 0)
    }

    /// Wallet partitions that were not looked through since a time.
    pub async fn wallets_not_kept_since(&self, since: Millis) -> Result<Vec<LogName>, Error> {
        let select = "select o.log from log_offsets o left join retentions t on t.log = o.log \
                      where o.state = 'selling' and o.log like 'w%' and (t.log is null or t.done_at < ?) order by o.log";
        read_logs(sqlx::query_scalar(select).bind(since.0).fetch_all(&self.pool).await?)
    }

    /// Users of a wallet partition who have nothing, have moved nothing since a time, and whose reservations, if they had any, have
    /// other names: at most `limit`. Reads all that the ledger has of it, 6 s for 600,000 movements beside other work.
    pub async fn idle_users(&self, log: LogName, before: Millis, limit: u32) -> Result<Vec<UserId>, Error> {
        let select = format!(
            "select m.user from (select user, amount, at from ledger_transactions where log = ? union all \
             select user, if(state in ('credited', 'voided'), 0, 1), changed_at from top_ups where log = ?) m \
             where {NO_PSEUDONYM} group by m.user having sum(m.amount) = 0 and max(m.at) < ? \
             and not exists (select 1 from reservations r where r.user = m.user) limit ?"
        );
        let query = sqlx::query(AssertSqlSafe(select))
            .bind(log.to_string())
            .bind(log.to_string())
            .bind(before.0)
            .bind(limit);
        query.fetch_all(&self.pool).await?.iter().map(|row| read_user(row, "ledger_transactions")).collect()
    }

    /// Users who have CONFIRMED reservations in a concert, or such as have changed behind an entry.
    pub async fn buyers(&self, concert: ConcertId, since: u64) -> Result<Vec<UserId>, Error> {
        let select = format!(
            "select distinct m.user from reservations m where m.concert = ? and {NO_PSEUDONYM} \
             and (m.status = 'confirmed' or m.ended_in > ? or cast(substring_index(m.refunded_in, ',', -1) as unsigned) > ?)"
        );
        let query = sqlx::query(AssertSqlSafe(select)).bind(concert.0).bind(since).bind(since);
        query.fetch_all(&self.pool).await?.iter().map(|row| read_user(row, "reservations")).collect()
    }

    /// Some places that were taken before a time and have not ended, with their numbers: at most `limit`, behind number `after`.
    pub async fn open_places(
        &self,
        concert: ConcertId,
        before: Millis,
        after: u64,
        limit: u32,
    ) -> Result<Vec<(u64, UserId)>, Error> {
        let select = "select seq, user from queue_tokens where concert = ? and seq > ? and ended_at is null and issued_at < ? \
                      order by seq limit ?";
        let query = sqlx::query(select).bind(concert.0).bind(after).bind(before.0).bind(limit);
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

    /// Takes back what was begun and has changed nothing yet: it is not over any more.
    pub async fn abandon_retention(&self, log: LogName) -> Result<(), Error> {
        let delete = "delete from retentions where log = ? and since is null and done_at is null";
        sqlx::query(delete).bind(log.to_string()).execute(&self.pool).await?;
        Ok(())
    }

    /// Nothing is live from this entry on, and no place behind this number was known. As of all further steps: `false` if somebody
    /// else has begun anew, since the lock (`lock_forgetting`) was lost.
    pub async fn note_idle(&self, state: &RetentionState, number: u64, seq: u64) -> Result<bool, Error> {
        self.note(state, "since = ?, seq = ?", &[number, seq]).await
    }

    /// Redis has only new names since this entry.
    pub async fn note_renamed(&self, state: &RetentionState, upto: u64) -> Result<bool, Error> {
        self.note(state, "upto = ?", &[upto]).await
    }

    /// So has MySQL: nobody knows any more whom they stand for.
    pub async fn end_retention(&self, state: &RetentionState, now: Millis) -> Result<bool, Error> {
        let now = u64::try_from(now.0).unwrap_or_default();
        self.note(state, "done_at = ?, name_key = null", &[now]).await
    }

    async fn note(&self, state: &RetentionState, what: &str, values: &[u64]) -> Result<bool, Error> {
        let update = format!("update retentions set {what} where log = ? and name_key = ?");
        let mut query = sqlx::query(AssertSqlSafe(update));
        for value in values {
            query = query.bind(value);
        }
        let query = query.bind(state.log.to_string()).bind(&state.key.0[..]);
        Ok(query.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// The time of MySQL's clock.
    pub async fn now(&self) -> Result<Millis, Error> {
        let query = sqlx::query_scalar("select cast(unix_timestamp(now(3)) * 1000 as signed)");
        Ok(Millis(query.fetch_one(&self.pool).await?))
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
