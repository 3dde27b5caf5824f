//! Keeps what this process knows of catalog and logs up with MySQL: new concerts, changed shows, logs that stopped elsewhere.
//!
//! While MySQL is away everything known goes on selling; only what is new waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::archive::{self, Archive, LogState};
use crate::domain::ids::{ConcertId, LogName, Mark};
use crate::live::Live;
use crate::store::{SeenLogs, Store};

/// Between two looks at MySQL when nobody says that something changed.
const LOOK: Duration = Duration::from_secs(1);

/// Why the catalog could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the catalog could not be read")]
pub struct CatalogError(#[from] archive::Error);

/// The loop of one process.
pub struct CatalogLoop {
    /// MySQL.
    pub archive: Archive,
    /// What is shown.
    pub live: Live,
    /// Told of logs, and of those that stopped here.
    pub store: Store,
    /// Concerts whose log names a newer catalog than is shown.
    pub changed: mpsc::Receiver<ConcertId>,
    /// Tells whether MySQL answers.
    pub well: watch::Sender<bool>,
}

impl CatalogLoop {
    /// Runs until shut down.
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        let mut told = BTreeSet::new();
        loop {
            let changed = tokio::select! {
                _ = shutdown.wait_for(|stop| *stop) => return,
                changed = self.changed.recv() => changed,
                () = tokio::time::sleep(LOOK) => None,
            };
            let looked = self.look(changed, &mut told).await;
            self.well.send_replace(looked.is_ok());
            if let Err(error) = looked {
                tracing::warn!(error = &error as &dyn std::error::Error, "the catalog waits for MySQL");
            }
        }
    }

    async fn look(
        &self,
        changed: Option<ConcertId>,
        told: &mut BTreeSet<LogName>,
    ) -> Result<(), CatalogError> {
        let born = register(&self.archive, self.store.seen(), &self.live).await?;
        for log in self.store.seen().lost().into_iter().filter(|log| !told.contains(log)).collect::<Vec<_>>()
        {
            // Other servers learn it from there.
            self.archive.mark_recovering(log).await?;
            mark(&self.live, log);
            told.insert(log);
        }
        for (concert, log_id) in &born {
            if changed == Some(*concert) || self.live.concert(*concert).is_none() {
                publish(&self.archive, &self.live, *concert, *log_id).await?;
            }
        }
        Ok(())
    }
}

/// Reads everything that is born, once, before a process serves.
pub async fn load(archive: &Archive, seen: &SeenLogs, live: &Live) -> Result<(), CatalogError> {
    for (concert, log_id) in register(archive, seen, live).await? {
        publish(archive, live, concert, log_id).await?;
    }
    // Views of logs that stopped before exist only now.
    for log in seen.lost() {
        mark(live, log);
    }
    Ok(())
}

fn mark(live: &Live, log: LogName) {
    if let LogName::Concert(concert) = log
        && let Some(view) = live.concert(concert)
    {
        view.mark_recovering();
    }
}

/// Makes the logs known that MySQL has an entry of. Answers the concerts among them.
async fn register(
    archive: &Archive,
    seen: &SeenLogs,
    live: &Live,
) -> Result<BTreeMap<ConcertId, Mark>, CatalogError> {
    let offsets = archive.offsets().await?;
    let mut concerts = BTreeMap::new();
    for offset in offsets.into_iter().filter(|offset| offset.state != LogState::Unborn) {
        let log = seen.register(offset.log, offset.log_id, offset.offset);
        if offset.state == LogState::Recovering {
            log.stop();
            mark(live, offset.log);
        }
        if let LogName::Concert(concert) = offset.log {
            concerts.insert(concert, offset.log_id);
        }
    }
    Ok(concerts)
}

async fn publish(
    archive: &Archive,
    live: &Live,
    concert: ConcertId,
    log_id: Mark,
) -> Result<(), CatalogError> {
    if let Some(record) = archive.concert(concert).await? {
        let shows = archive.shows(concert).await?.into_iter().map(Arc::new).collect();
        live.publish(Arc::new(record), shows, log_id);
    }
    Ok(())
}
