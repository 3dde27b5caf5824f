//! Retention: what has been over for as long as the setting says names nobody any more (decision 0015).

use std::time::Duration;

use tokio::sync::watch;

use super::every;
use crate::forgetting::now;
use crate::retention::{Retention, Round};

/// Between two rounds; the first comes at the start. One that finds nothing due is two short reads.
const ROUND_EVERY: Duration = Duration::from_mins(10);

/// Applies it until shut down. Any number of workers may: they take turns, a log at a time.
pub async fn retention(retention: Retention, shutdown: watch::Receiver<bool>) {
    let round = || {
        let retention = retention.clone();
        async move {
            let mut more = true;
            while more {
                let round = retention.run(now()).await.unwrap_or_else(|error| {
                    tracing::warn!(error = &error as &dyn std::error::Error, "retention has to wait");
                    Round::default()
                });
                more = round.more;
            }
        }
    };
    every(ROUND_EVERY, shutdown, round).await;
}
