//! Redis: what decides. Scripts, keys, connections, coalescing and one file for each noun.
//!
//! Only this module names `redis`. Everything that changes a place in line, a seat or a balance is one script call here;
//! there is no check-then-act in Rust. A [`Store`] is shared by all cores of a server, so that their calls leave together.

mod call;
mod cancellation;
mod card;
mod catalog;
mod coalesce;
mod connection;
pub mod direct;
mod engine;
mod forget;
mod keys;
pub mod log;
mod memory;
mod meters;
mod payment;
mod pool;
mod queue;
mod reply;
mod reservation;
pub mod scan;
mod scripts;
mod seats;
mod seen;
pub mod snapshot;
mod top_up;
mod wallet;

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use self::call::{AskError, Caller};
use self::coalesce::Lane;
use self::connection::{CallError, Connection};
use crate::domain::ids::{ConcertId, Id20, LogName, Mark, Offset};
use crate::domain::outcome::Refusal;
use crate::domain::time::Millis;

pub use self::cancellation::Cleared;
pub use self::card::{AuthoriseRequest, Authorising, Begun, Done, Task, Verdict};
pub use self::catalog::{Birth, ShowOpening};
pub use self::coalesce::Limits;
pub use self::connection::Settings;
pub use self::engine::{Engine, EngineError};
pub use self::forget::{ForgetMode, ForgetRequest, Found};
pub use self::memory::{MemoryBound, MemoryUsage};
pub use self::payment::{Paid, PayRequest, RefundRequest, Refunded};
pub use self::queue::{Admitted, Joined, PlaceState};
pub use self::reservation::{Held, HoldRequest};
pub use self::seats::{BlockRequest, SeatChange};
pub use self::seen::{SeenLog, SeenLogs};
pub use self::top_up::{BegunTopUp, Said, TopUpRequest, TopUpTask};
pub use self::wallet::{ChargeRequest, Charged};

/// An outcome, with the place in the log that it reflects.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// What was decided.
    pub value: T,
    /// Whether it is the first answer to the same request, told again.
    pub replayed: bool,
    /// The last entry that it knows.
    pub at: Offset,
    /// The log of that entry.
    pub log_id: Mark,
    /// The time of the script call.
    pub now: Millis,
}

/// An error that several callers of one batch share.
pub type Source = Arc<dyn Error + Send + Sync>;

/// How a call came to nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// The script refused it: nothing has happened.
    #[error("refused: {}", .0.name())]
    Refused(Refusal),
    /// The log was lost; nothing is sold on it.
    #[error("log {0} is stopped")]
    Stopped(LogName),
    /// The queue before the script, or Redis's memory, is full: nothing has happened.
    #[error("overloaded")]
    Overloaded,
    /// Redis could not be asked: nothing has happened.
    #[error("Redis is not available")]
    Unavailable(#[source] Source),
    /// It may have happened: ask again with the same id.
    #[error("the outcome is not known")]
    OutcomeUnknown(#[source] Source),
    /// A bug of ours.
    #[error("a fault between server and script")]
    Fault(#[source] Source),
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        AskError::from(error).into()
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        match error {
            AskError::LogLost(log) => Self::Stopped(log),
            AskError::Call(CallError::Refused(error)) if error.code() == Some("OOM") => Self::Overloaded,
            AskError::Call(CallError::NotSent(_) | CallError::Refused(_)) | AskError::UnknownLog(_) => {
                Self::Unavailable(Arc::new(error))
            }
            AskError::Call(CallError::Unknown(_)) => Self::OutcomeUnknown(Arc::new(error)),
            AskError::Call(CallError::Fault(_)) | AskError::Reply(_) => Self::Fault(Arc::new(error)),
        }
    }
}

/// The lanes of one concert.
struct ConcertLanes {
    join: Arc<Lane<queue::Join>>,
    claim: Arc<Lane<queue::Claim>>,
    leave: Arc<Lane<queue::Leave>>,
    hold: Arc<Lane<reservation::Hold>>,
    release: Arc<Lane<reservation::Release>>,
    read: Arc<Lane<reservation::Read>>,
    pay: Arc<Lane<payment::Pay>>,
    refund: Arc<Lane<payment::Refund>>,
    authorise: Arc<Lane<card::Authorise>>,
    confirm: Arc<Lane<card::Confirm>>,
    settle: Arc<Lane<card::Settle>>,
    block: Arc<Lane<seats::Block>>,
}

/// Redis as one process, or one of its loops, sees it. Cheap to clone; connects at the first call.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    caller: Arc<Caller>,
    limits: Limits,
    partitions: u8,
    charge: Arc<Lane<wallet::Charge>>,
    top_up: Arc<Lane<top_up::Begin>>,
    credit: Arc<Lane<top_up::Credit>>,
    concerts: Mutex<HashMap<ConcertId, Arc<ConcertLanes>>>,
}

impl Store {
    /// A store. `partitions` is what the installation was born with.
    pub fn new(settings: Settings, limits: Limits, partitions: u8, seen: SeenLogs) -> Result<Self, Failure> {
        Self::bounded(settings, limits, partitions, seen, Arc::new(MemoryBound::new(0)))
    }

    /// The same with a bound of Redis's memory.
    pub fn bounded(
        settings: Settings,
        limits: Limits,
        partitions: u8,
        seen: SeenLogs,
        memory: Arc<MemoryBound>,
    ) -> Result<Self, Failure> {
        let connection = Connection::new(settings).map_err(|error| Failure::Unavailable(Arc::new(error)))?;
        let caller = Arc::new(Caller::new(connection, seen, memory));
        let charge = Lane::new(Arc::clone(&caller), None, limits);
        let top_up = Lane::new(Arc::clone(&caller), None, limits);
        let credit = Lane::new(Arc::clone(&caller), None, limits);
        let concerts = Mutex::default();
        Ok(Self(Arc::new(Inner { caller, limits, partitions, charge, top_up, credit, concerts })))
    }

    /// What this process has seen of all logs.
    pub fn seen(&self) -> &SeenLogs {
        self.0.caller.seen()
    }

    /// Number of wallet partitions.
    pub fn partitions(&self) -> u8 {
        self.0.partitions
    }

    /// A new id for a reservation, payment or charge.
    pub fn new_id(&self) -> Id20 {
        Id20::from_bits(rand::random())
    }

    fn caller(&self) -> &Caller {
        &self.0.caller
    }

    fn lanes(&self, concert: ConcertId) -> Arc<ConcertLanes> {
        let mut concerts = self.0.concerts.lock().unwrap_or_else(PoisonError::into_inner);
        let lanes = concerts.entry(concert).or_insert_with(|| {
            let (caller, limits) = (&self.0.caller, self.0.limits);
            Arc::new(ConcertLanes {
                join: Lane::new(Arc::clone(caller), Some(concert), limits),
                claim: Lane::new(Arc::clone(caller), Some(concert), limits),
                leave: Lane::new(Arc::clone(caller), Some(concert), limits),
                hold: Lane::new(Arc::clone(caller), Some(concert), limits),
                release: Lane::new(Arc::clone(caller), Some(concert), limits),
                read: Lane::new(Arc::clone(caller), Some(concert), limits),
                pay: Lane::new(Arc::clone(caller), Some(concert), limits),
                refund: Lane::new(Arc::clone(caller), Some(concert), limits),
                authorise: Lane::new(Arc::clone(caller), Some(concert), limits),
                confirm: Lane::new(Arc::clone(caller), Some(concert), limits),
                settle: Lane::new(Arc::clone(caller), Some(concert), limits),
                block: Lane::new(Arc::clone(caller), Some(concert), limits),
            })
        });
        Arc::clone(lanes)
    }
}

fn fault(error: impl Error + Send + Sync + 'static) -> Failure {
    Failure::Fault(Arc::new(error))
}

/// Reads the outcome of a call that has just one request.
fn only_outcome<T>(
    decided: &reply::Decided,
    name: &str,
    read: impl FnOnce(&reply::Outcome) -> Result<T, reply::MalformedReply>,
) -> Result<T, Failure> {
    let [outcome] = decided.outcomes.as_slice() else {
        return Err(fault(reply::MalformedReply(format!(
            "{} outcomes for one request",
            decided.outcomes.len()
        ))));
    };
    if outcome.name().map_err(fault)? != name {
        return Err(Failure::Refused(outcome.refusal().map_err(fault)?));
    }
    read(outcome).map_err(fault)
}
