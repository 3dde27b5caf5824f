//! Trimming: forgets log entries that the archive has had for a while.
//!
//! Only the archive holds trimming back. A log is kept `keep` behind it, so that a MySQL restored from a backup catches up by
//! itself. How long an entry has been archived is counted from when this process first saw it so: after a restart
//! the log is kept longer, never shorter. An archive that goes back takes what was counted with it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::step_deadline;
use crate::domain::ids::LogName;
use crate::follow::Applied;
use crate::store::Store;

/// Steps of 1,000 entries of one log in one tick.
const STEPS_MAX: usize = 100;

/// Samples of one log: bounds memory whatever `keep` is.
const SAMPLES_MAX: u32 = 64;

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
struct Samples(VecDeque<(Instant, u64)>);

impl Samples {
    /// Takes note of the archived number, at most every `keep / SAMPLES_MAX`.
    fn note(&mut self, now: Instant, number: u64, keep: Duration) {
        // Restored from a backup: what it had before is not there any more.
        self.0.retain(|(_, archived)| *archived <= number);
        let due = self.0.back().is_none_or(|(seen, _)| now.duration_since(*seen) >= keep / SAMPLES_MAX);
        if due {
            self.0.push_back((now, number));
        }
    }

    /// The highest number that has been archived for `keep`; older samples are dropped.
    fn kept_since(&mut self, now: Instant, keep: Duration) -> Option<u64> {
        while self.0.get(1).is_some_and(|(seen, _)| now.duration_since(*seen) >= keep) {
            self.0.pop_front();
        }
        self.0.front().filter(|(seen, _)| now.duration_since(*seen) >= keep).map(|(_, number)| *number)
    }
}

/// Trims all logs until shut down.
pub async fn trimming(trimming: Trimming, mut shutdown: watch::Receiver<bool>) {
    let mut samples = BTreeMap::<LogName, Samples>::new();
    let rounds = async {
        loop {
            tokio::time::sleep(trimming.period).await;
            round(&trimming, &mut samples).await;
        }
    };
    tokio::select! {
        _ = shutdown.wait_for(|stop| *stop) => {}
        () = rounds => {}
    }
}

async fn round(trimming: &Trimming, samples: &mut BTreeMap<LogName, Samples>) {
    let archived = trimming.applied.borrow().clone();
    let now = Instant::now();
    // At the bound of memory only the archive holds it back.
    let at_once = trimming.store.memory().is_reached();
    for (log, offset) in archived.iter() {
        let samples = samples.entry(*log).or_default();
        samples.note(now, offset.number, trimming.keep);
        let kept = samples.kept_since(now, trimming.keep);
        if let Some(upto) = if at_once { Some(offset.number) } else { kept } {
            trim(&trimming.store, *log, upto).await;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Duration = Duration::from_secs(64);

    #[test]
    fn an_entry_is_kept_for_the_whole_time() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut samples = Samples::default();
        for second in 0..200 {
            samples.note(at(second), second * 10, KEEP);
            let expected = second.checked_sub(64).map(|since| since * 10);
            assert_eq!(samples.kept_since(at(second), KEEP), expected, "after {second} s");
            assert!(samples.0.len() <= 66);
        }
    }

    #[test]
    fn an_archive_that_went_back_is_waited_for_anew() {
        let start = Instant::now();
        let mut samples = Samples::default();
        samples.note(start, 990, KEEP);
        samples.note(start + KEEP, 500, KEEP);
        assert_eq!(samples.kept_since(start + KEEP, KEEP), None);
        assert_eq!(samples.kept_since(start + KEEP * 2, KEEP), Some(500));
    }
}
