//! Whole indexes of a concert and balances of a wallet partition, page by page, as the audit compares them.
//!
//! Fields and values are the text that Redis holds: a value that nobody could have written is shown, not refused. Each page
//! is atomic and names its entry, and how many elements there are in all at that entry.

use redis::{Cmd, Value};
use tokio::time::Instant;

use super::call::Scope;
use super::reply::{Decided, MalformedReply, Outcome};
use super::{Failure, Store, fault, only_outcome, scripts};
use crate::domain::ids::{ConcertId, LogName, Offset, ShowId};
use crate::domain::time::Millis;

/// A key of a concert whose elements can be read one by one (formats 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// `queue`: user → sequence number.
    Line,
    /// `active`: user → end, ms.
    Active,
    /// `unclaimed`: user → claim by, ms.
    Unclaimed,
    /// `place`: user → record.
    Place,
    /// `res`: reservation → record. Counts those that have not ended.
    Reservations,
    /// `ended`: ended reservation → ms of its end. Forgotten after a day without an entry that says so.
    Ended,
    /// `expiry`: PENDING reservation → end, ms.
    Expiry,
    /// `pending`: user → reservations.
    Pending,
    /// `cards`: card payment that is not at its end → record.
    Cards,
    /// `holder:<show>`: seat index → reservation.
    Holder(ShowId),
    /// `owned:<show>`: user → seats.
    Owned(ShowId),
}

/// Some elements of an index.
#[derive(Clone, Debug)]
pub struct ScanPage {
    /// The last entry that it knows.
    pub at: Offset,
    /// The time of the call.
    pub now: Millis,
    /// Elements of the whole index.
    pub total: u64,
    /// Field and value, in no order; an element may come twice.
    pub items: Vec<(String, String)>,
    /// Where the next page begins; `None` behind the last.
    pub next: Option<u64>,
}

/// A piece of a show's seat map.
#[derive(Clone, Debug)]
pub struct SeatsPage {
    /// The last entry that it knows.
    pub at: Offset,
    /// Seats of the whole map.
    pub total: u64,
    /// At most 500, by seat index.
    pub bytes: Vec<u8>,
    /// Where the next page begins; `None` behind the last.
    pub next: Option<u64>,
}

impl Index {
    /// What `snapshot.lua` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Active => "active",
            Self::Unclaimed => "unclaimed",
            Self::Place => "place",
            Self::Reservations => "res",
            Self::Ended => "ended",
            Self::Expiry => "expiry",
            Self::Pending => "pending",
            Self::Cards => "cards",
            Self::Holder(_) => "holder",
            Self::Owned(_) => "owned",
        }
    }

    /// The show that it is of, if it is of one.
    pub fn show(self) -> Option<ShowId> {
        match self {
            Self::Holder(show) | Self::Owned(show) => Some(show),
            _ => None,
        }
    }
}

impl Store {
    /// Some 500 elements of an index; begins at cursor 0.
    pub async fn scan(
        &self,
        concert: ConcertId,
        index: Index,
        cursor: u64,
        deadline: Instant,
    ) -> Result<ScanPage, Failure> {
        let show = index.show();
        let scope = Scope::shows(concert, show.as_slice());
        let decided = self.page(scope, index.name(), cursor, show, deadline).await?;
        only_outcome(&decided, index.name(), |outcome| read_page(outcome, decided.offset, &decided))
    }

    /// Bytes of a show's seat map from index `first` on.
    pub async fn scan_seats(
        &self,
        concert: ConcertId,
        show: ShowId,
        first: u64,
        deadline: Instant,
    ) -> Result<SeatsPage, Failure> {
        let decided = self.page(Scope::shows(concert, &[show]), "seats", first, Some(show), deadline).await?;
        only_outcome(&decided, "seats", |outcome| {
            let (bytes, total) = (bytes(outcome, 1)?.to_vec(), outcome.number(2)?);
            let next = first + bytes.len() as u64;
            let more = !bytes.is_empty() && next < total;
            Ok(SeatsPage { at: decided.offset, total, bytes, next: more.then_some(next) })
        })
    }

    /// Balances of some 500 users of a wallet partition, user → record (formats 1); begins at cursor 0. A partition whose
    /// log was lost is refused as stopped.
    pub async fn scan_balances(
        &self,
        partition: u8,
        cursor: u64,
        deadline: Instant,
    ) -> Result<ScanPage, Failure> {
        let log = LogName::Wallet(partition);
        let scope = Scope { concert: None, shows: &[], wallets: Some(&[partition]), top_ups: false };
        let arguments = |command: &mut Cmd| {
            command.arg(cursor);
        };
        let decided = self.caller().ask(&scripts::SNAPSHOT_WALLET, scope, deadline, arguments).await?;
        self.wallet_page(&decided, log, "balances")
    }

    /// The page of a wallet partition that a script told; one whose log was lost is refused as stopped.
    pub(super) fn wallet_page(
        &self,
        decided: &Decided,
        log: LogName,
        name: &'static str,
    ) -> Result<ScanPage, Failure> {
        let is_lost = |outcome: &Outcome| outcome.name().is_ok_and(|name| name == "log_lost");
        if decided.outcomes.first().is_some_and(is_lost) {
            return Err(self.caller().stop(log).into());
        }
        let [position] = decided.wallets.as_slice() else {
            return Err(fault(MalformedReply(format!("{} wallets for one", decided.wallets.len()))));
        };
        only_outcome(decided, name, |outcome| read_page(outcome, position.offset, decided))
    }
}

fn read_page(outcome: &Outcome, at: Offset, decided: &Decided) -> Result<ScanPage, MalformedReply> {
    let next: u64 = outcome.number(1)?;
    let text = |at| bytes(outcome, at).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let item = |at| Ok((text(at)?, text(at + 1)?));
    let items = (3..outcome.len()).step_by(2).map(item).collect::<Result<_, MalformedReply>>()?;
    Ok(ScanPage { at, now: decided.now, total: outcome.number(2)?, items, next: (next != 0).then_some(next) })
}

/// A field as it stands there, UTF-8 or not.
fn bytes(outcome: &Outcome, at: usize) -> Result<&[u8], MalformedReply> {
    match outcome.value(at)? {
        Value::BulkString(bytes) => Ok(bytes),
        other => Err(MalformedReply(format!("field {at} is {other:?}"))),
    }
}
