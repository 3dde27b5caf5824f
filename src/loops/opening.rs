//! Finishes openings that broke off between MySQL and Redis: of new concerts and shows, changed seats, prices and titles.
//!
//! What MySQL has and Redis lacks nobody would bring there but the same call again, and an organiser was told that a worker does.
//! A concert is gone through once for each version of its catalog; the versions are one read of MySQL.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::domain::ids::ConcertId;
use crate::opening::{Opening, OpeningError};
use crate::store::Failure;

/// One concert, with all of its shows.
const FINISH_MAX: Duration = Duration::from_secs(30);

/// What one worker has finished.
pub struct Finishing {
    opening: Opening,
    /// The catalog version up to which Redis has a concert.
    finished: HashMap<ConcertId, u64>,
}

impl Finishing {
    /// One that has finished nothing.
    pub fn new(opening: Opening) -> Self {
        Self { opening, finished: HashMap::new() }
    }

    /// Goes through all concerts that changed since it last did; the trouble of one keeps no other from being sold.
    pub async fn look(&mut self) -> Result<(), OpeningError> {
        for (concert, version) in self.opening.versions().await? {
            if self.finished.get(&concert).is_some_and(|finished| *finished >= version) {
                continue;
            }
            let finishing = self.opening.finish(concert, Instant::now() + FINISH_MAX);
            match timeout(FINISH_MAX, finishing).await {
                Ok(Ok(())) => {
                    self.finished.insert(concert, version);
                }
                Ok(Err(error)) => report(concert, &error),
                Err(_) => tracing::warn!(%concert, "the concert is not open yet: MySQL does not answer"),
            }
        }
        Ok(())
    }

    /// Looks every `period` until shut down. Any number of workers may: each step repeats harmlessly.
    pub async fn run(mut self, period: Duration, mut shutdown: watch::Receiver<bool>) {
        let looking = async {
            loop {
                sleep(period).await;
                if let Err(error) = self.look().await {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(error, "what is not open yet waits for MySQL");
                }
            }
        };
        tokio::select! {
            _ = shutdown.wait_for(|stop| *stop) => {}
            () = looking => {}
        }
    }
}

fn report(concert: ConcertId, error: &OpeningError) {
    match error {
        // It stays as it is until it is recovered.
        OpeningError::Recovering(log) | OpeningError::Store(Failure::Stopped(log)) => {
            tracing::debug!(%log, "the log is stopped");
        }
        OpeningError::Store(Failure::Unavailable(_) | Failure::OutcomeUnknown(_) | Failure::Overloaded) => {
            let error = error as &dyn std::error::Error;
            tracing::debug!(%concert, error, "the concert is not open yet: it waits for Redis");
        }
        _ => {
            let error = error as &dyn std::error::Error;
            tracing::error!(%concert, error, "the concert could not be opened");
        }
    }
}
