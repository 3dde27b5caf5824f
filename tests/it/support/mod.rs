//! What tests stand on: private engines on unix sockets, the built command, and waiting for a condition.
//!
//! Nothing here is shared between test processes, and only the MariaDB server is shared between tests (each has a
//! database of its own). Whatever is started dies with the test process, even when that is killed.

pub(crate) mod gateway;
pub(crate) mod http;
pub(crate) mod mariadb;
pub(crate) mod process;
pub(crate) mod prometheus;
pub(crate) mod proxy;
pub(crate) mod redis;
pub(crate) mod spawner;
pub(crate) mod stripe;

use std::{
    future::Future,
    net::{SocketAddr, TcpListener},
    time::{Duration, Instant},
};

/// Between two looks at a condition.
const POLL: Duration = Duration::from_millis(5);

/// By when whatever a test waits for has happened. It takes seconds at most; only what never comes takes so long, so that no machine
/// is too slow or too busy for a test.
pub(crate) const SOON: Duration = Duration::from_mins(2);

/// Looks at `condition` until it holds; panics, naming `what`, when it does not by [`SOON`].
pub(crate) async fn wait_until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let end = Instant::now() + SOON;
    while !condition().await {
        assert!(Instant::now() < end, "after {SOON:?} still not: {what}");
        tokio::time::sleep(POLL).await;
    }
}

/// As [`wait_until`], for code outside a runtime.
pub(crate) fn wait_until_blocking(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !condition() {
        assert!(Instant::now() < end, "after {SOON:?} still not: {what}");
        std::thread::sleep(POLL);
    }
}

/// An address on loopback that nobody listened on a moment ago.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("a bound listener has an address")
}
