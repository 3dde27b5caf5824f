//! Cancelled shows, and how far their refunds have come.

use std::collections::BTreeMap;

use sqlx::Row as _;
use sqlx::mysql::MySqlConnection;

use super::{Archive, Error};
use crate::domain::ids::{ConcertId, ShowId};
use crate::domain::time::Millis;

/// The shows that one transaction cancels.
#[derive(Debug, Default)]
pub(super) struct Cancellations<'a>(BTreeMap<ShowId, (Millis, &'a str)>);

/// What was paid for a show and what of it went back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refunds {
    /// Reservations that are REFUNDED.
    pub refunded: i64,
    /// Reservations that are CONFIRMED.
    pub outstanding: i64,
    /// Minor units that went back.
    pub amount: i64,
    /// Refunds to cards that the gateway has not carried out yet.
    pub at_gateway: i64,
}

impl<'a> Cancellations<'a> {
    /// Takes a cancelled show in.
    pub(super) fn take(&mut self, show: ShowId, at: Millis, reason: &'a str) {
        self.0.insert(show, (at, reason));
    }

    /// Writes them. A show is cancelled once: nothing here is ever overwritten.
    pub(super) async fn write(self, connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        for (show, (at, reason)) in self.0 {
            sqlx::query("update shows set cancelled_at = ?, cancel_reason = ? where show_id = ?")
                .bind(at.0)
                .bind(reason)
                .bind(show.0)
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }
}

impl Archive {
    /// How far the refunds of a show have come, as fresh as the archive.
    pub async fn refunds_of(&self, concert: ConcertId, show: ShowId) -> Result<Refunds, Error> {
        let select = "select cast(coalesce(sum(status = 'refunded'), 0) as signed), \
                      cast(coalesce(sum(status = 'confirmed'), 0) as signed), \
                      cast(coalesce(sum(refunded_amount), 0) as signed) \
                      from reservations where show_id = ? and concert = ? and status in ('confirmed', 'refunded')";
        let mut moment = self.moment().await?;
        let row = sqlx::query(select).bind(show.0).bind(concert.0).fetch_one(&mut *moment).await?;
        let open = "select count(*) from card_refunds where show_id = ? and state <> 'returned'";
        let at_gateway = sqlx::query_scalar(open).bind(show.0).fetch_one(&mut *moment).await?;
        moment.rollback().await?;
        let (refunded, outstanding, amount) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        Ok(Refunds { refunded, outstanding, amount, at_gateway })
    }
}
