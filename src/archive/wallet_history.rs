//! A user's ledger, newest first. All of it is in one log, so the order of the log is that of his money.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use sqlx::mysql::MySqlRow;
use sqlx::{MySql, QueryBuilder, Row as _};
use utoipa::ToSchema;

use super::error::stored;
use super::page::{InvalidCursor, Page, bounded};
use super::{Archive, Error};
use crate::domain::ids::{ConcertId, Id20, LogName, ReservationId, ShowId};
use crate::domain::time::Millis;

/// Why a user's balance changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum LedgerKind {
    /// Money came in.
    Charge,
    /// A reservation was paid.
    Payment,
    /// Money of a reservation came back.
    Refund,
}

/// One change of a user's balance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerItem {
    /// Its place in the ledger; also its name for clients.
    pub entry: LedgerCursor,
    /// Why.
    pub kind: LedgerKind,
    /// Minor units, above 0 for what came in.
    pub amount: i64,
    /// The balance after it, minor units.
    pub balance_after: i64,
    /// What was paid, or paid back; `None` for a charge.
    pub reservation: Option<ReservationId>,
    /// When.
    pub created: Millis,
}

/// A leg of a ledger transaction: `w03-120-0-1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerCursor {
    log: LogName,
    number: u64,
    ordinal: u16,
    leg: u8,
}

impl Archive {
    /// A user's ledger, newest first: what changed the balance, so nothing that was paid by card.
    pub async fn ledger_of(
        &self,
        user: &str,
        after: Option<LedgerCursor>,
        limit: u32,
    ) -> Result<Page<LedgerItem, LedgerCursor>, Error> {
        let limit = bounded(limit);
        let mut query = QueryBuilder::<MySql>::new(
            "select log, number, ordinal, amount, balance, kind, at, concert, show_id, reservation \
             from ledger_transactions where gateway_amount is null and user = ",
        );
        query.push_bind(user.as_bytes().to_vec());
        if let Some(cursor) = after {
            // Said twice, since MySQL makes a range of the index only of the first form.
            query.push(" and log <= ").push_bind(cursor.log.to_string());
            query.push(" and (log, number, ordinal) < (").push_bind(cursor.log.to_string());
            query.push(", ").push_bind(cursor.number).push(", ").push_bind(cursor.ordinal).push(")");
        }
        query.push(" order by log desc, number desc, ordinal desc limit ").push_bind(limit + 1);
        let rows = query.build().fetch_all(&self.pool).await?;
        let items = rows.iter().map(read_item).collect::<Result<_, _>>()?;
        Ok(Page::of(items, limit, |item: &LedgerItem| item.entry))
    }
}

fn read_item(row: &MySqlRow) -> Result<LedgerItem, Error> {
    let log: String = row.try_get("log")?;
    let kind: String = row.try_get("kind")?;
    let reservation: Option<String> = row.try_get("reservation")?;
    let concert: Option<u32> = row.try_get("concert")?;
    let show: Option<u32> = row.try_get("show_id")?;
    let paid = |((concert, show), id): ((u32, u32), String)| match id.parse::<Id20>() {
        Ok(id) => Ok(ReservationId { concert: ConcertId(concert), show: ShowId(show), id }),
        Err(_) => Err(stored("ledger_transactions", id)),
    };
    // The user's leg is the one that the amount went to, or was taken from.
    let (kind, leg) = match kind.as_str() {
        "charged" | "credited" => (LedgerKind::Charge, 1),
        "paid" => (LedgerKind::Payment, 0),
        "refunded" => (LedgerKind::Refund, 1),
        _ => return Err(stored("ledger_transactions", kind)),
    };
    Ok(LedgerItem {
        entry: LedgerCursor {
            log: log.parse().map_err(|_| stored("ledger_transactions", log))?,
            number: row.try_get("number")?,
            ordinal: row.try_get("ordinal")?,
            leg,
        },
        kind,
        amount: row.try_get("amount")?,
        balance_after: row.try_get("balance")?,
        reservation: concert.zip(show).zip(reservation).map(paid).transpose()?,
        created: Millis(row.try_get("at")?),
    })
}

impl fmt::Display for LedgerCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}-{}", self.log, self.number, self.ordinal, self.leg)
    }
}

impl FromStr for LedgerCursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let parts: Vec<_> = text.split('-').collect();
        let [log, number, ordinal, leg] = parts[..] else {
            return Err(InvalidCursor);
        };
        Ok(Self {
            log: log.parse().map_err(|_| InvalidCursor)?,
            number: number.parse().map_err(|_| InvalidCursor)?,
            ordinal: ordinal.parse().map_err(|_| InvalidCursor)?,
            leg: leg.parse().map_err(|_| InvalidCursor)?,
        })
    }
}
