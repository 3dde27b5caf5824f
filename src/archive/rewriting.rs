//! A whole log rewritten to other names (0015), page by page, each in a transaction of its own: the bytes of `events`, and what the tables
//! of the log have of the same people.
//!
//! Doing it again changes what is left and nothing else, so a run that breaks off is gone on with from the beginning. Entries come last and
//! in order: what the log tells of names stays readable until all that it is needed for is done.

use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use super::log::{EventRow, read_mark, read_text};
use super::renaming::rename_charges;
use super::rows::{self, Query, Row};
use super::{Archive, Error};
use crate::domain::event::{Entry, Event, LogKind};
use crate::domain::forgetting::rewritten;
use crate::domain::ids::{ConcertId, LogName, Mark};
use crate::domain::retention::Names;
use crate::domain::time::Millis;

/// Rows of one transaction.
const PAGE: u32 = 1_000;

/// A place in line, as the entry tells it that began it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Of the entry.
    pub number: u64,
    /// Of the place.
    pub seq: u64,
    /// Whose it is.
    pub user: String,
}

/// An entry with its new names.
struct Told {
    number: u64,
    mark: Mark,
    at: Millis,
    text: String,
}

/// Its row.
struct Rewritten<'a>(EventRow<'a>);

/// A place in line with its new name.
struct Renamed {
    concert: ConcertId,
    seq: u64,
    user: String,
}

impl Archive {
    /// Takes in the names that the entries of a log behind `since` and up to `upto` tell; answers who has joined the line in them.
    pub async fn take_names(
        &self,
        log: LogName,
        (since, upto): (u64, u64),
        names: &mut Names,
    ) -> Result<Vec<Joined>, Error> {
        let (mut after, mut joined) = (since, Vec::new());
        while after < upto {
            let entries = self.entries_after(log, after, PAGE).await?;
            for (number, text) in entries.iter().filter(|(number, _)| *number <= upto) {
                for event in &decode(log, *number, text)?.events {
                    match event {
                        Event::Forgotten(forgotten) => names.take(*number, forgotten),
                        Event::Joined { seq, user } => {
                            joined.push(Joined { number: *number, seq: *seq, user: (*user).to_owned() });
                        }
                        _ => {}
                    }
                }
            }
            let Some((last, _)) = entries.last() else { break };
            after = *last;
        }
        Ok(joined)
    }

    /// Rewrites the entries of a log up to `upto`; answers how many have changed.
    pub async fn rewrite_entries(&self, log: LogName, upto: u64, names: &Names) -> Result<u64, Error> {
        let (mut after, mut changed) = (0, 0);
        while after < upto {
            let select = "select number, mark, at, body from events where log = ? and number > ? and number <= ? \
                          order by number limit ?";
            let query = sqlx::query(select).bind(log.to_string()).bind(after).bind(upto).bind(PAGE);
            let rows = query.fetch_all(&self.pool).await?;
            let mut told = Vec::new();
            for row in &rows {
                after = row.try_get("number")?;
                let (body, number) = (read_text(row, "body")?, after);
                let text = rewritten(LogKind::of(log), &body, |name| names.of(number, name))
                    .map_err(|source| Error::Entry { log, number, source })?;
                let (mark, at) = (read_mark(row, "mark")?, Millis(row.try_get("at")?));
                told.extend(text.map(|text| Told { number, mark, at, text }));
            }
            changed += told.len() as u64;
            let mut connection = self.pool.acquire().await?;
            let mut transaction = connection.begin().await?;
            rows::write(&mut transaction, &told.iter().map(|told| told.row(log)).collect::<Vec<_>>()).await?;
            for Told { number, text, .. } in &told {
                rename_charges(&mut transaction, log, &decode(log, *number, text)?).await?;
            }
            transaction.commit().await?;
            if rows.is_empty() {
                break;
            }
        }
        Ok(changed)
    }

    /// Gives the places in line of a concert up to number `upto` their names, which are those of entry `number`; answers how many.
    pub async fn rename_places(
        &self,
        concert: ConcertId,
        upto: u64,
        number: u64,
        names: &Names,
    ) -> Result<u64, Error> {
        let (mut after, mut changed) = (0, 0);
        while after < upto {
            let select = "select seq, user from queue_tokens where concert = ? and seq > ? and seq <= ? \
                          order by seq limit ?";
            let query = sqlx::query(select).bind(concert.0).bind(after).bind(upto).bind(PAGE);
            let rows = query.fetch_all(&self.pool).await?;
            let mut renamed = Vec::new();
            for row in &rows {
                after = row.try_get("seq")?;
                if let Some(user) = names.of(number, &read_text(row, "user")?) {
                    renamed.push(Renamed { concert, seq: after, user });
                }
            }
            changed += renamed.len() as u64;
            let mut connection = self.pool.acquire().await?;
            let mut transaction = connection.begin().await?;
            rows::write(&mut transaction, &renamed).await?;
            transaction.commit().await?;
            if rows.is_empty() {
                break;
            }
        }
        Ok(changed)
    }

    /// Gives places that were taken behind `since` the names of their entries, whatever they are called now; answers how many.
    pub async fn rename_joined(
        &self,
        concert: ConcertId,
        joined: &[Joined],
        names: &Names,
    ) -> Result<u64, Error> {
        let renamed = |joined: &Joined| {
            let user = names.of(joined.number, &joined.user).unwrap_or_else(|| joined.user.clone());
            Renamed { concert, seq: joined.seq, user }
        };
        let renamed: Vec<_> = joined.iter().map(renamed).collect();
        rows::write(&mut *self.pool.acquire().await?, &renamed).await?;
        Ok(renamed.len() as u64)
    }

    /// Gives the reservations of a concert that were made up to entry `number` their names, then their card payments and refunds;
    /// answers how many.
    pub async fn rename_reservations(
        &self,
        concert: ConcertId,
        number: u64,
        names: &Names,
    ) -> Result<u64, Error> {
        let (mut after, mut changed) = (String::new(), 0);
        loop {
            // `entries` is the number of the entry that made it (0005).
            let select = "select reservation, user from reservations where concert = ? and reservation > ? \
                          and cast(entries as unsigned) <= ? order by reservation limit ?";
            let query = sqlx::query(select).bind(concert.0).bind(&after).bind(number).bind(PAGE);
            let rows = query.fetch_all(&self.pool).await?;
            if rows.is_empty() {
                break;
            }
            let mut connection = self.pool.acquire().await?;
            let mut transaction = connection.begin().await?;
            for row in &rows {
                after = row.try_get("reservation")?;
                let Some(name) = names.of(number, &read_text(row, "user")?) else { continue };
                let update = "update reservations set user = ? where concert = ? and reservation = ?";
                let query = sqlx::query(update).bind(name.as_bytes()).bind(concert.0).bind(&after);
                changed += query.execute(&mut *transaction).await?.rows_affected();
            }
            transaction.commit().await?;
        }
        for (table, key) in [("card_payments", "payment"), ("card_refunds", "refund")] {
            changed += self.rename_cards(concert, table, key).await?;
        }
        Ok(changed)
    }

    /// Gives each row the name of its reservation.
    async fn rename_cards(&self, concert: ConcertId, table: &str, key: &str) -> Result<u64, Error> {
        let select = format!(
            "select c.{key}, r.user from {table} c join reservations r \
             on r.concert = c.concert and r.reservation = c.reservation \
             where c.concert = ? and c.user <> r.user limit ?"
        );
        let update = format!("update {table} set user = ? where concert = ? and {key} = ?");
        let mut changed = 0;
        loop {
            let query = sqlx::query(AssertSqlSafe(select.clone())).bind(concert.0).bind(PAGE);
            let rows = query.fetch_all(&self.pool).await?;
            let mut connection = self.pool.acquire().await?;
            let mut transaction = connection.begin().await?;
            for row in &rows {
                let (id, user): (String, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
                let query = sqlx::query(AssertSqlSafe(update.clone())).bind(user).bind(concert.0).bind(id);
                changed += query.execute(&mut *transaction).await?.rows_affected();
            }
            transaction.commit().await?;
            if rows.is_empty() {
                return Ok(changed);
            }
        }
    }

    /// Gives the movements of money of all to whom a wallet's log has told a name this name; answers how many.
    pub async fn rename_ledger(&self, log: LogName, names: &Names) -> Result<u64, Error> {
        let update = "update ledger_transactions set user = ? where user = ? and log = ? and number <= ?";
        let mut changed = 0;
        for (user, upto, name) in names.told() {
            let query = sqlx::query(update)
                .bind(name.as_bytes())
                .bind(user.as_bytes())
                .bind(log.to_string())
                .bind(upto);
            changed += query.execute(&self.pool).await?.rows_affected();
        }
        Ok(changed)
    }
}

impl Told {
    fn row(&self, log: LogName) -> Rewritten<'_> {
        Rewritten(EventRow { log, number: self.number, mark: self.mark, at: self.at, body: &self.text })
    }
}

fn decode(log: LogName, number: u64, text: &str) -> Result<Entry<'_>, Error> {
    Entry::decode(LogKind::of(log), text).map_err(|source| Error::Entry { log, number, source })
}

impl Row for Rewritten<'_> {
    const HEAD: &'static str = EventRow::HEAD;
    const VALUES: &'static str = EventRow::VALUES;
    const TAIL: &'static str = "on duplicate key update body = values(body)";

    fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        self.0.bind(query)
    }

    fn bytes(&self) -> usize {
        self.0.bytes()
    }
}

impl Row for Renamed {
    const HEAD: &'static str = "insert into queue_tokens (concert, seq, user, issued_at) values";
    const VALUES: &'static str = "(?, ?, ?, 0)";
    const TAIL: &'static str = "on duplicate key update user = values(user)";

    fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        query.bind(self.concert.0).bind(self.seq).bind(self.user.as_bytes())
    }
}
