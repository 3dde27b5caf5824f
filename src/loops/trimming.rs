//! Trimming: forgets log entries that the archive has had for a while, and requests and ended reservations of yesterday.
//!
//! Only the archive holds trimming back. A log is kept `keep` behind it, so that a MySQL restored from a backup catches up by
//! itself. How long an entry has been archived is counted from when this process first saw it so: after a restart
//! the log is kept longer, never shorter.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tokio::time::Instant;

use super::{is_selling, report, step_deadline};
use crate::domain::ids::{ConcertId, LogName};
use crate::domain::time::Millis;
use crate::follow::Applied;
use crate::store::{Failure, Store};

/// Steps of 1,000 entries of one log in one tick.
const STEPS_MAX: usize = 100;

/// Samples of one log: bounds memory whatever `keep` is.
const SAMPLES_MAX: u32 = 64;

/// Between two rounds of forgetting requests and reservations.
const TIDY_EVERY: Duration = Duration::from_secs(10);

/// What trimming goes by.
pub struct Trimming {
    /// Where logs are.
    pub store: Store,
    /// What the archive has of each.
    pub applied: watch::Receiver<Applied>,
    /// Between two rounds.
    pub period: Duration,
    /// How long an archived entry is kept.
    pub keep: Duration,
}

/// When this process first saw each number archived, oldest first.
#[derive(Default)]
struct Samples(VecDeque<(Instant, Millis, u64)>);

impl Samples {
    /// Takes note of an archived number, at most every `keep / SAMPLES_MAX`.
    fn note(&mut self, now: Instant, at: Millis, number: u64, keep: Duration) {
        let due = self.0.back().is_none_or(|(seen, _, _)| now.duration_since(*seen) >= keep / SAMPLES_MAX);
        if due {
            self.0.push_back((now, at, number));
        }
    }

    /// The highest number that has been archived for `keep`; older samples are dropped.
    fn kept_since(&mut self, now: Instant, keep: Duration) -> Option<u64> {
        while self.0.get(1).is_some_and(|(seen, _, _)| now.duration_since(*seen) >= keep) {
            self.0.pop_front();
        }
        self.0.front().filter(|(seen, _, _)| now.duration_since(*seen) >= keep).map(|(_, _, number)| *number)
    }
}

/// Trims and tidies all logs until shut down.
pub async fn trimming(trimming: Trimming, mut shutdown: watch::Receiver<bool>) {
    let Trimming { store, applied, period, keep } = trimming;
    let mut samples = BTreeMap::<LogName, Samples>::new();
    let mut tidied = Instant::now();
    let rounds = async {
        loop {
            tokio::time::sleep(period).await;
            let archived = applied.borrow().clone();
            let now = Instant::now();
            for (log, offset) in archived.iter() {
                let samples = samples.entry(*log).or_default();
                samples.note(now, wall_clock(), offset.number, keep);
                // At the bound of memory only the archive holds it back.
                let all = store.memory().is_reached().then_some(offset.number);
                if let Some(upto) = all.or_else(|| samples.kept_since(now, keep)) {
                    trim(&store, *log, upto).await;
                }
            }
            if now.duration_since(tidied) >= TIDY_EVERY {
                tidied = now;
                tidy(&store, &archived).await;
            }
        }
    };
    tokio::select! {
        _ = shutdown.wait_for(|stop| *stop) => {}
        () = rounds => {}
    }
}

async fn trim(store: &Store, log: LogName, upto: u64) {
    if store.seen().get(log).is_none_or(|seen| seen.is_lost()) {
        return;
    }
    let mut before = 0;
    for _ in 0..STEPS_MAX {
        match store.trim(log, upto, step_deadline()).await {
            Ok(trimmed) if trimmed >= upto || trimmed == before => return,
            Ok(trimmed) => before = trimmed,
            Err(error) => {
                tracing::debug!(%log, error = &error as &dyn std::error::Error, "a log was not trimmed");
                return;
            }
        }
    }
}

async fn tidy(store: &Store, archived: &Applied) {
    for (log, offset) in archived.iter() {
        let LogName::Concert(concert) = *log else { continue };
        // Only while the archive has all that this process has seen is it known up to when.
        let level = store.seen().get(*log).is_some_and(|seen| offset.number >= seen.offset().number);
        if level
            && is_selling(store.seen(), concert)
            && let Err(failure) = tidy_concert(store, concert).await
        {
            report("tidy", concert, &failure);
        }
    }
    while let Ok(1..) = store.tidy_wallets(step_deadline()).await {}
}

async fn tidy_concert(store: &Store, concert: ConcertId) -> Result<(), Failure> {
    let archived = wall_clock();
    for _ in 0..STEPS_MAX {
        if store.tidy(concert, archived, step_deadline()).await? == 0 {
            return Ok(());
        }
    }
    Ok(())
}

/// This machine's clock; only to name a time a day ago, where a skew of minutes does not matter.
fn wall_clock() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_kept_for_the_whole_time() {
        let keep = Duration::from_secs(64);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut samples = Samples::default();
        for second in 0..200 {
            samples.note(at(second), Millis(0), second * 10, keep);
            let expected = second.checked_sub(64).map(|since| since * 10);
            assert_eq!(samples.kept_since(at(second), keep), expected, "after {second} s");
            assert!(samples.0.len() <= 66);
        }
    }
}
