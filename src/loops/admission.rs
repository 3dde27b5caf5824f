//! Admission: lets the next in line in, at the rate and up to the capacity that the script allows.

use std::time::Duration;

use tokio::sync::watch;

use super::{every, for_each_selling, step_deadline};
use crate::domain::ids::ConcertId;
use crate::live::{ConcertView, Live};
use crate::store::{Failure, Store};

/// Calls of one concert in one tick: with 100 places a call, 100,000 a second at a tick of 50 ms.
const CALLS_MAX: usize = 50;

/// Admits for all concerts until shut down.
pub async fn admission(store: Store, live: Live, period: Duration, shutdown: watch::Receiver<bool>) {
    every(period, shutdown, || for_each_selling("admit", &store, &live, has_work, admit)).await;
}

/// Nobody waits and nobody is active: nothing to do. A view that is not warm knows nothing: asked all the same.
fn has_work(view: &ConcertView) -> bool {
    let line = view.line();
    !view.warm() || line.waiting > 0 || line.active > 0
}

async fn admit(store: Store, concert: ConcertId) -> Result<(), Failure> {
    for _ in 0..CALLS_MAX {
        if !store.admit(concert, step_deadline()).await?.more {
            return Ok(());
        }
    }
    Ok(())
}
