//! The archive on a real MariaDB: what it writes for each event, exactly once, and what it reads back.

mod apply;
mod card;
mod catalog;
mod faults;
mod follow;
mod history;
mod top_up;

use std::path::Path;

use onsale::archive::{Archive, LogBatch};
use onsale::config::Config;
use onsale::domain::fields::prefixed;
use onsale::domain::ids::{ConcertId, LogName, Mark, Offset};
use sqlx::mysql::MySqlPool;
use sqlx::{AssertSqlSafe, Row};

use crate::support::mariadb::MariaDb;

/// An archive in a database of its own, with the schema, and a second way into that database.
pub(crate) struct Fresh {
    pub(crate) archive: Archive,
    pub(crate) pool: MySqlPool,
}

pub(crate) async fn fresh() -> Fresh {
    let url = MariaDb::database().await;
    let archive = connect(&url).await;
    archive.migrate().await.expect("MariaDB does as told");
    let pool = MySqlPool::connect(&url).await.expect("MariaDB does as told");
    Fresh { archive, pool }
}

pub(crate) async fn connect(url: &str) -> Archive {
    let file = format!("[mysql]\nurl = '{url}'\n");
    let config =
        Config::from_layers(Some(("test.toml", &file)), Path::new(""), []).expect("the file is whole");
    Archive::connect(&config.mysql).await.expect("MariaDB does as told")
}

const TABLES: [&str; 13] = [
    "log_offsets",
    "events",
    "queue_tokens",
    "reservations",
    "booked_seats",
    "blocked_seats",
    "payments",
    "card_payments",
    "top_ups",
    "card_refunds",
    "ledger_transactions",
    "ledger_entries",
    "concerts",
];

impl Fresh {
    /// The rows of a table in the order of its key (a view: of its first columns), columns separated by a bar, null as `~`.
    pub(crate) async fn rows(&self, table: &str) -> Vec<String> {
        let select = "select column_name, column_key from information_schema.columns \
                      where table_schema = database() and table_name = ? order by ordinal_position";
        let columns = sqlx::query(select).bind(table).fetch_all(&self.pool).await.unwrap();
        let shown: Vec<_> = columns
            .iter()
            .map(|row| format!("ifnull(cast({} as binary), '~')", row.get::<String, _>(0)))
            .collect();
        let is_view = columns.iter().all(|row| row.get::<String, _>(1).is_empty());
        let keys: Vec<_> = columns
            .iter()
            .filter(|row| is_view || row.get::<String, _>(1) == "PRI")
            .map(|row| row.get::<String, _>(0))
            .collect();
        let query =
            format!("select concat_ws('|', {}) from {table} order by {}", shown.join(", "), keys.join(", "));
        let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(&self.pool).await.unwrap();
        let text = |row: &sqlx::mysql::MySqlRow| String::from_utf8(row.get::<Vec<u8>, _>(0)).unwrap();
        rows.iter().map(text).collect()
    }

    /// All tables that logs write.
    pub(crate) async fn tables(&self) -> Vec<(&'static str, Vec<String>)> {
        let mut all = Vec::new();
        for table in TABLES {
            all.push((table, self.rows(table).await));
        }
        all
    }

    /// Applies batches one by one, all of which must go through.
    pub(crate) async fn apply(&self, batches: &[LogBatch]) {
        for batch in batches {
            assert!(self.archive.apply(std::slice::from_ref(batch)).await.expect("MariaDB does as told"));
        }
    }
}

/// A log as a script would write it. Entries are a second apart, the first one at 1,000 ms.
pub(crate) struct Log {
    pub(crate) name: LogName,
    pub(crate) entries: Vec<(u64, String)>,
}

/// The mark that entry `number` of any test's log carries; zeros before the first.
pub(crate) fn mark(number: u64) -> Mark {
    Mark(number * 0x0101)
}

pub(crate) const LOG_ID: Mark = Mark(0xfeed);

impl Log {
    pub(crate) fn new(name: LogName) -> Self {
        Self { name, entries: Vec::new() }
    }

    pub(crate) fn concert(id: u32) -> Self {
        Self::new(LogName::Concert(ConcertId(id))).and(&[format!("opened {LOG_ID} 0")])
    }

    pub(crate) fn wallet(partition: u8) -> Self {
        Self::new(LogName::Wallet(partition)).and(&[format!("opened {LOG_ID} 0")])
    }

    /// Adds an entry with these events.
    pub(crate) fn and(mut self, events: &[impl AsRef<str>]) -> Self {
        let number = self.entries.len() as u64 + 1;
        let mut text = format!("1 {} {} {}\n", mark(number), mark(number - 1), number * 1000);
        for event in events {
            text.push_str(event.as_ref());
            text.push('\n');
        }
        self.entries.push((number, text));
        self
    }

    /// Its entries in batches of this many.
    pub(crate) fn batches(&self, size: usize) -> Vec<LogBatch> {
        let batch = |entries: &[(u64, String)]| LogBatch {
            log: self.name,
            from: offset(entries[0].0 - 1),
            entries: entries.to_vec(),
        };
        self.entries.chunks(size).map(batch).collect()
    }

    /// All of it as one batch.
    pub(crate) fn whole(&self) -> LogBatch {
        self.batches(usize::MAX).remove(0)
    }
}

pub(crate) fn offset(number: u64) -> Offset {
    Offset { number, mark: mark(number) }
}

/// `refunded` of the same.
pub(crate) fn refunded(reservation: u32, user: &str, seat: u32) -> String {
    let (refund, seat) = (id(reservation + 2000), format!("{seat}:500"));
    let user = prefixed(user);
    format!("refunded {} 12 {user} {refund} 500 10000 {seat} {seat} refunded 0: -", id(reservation))
}

/// A reservation, payment or charge id.
pub(crate) fn id(number: u32) -> String {
    format!("{number:020}")
}

/// `held` of a reservation with one seat for 500.
pub(crate) fn held(reservation: u32, user: &str, seat: u32) -> String {
    format!("held {} 12 {} 500 301000 3 {seat}:500 0: -", id(reservation), prefixed(user))
}

/// `paid` of the same.
pub(crate) fn paid(reservation: u32, user: &str, seat: u32) -> String {
    let payment = id(reservation + 1000);
    format!("paid {} 12 {} {payment} 500 9500 {seat}:500 0: -", id(reservation), prefixed(user))
}
