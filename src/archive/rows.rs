//! Writes many rows with few statements of a few fixed sizes.
//!
//! sqlx keeps one prepared statement per text, so a statement for every number of rows would fill its cache with
//! statements that come once. Three sizes serve any number.

use sqlx::mysql::{MySqlArguments, MySqlConnection};
use sqlx::{AssertSqlSafe, MySql};

/// A statement with its values bound so far.
pub(super) type Query<'q> = sqlx::query::Query<'q, MySql, MySqlArguments>;

/// The most bytes of values in one statement: a quarter of the smallest default of `max_allowed_packet`.
pub(super) const BYTES_MAX: usize = 4 << 20;

/// A row of one table.
pub(super) trait Row {
    /// `insert into <table> (<columns>) values`.
    const HEAD: &'static str;
    /// `(?, …)`, a mark for each value that [`Row::bind`] binds.
    const VALUES: &'static str;
    /// What follows the rows: `on duplicate key update …` or nothing.
    const TAIL: &'static str = "";
    /// Numbers of rows that have a statement, the largest first, 1 last.
    const SIZES: &'static [usize] = &[128, 16, 1];

    /// Binds the values, in the order of the columns.
    fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q>;

    /// Bytes of its values, roughly.
    fn bytes(&self) -> usize {
        256
    }
}

/// Writes all rows, in order. Answers the sum of rows affected: 1 for one inserted, 2 for one updated.
pub(super) async fn write<R: Row>(connection: &mut MySqlConnection, rows: &[R]) -> Result<u64, sqlx::Error> {
    let mut affected = 0;
    let mut rest = rows;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(chunk_size(rest));
        let text = statement::<R>(chunk.len());
        let mut query = sqlx::query(AssertSqlSafe(text));
        for row in chunk {
            query = row.bind(query);
        }
        affected += query.execute(&mut *connection).await?.rows_affected();
        rest = after;
    }
    Ok(affected)
}

/// The largest size that there are rows for and whose rows fit one statement.
fn chunk_size<R: Row>(rows: &[R]) -> usize {
    let fits = |size: &&usize| {
        rows.get(..**size).is_some_and(|chunk| chunk.iter().map(Row::bytes).sum::<usize>() <= BYTES_MAX)
    };
    R::SIZES.iter().find(fits).copied().unwrap_or(1)
}

fn statement<R: Row>(rows: usize) -> String {
    let values = vec![R::VALUES; rows].join(",");
    format!("{} {values} {}", R::HEAD, R::TAIL)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Blob(usize);

    impl Row for Blob {
        const HEAD: &'static str = "insert into t (b) values";
        const VALUES: &'static str = "(?)";

        fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
            query
        }

        fn bytes(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn sizes_are_few_and_bounded_by_bytes() {
        let rows = |count, bytes| (0..count).map(|_| Blob(bytes)).collect::<Vec<_>>();
        assert_eq!(chunk_size(&rows(500, 10)), 128);
        assert_eq!(chunk_size(&rows(127, 10)), 16);
        assert_eq!(chunk_size(&rows(15, 10)), 1);
        assert_eq!(chunk_size(&rows(500, BYTES_MAX / 20)), 16);
        assert_eq!(chunk_size(&rows(500, BYTES_MAX + 1)), 1);
    }

    #[test]
    fn a_statement_has_a_group_for_each_row() {
        assert_eq!(statement::<Blob>(2).trim(), "insert into t (b) values (?),(?)");
    }
}
