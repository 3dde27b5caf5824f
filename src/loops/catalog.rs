//! Keeps what this process knows of catalog and logs up with MySQL: new concerts, changed shows, logs that stopped elsewhere.
//!
//! While MySQL is away everything known goes on selling; only what is new waits.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::archive::{self, Archive, LogOffset, LogState};
use crate::domain::ids::{ConcertId, LogName, Mark};
use crate::live::Live;
use crate::publishing::publish;
use crate::store::{SeenLogs, Store};

/// Between two looks at MySQL when nobody says that something changed.
const LOOK: Duration = Duration::from_secs(1);

/// Before a look that somebody asks for: whoever asks meanwhile is answered by it, too.
const PACE: Duration = Duration::from_millis(50);

/// One look, at a catalog of a thousand concerts too; a connection that swallows everything must not stop the loop.
const LOOK_MAX: Duration = Duration::from_secs(30);

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
}

impl CatalogLoop {
    /// Runs until shut down.
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        let (mut known, live) = (Known::default(), self.live.clone());
        let lookout = live.lookout();
        loop {
            let asked = async {
                lookout.asked().await;
                sleep(PACE).await;
            };
            tokio::select! {
                _ = shutdown.wait_for(|stop| *stop) => return,
                changed = self.changed.recv() => match changed {
                    Some(concert) => { known.changed.insert(concert); }
                    None => return,
                },
                () = asked => {}
                () = sleep(LOOK) => {}
            }
            while let Ok(concert) = self.changed.try_recv() {
                known.changed.insert(concert);
            }
            known.wanted = lookout.begin();
            let looked = tokio::select! {
                _ = shutdown.wait_for(|stop| *stop) => return,
                looked = timeout(LOOK_MAX, self.look(&mut known)) => looked,
            };
            lookout.end(matches!(looked, Ok(Ok(()))));
            match looked {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the catalog waits for MySQL");
                }
                Err(_) => tracing::warn!("the catalog waits for MySQL: it does not answer"),
            }
        }
    }

    async fn look(&self, known: &mut Known) -> Result<(), CatalogError> {
        let born = register_all(&self.archive, self.store.seen(), &self.live).await?;
        for log in self
            .store
            .seen()
            .lost()
            .into_iter()
            .filter(|log| !known.stopped.contains(log))
            .collect::<Vec<_>>()
        {
            // Other servers learn it from there.
            self.archive.mark_recovering(log).await?;
            mark(&self.live, log);
            known.stopped.insert(log);
        }
        if known.wanted {
            known.changed.extend(self.newer().await?);
        }
        for (concert, log_id) in &born {
            if known.changed.contains(concert) || self.live.concert(*concert).is_none() {
                publish(&self.archive, &self.live, *concert, *log_id).await?;
                known.changed.remove(concert);
            }
        }
        Ok(())
    }

    /// Concerts of which MySQL has a newer catalog than is shown: their logs say so soon, who asks for a show of theirs knows
    /// it now.
    async fn newer(&self) -> Result<Vec<ConcertId>, CatalogError> {
        let mut versions = self.archive.catalog_versions().await?;
        versions.retain(|(concert, version)| {
            self.live.concert(*concert).is_some_and(|view| view.concert().version < *version)
        });
        Ok(versions.into_iter().map(|(concert, _)| concert).collect())
    }
}

/// What the loop carries from one look to the next.
#[derive(Default)]
struct Known {
    /// Concerts to be read again; kept until they are.
    changed: BTreeSet<ConcertId>,
    /// Whether somebody has named what is not known here.
    wanted: bool,
    /// Logs that stopped here, of which MySQL has been told.
    stopped: BTreeSet<LogName>,
}

/// Reads everything that is born, once, before a process serves.
pub async fn load(archive: &Archive, seen: &SeenLogs, live: &Live) -> Result<(), CatalogError> {
    for (concert, log_id) in register_all(archive, seen, live).await? {
        publish(archive, live, concert, log_id).await?;
    }
    // Views of logs that stopped before exist only now.
    for log in seen.lost() {
        mark(live, log);
    }
    Ok(())
}

/// Makes the logs known that MySQL has an entry of. Answers the concerts among them.
async fn register_all(
    archive: &Archive,
    seen: &SeenLogs,
    live: &Live,
) -> Result<BTreeMap<ConcertId, Mark>, CatalogError> {
    let offsets = archive.offsets().await?;
    let mut concerts = BTreeMap::new();
    for offset in offsets.into_iter().filter(|offset| offset.state != LogState::Unborn) {
        register(seen, live, &offset);
        if let LogName::Concert(concert) = offset.log {
            concerts.insert(concert, offset.log_id);
        }
    }
    Ok(concerts)
}

/// Makes a log known that MySQL has an entry of, and that it stopped, if it has.
fn register(seen: &SeenLogs, live: &Live, known: &LogOffset) {
    let log = seen.register(known.log, known.log_id, known.offset);
    if known.state == LogState::Recovering {
        log.stop();
        mark(live, known.log);
    }
}

/// Shows that the log of a concert has stopped.
fn mark(live: &Live, log: LogName) {
    if let LogName::Concert(concert) = log
        && let Some(view) = live.concert(concert)
    {
        view.mark_recovering();
    }
}
