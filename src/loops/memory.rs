//! Watches whether Redis answers and what it uses, so that operators learn of it and its bound is kept in order: see `store/memory.rs`.

use std::time::Duration;

use tokio::sync::watch;

use super::{every, step_deadline};
use crate::metrics::{self, Gauge};
use crate::store::Store;

/// Between two looks: at 50,000 holds a second and some 500 bytes each, 25 MB.
const LOOK: Duration = Duration::from_secs(1);

/// Tells the bound of `store`, which all stores of the process share, what Redis uses, and `well` whether it answers, until shut down.
pub async fn memory(store: Store, well: watch::Sender<bool>, shutdown: watch::Receiver<bool>) {
    let gauges =
        [metrics::REDIS_UP.handle(), metrics::REDIS_USED_MEMORY.handle(), metrics::REDIS_MAXMEMORY.handle()];
    metrics::REDIS_MEMORY_BOUND.handle().set(metrics::float(store.memory().max_bytes()));
    every(LOOK, shutdown, || look(&store, &well, &gauges)).await;
}

async fn look(store: &Store, well: &watch::Sender<bool>, [up, used, max]: &[Gauge; 3]) {
    let usage = store.memory_usage(step_deadline()).await;
    well.send_replace(usage.is_ok());
    up.set(f64::from(u8::from(usage.is_ok())));
    // While Redis is away nothing is sold either; the last figures stand.
    if let Ok(usage) = usage {
        store.memory().note(usage.used_bytes);
        used.set(metrics::float(usage.used_bytes));
        max.set(metrics::float(usage.max_bytes));
    }
}
