//! Expiry: ends holds whose time is over. It only tidies: whoever wants such a seat frees it himself.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{every, is_selling, report, step_deadline};
use crate::domain::ids::ConcertId;
use crate::live::{ConcertView, Live};
use crate::store::{Failure, Store};

/// Reservations of one call: some 100 seats keep it well under 1 ms.
const BATCH: usize = 32;

/// Calls of one concert in one tick.
const CALLS_MAX: usize = 100;

/// Expires for all concerts until shut down.
pub async fn expiry(store: Store, live: Live, period: Duration, shutdown: watch::Receiver<bool>) {
    every(period, shutdown, || step(store.clone(), live.clone())).await;
}

async fn step(store: Store, live: Live) {
    let mut concerts = JoinSet::new();
    for view in live.concerts().iter().filter(|view| has_work(view)) {
        let concert = view.concert().concert;
        if is_selling(store.seen(), concert) {
            let store = store.clone();
            concerts.spawn(async move {
                if let Err(failure) = expire(&store, concert).await {
                    report("expire", concert, &failure);
                }
            });
        }
    }
    concerts.join_all().await;
}

fn has_work(view: &ConcertView) -> bool {
    !view.warm() || view.sales().held > 0
}

async fn expire(store: &Store, concert: ConcertId) -> Result<(), Failure> {
    for _ in 0..CALLS_MAX {
        let due = store.due(concert, BATCH, step_deadline()).await?;
        if due.is_empty() {
            return Ok(());
        }
        store.expire(concert, &due, step_deadline()).await?;
        if due.len() < BATCH {
            return Ok(());
        }
    }
    Ok(())
}
