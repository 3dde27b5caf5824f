//! The webhook follower: tells organisers' endpoints of their own concerts, at least once and in the order of each log.
//!
//! One process at a time holds the lease and tells. It reads the archive only. An endpoint that is dead holds up its own logs; slow
//! ones keep others waiting for a turn, some seconds (`session`), and nobody for good.

mod address;
mod delivery;
mod endpoint;
mod session;

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

pub use self::address::{InvalidUrl, check_url, origin};
use self::delivery::Means;
use self::endpoint::Endpoints;
use self::session::Session;
use super::lease::Lease;
use super::{Applied, Backoff};
use crate::archive::{Archive, Error};
use crate::config;
use crate::live::Live;
use crate::metrics;

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
