//! The Kafka follower: every event of every log to one topic, as `CloudEvents`, at least once and in the order of its log.
//!
//! One process at a time holds the lease and tells. It reads no entry that MySQL does not have, waits until the brokers have
//! acknowledged what it told, and only then stores how far it is. While Kafka is away it waits, and nobody waits for it.

mod producer;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use self::producer::{ProduceError, Producer, Sent};
use super::lease::Lease;
use super::supply::{Run, Supply, SupplyError, Wanted};
use super::telling::{TellError, cloud_events};
use super::{Applied, Backoff};
use crate::archive::{Archive, Error};
use crate::config;
use crate::domain::ids::{LogName, Mark, Offset};
use crate::live::Live;
use crate::metrics::{self, Counter};
use crate::store::log::Tail;

/// Entries read at once over all logs, and the bounds of one log's share of them: some 10 MB of text, and 80 KB for each log
/// behind beyond 128.
const ENTRIES_OF_ROUND: usize = 1024;
const SHARE: (usize, usize) = (8, 256);

/// Events handed to the producer before their acknowledgement is waited for and stored: some 10 MB of JSON. Together with one
/// more entry far below the 100,000 that librdkafka takes in: beyond them it refuses, and the same would be told again.
const EVENTS_AT_ONCE: usize = 20_000;

/// How long nothing may be acknowledged before the follower calls itself in trouble.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a follower that has nothing to tell waits before it looks at the list of logs again.
const LOOK: Duration = Duration::from_secs(1);

/// What the follower is made of.
pub struct KafkaParts {
    /// Shared with others.
    pub archive: Archive,
    /// Its own.
    pub tail: Tail,
    /// Where the labels of seats are known.
    pub live: Live,
    /// What MySQL has of each log.
    pub applied: watch::Receiver<Applied>,
    /// Brokers and topic.
    pub settings: config::Kafka,
    /// Of their user.
    pub password: Option<config::Secret>,
    /// Told `false` while Kafka does not take what it should.
    pub well: watch::Sender<bool>,
}

/// Tells Kafka until told to stop.
pub struct KafkaFollower {
    supply: Supply,
    live: Live,
    applied: watch::Receiver<Applied>,
    settings: config::Kafka,
    password: Option<config::Secret>,
    well: watch::Sender<bool>,
    /// How far it has told each log, while it holds the lease.
    told: watch::Sender<Applied>,
    log_ids: BTreeMap<LogName, Mark>,
    /// Logs that can't be told on: they show as lag, and the others go on.
    stopped: BTreeSet<LogName>,
    entries: Counter,
    failures: Counter,
}

/// What one holder of the lease has told.
struct Session {
    producer: Producer,
    /// How far each log is told and acknowledged.
    offsets: BTreeMap<LogName, Offset>,
    /// What the producer has beyond that.
    sent: Vec<Sent>,
    reached: BTreeMap<LogName, Offset>,
}

/// Why a session ended; the next one begins at the stored offsets.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error("Kafka does not take events")]
    Kafka(#[from] ProduceError),
    #[error("the archive can't be used")]
    Archive(#[from] Error),
}

impl KafkaFollower {
    /// A follower, and where it tells how far it is.
    pub fn new(parts: KafkaParts) -> (Self, watch::Receiver<Applied>) {
        let KafkaParts { archive, tail, live, applied, settings, password, well } = parts;
        let (told, progress) = watch::channel(Applied::default());
        let follower = Self {
            supply: Supply { archive, tail },
            live,
            applied,
            settings,
            password,
            well,
            told,
            log_ids: BTreeMap::new(),
            stopped: BTreeSet::new(),
            entries: metrics::FOLLOWER_ENTRIES.with([metrics::KAFKA]),
            failures: metrics::FOLLOWER_FAILURES.with([metrics::KAFKA]),
        };
        (follower, progress)
    }

    /// Runs until `shutdown` turns true or its sender is gone. May be dropped at any point.
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        let mut lease = Lease::new(self.supply.archive.clone(), metrics::KAFKA);
        let mut backoff = Backoff::default();
        let following = async {
            loop {
                lease.taken().await;
                let interrupted = tokio::select! {
                    () = lease.lost() => None,
                    interrupted = self.session(&mut backoff) => Some(interrupted),
                };
                if let Some(error) = interrupted {
                    self.failures.increment(1);
                    self.well.send_replace(false);
                    let wait = backoff.failed();
                    tracing::warn!(error = &error as &dyn std::error::Error, ?wait, "Kafka waits");
                    sleep(wait).await;
                } else {
                    // Another process tells now, and says how it fares.
                    self.well.send_replace(true);
                }
                self.told.send_replace(Applied::default());
            }
        };
        tokio::select! {
            biased;
            _ = shutdown.wait_for(|stop| *stop) => {}
            () = following => {}
        }
        lease.end().await;
    }

    /// Tells from the stored offsets on with one producer, until something breaks.
    async fn session(&mut self, backoff: &mut Backoff) -> Interrupted {
        match self.tell(backoff).await {
            Ok(never) => match never {},
            Err(interrupted) => interrupted,
        }
    }

    async fn tell(&mut self, backoff: &mut Backoff) -> Result<std::convert::Infallible, Interrupted> {
        let offsets = self.supply.archive.told(metrics::KAFKA).await?;
        let producer = Producer::new(&self.settings, self.password.as_ref())?;
        let mut session = Session { producer, offsets, sent: Vec::new(), reached: BTreeMap::new() };
        loop {
            let applied = self.applied.borrow_and_update().clone();
            let wanted = wanted(&applied, &session.offsets, &self.stopped);
            self.publish(&applied, &session.offsets);
            if wanted.is_empty() {
                // What was in trouble may have passed while there was nothing to tell.
                self.well.send_if_modified(|well| !std::mem::replace(well, true));
                let _ = timeout(LOOK, self.applied.changed()).await;
                continue;
            }
            let share = (ENTRIES_OF_ROUND / wanted.len()).clamp(SHARE.0, SHARE.1);
            let mut moved = false;
            for (log, run) in self.supply.read(&wanted, share).await {
                match run {
                    Ok(run) => moved |= self.send(&mut session, log, run).await?,
                    Err(SupplyError::Archive(error)) => return Err(error.into()),
                    Err(error @ SupplyError::Break { .. }) => self.stop(log, &error),
                }
            }
            self.settle(&mut session).await?;
            backoff.worked();
            self.well.send_if_modified(|well| !std::mem::replace(well, true));
            if !moved {
                // A seat of the catalog that this process has not heard of yet.
                sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// Hands the events of these entries to the producer, up to the first whose seats are not known here yet. Answers whether
    /// there was any before it.
    async fn send(&mut self, session: &mut Session, log: LogName, run: Run) -> Result<bool, Interrupted> {
        let log_id = self.log_id(log).await?;
        let mut moved = false;
        for (offset, text) in run {
            let events = match cloud_events(&self.live, log, log_id, offset.number, &text) {
                Ok(events) => events,
                Err(TellError::Catalog(unknown)) => {
                    tracing::debug!(%log, %unknown, "an event waits for its catalog");
                    break;
                }
                Err(error @ TellError::Entry(_)) => {
                    self.stop(log, &error);
                    break;
                }
            };
            for event in &events {
                session.sent.push(session.producer.send(event)?);
            }
            session.reached.insert(log, offset);
            moved = true;
            if session.sent.len() >= EVENTS_AT_ONCE {
                self.settle(session).await?;
            }
            // Up to a millisecond for an entry: all loops of the worker share this thread, and a sale waits for them.
            yield_now().await;
        }
        Ok(moved)
    }

    /// Waits until Kafka has what was handed to the producer, and only then stores it as told.
    async fn settle(&self, session: &mut Session) -> Result<(), Interrupted> {
        self.acknowledged(std::mem::take(&mut session.sent)).await?;
        let reached: Vec<_> = std::mem::take(&mut session.reached).into_iter().collect();
        self.supply.archive.store_told(metrics::KAFKA, &reached).await?;
        for (log, offset) in reached {
            let before = session.offsets.insert(log, offset).unwrap_or_default();
            self.entries.increment(offset.number - before.number);
        }
        Ok(())
    }

    fn stop(&mut self, log: LogName, error: &(dyn std::error::Error + 'static)) {
        self.failures.increment(1);
        self.stopped.insert(log);
        tracing::error!(%log, error, "Kafka is not told this log any more until this process is started again");
    }

    /// Waits for all of them, however long; says so when it takes long.
    async fn acknowledged(&self, sent: Vec<Sent>) -> Result<(), Interrupted> {
        let patience = Instant::now() + PATIENCE;
        for mut one in sent {
            if let Ok(acknowledged) = timeout_at(patience, one.acknowledged()).await {
                acknowledged?;
                continue;
            }
            if self.well.send_replace(false) {
                self.failures.increment(1);
                tracing::warn!(waited = ?PATIENCE, "Kafka does not acknowledge");
            }
            one.acknowledged().await?;
        }
        Ok(())
    }

    /// The id of a log never changes but by a recovery, which no running process outlives.
    async fn log_id(&mut self, log: LogName) -> Result<Mark, Interrupted> {
        if let Some(known) = self.log_ids.get(&log) {
            return Ok(*known);
        }
        let offsets = self.supply.archive.offsets().await?;
        self.log_ids = offsets.iter().map(|offset| (offset.log, offset.log_id)).collect();
        Ok(self.log_ids.get(&log).copied().unwrap_or_default())
    }

    fn publish(&self, applied: &Applied, offsets: &BTreeMap<LogName, Offset>) {
        let of = |log| offsets.get(log).copied().unwrap_or_default();
        self.told.send_replace(Arc::new(applied.keys().map(|log| (*log, of(log))).collect()));
    }
}

/// The logs of which MySQL has more than was told.
fn wanted(
    applied: &Applied,
    offsets: &BTreeMap<LogName, Offset>,
    stopped: &BTreeSet<LogName>,
) -> Vec<Wanted> {
    let behind = applied.iter().filter(|(log, _)| !stopped.contains(log)).filter_map(|(log, applied)| {
        let after = offsets.get(log).copied().unwrap_or_default();
        (applied.number > after.number).then_some(Wanted { log: *log, after, upto: applied.number })
    });
    behind.collect()
}
