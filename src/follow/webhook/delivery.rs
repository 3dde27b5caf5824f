//! Telling one endpoint of one log: in order, each event until it is taken or given up.
//!
//! An event that fails holds back those behind it in its log, and no other log. It is tried again after waits that double
//! up to an hour. Once it has failed for the time of retries a failure gives it up: it becomes a dead letter and the next one is
//! tried. So an endpoint that comes back is still told all that it has not failed to take for a day, however old that is.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::endpoint::{Endpoints, NotTold};
use crate::archive::{Archive, DeadLetter, Error, Webhook, WebhookProgress};
use crate::domain::cloud_event::CloudEvent;
use crate::domain::ids::{LogName, Mark};
use crate::domain::time::Millis;
use crate::follow::telling::{TellError, cloud_events};
use crate::live::Live;
use crate::metrics::Counter;

/// Entries read at once, and told at most before another log or endpoint has its turn.
const ENTRIES: u32 = 50;

/// After the first answer beyond this time it is another's turn, too: an endpoint may take 15 s for an event and never fail.
const TURN: Duration = Duration::from_secs(2);

/// The longest wait between two tries.
const WAIT_MAX: Duration = Duration::from_hours(1);

/// What every delivery needs. Cheap to clone.
#[derive(Clone)]
pub(super) struct Means {
    pub(super) archive: Archive,
    pub(super) live: Live,
    pub(super) endpoints: Endpoints,
    /// How long an event may have failed when it is tried again.
    pub(super) retry: Duration,
    pub(super) entries: Counter,
    pub(super) failures: Counter,
}

/// One log for one endpoint.
pub(super) struct Delivery {
    pub(super) webhook: Arc<Webhook>,
    pub(super) log: LogName,
    pub(super) log_id: Mark,
    pub(super) progress: WebhookProgress,
}

impl Delivery {
    /// Tells what the archive has, up to a bound or the first failure, and stores how far it came.
    pub(super) async fn run(mut self, means: &Means) -> Result<(), Error> {
        let begun = Instant::now();
        let entries = means.archive.entries_after(self.log, self.progress.number, ENTRIES).await?;
        let mut moved = false;
        for (number, text) in entries {
            let events = match cloud_events(&means.live, self.log, self.log_id, number, &text) {
                Ok(events) => events,
                // The next round has heard of the seat.
                Err(TellError::Catalog(_)) => break,
                Err(TellError::Entry(error)) => {
                    tracing::error!(log = %self.log, number, %error, "webhooks can't be told of an entry");
                    self.failed("an entry can't be read");
                    moved = true;
                    break;
                }
            };
            let told = usize::try_from(self.progress.events).unwrap_or(usize::MAX);
            for event in events.iter().skip(told) {
                if !self.wants(event) {
                    self.progress.events += 1;
                    continue;
                }
                let taken = self.tell(event, number, means).await?;
                self.store(means).await?;
                if !taken || begun.elapsed() >= TURN {
                    return Ok(());
                }
            }
            (self.progress.number, self.progress.events) = (number, 0);
            moved = true;
            means.entries.increment(1);
        }
        if moved { self.store(means).await } else { Ok(()) }
    }

    fn wants(&self, event: &CloudEvent) -> bool {
        self.webhook.types.is_empty() || self.webhook.types.iter().any(|kind| kind == event.kind)
    }

    /// Tells one event and moves behind it once it is taken or given up; `false`: nothing more is to be tried now.
    async fn tell(&mut self, event: &CloudEvent, number: u64, means: &Means) -> Result<bool, Error> {
        let Err(cause) = tell(&self.webhook, event, means).await else {
            let progress = &mut self.progress;
            (progress.failures, progress.next_at, progress.failing_since) = (0, Millis(0), Millis(0));
            progress.error.clear();
            self.progress.events += 1;
            return Ok(true);
        };
        self.failed(&cause.to_string());
        let now = now();
        if self.progress.failing_since == Millis(0) {
            self.progress.failing_since = now;
        }
        if now.0 - self.progress.failing_since.0 < millis(means.retry) {
            return Ok(false);
        }
        means.archive.bury(&self.letter(event, number)).await?;
        self.progress.events += 1;
        // The next one has a day of its own.
        self.progress.failing_since = Millis(0);
        Ok(false)
    }

    fn failed(&mut self, why: &str) {
        let progress = &mut self.progress;
        progress.failures = progress.failures.saturating_add(1);
        progress.next_at = Millis(now().0 + millis(wait(progress.failures)));
        why.clone_into(&mut progress.error);
    }

    fn letter(&self, event: &CloudEvent, number: u64) -> DeadLetter {
        DeadLetter {
            webhook: self.webhook.webhook,
            log: self.log,
            number,
            event: self.progress.events,
            id: event.id.clone(),
            error: self.progress.error.clone(),
        }
    }

    async fn store(&self, means: &Means) -> Result<(), Error> {
        means.archive.store_webhook_progress(self.webhook.webhook, self.log, &self.progress).await
    }
}

/// Tells dead letters once more, each with the id of its log, until it is another's turn.
pub(super) async fn tell_letters(
    webhook: &Webhook,
    letters: Vec<(Mark, DeadLetter)>,
    means: &Means,
) -> Result<(), Error> {
    let begun = Instant::now();
    for (log_id, letter) in letters {
        tell_letter(webhook, letter, log_id, means).await?;
        if begun.elapsed() >= TURN {
            break;
        }
    }
    Ok(())
}

/// Tells one; it stays a dead letter if that fails.
async fn tell_letter(
    webhook: &Webhook,
    mut letter: DeadLetter,
    log_id: Mark,
    means: &Means,
) -> Result<(), Error> {
    let entries = means.archive.entries_after(letter.log, letter.number - 1, 1).await?;
    let events =
        entries.first().map(|(number, text)| cloud_events(&means.live, letter.log, log_id, *number, text));
    let place = usize::try_from(letter.event).unwrap_or(usize::MAX);
    let event = events.and_then(Result::ok).and_then(|events| events.into_iter().nth(place));
    let told = match event {
        Some(event) => tell(webhook, &event, means).await,
        None => Err(NotTold::Broken),
    };
    match told {
        Ok(()) => means.archive.forget_letter(&letter).await,
        Err(cause) => {
            letter.error = cause.to_string();
            means.archive.bury(&letter).await
        }
    }
}

async fn tell(webhook: &Webhook, event: &CloudEvent, means: &Means) -> Result<(), NotTold> {
    let seconds = u64::try_from(now().0 / 1000).unwrap_or(0);
    let told = means.endpoints.tell(webhook, event, seconds).await;
    if let Err(cause) = &told {
        means.failures.increment(1);
        tracing::debug!(webhook = webhook.webhook, %cause, "an endpoint was not told");
    }
    told
}

/// 1 s, 2 s, 4 s … up to an hour.
fn wait(failures: u32) -> Duration {
    Duration::from_secs(1 << (failures.max(1) - 1).min(12)).min(WAIT_MAX)
}

/// This machine's clock: when to try again is nobody else's business.
pub(super) fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Millis(since.map_or(0, millis))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour() {
        let waits: Vec<_> = [1, 2, 3, 12, 13, u32::MAX].map(|failures| wait(failures).as_secs()).to_vec();
        assert_eq!(waits, [1, 2, 4, 2048, 3600, 3600]);
    }
}
