//! Watches what Redis uses, so that its bound is kept in order: see `store/memory.rs`.

use std::time::Duration;

use tokio::sync::watch;

use super::{every, step_deadline};
use crate::store::Store;

/// Between two looks: at 50,000 holds a second and some 500 bytes each, 25 MB.
const LOOK: Duration = Duration::from_secs(1);

/// Tells the bound of `store`, which all stores of the process share, what Redis uses, until shut down.
pub async fn memory(store: Store, shutdown: watch::Receiver<bool>) {
    every(LOOK, shutdown, || look(store.clone())).await;
}

async fn look(store: Store) {
    // While Redis is away nothing is sold either; the last figure stands.
    if let Ok(used) = store.used_memory(step_deadline()).await {
        store.memory().note(used);
    }
}
