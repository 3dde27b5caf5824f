//! How far the followers are behind: compares where logs end in Redis with what has been applied. Once a second.
//!
//! An entry's age is counted from when this loop first saw the log end at or behind it, so a lag in seconds is exact to a
//! second and needs no clock but this machine's. Some logs are asked at a time, in turn; between two turns a log's
//! end is the last one known.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::every;
use crate::domain::ids::LogName;
use crate::follow::Applied;
use crate::live::Live;
use crate::metrics::{self, Gauge, float};
use crate::store::SeenLogs;
use crate::store::log::Tail;

const PERIOD: Duration = Duration::from_secs(1);

/// Logs asked in one look: some 10 ms of round trips.
const ASKED_MAX: usize = 64;

/// Samples kept of one log while its followers stand still.
const SAMPLES_MAX: usize = 64;

/// What is compared.
pub struct Backlog {
    /// Asks Redis; its own.
    pub tail: Tail,
    /// The logs.
    pub seen: SeenLogs,
    /// How far the views are.
    pub live: Live,
    /// How far the archive is, if this process follows for it.
    pub archived: Option<watch::Receiver<Applied>>,
    /// How far those are who tell the world outside, by name, if they run in this process.
    pub told: Vec<(&'static str, watch::Receiver<Applied>)>,
}

/// Sets the gauges of followers and logs until shut down.
pub async fn backlog(backlog: Backlog, shutdown: watch::Receiver<bool>) {
    let board = std::sync::Arc::new(tokio::sync::Mutex::new(Board::new(backlog)));
    every(PERIOD, shutdown, || {
        let board = std::sync::Arc::clone(&board);
        async move { board.lock().await.look().await }
    })
    .await;
}

struct Board {
    backlog: Backlog,
    ends: BTreeMap<LogName, End>,
    asked: Option<LogName>,
    live: [Gauge; 2],
    archive: Option<[Gauge; 2]>,
    told: Vec<[Gauge; 2]>,
    kept: Gauge,
}

/// Where a log ends, as far as known.
#[derive(Default)]
struct End {
    /// Entries that Redis keeps.
    kept: u64,
    last: u64,
    /// When it was first seen to end there, oldest first; what all followers have is dropped.
    samples: VecDeque<(Instant, u64)>,
}

impl End {
    fn note(&mut self, now: Instant, last: u64, trim: u64) {
        (self.last, self.kept) = (last, last.saturating_sub(trim));
        // Another history: what was counted of the one before is void.
        self.samples.retain(|(_, number)| *number <= last);
        if self.samples.back().is_none_or(|(_, number)| *number < last) {
            if self.samples.len() == SAMPLES_MAX {
                // Every second one goes; the oldest, which tells the lag, stays.
                let mut even = false;
                self.samples.retain(|_| {
                    even = !even;
                    even
                });
            }
            self.samples.push_back((now, last));
        }
    }

    /// Entries not applied, and the age of the oldest of them in seconds.
    fn lag(&self, now: Instant, applied: u64) -> (u64, Duration) {
        let missing = self.samples.iter().find(|(_, number)| *number > applied);
        let age = missing.map_or(Duration::ZERO, |(seen, _)| now.duration_since(*seen));
        (self.last.saturating_sub(applied), age)
    }

    /// Forgets what all followers have.
    fn forget(&mut self, applied: u64) {
        while self.samples.len() > 1 && self.samples.front().is_some_and(|(_, number)| *number <= applied) {
            self.samples.pop_front();
        }
    }
}

impl Board {
    fn new(backlog: Backlog) -> Self {
        let gauges = |follower| {
            [metrics::FOLLOWER_LAG_ENTRIES.with([follower]), metrics::FOLLOWER_LAG.with([follower])]
        };
        let archive = backlog.archived.is_some().then(|| gauges(metrics::ARCHIVE));
        let told = backlog.told.iter().map(|(follower, _)| gauges(follower)).collect();
        let (live, kept) = (gauges(metrics::LIVE), metrics::LOG_ENTRIES.handle());
        Self { backlog, ends: BTreeMap::new(), asked: None, live, archive, told, kept }
    }

    async fn look(&mut self) {
        self.ask().await;
        let now = Instant::now();
        let archived = self.backlog.archived.as_ref().map(|archived| archived.borrow().clone());
        let told: Vec<_> = self.backlog.told.iter().map(|(_, told)| told.borrow().clone()).collect();
        let mut told_lags = vec![(0, Duration::ZERO); told.len()];
        let (mut live, mut archive) = ((0, Duration::ZERO), (0, Duration::ZERO));
        let mut kept = 0;
        for (log, end) in &mut self.ends {
            kept += end.kept;
            let viewed = match log {
                LogName::Concert(concert) => self.backlog.live.concert(*concert),
                LogName::Wallet(_) => None,
            };
            let viewed = viewed.filter(|view| !view.recovering()).map(|view| view.number());
            let stored = archived.as_ref().and_then(|archived| archived.get(log)).map(|offset| offset.number);
            if let Some(applied) = viewed {
                live = furthest(live, end.lag(now, applied));
            }
            if let Some(applied) = stored {
                archive = furthest(archive, end.lag(now, applied));
            }
            let mut least = viewed.into_iter().chain(stored).min().unwrap_or(u64::MAX);
            for (told, lag) in told.iter().zip(&mut told_lags) {
                if let Some(offset) = told.get(log) {
                    *lag = furthest(*lag, end.lag(now, offset.number));
                    least = least.min(offset.number);
                }
            }
            end.forget(least);
        }
        self.kept.set(float(kept));
        show(&self.live, live);
        if let Some(gauges) = &self.archive {
            show(gauges, archive);
        }
        for (gauges, lag) in self.told.iter().zip(told_lags) {
            show(gauges, lag);
        }
    }

    /// Asks Redis where the next few logs end. While it is away the last answers stand.
    async fn ask(&mut self) {
        let mut logs = self.backlog.seen.names();
        logs.sort_unstable();
        let next = logs.partition_point(|log| Some(*log) <= self.asked);
        if next < logs.len() {
            logs.rotate_left(next);
        }
        logs.truncate(ASKED_MAX);
        for log in logs {
            let Ok(bounds) = self.backlog.tail.bounds(log).await else {
                return;
            };
            self.ends.entry(log).or_default().note(Instant::now(), bounds.last.number, bounds.trim);
            self.asked = Some(log);
        }
    }
}

fn furthest(one: (u64, Duration), other: (u64, Duration)) -> (u64, Duration) {
    (one.0.max(other.0), one.1.max(other.1))
}

fn show([entries, seconds]: &[Gauge; 2], lag: (u64, Duration)) {
    entries.set(float(lag.0));
    seconds.set(lag.1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_is_as_old_as_the_first_entry_that_is_missing() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut end = End::default();
        for second in 0..500 {
            end.note(at(second), second * 10, 3);
            end.forget(0);
        }
        assert!(end.samples.len() <= SAMPLES_MAX);
        assert_eq!(end.lag(at(500), 4990), (0, Duration::ZERO));
        assert_eq!(end.lag(at(500), 0), (4990, Duration::from_secs(499)));
        // Between the samples that were kept an entry may look younger than it is.
        let (_, age) = end.lag(at(500), 3000);
        assert!((Duration::from_secs(100)..=Duration::from_secs(199)).contains(&age), "{age:?}");
        end.forget(2500);
        assert!(end.samples.front().unwrap().1 > 2500);
        assert_eq!(end.kept, 4987);
        end.note(at(501), 7, 0);
        assert_eq!(end.lag(at(503), 0), (7, Duration::from_secs(2)));
    }
}
