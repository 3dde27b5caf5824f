//! The proof of the invariants, beside whatever runs: once for the command, again and again in a worker.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tokio::time::sleep;

use super::Error;
use super::installation::Installation;
use crate::archive::Archive;
use crate::audit::{self, Check};
use crate::config::Config;
use crate::metrics;
use crate::store::Store;
use crate::store::log::Tail;

/// Before the first audit of a worker: it has enough to do when it starts.
const FIRST_MAX: Duration = Duration::from_mins(1);

/// Runs every check; the report's `ok` says whether all of them hold.
pub async fn audit(config: &Config) -> Result<serde_json::Value, Error> {
    let installation = Installation::look_at(config).await?;
    installation.opening()?.check_wallets().await?;
    let report = audit::run(&installation.archive, &installation.store()?, &installation.tail()?).await?;
    Ok(serde_json::to_value(report).expect("a report is plain data"))
}

/// What a worker audits with; connections of its own.
pub(super) struct Auditor {
    pub(super) archive: Archive,
    pub(super) store: Store,
    pub(super) tail: Tail,
    /// Between the end of one audit and the next.
    pub(super) period: Duration,
}

impl Auditor {
    /// Audits until shut down and shows what came out. One that could not be made leaves the last one's outcome, with
    /// its time.
    pub(super) async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let audits = async {
            sleep(self.period.min(FIRST_MAX)).await;
            loop {
                self.audit().await;
                sleep(self.period).await;
            }
        };
        tokio::select! {
            _ = shutdown.wait_for(|stop| *stop) => {}
            () = audits => {}
        }
    }

    async fn audit(&self) {
        let report = match audit::run(&self.archive, &self.store, &self.tail).await {
            Ok(report) => report,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                return tracing::warn!(error, "the audit could not be made");
            }
        };
        for check in Check::ALL {
            let found = report.checks.iter().find(|found| found.name == check.name());
            let ok = found.is_some_and(|found| found.ok);
            metrics::AUDIT_OK.with([check.name()]).set(f64::from(u8::from(ok)));
            if let Some(found) = found.filter(|found| !found.ok) {
                let violations = found.violations.join("; ");
                tracing::error!(check = check.name(), violations, "an invariant is broken");
            }
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        metrics::AUDIT_LAST_RUN.handle().set(now);
    }
}
