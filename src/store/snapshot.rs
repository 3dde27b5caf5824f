//! Paged reads from which a live view starts (design, "Live views start from a paged snapshot").
//!
//! Each page is atomic and names the last entry that it knows. A view follows the log from the number of its first
//! page on; entries say absolute state, so it is whole once it has applied up to the number of its last page.

use redis::{Cmd, FromRedisValue, Value};
use tokio::time::Instant;

use super::call::Scope;
use super::reply::{Decided, MalformedReply, Outcome};
use super::{Failure, Store, scripts};
use crate::domain::fields::Fields;
use crate::domain::ids::{ConcertId, Mark, Offset, ShowId};
use crate::domain::time::Millis;

/// The first page: what is one of a kind.
#[derive(Clone, Debug)]
pub struct Head {
    /// The log to follow.
    pub log_id: Mark,
    /// How often it was recovered.
    pub epoch: u16,
    /// Follow from here.
    pub offset: Offset,
    /// The time of that entry.
    pub time: Millis,
    /// Catalog version.
    pub catalog: u64,
    /// Policy version.
    pub policy_version: u64,
    /// JSON of the policy.
    pub policy_json: String,
    /// The last sequence number given.
    pub seq: u64,
    /// Minor units, confirmed less refunded.
    pub revenue: i64,
    /// Seats available or held, over all shows.
    pub sellable: i64,
    /// Number of shows on sale.
    pub shows: u64,
    /// For each show the last entry that changed its seat map.
    pub show_versions: Vec<(ShowId, u64)>,
    /// Cancelled shows with the reason.
    pub cancelled: Vec<(ShowId, String)>,
}

/// An active place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceRecord {
    /// Its sequence number.
    pub seq: u64,
    /// It is over then.
    pub end: Millis,
    /// It must be claimed by then; 0 once claimed.
    pub claim_by: Millis,
}

/// One page of a kind.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The last entry that it knows.
    pub number: u64,
    /// At most some 500 elements.
    pub items: Vec<T>,
    /// Where the next page begins; `None` behind the last.
    pub next: Option<u64>,
}

impl Store {
    /// The first page.
    pub async fn snapshot_head(&self, concert: ConcertId, deadline: Instant) -> Result<Head, Failure> {
        let decided = self.page(Scope::concert(concert), "head", 0, None, deadline).await?;
        super::only_outcome(&decided, "head", |outcome| read_head(outcome, decided.log_id, decided.offset))
    }

    /// Sequence numbers of those who wait, ascending, behind `after`.
    pub async fn snapshot_queue(
        &self,
        concert: ConcertId,
        after: u64,
        deadline: Instant,
    ) -> Result<Page<u64>, Failure> {
        let decided = self.page(Scope::concert(concert), "queue", after, None, deadline).await?;
        super::only_outcome(&decided, "queue", |outcome| {
            let items = (1..outcome.len()).map(|at| outcome.number(at)).collect::<Result<Vec<u64>, _>>()?;
            let next = items.last().copied();
            Ok(Page { number: decided.offset.number, items, next })
        })
    }

    /// Active places, in no order; a place may come twice. Begins at cursor 0.
    pub async fn snapshot_places(
        &self,
        concert: ConcertId,
        cursor: u64,
        deadline: Instant,
    ) -> Result<Page<PlaceRecord>, Failure> {
        let decided = self.page(Scope::concert(concert), "places", cursor, None, deadline).await?;
        super::only_outcome(&decided, "places", |outcome| {
            let next = outcome.number::<u64>(1)?;
            let items = (3..outcome.len()).step_by(2).map(|at| read_place(outcome.text(at)?));
            let items = items.collect::<Result<_, MalformedReply>>()?;
            Ok(Page { number: decided.offset.number, items, next: (next != 0).then_some(next) })
        })
    }

    /// Bytes of a show's seat map from index `first` on.
    pub async fn snapshot_seats(
        &self,
        concert: ConcertId,
        show: ShowId,
        first: u64,
        deadline: Instant,
    ) -> Result<Page<u8>, Failure> {
        let shows = [show];
        let decided = self.page(Scope::shows(concert, &shows), "seats", first, Some(show), deadline).await?;
        super::only_outcome(&decided, "seats", |outcome| {
            let items = outcome.text(1)?.as_bytes().to_vec();
            let next = (!items.is_empty()).then_some(first + items.len() as u64);
            Ok(Page { number: decided.offset.number, items, next })
        })
    }

    pub(super) async fn page(
        &self,
        scope: Scope<'_>,
        kind: &str,
        cursor: u64,
        show: Option<ShowId>,
        deadline: Instant,
    ) -> Result<Decided, Failure> {
        let arguments = |command: &mut Cmd| {
            command.arg(kind).arg(cursor);
            if let Some(show) = show {
                command.arg(show.0);
            }
        };
        Ok(self.caller().ask(&scripts::SNAPSHOT, scope, deadline, arguments).await?)
    }
}

fn read_place(record: &str) -> Result<PlaceRecord, MalformedReply> {
    let mut fields = Fields::new(record);
    let mut read = || {
        let seq = fields.parse("seq")?;
        fields.word("admitted")?;
        Ok(PlaceRecord {
            seq,
            end: Millis(fields.parse("end")?),
            claim_by: Millis(fields.parse("claim by")?),
        })
    };
    read().map_err(|error: crate::domain::fields::Malformed| MalformedReply(error.to_string()))
}

fn read_head(outcome: &Outcome, log_id: Mark, offset: Offset) -> Result<Head, MalformedReply> {
    let meta = Vec::<(String, String)>::from_redis_value_ref(outcome.value(1)?)
        .map_err(|error| MalformedReply(error.to_string()))?;
    let field = |name: &str| meta.iter().find(|(field, _)| field == name).map_or("0", |(_, value)| value);
    let number = |name: &str| field(name).parse().map_err(|_| MalformedReply(format!("meta {name}")));
    let versions = meta.iter().filter_map(|(name, value)| {
        Some((ShowId(name.strip_prefix("v:")?.parse().ok()?), value.parse().ok()?))
    });
    let cancelled = meta.iter().filter_map(|(name, value)| {
        let (_, reason) = value.split_once(' ')?;
        Some((ShowId(name.strip_prefix("x:")?.parse().ok()?), reason.to_owned()))
    });
    let policy_json = match outcome.value(2)? {
        Value::Nil => return Err(MalformedReply("a concert without a policy".into())),
        _ => outcome.text(2)?.to_owned(),
    };
    Ok(Head {
        log_id,
        epoch: field("epoch").parse().map_err(|_| MalformedReply("meta epoch".into()))?,
        offset,
        time: Millis(number("time")?),
        catalog: number("catalog")?.unsigned_abs(),
        policy_version: number("policy")?.unsigned_abs(),
        policy_json,
        seq: number("seq")?.unsigned_abs(),
        revenue: number("revenue")?,
        sellable: number("sellable")?,
        shows: number("shows")?.unsigned_abs(),
        show_versions: versions.collect(),
        cancelled: cancelled.collect(),
    })
}
