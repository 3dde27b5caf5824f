//! The loops of a worker: admission, expiry, refunds of cancelled shows, the archive follower, trimming, and what organisers' calls
//! and a `forget` left.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::audit::Auditor;
use super::installation::Installation;
use super::{Error, Observed, operations};
use crate::archive::Archive;
use crate::config::{Config, Mysql};
use crate::follow::{Applied, ArchiveFollower};
use crate::forgetting::Forgetter;
use crate::http::Health;
use crate::live::Live;
use crate::loops::{self, Finishing, RefundRate, Trimming};
use crate::metrics;
use crate::retention::Retention;

/// MySQL connections of the archive follower: one writes, and one is there when that hangs.
const FOLLOWER_CONNECTIONS: u32 = 2;
/// Between two looks for openings that broke off; the first comes before anything else of a worker.
const OPENINGS: Duration = Duration::from_secs(5);
/// How long a worker that stops waits for the archive to have all that was seen; the next start finds the rest.
const DRAIN: Duration = Duration::from_secs(10);

/// Starts them. Answers how far the archive is.
pub(super) async fn start(
    config: &Config,
    installation: &Installation,
    live: &Live,
    tasks: &mut JoinSet<()>,
    stopping: &watch::Receiver<bool>,
) -> Result<watch::Receiver<Applied>, Error> {
    let mut openings = Finishing::new(installation.opening()?);
    openings.look().await?;
    tasks.spawn(openings.run(OPENINGS, stopping.clone()));
    let millis = Duration::from_millis;
    let worker = &config.worker;
    let admission = loops::admission(
        installation.store()?,
        live.clone(),
        millis(worker.admit_interval_ms),
        stopping.clone(),
    );
    let expiry = loops::expiry(
        installation.store()?,
        live.clone(),
        millis(worker.expire_interval_ms),
        stopping.clone(),
    );
    let rate = RefundRate { batch: worker.refund_batch, period: millis(worker.refund_interval_ms) };
    let cancellation = loops::cancellation(installation.store()?, live.clone(), rate, stopping.clone());
    // What trims waits for it: connections that no history read, webhook or import can take away.
    let archive = Archive::lazy(&Mysql { max_connections: FOLLOWER_CONNECTIONS, ..config.mysql.clone() })?;
    let (follower, applied) = ArchiveFollower::new(archive, installation.tail()?);
    let trimming = Trimming {
        store: installation.store()?,
        applied: applied.clone(),
        period: millis(worker.trim_interval_ms),
        keep: Duration::from_secs(config.log.keep_seconds),
    };
    tasks.spawn(admission);
    tasks.spawn(expiry);
    tasks.spawn(cancellation);
    tasks.spawn(follower.run(stopping.clone()));
    tasks.spawn(loops::trimming(trimming, stopping.clone()));
    let forgetter = Forgetter::new(installation.archive.clone(), installation.store()?);
    tasks.spawn(loops::resumption(forgetter, stopping.clone()));
    let days = config.privacy.retention_days;
    let keep = (days > 0).then(|| Duration::from_hours(24 * u64::from(days)));
    let retention = Retention::new(installation.archive.clone(), installation.store()?, keep);
    tasks.spawn(loops::retention(retention, stopping.clone()));
    tasks.spawn(loops::tidying(installation.store()?, applied.clone(), stopping.clone()));
    let audit_interval = Duration::from_secs(worker.audit_interval_seconds);
    metrics::AUDIT_INTERVAL.handle().set(audit_interval);
    if !audit_interval.is_zero() {
        let auditor = Auditor {
            archive: installation.archive.clone(),
            store: installation.store()?,
            tail: installation.tail()?,
            period: audit_interval,
        };
        tasks.spawn(auditor.run(stopping.clone()));
    }
    Ok(applied)
}

/// Answers probes and scrapers of a worker without a server until `shutdown` says true or its sender is gone.
pub(super) async fn run(
    config: &Config,
    observed: &Observed,
    mut shutdown: watch::Receiver<bool>,
) -> Result<(), Error> {
    let health = Arc::new(Health::default());
    let listening = operations::listen(config.worker.ops_listen, observed, Arc::clone(&health)).await?;
    health.set_serving(true);
    let _ = shutdown.wait_for(|stop| *stop).await;
    health.set_draining();
    listening.stop().await;
    Ok(())
}

/// Waits, bounded, until the archive has every entry that this process has seen.
pub(super) async fn drain(installation: &Installation, mut applied: watch::Receiver<Applied>) {
    let seen = &installation.seen;
    let level = applied.wait_for(|applied| {
        let behind = |(log, offset): (&_, &crate::domain::ids::Offset)| {
            seen.get(*log).is_some_and(|seen| !seen.is_lost() && seen.offset().number > offset.number)
        };
        !applied.iter().any(behind)
    });
    let begun = Instant::now();
    if timeout(DRAIN, level).await.is_err() {
        tracing::warn!(
            waited_ms = begun.elapsed().as_millis(),
            "the archive is not level; the next start goes on"
        );
    }
}
