//! The archive follower: all logs from Redis to MySQL. Any number of them may run at once.
//!
//! It holds nothing that MySQL does not: after an error, a lost compare-and-set or a restart it reads the offsets
//! again and goes on. While MySQL is away it waits and selling goes on. A log that tells what can't be is marked
//! recovering and left; the others go on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::pack::{Checked, Transaction, pack};
use super::track::Left;
use super::{Backoff, Break, follows};
use crate::archive::{Archive, Error, LogState};
use crate::domain::ids::{LogName, Offset};
use crate::metrics::{self, Counter, Histogram};
use crate::store::log::{RawEntry, ReadError, Tail};

/// Offsets committed to MySQL, of the logs that are followed: what may be trimmed, and what lag is counted from.
pub type Applied = Arc<BTreeMap<LogName, Offset>>;

/// How long a read waits for an entry, and how old the list of logs may be: a log born now is followed by then.
const LOOK: Duration = Duration::from_secs(1);

/// One round: a connection that swallows everything must not stop the archive. What it had sent is committed whole or not at
/// all, and the offsets are read again.
const ROUND_MAX: Duration = Duration::from_mins(1);

/// Between the beginnings of two rounds, while rounds take all that is there: what comes meanwhile shares a transaction. The
/// first entry after a pause waits for nothing, a log that has filled its share neither. Small beside a lag of a second.
const GATHER: Duration = Duration::from_millis(100);

/// Entries of one round over all logs, shared out evenly. An entry has the events of up to some 64 requests, so
/// this bounds memory (some 40 MB at the worst).
const ENTRIES_OF_ROUND: usize = 2048;

/// Bounds of one log's share of a round.
const SHARE: std::ops::RangeInclusive<usize> = 8..=512;

/// Carries the logs to the archive until told to stop.
pub struct ArchiveFollower {
    archive: Archive,
    tail: Tail,
    logs: BTreeMap<LogName, Offset>,
    /// When the offsets have to be read again.
    due: Instant,
    /// When the next round may read.
    gathered: Instant,
    /// Logs that have to stop and of which MySQL does not know it yet.
    unmarked: BTreeSet<LogName>,
    /// Whether each log has a transaction of its own, to find the one whose values MySQL refuses.
    alone: bool,
    applied: watch::Sender<Applied>,
    meters: Meters,
}

/// What is counted of transactions.
struct Meters {
    duration: Histogram,
    entries: Counter,
    events: Counter,
}

/// Why a round ended before its end; waiting may help.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error("a round took longer than {ROUND_MAX:?}")]
    Stuck,
    #[error("the archive can't be written")]
    Archive(#[from] Error),
    #[error("the logs can't be read")]
    Logs(#[from] ReadError),
}

impl ArchiveFollower {
    /// A follower, and where it tells how far it is.
    pub fn new(archive: Archive, tail: Tail) -> (Self, watch::Receiver<Applied>) {
        let (applied, progress) = watch::channel(Applied::default());
        let follower = Self {
            archive,
            tail,
            logs: BTreeMap::new(),
            due: Instant::now(),
            gathered: Instant::now(),
            unmarked: BTreeSet::new(),
            alone: false,
            applied,
            meters: Meters {
                duration: metrics::ARCHIVE_TRANSACTION.handle(),
                entries: metrics::FOLLOWER_ENTRIES.with([metrics::ARCHIVE]),
                events: metrics::ARCHIVE_EVENTS.handle(),
            },
        };
        (follower, progress)
    }

    /// Runs until `shutdown` turns true or its sender is gone. May be dropped at any point: a transaction that is
    /// under way is committed whole or not at all.
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        let mut backoff = Backoff::default();
        loop {
            let round = async {
                let bounded = tokio::time::timeout(ROUND_MAX, self.round()).await;
                match bounded.unwrap_or(Err(Interrupted::Stuck)) {
                    Ok(()) => backoff.worked(),
                    Err(error) => {
                        let wait = backoff.failed();
                        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            wait_ms,
                            "the archive waits"
                        );
                        self.due = Instant::now();
                        tokio::time::sleep(wait).await;
                    }
                }
            };
            tokio::select! {
                biased;
                _ = shutdown.wait_for(|stop| *stop) => return,
                () = round => {}
            }
        }
    }

    async fn round(&mut self) -> Result<(), Interrupted> {
        if Instant::now() >= self.due {
            self.read_offsets().await?;
        }
        if self.logs.is_empty() {
            sleep_until(self.due).await;
            return Ok(());
        }
        let from: Vec<_> = self.logs.iter().map(|(log, offset)| (*log, offset.number)).collect();
        let share = (ENTRIES_OF_ROUND / from.len()).clamp(*SHARE.start(), *SHARE.end());
        sleep_until(self.gathered).await;
        let read = self.tail.read(&from, share, LOOK).await?;
        let left = Left::of(read.iter().map(|(_, entries)| entries.len()), share);
        self.gathered = Instant::now() + if left == Left::Nothing { GATHER } else { Duration::ZERO };
        let mut checked = Vec::with_capacity(read.len());
        let mut broken = Vec::new();
        for (log, entries) in read {
            self.check(log, entries, &mut checked, &mut broken);
        }
        let mut whole = true;
        for transaction in pack(checked, self.alone) {
            whole = self.apply(transaction).await?;
            if !whole {
                self.due = Instant::now();
                break;
            }
        }
        if whole {
            self.alone = false;
            // The offsets that were read from: the first look at MySQL's renews those of all logs.
            let broken: Vec<_> =
                broken.into_iter().map(|(log, cause)| (log, self.logs.get(&log).copied(), cause)).collect();
            for (log, from, cause) in broken {
                self.stop_unless_moved(log, from, &cause).await?;
            }
        }
        Ok(())
    }

    /// Reads the offsets of all logs, and marks those in MySQL that could not be marked before.
    async fn read_offsets(&mut self) -> Result<(), Error> {
        while let Some(log) = self.unmarked.first().copied() {
            self.archive.mark_recovering(log).await?;
            self.unmarked.remove(&log);
        }
        let offsets = self.archive.offsets().await?;
        let followed = offsets.iter().filter(|log| log.state != LogState::Recovering);
        self.logs = followed.map(|log| (log.log, log.offset)).collect();
        self.due = Instant::now() + LOOK;
        self.publish();
        Ok(())
    }

    /// Sorts what was read of one log into what follows its offset and, behind that, what does not.
    fn check(
        &self,
        log: LogName,
        entries: Vec<RawEntry>,
        checked: &mut Vec<Checked>,
        broken: &mut Vec<(LogName, Break)>,
    ) {
        let Some(&from) = self.logs.get(&log) else {
            return;
        };
        let (mut offset, mut good) = (from, Vec::with_capacity(entries.len()));
        for RawEntry { number, text } in entries {
            match follows(offset, number, &text) {
                Ok(next) => {
                    good.push((next, text));
                    offset = next;
                }
                Err(cause) => {
                    broken.push((log, cause));
                    break;
                }
            }
        }
        if !good.is_empty() {
            checked.push(Checked { log, from, entries: good });
        }
    }

    /// Applies one transaction. `false`: the round is over, the offsets have to be read again.
    async fn apply(&mut self, transaction: Transaction) -> Result<bool, Error> {
        let begun = Instant::now();
        let applied = self.archive.apply(&transaction.batches).await;
        match applied {
            Ok(true) => {
                self.meters.duration.record(begun.elapsed());
                self.meters.entries.increment(transaction.entries() as u64);
                self.meters.events.increment(transaction.events() as u64);
                self.logs.extend(transaction.reached);
                self.publish();
                Ok(true)
            }
            Ok(false) => Ok(false),
            Err(error) => {
                let sole = match &transaction.batches[..] {
                    [batch] if error.refuses_values() => Some(batch.log),
                    _ => error.log(),
                };
                if let Some(log) = sole {
                    self.stop(log, &error);
                    return Ok(false);
                }
                if error.refuses_values() {
                    self.alone = true;
                    return Ok(false);
                }
                Err(error)
            }
        }
    }

    /// Stops a log whose next entry does not follow, unless its offset is only old: another worker may have moved
    /// it, and what lies between may have been trimmed since.
    async fn stop_unless_moved(
        &mut self,
        log: LogName,
        from: Option<Offset>,
        cause: &Break,
    ) -> Result<(), Error> {
        self.read_offsets().await?;
        if from.is_some() && self.logs.get(&log).copied() == from {
            self.stop(log, cause);
        }
        Ok(())
    }

    /// The alarm. MySQL learns of it with the next reading of the offsets, which is due at once.
    fn stop(&mut self, log: LogName, cause: &(dyn std::error::Error + 'static)) {
        let offset = self.logs.remove(&log).unwrap_or_default();
        tracing::error!(%log, number = offset.number, error = cause, "log stopped: its archive needs recovery");
        self.unmarked.insert(log);
        self.due = Instant::now();
        self.publish();
    }

    fn publish(&self) {
        self.applied.send_if_modified(|applied| {
            let changed = **applied != self.logs;
            if changed {
                *applied = Arc::new(self.logs.clone());
            }
            changed
        });
    }
}
