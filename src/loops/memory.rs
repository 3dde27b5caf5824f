//! Watches what Redis uses, so that its bound is kept in order: see `store/memory.rs`.

use std::time::Duration;

use tokio::sync::watch;

use super::{every, step_deadline};
use crate::metrics::{self, Gauge};
use crate::store::Store;

/// Between two looks: at 50,000 holds a second and some 500 bytes each, 25 MB.
const LOOK: Duration = Duration::from_secs(1);

/// Tells the bound of `store`, which all stores of the process share, what Redis uses, until shut down.
pub async fn memory(store: Store, shutdown: watch::Receiver<bool>) {
    let (up, used_bytes) = (metrics::REDIS_UP.handle(), metrics::REDIS_USED_MEMORY.handle());
    metrics::REDIS_MEMORY_BOUND.handle().set(bytes(store.memory().max_bytes()));
    every(LOOK, shutdown, || look(store.clone(), up.clone(), used_bytes.clone())).await;
}

async fn look(store: Store, up: Gauge, used_bytes: Gauge) {
    let used = store.used_memory(step_deadline()).await;
    up.set(f64::from(u8::from(used.is_ok())));
    // While Redis is away nothing is sold either; the last figure stands.
    if let Ok(used) = used {
        store.memory().note(used);
        used_bytes.set(bytes(used));
    }
}

fn bytes(value: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "to a few bytes in petabytes")]
    let value = value as f64;
    value
}
