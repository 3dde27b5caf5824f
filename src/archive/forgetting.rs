//! Forgetting a user (0010): what is his in the tables and in the bytes of `events` gets the name that Redis has given him.
//!
//! Reservations change with the event that says so, since Redis tells them by the new name from then on. All else changes in one
//! transaction, for which his id is kept until then: whoever reads the archive finds one name or the other, never both.

use std::collections::BTreeMap;

use sqlx::mysql::MySqlRow;
use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, MySql, Row as _};

use super::error::stored;
use super::log::read_text;
use super::renaming::Renaming;
use super::{Archive, Error};
use crate::domain::fields::prefixed;
use crate::domain::ids::{ConcertId, Id20, LogName, ShowId, UserId};
use crate::domain::time::Millis;

/// Entries, or places in line, looked through by one statement.
const RANGE: usize = 20_000;

/// How far a log is to be rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForgottenLog {
    /// The last entry that may name him.
    pub number: u64,
    /// The last sequence number that his concert had given; 0 for a wallet.
    pub seq: u64,
}

/// Logs in which a user has another name.
pub type ForgottenLogs = BTreeMap<LogName, ForgottenLog>;

/// Nobody else forgets anybody as long as this is there. Ends, and closes its connection, when dropped.
#[derive(Debug)]
pub struct ForgettingLock(
    #[expect(dead_code, reason = "the lock is the connection's")] PoolConnection<MySql>,
);

/// What the archive has rewritten, in rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// Of `events`.
    pub entries: u64,
    /// Of `reservations`, `card_payments` and `card_refunds`, beside those that changed with the event.
    pub reservations: u64,
    /// Of `queue_tokens`.
    pub places: u64,
    /// Of `ledger_transactions`.
    pub ledger: u64,
    /// Of `top_ups`.
    pub top_ups: u64,
    /// Of `organiser_actions`.
    pub actions: u64,
}

impl Rewritten {
    /// All rows.
    pub fn total(&self) -> u64 {
        self.entries + self.reservations + self.places + self.ledger + self.top_ups + self.actions
    }
}

impl Archive {
    /// Waits up to `seconds` for everybody else who forgets somebody here; `None`: they are not done.
    pub async fn lock_forgetting(&self, seconds: u32) -> Result<Option<ForgettingLock>, Error> {
        let mut connection = self.pool.acquire().await?;
        connection.close_on_drop();
        // Such locks are the server's, not the database's.
        let lock =
            sqlx::query_scalar("select cast(get_lock(sha1(concat(database(), ' forget')), ?) as signed)");
        let got: Option<i64> = lock.bind(seconds).fetch_one(&mut *connection).await?;
        Ok((got == Some(1)).then_some(ForgettingLock(connection)))
    }

    /// Writes that a user is to be forgotten and answers his pseudonym: that of a run which broke off, otherwise this one.
    pub async fn begin_forgetting(
        &self,
        user: &UserId,
        pseudonym: &UserId,
        now: Millis,
    ) -> Result<UserId, Error> {
        let insert = "insert into forgotten_users (pseudonym, user, begun_at) values (?, ?, ?) \
                      on duplicate key update user = user";
        sqlx::query(insert)
            .bind(pseudonym.as_str().as_bytes())
            .bind(user.as_str().as_bytes())
            .bind(now.0)
            .execute(&self.pool)
            .await?;
        let query = sqlx::query("select pseudonym from forgotten_users where user = ?")
            .bind(user.as_str().as_bytes());
        let text = read_text(&query.fetch_one(&self.pool).await?, "pseudonym")?;
        UserId::new(&text).ok_or_else(|| stored("forgotten_users", text))
    }

    /// Takes it back: there was nothing of him.
    pub async fn abandon_forgetting(&self, pseudonym: &UserId) -> Result<(), Error> {
        for delete in [
            "delete from forgotten_logs where pseudonym = ?",
            "delete from forgotten_users where pseudonym = ?",
        ] {
            sqlx::query(delete).bind(pseudonym.as_str().as_bytes()).execute(&self.pool).await?;
        }
        Ok(())
    }

    /// Users whose forgetting broke off.
    pub async fn unfinished_forgettings(&self) -> Result<Vec<UserId>, Error> {
        let query = sqlx::query("select user from forgotten_users where user is not null");
        let read = |row: &MySqlRow| {
            let text = read_text(row, "user")?;
            UserId::new(&text).ok_or_else(|| stored("forgotten_users", text))
        };
        query.fetch_all(&self.pool).await?.iter().map(read).collect()
    }

    /// Changes with whatever gives somebody another name: begun and done, users who are forgotten and logs that are over (0015).
    pub async fn namings(&self) -> Result<Vec<(i64, i64, i64, i64)>, Error> {
        let select = "select count(*), count(done_at), 0, 0 from forgotten_users union all \
                      select count(*), count(done_at), cast(coalesce(sum(begun_at), 0) as signed), \
                      cast(coalesce(sum(coalesce(upto, 0) + coalesce(done_at, 0)), 0) as signed) from retentions";
        Ok(sqlx::query_as(select).fetch_all(&self.pool).await?)
    }

    /// The logs that have given him his new name already.
    pub async fn forgotten_logs(&self, pseudonym: &UserId) -> Result<ForgottenLogs, Error> {
        let query = sqlx::query("select log, number, seq from forgotten_logs where pseudonym = ?")
            .bind(pseudonym.as_str().as_bytes());
        let mut logs = ForgottenLogs::new();
        for row in query.fetch_all(&self.pool).await? {
            let log: String = row.try_get("log")?;
            let log = log.parse().map_err(|_| stored("forgotten_logs", log))?;
            logs.insert(log, ForgottenLog { number: row.try_get("number")?, seq: row.try_get("seq")? });
        }
        Ok(logs)
    }

    /// Writes that a log has.
    pub async fn note_forgotten_log(
        &self,
        pseudonym: &UserId,
        log: LogName,
        upto: ForgottenLog,
    ) -> Result<(), Error> {
        let insert = "insert into forgotten_logs (pseudonym, log, number, seq) values (?, ?, ?, ?) \
                      on duplicate key update number = greatest(number, values(number)), seq = greatest(seq, values(seq))";
        sqlx::query(insert)
            .bind(pseudonym.as_str().as_bytes())
            .bind(log.to_string())
            .bind(upto.number)
            .bind(upto.seq)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The reservations that a user of this name has in a concert.
    pub async fn reservations_named(&self, concert: ConcertId, name: &UserId) -> Result<Vec<Id20>, Error> {
        let query = sqlx::query("select reservation from reservations where user = ? and concert = ?")
            .bind(name.as_str().as_bytes())
            .bind(concert.0);
        read_ids(&query.fetch_all(&self.pool).await?, "reservations")
    }

    /// The card payments and refunds to cards that are not at their end, of such reservations.
    pub async fn open_cards_named(&self, concert: ConcertId, name: &UserId) -> Result<Vec<Id20>, Error> {
        let select = "select c.payment from reservations r join card_payments c \
                      on c.concert = r.concert and c.reservation = r.reservation \
                      where r.user = ? and r.concert = ? and c.state in ('authorising', 'capture', 'void') \
                      union all select c.refund from reservations r join card_refunds c \
                      on c.concert = r.concert and c.reservation = r.reservation \
                      where r.user = ? and r.concert = ? and c.state in ('refund', 'refused')";
        let query = sqlx::query(select)
            .bind(name.as_str().as_bytes())
            .bind(concert.0)
            .bind(name.as_str().as_bytes())
            .bind(concert.0);
        read_ids(&query.fetch_all(&self.pool).await?, "cards")
    }

    /// The charges through the gateway that a user of this name has in a wallet partition and that are not at their end.
    pub async fn open_top_ups_named(&self, log: LogName, name: &UserId) -> Result<Vec<Id20>, Error> {
        let select =
            "select charge from top_ups where log = ? and user = ? and state not in ('credited', 'voided')";
        let query = sqlx::query(select).bind(log.to_string()).bind(name.as_str().as_bytes());
        read_ids(&query.fetch_all(&self.pool).await?, "top_ups")
    }

    /// The shows of a concert, by id.
    pub async fn shows_of(&self, concert: ConcertId) -> Result<Vec<ShowId>, Error> {
        let query = sqlx::query_scalar("select show_id from shows where concert = ? order by show_id");
        let shows: Vec<u32> = query.bind(concert.0).fetch_all(&self.pool).await?;
        Ok(shows.into_iter().map(ShowId).collect())
    }

    /// When a log told that a user has this name.
    pub async fn forgotten_at(
        &self,
        log: LogName,
        user: &UserId,
        pseudonym: &UserId,
    ) -> Result<Option<Millis>, Error> {
        let select = "select at from events where log = ? and instr(body, ?) > 0 order by number limit 1";
        let query = sqlx::query_scalar(select).bind(log.to_string()).bind(said(user, pseudonym).into_bytes());
        Ok(query.fetch_optional(&self.pool).await?.map(Millis))
    }

    /// Gives him his new name in all that is in these logs, which the archive must have, and forgets his id. `None`: somebody
    /// else has.
    pub async fn finish_forgetting(
        &self,
        user: &UserId,
        pseudonym: &UserId,
        logs: &ForgottenLogs,
        now: Millis,
    ) -> Result<Option<Rewritten>, Error> {
        // Looked for first: the transaction is as short as what is his.
        let (mut entries, mut places) = (Vec::new(), Vec::new());
        let mut logs = logs.clone();
        for (log, upto) in &mut logs {
            let mut naming = self.entries_naming(*log, upto.number, user).await?;
            if matches!(log, LogName::Wallet(_)) {
                self.cut_wallet(*log, &mut naming, upto, [user, pseudonym]).await?;
            }
            entries.push((*log, naming));
            if let LogName::Concert(concert) = *log {
                places.push((concert, self.places_naming(concert, upto.seq, user).await?));
            }
        }
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        let lock =
            sqlx::query("select pseudonym from forgotten_users where user = ? and pseudonym = ? for update")
                .bind(user.as_str().as_bytes())
                .bind(pseudonym.as_str().as_bytes());
        if lock.fetch_optional(&mut *transaction).await?.is_none() {
            return Ok(None);
        }
        let mut renaming = Renaming { connection: &mut transaction, user, pseudonym };
        let mut done = Rewritten::default();
        for (log, numbers) in entries {
            let (entries, top_ups) = renaming.entries(log, &numbers).await?;
            done.entries += entries;
            done.top_ups += top_ups;
        }
        for (concert, seqs) in places {
            done.places += renaming.places(concert, &seqs).await?;
        }
        for (log, upto) in &logs {
            match *log {
                LogName::Concert(concert) => {
                    done.reservations += renaming.reservations(concert, upto.number).await?;
                }
                LogName::Wallet(_) => done.ledger += renaming.ledger(*log, upto.number).await?,
            }
        }
        done.actions = renaming.actions().await?;
        let end = "update forgotten_users set user = null, done_at = ? where pseudonym = ?";
        sqlx::query(end).bind(now.0).bind(pseudonym.as_str().as_bytes()).execute(&mut *transaction).await?;
        sqlx::query("delete from forgotten_logs where pseudonym = ?")
            .bind(pseudonym.as_str().as_bytes())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Some(done))
    }

    /// Numbers of the entries of a log in whose bytes his id is to be found.
    async fn entries_naming(&self, log: LogName, upto: u64, user: &UserId) -> Result<Vec<u64>, Error> {
        let select = "select number from events where log = ? and number > ? and number <= ? and instr(body, ?) > 0 \
                      order by number";
        let mut found: Vec<u64> = Vec::new();
        for after in (0..upto).step_by(RANGE) {
            let query = sqlx::query_scalar::<_, u64>(select)
                .bind(log.to_string())
                .bind(after)
                .bind(upto.min(after + RANGE as u64))
                .bind(user.as_str().as_bytes());
            found.extend(query.fetch_all(&self.pool).await?);
        }
        Ok(found)
    }

    /// Ends at the entry that gave his money its new name: where a run broke off behind it, more may have come since, of a new
    /// user.
    async fn cut_wallet(
        &self,
        log: LogName,
        naming: &mut Vec<u64>,
        upto: &mut ForgottenLog,
        [user, pseudonym]: [&UserId; 2],
    ) -> Result<(), Error> {
        let said = said(user, pseudonym);
        for (at, number) in naming.iter().enumerate() {
            let select = sqlx::query("select body from events where log = ? and number = ?")
                .bind(log.to_string())
                .bind(number);
            if read_text(&select.fetch_one(&self.pool).await?, "body")?.contains(&said) {
                upto.number = *number;
                naming.truncate(at + 1);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Sequence numbers of his places.
    async fn places_naming(&self, concert: ConcertId, upto: u64, user: &UserId) -> Result<Vec<u64>, Error> {
        let select = "select seq from queue_tokens where concert = ? and seq > ? and seq <= ? and user = ?";
        let mut found: Vec<u64> = Vec::new();
        for after in (0..upto).step_by(RANGE) {
            let query = sqlx::query_scalar::<_, u64>(select)
                .bind(concert.0)
                .bind(after)
                .bind(upto.min(after + RANGE as u64))
                .bind(user.as_str().as_bytes());
            found.extend(query.fetch_all(&self.pool).await?);
        }
        Ok(found)
    }
}

/// The line that gives him the name.
fn said(user: &UserId, pseudonym: &UserId) -> String {
    format!("forgotten {} {}\n", prefixed(user.as_str()), prefixed(pseudonym.as_str()))
}

/// Ids, as the only column of a table's rows.
fn read_ids(rows: &[MySqlRow], table: &'static str) -> Result<Vec<Id20>, Error> {
    let read = |row: &MySqlRow| {
        let id: String = row.try_get(0)?;
        id.parse().map_err(|_| stored(table, id))
    };
    rows.iter().map(read).collect()
}
