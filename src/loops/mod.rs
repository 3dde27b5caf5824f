//! What happens by itself: admission, expiry, refunds of cancelled shows, trimming, openings that broke off, and keeping this
//! process's catalog up with MySQL.
//!
//! Every step is an idempotent, bounded script, so any number of workers may run and no leader is elected. A step that
//! fails is tried again at the next tick; a stopped concert is passed over.

mod admission;
mod backlog;
mod cancellation;
mod catalog;
mod clearing;
mod expiry;
mod gauges;
mod looks;
mod memory;
mod mysql;
mod open_cards;
mod open_top_ups;
mod opening;
mod resumption;
mod retention;
mod tidying;
mod top_ups;
mod trimming;

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::domain::ids::{ConcertId, LogName};
use crate::live::{ConcertView, Live};
use crate::store::{Failure, SeenLogs, Store};

pub use self::admission::admission;
pub use self::backlog::{Backlog, backlog};
pub use self::cancellation::{RefundRate, cancellation};
pub use self::catalog::{CatalogError, CatalogLoop, load};
pub use self::clearing::clearing;
pub use self::expiry::expiry;
pub use self::gauges::{Gauges, gauges};
pub use self::memory::memory;
pub use self::mysql::mysql;
pub use self::opening::Finishing;
pub use self::resumption::resumption;
pub use self::retention::retention;
pub use self::tidying::tidying;
pub use self::top_ups::top_ups;
pub use self::trimming::{Trimming, trimming};

/// A step must be over by then; the next tick tries again.
const STEP: Duration = Duration::from_secs(2);

/// Runs `step` every `period` until `shutdown` holds true or its sender is gone. A late step is not made up for.
async fn every<F: Future<Output = ()>>(
    period: Duration,
    mut shutdown: watch::Receiver<bool>,
    mut step: impl FnMut() -> F,
) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stepping = async {
        loop {
            ticks.tick().await;
            step().await;
        }
    };
    tokio::select! {
        _ = shutdown.wait_for(|stop| *stop) => {}
        () = stepping => {}
    }
}

/// One step for every selling concert that has work, side by side. One that fails or panics is reported; the others go on.
async fn for_each_selling<F: Future<Output = Result<(), Failure>> + Send + 'static>(
    name: &'static str,
    store: &Store,
    live: &Live,
    has_work: impl Fn(&ConcertView) -> bool,
    step: impl Fn(Store, ConcertId) -> F,
) {
    let mut steps = JoinSet::new();
    for view in live.concerts().iter().filter(|view| has_work(view)) {
        let concert = view.concert().concert;
        if is_selling(store.seen(), concert) {
            let step = step(store.clone(), concert);
            steps.spawn(async move { (concert, step.await) });
        }
    }
    while let Some(ended) = steps.join_next().await {
        match ended {
            Ok((_, Ok(()))) => {}
            Ok((concert, Err(failure))) => report(name, concert, &failure),
            Err(panicked) => tracing::error!(step = name, error = %panicked, "a step panicked"),
        }
    }
}

/// Whether anything may be decided on the log of this concert in this process.
fn is_selling(seen: &SeenLogs, concert: ConcertId) -> bool {
    seen.get(LogName::Concert(concert)).is_some_and(|log| !log.is_lost())
}

fn step_deadline() -> Instant {
    Instant::now() + STEP
}

/// Says that a step failed, once; Redis being away is said by whoever waits for it.
fn report(step: &'static str, concert: ConcertId, failure: &Failure) {
    match failure {
        Failure::Stopped(_) => {}
        Failure::Unavailable(_) | Failure::OutcomeUnknown(_) => {
            tracing::debug!(step, %concert, error = failure as &dyn std::error::Error, "a step waits for Redis");
        }
        _ => tracing::warn!(step, %concert, error = failure as &dyn std::error::Error, "a step failed"),
    }
}
