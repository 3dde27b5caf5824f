//! The webhook follower: tells organisers' endpoints of their own concerts, at least once and in the order of each log.
//!
//! One process at a time holds the lease and tells. It reads the archive only; a slow or dead endpoint holds up its own logs,
//! within bounds, and nobody else.

mod address;
mod delivery;
mod endpoint;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

pub use self::address::{InvalidUrl, check_url, origin};
use self::delivery::{Delivery, Means, now, tell_letter};
use self::endpoint::Endpoints;
use super::lease::Lease;
use super::{Applied, Backoff};
use crate::archive::{Archive, Error, Webhook};
use crate::config;
use crate::domain::ids::{LogName, Mark};
use crate::live::Live;
use crate::metrics;

/// Deliveries under way at once, and those of one endpoint: as many connections as it sees.
const AT_ONCE: usize = 64;
const AT_ONCE_EACH: usize = 4;

/// Dead letters told in one round.
const LETTERS: u32 = 20;

/// Between two rounds at most: how soon a webhook just made is known, and a retry that is due begun.
const LOOK: Duration = Duration::from_millis(500);

/// Between two rounds at least: what happens meanwhile is told together.
const GATHER: Duration = Duration::from_millis(100);

/// What the follower is made of.
pub struct WebhookParts {
    /// Shared with others.
    pub archive: Archive,
    /// Whose concert is whose, and the labels of seats.
    pub live: Live,
    /// What MySQL has of each log.
    pub applied: watch::Receiver<Applied>,
    /// Times, and what addresses are allowed.
    pub settings: config::Webhook,
}

/// Tells endpoints until told to stop.
pub struct WebhookFollower {
    means: Means,
    applied: watch::Receiver<Applied>,
}

/// No client can be made: a bug, or a system without certificates.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client can be made")]
pub struct NoClient(#[source] Box<dyn std::error::Error + Send + Sync>);

impl WebhookFollower {
    /// A follower that has told nothing yet.
    pub fn new(parts: WebhookParts) -> Result<Self, NoClient> {
        let WebhookParts { archive, live, applied, settings } = parts;
        let endpoints = Endpoints::new(Duration::from_secs(settings.timeout_seconds), settings.insecure);
        let means = Means {
            archive,
            live,
            endpoints: endpoints.map_err(|error| NoClient(error.into()))?,
            retry: Duration::from_secs(settings.retry_seconds),
            entries: metrics::FOLLOWER_ENTRIES.with([metrics::WEBHOOK]),
            failures: metrics::FOLLOWER_FAILURES.with([metrics::WEBHOOK]),
        };
        Ok(Self { means, applied })
    }

    /// Runs until `shutdown` turns true or its sender is gone. May be dropped at any point.
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        let mut lease = Lease::new(self.means.archive.clone(), metrics::WEBHOOK);
        let mut backoff = Backoff::default();
        let following = async {
            loop {
                lease.taken().await;
                // Deliveries end with the session that began them.
                let mut session = Session::default();
                tokio::select! {
                    () = lease.lost() => {}
                    error = self.session(&mut session, &mut backoff) => {
                        let wait = backoff.failed();
                        tracing::warn!(error = &error as &dyn std::error::Error, ?wait, "webhooks wait");
                        sleep(wait).await;
                    }
                }
            }
        };
        tokio::select! {
            biased;
            _ = shutdown.wait_for(|stop| *stop) => {}
            () = following => {}
        }
        lease.end().await;
    }

    async fn session(&mut self, session: &mut Session, backoff: &mut Backoff) -> Error {
        loop {
            let applied = self.applied.borrow_and_update().clone();
            match session.round(&self.means, &applied).await {
                Ok(true) => {
                    sleep(GATHER).await;
                    let _ = timeout(LOOK, session.wait(&mut self.applied)).await;
                }
                // Nobody wants to be told: what happens is no reason to look.
                Ok(false) => sleep(LOOK).await,
                Err(error) => return error,
            }
            backoff.worked();
        }
    }
}

/// What one holder of the lease has under way.
#[derive(Default)]
struct Session {
    log_ids: BTreeMap<LogName, Mark>,
    under_way: BTreeSet<(u32, LogName)>,
    deliveries: JoinSet<(u32, LogName, Result<(), Error>)>,
}

impl Session {
    /// Waits for something to do: an entry, or the end of a delivery.
    async fn wait(&mut self, applied: &mut watch::Receiver<Applied>) {
        tokio::select! {
            _ = applied.changed() => {}
            Some(ended) = self.deliveries.join_next() => self.ended(ended),
        }
    }

    fn ended(&mut self, ended: Result<(u32, LogName, Result<(), Error>), tokio::task::JoinError>) {
        match ended {
            Ok((webhook, log, outcome)) => {
                self.under_way.remove(&(webhook, log));
                if let Err(error) = outcome {
                    tracing::warn!(webhook, %log, error = &error as &dyn std::error::Error, "a delivery broke off");
                }
            }
            Err(error) => tracing::error!(%error, "a delivery panicked"),
        }
    }

    /// Begins what is due. Answers whether there is any webhook.
    async fn round(&mut self, means: &Means, applied: &Applied) -> Result<bool, Error> {
        while let Some(ended) = self.deliveries.try_join_next() {
            self.ended(ended);
        }
        let webhooks = means.archive.webhooks().await?;
        if webhooks.is_empty() {
            return Ok(false);
        }
        self.tell_letters(&webhooks, means).await?;
        for webhook in webhooks.into_iter().map(Arc::new) {
            let busy = self.under_way.iter().filter(|(id, _)| *id == webhook.webhook).count();
            let room = AT_ONCE_EACH.saturating_sub(busy).min(AT_ONCE.saturating_sub(self.under_way.len()));
            if room > 0 {
                self.begin(&webhook, room, means, applied).await?;
            }
        }
        Ok(true)
    }

    /// Begins with the logs of this webhook that are behind, the one least far first.
    async fn begin(
        &mut self,
        webhook: &Arc<Webhook>,
        room: usize,
        means: &Means,
        applied: &Applied,
    ) -> Result<(), Error> {
        let owned = logs_of(&means.live, &webhook.org);
        let mut progress = means.archive.webhook_progress(webhook.webhook).await?;
        let now = now();
        let mut due = Vec::new();
        for log in owned {
            let progress = progress.remove(&log).unwrap_or_default();
            let behind = applied.get(&log).is_some_and(|applied| applied.number > progress.number);
            if behind && progress.next_at <= now && !self.under_way.contains(&(webhook.webhook, log)) {
                due.push((log, progress));
            }
        }
        due.sort_by_key(|(_, progress)| progress.number);
        for (log, progress) in due.into_iter().take(room) {
            let log_id = self.log_id(log, means).await?;
            let delivery = Delivery { webhook: Arc::clone(webhook), log, log_id, progress };
            let (id, means) = (webhook.webhook, means.clone());
            self.under_way.insert((id, log));
            self.deliveries.spawn(async move { (id, log, delivery.run(&means).await) });
        }
        Ok(())
    }

    /// Tells dead letters that their organiser asked for, one after the other and beside the rest.
    async fn tell_letters(&mut self, webhooks: &[Webhook], means: &Means) -> Result<(), Error> {
        let letters = means.archive.due_letters(LETTERS).await?;
        // Stands for all of them: no webhook has this id.
        let place = (0, LogName::Wallet(0));
        if letters.is_empty() || !self.under_way.insert(place) {
            return Ok(());
        }
        let mut told = Vec::new();
        for letter in letters {
            if let Some(webhook) = webhooks.iter().find(|webhook| webhook.webhook == letter.webhook) {
                told.push((webhook.clone(), self.log_id(letter.log, means).await?, letter));
            }
        }
        let means = means.clone();
        self.deliveries.spawn(async move {
            for (webhook, log_id, letter) in told {
                if let Err(error) = tell_letter(&webhook, letter, log_id, &means).await {
                    return (place.0, place.1, Err(error));
                }
            }
            (place.0, place.1, Ok(()))
        });
        Ok(())
    }

    async fn log_id(&mut self, log: LogName, means: &Means) -> Result<Mark, Error> {
        if let Some(known) = self.log_ids.get(&log) {
            return Ok(*known);
        }
        let offsets = means.archive.offsets().await?;
        self.log_ids = offsets.iter().map(|offset| (offset.log, offset.log_id)).collect();
        Ok(self.log_ids.get(&log).copied().unwrap_or_default())
    }
}

/// The logs of an organiser's concerts.
fn logs_of(live: &Live, org: &str) -> Vec<LogName> {
    let concerts = live.concerts();
    let owned = concerts.iter().map(|view| view.concert()).filter(|concert| concert.org == org);
    owned.map(|concert| LogName::Concert(concert.concert)).collect()
}
