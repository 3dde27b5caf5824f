//! Resumption: whoever was being forgotten when a command broke off is forgotten by a worker. Until then he can't pay (0010).

use std::time::Duration;

use tokio::sync::watch;

use super::every;
use crate::forgetting::Forgetter;

/// Between two looks at what was left unfinished; the first comes at the start.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// Finishes what is unfinished until shut down. Any number of workers may: they take turns.
pub async fn resumption(forgetter: Forgetter, shutdown: watch::Receiver<bool>) {
    let look = || {
        let forgetter = forgetter.clone();
        async move {
            match forgetter.resume().await {
                Ok(0) => {}
                Ok(users) => tracing::info!(users, "finished forgetting whom a run had left"),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(error, "whoever is being forgotten has to wait");
                }
            }
        }
    };
    every(LOOK_EVERY, shutdown, look).await;
}
