//! Retention: what has been over for as long as the setting says names nobody any more (decision 0015).

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::every;
use crate::domain::ids::LogName;
use crate::forgetting::ForgettingError;
use crate::metrics::{self, Gauge, float};
use crate::retention::{Retention, UnderWay, Waiting};

/// Between two rounds; the first comes at the start. One that finds nothing due is a few short reads.
const ROUND_EVERY: Duration = Duration::from_mins(10);

/// A log that waits for the same is a warning once in so long: it may for weeks.
const SAY_EVERY: Duration = Duration::from_hours(24);

/// Applies it until shut down. Any number of workers may: they take turns, a log at a time.
pub async fn retention(retention: Retention, shutdown: watch::Receiver<bool>) {
    let (retention, board) = (&retention, &Board::new());
    let round = || async move {
        let mut more = true;
        while more {
            more = round_now(retention, board).await.unwrap_or_else(|error| {
                tracing::warn!(error = &error as &dyn Error, "retention has to wait");
                false
            });
        }
    };
    every(ROUND_EVERY, shutdown, round).await;
}

/// Answers whether there is more to do at once.
async fn round_now(retention: &Retention, board: &Board) -> Result<bool, ForgettingError> {
    let at = retention.clock().await?;
    let round = retention.run(at).await?;
    for (log, waiting) in &round.waiting {
        board.say(*log, waiting);
    }
    // What others have begun, too: somebody else may have the turn.
    board.show(retention.under_way(at).await?);
    Ok(round.more)
}

/// What is told of it.
struct Board {
    open: Gauge,
    open_for: Gauge,
    said: Mutex<Said>,
}

impl Board {
    fn new() -> Self {
        let (open, open_for) = (metrics::RETENTION_OPEN.handle(), metrics::RETENTION_OPEN_FOR.handle());
        Self { open, open_for, said: Mutex::default() }
    }

    fn show(&self, under_way: UnderWay) {
        self.open.set(float(under_way.logs));
        self.open_for.set(under_way.oldest);
    }

    fn say(&self, log: LogName, waiting: &Waiting) {
        let (reason, left) = (waiting.to_string(), waiting.left());
        let error = waiting.source();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_news(log, &reason, Instant::now()) {
            tracing::warn!(%log, reason, left, error, "its retention has to wait");
        } else {
            tracing::debug!(%log, reason, left, error, "its retention still waits");
        }
    }
}

/// For what each log was last said to wait, and when.
#[derive(Debug, Default)]
struct Said(HashMap<LogName, (String, Instant)>);

impl Said {
    /// Whether it was not said within the last day, or something else was; it is from now on.
    fn is_news(&mut self, log: LogName, reason: &str, now: Instant) -> bool {
        self.0.retain(|_, (_, at)| now.duration_since(*at) < SAY_EVERY);
        let is_known = self.0.get(&log).is_some_and(|(said, _)| said == reason);
        if !is_known {
            self.0.insert(log, (reason.to_owned(), now));
        }
        !is_known
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::scan::Index;

    #[test]
    fn the_same_is_news_once_a_day() {
        let (mut said, begin) = (Said::default(), Instant::now());
        let (one, other) = (LogName::Wallet(1), LogName::Wallet(2));
        let live = |left| Waiting::Live { key: Index::Cards, left }.to_string();
        for (log, reason, minutes, is_news) in [
            (one, live(3), 0, true),
            (one, live(3), 10, false),
            (one, live(2), 20, false),
            (other, live(2), 20, true),
            (one, Waiting::Unpaid.to_string(), 30, true),
            (one, live(2), 40, true),
            (one, live(2), 24 * 60 + 39, false),
            (one, live(2), 24 * 60 + 40, true),
        ] {
            let now = begin + Duration::from_mins(minutes);
            assert_eq!(said.is_news(log, &reason, now), is_news, "{reason} after {minutes} min");
        }
    }
}
