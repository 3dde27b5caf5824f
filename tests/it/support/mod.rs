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

/// Looks at `condition` until it holds; panics, naming `what`, when `deadline` has passed.
pub(crate) async fn wait_until<F: Future<Output = bool>>(
    deadline: Duration,
    what: &str,
    condition: impl Fn() -> F,
) {
    let end = Instant::now() + deadline;
    while !condition().await {
        assert!(Instant::now() < end, "after {deadline:?} still not: {what}");
        tokio::time::sleep(POLL).await;
    }
}

/// As [`wait_until`], for code outside a runtime.
pub(crate) fn wait_until_blocking(deadline: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + deadline;
    while !condition() {
        assert!(Instant::now() < end, "after {deadline:?} still not: {what}");
        std::thread::sleep(POLL);
    }
}

/// An address on loopback that nobody listened on a moment ago.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("a bound listener has an address")
}
