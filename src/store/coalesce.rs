//! Coalescing: calls of one verb for one concert that come while its last batch is under way leave together as the next.
//!
//! Nothing waits when nothing is under way. Each verb has a lane of its own with one batch in flight, so a payment never
//! stands behind a queue of holds: at most one batch of each other verb is before it. A caller that goes away
//! breaks nobody: its request is decided and its answer dropped. A batch whose outcome is unknown is sent again as it is,
//! since every request carries an id that the script knows again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::Cmd;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};
use tracing::{Instrument as _, Span};

use super::call::{AskError, Caller, Scope};
use super::connection::CallError;
use super::memory::Need;
use super::meters::LaneMeters;
use super::reply::{Decided, MalformedReply, Outcome};
use super::scripts::Script;
use super::{Answer, Failure};
use crate::domain::ids::{ConcertId, LogName, ShowId};

/// One verb that takes a list of requests.
pub(super) trait Verb: Send + Sync + 'static {
    /// One request.
    type Request: Send + Sync + 'static;
    /// What it gets if it is not refused.
    type Reply: Send + 'static;
    /// Whether the script takes wallet partitions.
    const WALLETS: bool = false;
    /// Whether it takes their open top-ups, too.
    const TOP_UPS: bool = false;
    /// Whether it may change something: only then can an outcome be unknown.
    const CHANGES: bool = true;
    /// Whether it is refused when memory is short.
    const NEED: Need = Need::Last;

    fn script() -> &'static Script;

    /// What it costs Redis, in seats touched; 1 at least.
    fn weight(_request: &Self::Request) -> usize {
        1
    }

    fn show(_request: &Self::Request) -> Option<ShowId> {
        None
    }

    fn partition(_request: &Self::Request) -> Option<u8> {
        None
    }

    fn push(request: &Self::Request, command: &mut Cmd);

    /// The reply, or `None` if the outcome is a refusal. The flag says that it is a first answer told again.
    fn read(outcome: &Outcome) -> Result<Option<(Self::Reply, bool)>, MalformedReply>;
}

/// Bounds of every lane. Weight bounds bytes too: a request is at most some 400 bytes and 20 more for each of its seats.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Weight of one batch: keeps a script call well under 1 ms.
    pub batch_weight: usize,
    /// Requests that may wait before one lane; the next is refused at once.
    pub queue_requests: usize,
}

struct Pending<V: Verb> {
    request: V::Request,
    deadline: Instant,
    sent: bool,
    /// Its request's: a line about the batch is told in one of them.
    span: Span,
    answer: oneshot::Sender<Result<Answer<V::Reply>, Failure>>,
}

impl<V: Verb> Pending<V> {
    /// Tells the caller and counts it. A caller that has gone away wants no answer; it counts all the same.
    fn fail(self, failure: Failure, meters: &LaneMeters) {
        meters.count_failure(&failure);
        let _ = self.answer.send(Err(failure));
    }
}

struct Queue<V: Verb> {
    waiting: VecDeque<Pending<V>>,
    driving: bool,
    /// How many the gauge tells of: all cores share it, so it moves once a batch.
    told: usize,
}

impl<V: Verb> Queue<V> {
    fn tell(&mut self, meters: &LaneMeters) {
        meters.moved(self.told, self.waiting.len());
        self.told = self.waiting.len();
    }
}

/// The requests of one verb for one concert (or for all wallets) in one process.
pub(super) struct Lane<V: Verb> {
    caller: Arc<Caller>,
    concert: Option<ConcertId>,
    limits: Limits,
    queue: Mutex<Queue<V>>,
    meters: Arc<LaneMeters>,
}

/// How long a driver waits before it asks again, at most: Redis may be starting.
const PAUSE_MAX: Duration = Duration::from_millis(100);

impl<V: Verb> Lane<V> {
    pub(super) fn new(caller: Arc<Caller>, concert: Option<ConcertId>, limits: Limits) -> Arc<Self> {
        let queue = Mutex::new(Queue { waiting: VecDeque::new(), driving: false, told: 0 });
        let meters = caller.connection().meters().lane(V::script().name);
        Arc::new(Self { caller, concert, limits, queue, meters })
    }

    /// Sends a request with the next batch and waits for its own outcome.
    pub(super) async fn call(
        self: &Arc<Self>,
        request: V::Request,
        deadline: Instant,
    ) -> Result<Answer<V::Reply>, Failure> {
        if self.caller.memory().refuses(V::NEED) {
            return Err(self.overloaded());
        }
        let (answer, answered) = oneshot::channel();
        {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            if queue.waiting.len() >= self.limits.queue_requests {
                return Err(self.overloaded());
            }
            queue.waiting.push_back(Pending {
                request,
                deadline,
                sent: false,
                span: Span::current(),
                answer,
            });
            if !queue.driving {
                queue.driving = true;
                tokio::spawn(Driver { lane: Arc::clone(self), done: false }.drive());
            }
        }
        let span = tracing::debug_span!(
            "script",
            script = V::script().name,
            otel.kind = "client",
            db.system.name = "redis"
        );
        let answered = answered.instrument(span).await;
        answered.unwrap_or_else(|closed| Err(Failure::OutcomeUnknown(Arc::new(closed))))
    }

    fn overloaded(&self) -> Failure {
        self.meters.count_failure(&Failure::Overloaded);
        Failure::Overloaded
    }

    /// The next batch, at least one request; none left ends the driver.
    fn take_batch(&self) -> Option<Vec<Pending<V>>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let mut weight = 0;
        let fits = |pending: &Pending<V>| {
            weight += V::weight(&pending.request);
            weight <= self.limits.batch_weight
        };
        let count = queue.waiting.iter().map(fits).take_while(|fits| *fits).count().max(1);
        queue.tell(&self.meters);
        if queue.waiting.is_empty() {
            queue.driving = false;
            return None;
        }
        self.meters.batch.record(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
        Some(queue.waiting.drain(..count).collect())
    }

    async fn serve(&self, mut batch: Vec<Pending<V>>) {
        let mut pause = Duration::from_millis(5);
        let mut last_error: Option<Arc<CallError>> = None;
        loop {
            batch = answer_late(batch, last_error.as_ref(), &self.meters);
            if batch.is_empty() {
                return;
            }
            match self.ask(&batch).await {
                Ok(decided) => return self.put_back(self.answer_all(batch, &decided)),
                Err(AskError::Call(error)) if is_passing(&error) => {
                    let unknown = V::CHANGES && matches!(error, CallError::Unknown(_));
                    for pending in &mut batch {
                        pending.sent |= unknown;
                    }
                    last_error = Some(Arc::new(error));
                }
                Err(error) => return fail_all(batch, &Failure::from(error), &self.meters),
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn ask(&self, batch: &[Pending<V>]) -> Result<Decided, AskError> {
        let (mut shows, mut partitions): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
        for pending in batch {
            shows.extend(V::show(&pending.request).filter(|show| !shows.contains(show)));
            partitions.extend(V::partition(&pending.request).filter(|other| !partitions.contains(other)));
        }
        let wallets = V::WALLETS.then_some(partitions.as_slice());
        let scope = Scope { concert: self.concert, shows: &shows, wallets, top_ups: V::TOP_UPS };
        let deadline = batch.iter().map(|pending| pending.deadline).max().unwrap_or_else(Instant::now);
        let arguments = |command: &mut Cmd| {
            command.arg(batch.len());
            for pending in batch {
                V::push(&pending.request, command);
            }
        };
        let span = batch.first().map_or_else(Span::none, |first| first.span.clone());
        self.caller.ask(V::script(), scope, deadline, arguments).instrument(span).await
    }

    /// Gives back those that the script had no room for: nothing has happened to them.
    fn answer_all(&self, batch: Vec<Pending<V>>, decided: &Decided) -> Vec<Pending<V>> {
        let mut again = Vec::new();
        if decided.outcomes.len() != batch.len() {
            let what = format!("{} outcomes for {} requests", decided.outcomes.len(), batch.len());
            fail_all(batch, &Failure::from(AskError::from(MalformedReply(what))), &self.meters);
            return again;
        }
        // Most of a batch fare alike: they are counted together.
        let mut alike: (&str, u64) = ("", 0);
        for (pending, outcome) in batch.into_iter().zip(&decided.outcomes) {
            if outcome.name().is_ok_and(|name| name == "again") {
                again.push(Pending { sent: false, ..pending });
                continue;
            }
            let mut answer = match self.read(outcome, decided, &pending.span) {
                Ok(answer) => answer,
                Err(failure) => {
                    pending.fail(failure, &self.meters);
                    continue;
                }
            };
            if self.concert.is_none() {
                self.place_in_wallet(&mut answer, V::partition(&pending.request), decided);
            }
            let name = outcome.name().expect("it was read by its name");
            if name != alike.0 {
                self.meters.count(alike.0, alike.1);
                alike = (name, 0);
            }
            alike.1 += 1;
            // A caller that has gone away wants no answer.
            let _ = pending.answer.send(Ok(answer));
        }
        self.meters.count(alike.0, alike.1);
        again
    }

    /// They go first, in their order.
    fn put_back(&self, again: Vec<Pending<V>>) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        for pending in again.into_iter().rev() {
            queue.waiting.push_front(pending);
        }
    }

    /// An answer about a wallet only reflects the log of its partition.
    fn place_in_wallet(&self, answer: &mut Answer<V::Reply>, partition: Option<u8>, decided: &Decided) {
        let log = partition.map(LogName::Wallet);
        if let Some(wallet) = decided.wallets.iter().find(|wallet| Some(wallet.log) == log) {
            answer.at = wallet.offset;
            answer.log_id = self.caller.seen().get(wallet.log).map_or(answer.log_id, |seen| seen.log_id());
        }
    }

    fn read(&self, outcome: &Outcome, decided: &Decided, span: &Span) -> Result<Answer<V::Reply>, Failure> {
        let read = || -> Result<_, AskError> {
            if outcome.name()? == "log_lost" {
                let log = outcome.parse::<LogName>(1)?;
                return Err(span.in_scope(|| self.caller.stop(log)));
            }
            match V::read(outcome)? {
                Some(reply) => Ok(Ok(reply)),
                None => Ok(Err(outcome.refusal()?)),
            }
        };
        let (value, replayed) = read().map_err(Failure::from)?.map_err(Failure::Refused)?;
        Ok(Answer { value, replayed, at: decided.offset, log_id: decided.log_id, now: decided.now })
    }
}

/// Drives a lane until its queue is empty; if it dies, the lane can be driven again.
struct Driver<V: Verb> {
    lane: Arc<Lane<V>>,
    done: bool,
}

impl<V: Verb> Driver<V> {
    async fn drive(mut self) {
        while let Some(batch) = self.lane.take_batch() {
            self.lane.serve(batch).await;
        }
        // `take_batch` has cleared the flag under the lock; from here on another driver may run.
        self.done = true;
    }
}

impl<V: Verb> Drop for Driver<V> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let mut queue = self.lane.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.driving = false;
        // Their callers learn it from the closed channel.
        queue.waiting.clear();
        queue.tell(&self.lane.meters);
    }
}

/// Whether asking again can help. An OOM is an answer: the bound is reached, and waiting would only pile up requests.
fn is_passing(error: &CallError) -> bool {
    match error {
        CallError::NotSent(_) | CallError::Unknown(_) => true,
        CallError::Refused(error) => error.code() != Some("OOM"),
        CallError::Fault(_) => false,
    }
}

fn answer_late<V: Verb>(
    batch: Vec<Pending<V>>,
    error: Option<&Arc<CallError>>,
    meters: &LaneMeters,
) -> Vec<Pending<V>> {
    let now = Instant::now();
    let (late, in_time): (Vec<_>, Vec<_>) = batch.into_iter().partition(|pending| pending.deadline <= now);
    for pending in late {
        let failure = match error {
            Some(error) if pending.sent => Failure::OutcomeUnknown(Arc::clone(error) as _),
            Some(error) => Failure::Unavailable(Arc::clone(error) as _),
            None => Failure::Overloaded,
        };
        pending.fail(failure, meters);
    }
    in_time
}

/// Fails what was not decided by this call. What an earlier one may have done is not known, whatever this one says.
fn fail_all<V: Verb>(batch: Vec<Pending<V>>, failure: &Failure, meters: &LaneMeters) {
    for pending in batch {
        let failure = match failure {
            failure if !pending.sent => failure.clone(),
            failure => Failure::OutcomeUnknown(Arc::new(failure.clone())),
        };
        pending.fail(failure, meters);
    }
}
