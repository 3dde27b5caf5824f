//! The operations listener of a process, whatever its roles, and what it calls degraded.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Error, Observed};
use crate::domain::ids::LogName;
use crate::http::{Health, Operations};

/// Between two looks at what is degraded.
const LOOK: Duration = Duration::from_secs(1);

/// A listener that answers until it is told to stop.
pub(super) struct Listening {
    stop: watch::Sender<bool>,
    answering: JoinHandle<()>,
    looking: JoinHandle<()>,
}

/// Listens on `address`.
pub(super) async fn listen(
    address: SocketAddr,
    observed: &Observed,
    health: Arc<Health>,
) -> Result<Listening, Error> {
    let listener = TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })?;
    tracing::info!(address = %listener.local_addr().unwrap_or(address), "health and metrics");
    let (stop, stopping) = watch::channel(false);
    let operations = Operations {
        exposition: observed.exposition.clone(),
        health: Arc::clone(&health),
        live: observed.live.clone(),
    };
    let answering = tokio::spawn(operations.run(listener, stopping));
    let looking = tokio::spawn(look(health, observed.clone()));
    Ok(Listening { stop, answering, looking })
}

impl Listening {
    /// Ends it; probes have seen the process drain.
    pub(super) async fn stop(self) {
        self.stop.send_replace(true);
        self.looking.abort();
        // Its end is that of the process.
        let _ = self.answering.await;
    }
}

async fn look(health: Arc<Health>, observed: Observed) {
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        ticks.tick().await;
        health.set_degraded("redis", !*observed.redis.borrow());
        health.set_degraded("mysql", !*observed.mysql.borrow());
        health.set_degraded("kafka", !*observed.kafka.borrow());
        for log in observed.seen.lost() {
            // A concert's view says it for itself.
            if let LogName::Wallet(partition) = log {
                health.set_degraded(&format!("wallet {partition}"), true);
            }
        }
    }
}
