//! One consistent view of all that the logs have written here, read page by page beside running traffic: for the audit.
//!
//! Columns come as the text that stands there: the audit compares them with what the log says, so a value that nobody
//! could have written is shown, not refused. A page holds at most [`PAGE`] rows, so memory is bounded by the caller.

use sqlx::mysql::{MySqlArguments, MySqlConnection, MySqlRow};
use sqlx::pool::PoolConnection;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, MySql, Row as _};

use super::log::{LogOffset, read_offset};
use super::{Archive, Error};
use crate::domain::ids::{ConcertId, LogName, ShowId};
use crate::domain::time::Millis;

/// The most rows of one page.
pub const PAGE: usize = 500;

/// Entries of one page: each may hold the events of some 64 requests.
const ENTRIES: usize = 200;

/// A transaction that sees what was committed when it began. Ends, and closes its connection, when dropped.
#[derive(Debug)]
pub struct Snapshot(PoolConnection<MySql>);

/// A row of `events`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Number of the entry.
    pub number: u64,
    /// The column `mark`.
    pub mark: String,
    /// The column `at`.
    pub at: Millis,
    /// The entry as it was written.
    pub body: String,
}

/// A row of any other table: its key, and all of its columns as text, null as `~`, separated by a bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRow {
    /// The columns of the key that tell rows of one page series apart, separated by a bar.
    pub key: String,
    /// The other columns, in the order of the reading method's documentation.
    pub columns: String,
}

impl Archive {
    /// Begins a consistent snapshot on a connection of its own.
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        let mut connection = self.pool.acquire().await?;
        // A transaction that is given up half-way must not go back to the pool.
        connection.close_on_drop();
        for statement in [
            "set transaction isolation level repeatable read",
            "start transaction with consistent snapshot, read only",
        ] {
            sqlx::raw_sql(statement).execute(&mut *connection).await?;
        }
        Ok(Snapshot(connection))
    }
}

impl Snapshot {
    fn connection(&mut self) -> &mut MySqlConnection {
        &mut self.0
    }

    /// How far each log had been applied.
    pub async fn offsets(&mut self) -> Result<Vec<LogOffset>, Error> {
        let query =
            sqlx::query("select log, log_id, epoch, number, mark, state from log_offsets order by log");
        let rows = query.fetch_all(self.connection()).await?;
        rows.iter().map(read_offset).collect()
    }

    /// Entries of a log behind this number.
    pub async fn events(&mut self, log: LogName, after: u64) -> Result<Vec<EventRow>, Error> {
        let select = format!(
            "select number, mark, at, body from events where log = ? and number > ? order by number limit {ENTRIES}"
        );
        let query = sqlx::query(AssertSqlSafe(select)).bind(log.to_string()).bind(after);
        let rows = query.fetch_all(self.connection()).await?;
        let read = |row: &MySqlRow| -> Result<EventRow, Error> {
            let body: Vec<u8> = row.try_get("body")?;
            Ok(EventRow {
                number: row.try_get("number")?,
                mark: row.try_get("mark")?,
                at: Millis(row.try_get("at")?),
                body: String::from_utf8_lossy(&body).into_owned(),
            })
        };
        rows.iter().map(read).collect()
    }

    /// Reservations of a concert behind this one: key reservation; show, user, status, amount, seats, created, end, ended,
    /// payment, what of it was refunded, the seats refunded, entries.
    pub async fn reservations(&mut self, concert: ConcertId, after: &str) -> Result<Vec<TableRow>, Error> {
        let columns = "show_id, user, status, amount, seats, created_at, end_at, ended_at, payment, \
                       refunded_amount, refunded_seats, concat_ws(',',entries,extended_in,ended_in,refunded_in)";
        let rest = "from reservations where concert = ? and reservation > ? order by reservation";
        self.page("reservation", columns, rest, |query| query.bind(concert.0).bind(after.to_owned())).await
    }

    /// Payments of a concert behind this key: key reservation and payment; user, amount, balance, time.
    pub async fn payments(&mut self, concert: ConcertId, after: &str) -> Result<Vec<TableRow>, Error> {
        let (reservation, _) = after.split_once('|').unwrap_or_default();
        let rest = "from payments where concert = ? and reservation > ? order by reservation";
        let bind = |query: Rows| query.bind(concert.0).bind(reservation.to_owned());
        self.page("reservation, payment", "user, amount, balance, paid_at", rest, bind).await
    }

    /// Card payments of a concert behind this one: key payment; reservation, show, user, amount, state, reason, time of the last
    /// step.
    pub async fn cards(&mut self, concert: ConcertId, after: &str) -> Result<Vec<TableRow>, Error> {
        let columns = "reservation, show_id, user, amount, state, reason, changed_at";
        let rest = "from card_payments where concert = ? and payment > ? order by payment";
        self.page("payment", columns, rest, |query| query.bind(concert.0).bind(after.to_owned())).await
    }

    /// Refunds to cards of a concert behind this one: key refund; payment, reservation, show, user, amount, state, times of the
    /// decision and of the last step.
    pub async fn card_refunds(&mut self, concert: ConcertId, after: &str) -> Result<Vec<TableRow>, Error> {
        let columns = "payment, reservation, show_id, user, amount, state, decided_at, changed_at";
        let rest = "from card_refunds where concert = ? and refund > ? order by refund";
        self.page("refund", columns, rest, |query| query.bind(concert.0).bind(after.to_owned())).await
    }

    /// Booked seats of a show behind this index, -1 for all: key index; concert, reservation.
    pub async fn booked_seats(&mut self, show: ShowId, after: i64) -> Result<Vec<TableRow>, Error> {
        let rest = "from booked_seats where show_id = ? and seat_index > ? order by seat_index";
        self.page("seat_index", "concert, reservation", rest, |query| query.bind(show.0).bind(after)).await
    }

    /// Blocked seats of a show behind this index, -1 for all: key index; concert.
    pub async fn blocked_seats(&mut self, show: ShowId, after: i64) -> Result<Vec<TableRow>, Error> {
        let rest = "from blocked_seats where show_id = ? and seat_index > ? order by seat_index";
        self.page("seat_index", "concert", rest, |query| query.bind(show.0).bind(after)).await
    }

    /// Places in a concert's line behind this sequence number: key number; user, admitted, end, claim by, whether claimed,
    /// whether ended.
    pub async fn places(&mut self, concert: ConcertId, after: u64) -> Result<Vec<TableRow>, Error> {
        let columns =
            "user, admitted_at, active_until, claim_by, claimed_at is not null, ended_at is not null";
        let rest = "from queue_tokens where concert = ? and seq > ? order by seq";
        self.page("seq", columns, rest, |query| query.bind(concert.0).bind(after)).await
    }

    /// Ledger transactions of these entries, all of them: key number and ordinal; time, kind, reference, concert, show,
    /// reservation, what a gateway moved, user, amount, balance.
    pub async fn ledger_transactions(
        &mut self,
        log: LogName,
        entries: std::ops::RangeInclusive<u64>,
    ) -> Result<Vec<TableRow>, Error> {
        let rest =
            "from ledger_transactions where log = ? and number between ? and ? order by number, ordinal";
        let columns =
            "at, kind, reference, concert, show_id, reservation, gateway_amount, user, amount, balance";
        let bind = |query: Rows| query.bind(log.to_string()).bind(*entries.start()).bind(*entries.end());
        self.read("number, ordinal", columns, rest, bind).await
    }

    /// Charges through the gateway of a wallet behind this one: key charge; user, amount, currency, state, reason, balance, time of
    /// the last step.
    pub async fn top_ups(&mut self, log: LogName, after: &str) -> Result<Vec<TableRow>, Error> {
        let columns = "user, amount, currency, state, reason, balance, changed_at";
        let rest = "from top_ups where log = ? and charge > ? order by charge";
        self.page("charge", columns, rest, |query| query.bind(log.to_string()).bind(after.to_owned())).await
    }

    /// Rows in all for each log or concert that has any: key table and log; number of rows. Those that the audit has not come
    /// across belong to nobody.
    pub async fn totals(&mut self) -> Result<Vec<TableRow>, Error> {
        let concerts = ["reservations", "payments", "card_payments", "card_refunds", "queue_tokens"];
        let logs = ["events", "ledger_transactions", "top_ups"];
        let shows = ["booked_seats", "blocked_seats"];
        let counts = concerts
            .map(|table| {
                format!("select '{table}', concat('c', concert), count(*) from {table} group by concert")
            })
            .into_iter()
            .chain(logs.map(|table| format!("select '{table}', log, count(*) from {table} group by log")))
            .chain(shows.map(|table| {
                format!("select '{table}', concat('s', show_id), count(*) from {table} group by show_id")
            }));
        let mut totals = Vec::new();
        for select in counts {
            for row in sqlx::query(AssertSqlSafe(select)).fetch_all(self.connection()).await? {
                let (table, log): (String, String) = (row.try_get(0)?, row.try_get(1)?);
                let rows: i64 = row.try_get(2)?;
                totals.push(TableRow { key: format!("{table}|{log}"), columns: rows.to_string() });
            }
        }
        Ok(totals)
    }

    async fn page(
        &mut self,
        key: &str,
        columns: &str,
        rest: &str,
        bind: impl FnOnce(Rows) -> Rows,
    ) -> Result<Vec<TableRow>, Error> {
        self.read(key, columns, &format!("{rest} limit {PAGE}"), bind).await
    }

    async fn read(
        &mut self,
        key: &str,
        columns: &str,
        rest: &str,
        bind: impl FnOnce(Rows) -> Rows,
    ) -> Result<Vec<TableRow>, Error> {
        let joined = |columns: &str| {
            let texts: Vec<_> =
                columns.split(", ").map(|column| format!("ifnull(cast({column} as binary), '~')")).collect();
            format!("concat_ws('|', {})", texts.join(", "))
        };
        let select = format!("select {}, {} {rest}", joined(key), joined(columns));
        let rows = bind(sqlx::query(AssertSqlSafe(select))).fetch_all(self.connection()).await?;
        let text = |row: &MySqlRow, at: usize| -> Result<String, Error> {
            let bytes: Vec<u8> = row.try_get(at)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        rows.iter().map(|row| Ok(TableRow { key: text(row, 0)?, columns: text(row, 1)? })).collect()
    }
}

type Rows = Query<'static, MySql, MySqlArguments>;
