//! The store against a real Redis: what each verb answers through its coalescer.

mod sale;

use std::time::Duration;

use onsale::domain::ids::{ConcertId, LogName, Mark, Offset, ShowId, UserId};
use onsale::domain::policy::{Policy, PolicyState};
use onsale::store::{Limits, SeenLogs, Settings, ShowOpening, Store};
use tokio::time::Instant;

use crate::support::redis::Redis;

pub(crate) const CONCERT: ConcertId = ConcertId(7);
pub(crate) const SHOW: ShowId = ShowId(12);

/// A deadline that no healthy call comes near.
pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

/// A store on `redis` with four wallet partitions and what `seen` knows.
pub(crate) fn store_on(redis: &Redis, seen: SeenLogs) -> Store {
    let second = Duration::from_secs(1);
    let settings = Settings { url: redis.url(), response_timeout: second, connect_timeout: second };
    let limits = Limits { batch_weight: 128, queue_requests: 20_000 };
    Store::new(settings, limits, 4, seen).unwrap()
}

/// A store whose wallets are born, with one concert of `seats` seats under `policy`.
pub(crate) async fn on_sale(redis: &Redis, policy: Policy, seats: u32) -> Store {
    let store = store_on(redis, SeenLogs::default());
    for partition in 0..4 {
        let birth = store.open_wallet(partition, Mark(u64::from(partition) + 1), soon()).await.unwrap();
        store.seen().register(LogName::Wallet(partition), birth.log_id, Offset::default());
    }
    let state = PolicyState { policy, ..PolicyState::default() };
    let birth = store.open_concert(CONCERT, Mark(99), &state, soon()).await.unwrap();
    store.seen().register(LogName::Concert(CONCERT), birth.log_id, birth.at);
    store.open_show(CONCERT, ShowOpening { show: SHOW, seats, catalog: 1 }, soon()).await.unwrap();
    store
}
