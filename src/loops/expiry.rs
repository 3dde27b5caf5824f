//! Expiry: ends holds whose time is over. It only tidies: whoever wants such a seat frees it himself.

use std::time::Duration;

use tokio::sync::watch;

use super::{every, for_each_selling, step_deadline};
use crate::domain::ids::ConcertId;
use crate::live::{ConcertView, Live};
use crate::store::{Failure, Store};

/// Reservations of one call: some 100 seats keep it well under 1 ms.
const BATCH: usize = 32;

/// Calls of one concert in one tick.
const CALLS_MAX: usize = 100;

/// Expires for all concerts until shut down.
pub async fn expiry(store: Store, live: Live, period: Duration, shutdown: watch::Receiver<bool>) {
    every(period, shutdown, || for_each_selling("expire", &store, &live, has_work, expire)).await;
}

fn has_work(view: &ConcertView) -> bool {
    !view.warm() || view.sales().held > 0
}

async fn expire(store: Store, concert: ConcertId) -> Result<(), Failure> {
    for _ in 0..CALLS_MAX {
        let due = store.due(concert, BATCH, step_deadline()).await?;
        if !due.is_empty() {
            store.expire(concert, &due, step_deadline()).await?;
        }
        if due.len() < BATCH {
            return Ok(());
        }
    }
    Ok(())
}
