//! What MySQL keeps for the followers that tell the world outside: how far they are, and which process it is that tells.
//!
//! Their offsets are stored after the acknowledgement, so an entry may be told twice, never not at all.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::stored;
use super::{Archive, Error};
use crate::domain::ids::{LogName, Mark, Offset};

impl Archive {
    /// How far a follower has told each log; logs of which it told nothing are absent.
    pub async fn told(&self, follower: &str) -> Result<BTreeMap<LogName, Offset>, Error> {
        let query = sqlx::query_as("select log, number, mark from follower_offsets where follower = ?");
        let rows: Vec<(String, u64, String)> = query.bind(follower).fetch_all(&self.pool).await?;
        let read = |(log, number, mark): (String, u64, String)| {
            let mark = mark.parse().map_err(|_| stored("follower_offsets", mark))?;
            Ok((log.parse().map_err(|_| stored("follower_offsets", log))?, Offset { number, mark }))
        };
        rows.into_iter().map(read).collect()
    }

    /// Stores how far a follower has told these logs. None goes back: a process that lost its lease unawares may come late.
    pub async fn store_told(&self, follower: &str, offsets: &[(LogName, Offset)]) -> Result<(), Error> {
        if offsets.is_empty() {
            return Ok(());
        }
        let mut query = sqlx::QueryBuilder::<sqlx::MySql>::new(
            "insert into follower_offsets (follower, log, number, mark) ",
        );
        query.push_values(offsets, |mut row, (log, offset)| {
            row.push_bind(follower.to_owned()).push_bind(log.to_string());
            row.push_bind(offset.number).push_bind(offset.mark.to_string());
        });
        // The mark first: what is assigned to `number` is seen by what stands behind it.
        query.push(
            " on duplicate key update mark = if(values(number) >= number, values(mark), mark), \
             number = greatest(number, values(number))",
        );
        query.build().execute(&self.pool).await?;
        Ok(())
    }

    /// Takes or renews the lease of a follower for so long; `false`: another process has it.
    pub async fn lease(&self, follower: &str, holder: Mark, length: Duration) -> Result<bool, Error> {
        let micros = u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
        let take = "insert into follower_leases (follower, holder, until) \
                    values (?, ?, now(3) + interval ? microsecond) \
                    on duplicate key update \
                    holder = if(until < now(3), values(holder), holder), \
                    until = if(holder = values(holder), values(until), until)";
        sqlx::query(take).bind(follower).bind(holder.to_string()).bind(micros).execute(&self.pool).await?;
        let query = sqlx::query_scalar("select holder from follower_leases where follower = ?");
        let stands: String = query.bind(follower).fetch_one(&self.pool).await?;
        Ok(stands == holder.to_string())
    }

    /// Gives the lease back, if it is this process's.
    pub async fn end_lease(&self, follower: &str, holder: Mark) -> Result<(), Error> {
        let end = sqlx::query("delete from follower_leases where follower = ? and holder = ?");
        end.bind(follower).bind(holder.to_string()).execute(&self.pool).await?;
        Ok(())
    }
}
