//! What the archive wrote, as the `mariadb` client would write it: the same rows into the same tables of another database.

use std::{fmt::Write, fs, path::PathBuf};

use crate::{
    Result,
    client::{carry_out, raw},
    site::Site,
};

/// Its database.
const DATABASE: &str = "reference";

/// The tables that holds and payments write, the rows of them that came after a time (`{}`, ms), and their order.
const TABLES: [(&str, &str); 5] = [
    ("events", "events t where at > {} order by at, log, number"),
    ("queue_tokens", "queue_tokens t where ended_at > {} order by ended_at, seq"),
    ("reservations", "reservations t where created_at > {} order by created_at"),
    (
        "booked_seats",
        // The two columns have character sets of their own, which keeps MySQL from the key of the second table.
        "booked_seats t straight_join reservations p on p.concert = t.concert and \
         p.reservation = convert(t.reservation using ascii) where p.paid_at > {} order by p.paid_at",
    ),
    ("ledger_transactions", "ledger_transactions t where at > {} order by at, log, number, ordinal"),
];

/// Statements that write some rows again.
#[derive(Debug)]
pub(crate) struct Duplicate {
    file: PathBuf,
    /// Rows of all tables.
    pub(crate) rows: usize,
    /// Bytes of statements.
    pub(crate) bytes: usize,
}

/// Makes the tables, empty.
pub(crate) fn prepare(site: &Site) -> Result<()> {
    let mut text = format!("create database {DATABASE} character set utf8mb4");
    for (table, _) in TABLES {
        write!(text, "; create table {DATABASE}.{table} like onsale.{table}")?;
    }
    raw(site, &text).map(drop)
}

impl Duplicate {
    /// Of the rows that came after this time, ms since 1970, cut into so many transactions of the same size. Each has one statement a
    /// table.
    pub(crate) fn take(site: &Site, after: u64, transactions: usize) -> Result<Self> {
        let mut tables = Vec::with_capacity(TABLES.len());
        for (table, from) in TABLES {
            let from = from.replace("{}", &after.to_string());
            let text = raw(site, &format!("select {} from {from}", values(site, table)?))?;
            tables.push((table, text));
        }
        let mut script = String::new();
        for number in 0..transactions {
            script += "begin;\n";
            for (table, text) in &tables {
                let rows: Vec<_> = text.lines().collect();
                let share =
                    &rows[part(rows.len(), number, transactions)..part(rows.len(), number + 1, transactions)];
                if !share.is_empty() {
                    writeln!(script, "insert into {table} values {};", share.join(","))?;
                }
            }
            script += "commit;\n";
        }
        let file = site.folder().join("duplicate.sql");
        fs::write(&file, &script)?;
        Ok(Self {
            file,
            rows: tables.iter().map(|(_, text)| text.lines().count()).sum(),
            bytes: script.len(),
        })
    }

    /// Writes them.
    pub(crate) fn write(&self, site: &Site) -> Result<()> {
        carry_out(site, DATABASE, &self.file)
    }
}

/// An expression for one row of a table as `values` wants it, on one line.
fn values(site: &Site, table: &str) -> Result<String> {
    let columns = raw(
        site,
        &format!(
            "select column_name, data_type from information_schema.columns \
             where table_schema = 'onsale' and table_name = '{table}' order by ordinal_position"
        ),
    )?;
    let value = |line: &str| {
        let (name, kind) = line.split_once('\t').unwrap_or((line, ""));
        if kind.contains("int") {
            format!("ifnull(t.{name}, 'null')")
        } else {
            // `quote` escapes quotes and backslashes; a line break would end the row.
            format!("replace(quote(t.{name}), '\\n', '\\\\n')")
        }
    };
    let columns: Vec<_> = columns.lines().map(value).collect();
    Ok(format!("concat('(', concat_ws(',', {}), ')')", columns.join(", ")))
}

/// Where the share with this number begins.
fn part(all: usize, number: usize, of: usize) -> usize {
    all * number / of
}
