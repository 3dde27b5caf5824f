//! Blocked seats: a row while a seat is not for sale.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;
use sqlx::mysql::MySqlConnection;

use super::rows::{self, Query, Row};
use crate::domain::event::Blocking;
use crate::domain::ids::{ConcertId, ShowId};

/// Rows of one `delete`, the largest first.
const DELETE_SIZES: [usize; 3] = [128, 16, 1];

/// What one transaction makes of seats: by show and index, the concert and whether they are blocked at the end.
#[derive(Debug, Default)]
pub(super) struct BlockedSeats(BTreeMap<(ShowId, u32), (ConcertId, bool)>);

#[derive(Debug)]
struct BlockedRow {
    show: ShowId,
    seat: u32,
    concert: ConcertId,
}

impl BlockedSeats {
    /// Takes a change of seats in.
    pub(super) fn take(&mut self, concert: ConcertId, blocking: &Blocking<'_>, blocked: bool) {
        let seats = blocking.seats.iter().map(|seat| ((blocking.show, *seat), (concert, blocked)));
        self.0.extend(seats);
    }

    /// Writes them.
    pub(super) async fn write(self, connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        let mut blocked = Vec::new();
        let mut unblocked: BTreeMap<ShowId, Vec<u32>> = BTreeMap::new();
        for ((show, seat), (concert, is_blocked)) in self.0 {
            if is_blocked {
                blocked.push(BlockedRow { show, seat, concert });
            } else {
                unblocked.entry(show).or_default().push(seat);
            }
        }
        for (show, seats) in unblocked {
            delete(connection, show, &seats).await?;
        }
        rows::write(connection, &blocked).await.map(drop)
    }
}

async fn delete(connection: &mut MySqlConnection, show: ShowId, seats: &[u32]) -> Result<(), sqlx::Error> {
    let mut rest = seats;
    while !rest.is_empty() {
        let size = DELETE_SIZES.into_iter().find(|size| *size <= rest.len()).unwrap_or(1);
        let (chunk, after) = rest.split_at(size);
        let marks = vec!["?"; size].join(",");
        let text = format!("delete from blocked_seats where show_id = ? and seat_index in ({marks})");
        let mut query = sqlx::query(AssertSqlSafe(text)).bind(show.0);
        for seat in chunk {
            query = query.bind(*seat);
        }
        query.execute(&mut *connection).await?;
        rest = after;
    }
    Ok(())
}

impl Row for BlockedRow {
    const HEAD: &'static str = "insert into blocked_seats (show_id, seat_index, concert) values";
    const VALUES: &'static str = "(?, ?, ?)";
    // One that was put back and blocked again within a transaction has its row still.
    const TAIL: &'static str = "on duplicate key update concert = values(concert)";

    fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        query.bind(self.show.0).bind(self.seat).bind(self.concert.0)
    }
}
