//! Live views: what seat maps, queue polls, rankings and streams are answered from, in the memory of each server.
//!
//! The catalog comes from MySQL (`publish`), the state from each concert's log (`crate::follow`). Views are shared by
//! all cores; reads never await and never touch Redis or MySQL. They lag the log by milliseconds: who needs a certain
//! entry waits for it (`ConcertView::reached`), and refusals and first claims are never decided here.

mod body;
mod catalog;
mod glance;
mod gzip;
mod layout;
mod lookout;
mod positions;
mod queue;
mod ranking;
mod sale;
mod seats;
mod show;
pub mod snapshot;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::watch;
use tokio::time::Instant;

pub use body::{Encoded, SeatsForm};
pub use catalog::{ConcertView, SaleState};
pub use glance::Glance;
pub use lookout::Lookout;
pub use queue::{LineCounts, PlaceView};
pub use ranking::Ranked;
pub use sale::{Applied, ApplyError, SaleCounts};
pub use seats::SeatCounts;
pub use show::ShowView;

use crate::domain::catalog::{Concert, Show};
use crate::domain::export_key::ExportKey;
use crate::domain::ids::{ConcertId, Mark, ShowId};

/// All views of this server; a clone is another handle on the same.
#[derive(Clone, Default)]
pub struct Live(Arc<Views>);

#[derive(Default)]
struct Views {
    catalog: ArcSwap<Catalog>,
    /// One publisher at a time; it counts publications.
    publishing: Mutex<()>,
    published: watch::Sender<u64>,
    /// When the follower last had all that Redis could tell of the logs it follows.
    level: ArcSwapOption<Instant>,
    /// What users are called outside; unset: as they are.
    export_key: OnceLock<ExportKey>,
    lookout: Lookout,
}

#[derive(Default)]
struct Catalog {
    concerts: Arc<Vec<Arc<ConcertView>>>,
    by_id: BTreeMap<ConcertId, Arc<ConcertView>>,
    by_show: HashMap<ShowId, (Arc<ConcertView>, Arc<ShowView>)>,
}

/// One concert of the catalog, to be published: it, its shows in the order of their ids, and the id of its log.
pub type Publication = (Arc<Concert>, Vec<Arc<Show>>, Mark);

impl Live {
    /// No views yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Who looks for what is not known here.
    pub fn lookout(&self) -> &Lookout {
        &self.0.lookout
    }

    /// From now on events call users by names of this key; the first one stays.
    pub fn name_users_by(&self, key: ExportKey) {
        let _ = self.0.export_key.set(key);
    }

    /// The key of those names, if users have other names outside.
    pub fn export_key(&self) -> Option<&ExportKey> {
        self.0.export_key.get()
    }

    /// Shows a concert as MySQL holds it now, or replaces what is shown of it; its state is kept if its log is the same.
    pub fn publish(&self, concert: Arc<Concert>, shows: Vec<Arc<Show>>, log_id: Mark) {
        self.publish_all([(concert, shows, log_id)]);
    }

    /// Publishes many at once: the tables are built once.
    pub fn publish_all(&self, publications: impl IntoIterator<Item = Publication>) {
        let publisher = self.0.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut by_id = self.0.catalog.load().by_id.clone();
        for (concert, shows, log_id) in publications {
            if let Some(view) = by_id.get(&concert.concert) {
                view.republish(concert, shows, log_id);
            } else {
                let id = concert.concert;
                by_id.insert(id, Arc::new(ConcertView::new(concert, shows, log_id)));
            }
        }
        let mut by_show = HashMap::new();
        for view in by_id.values() {
            for show in view.shows().iter() {
                by_show.insert(show.layout().show, (Arc::clone(view), Arc::clone(show)));
            }
        }
        self.0.catalog.store(Arc::new(Catalog {
            concerts: Arc::new(by_id.values().cloned().collect()),
            by_id,
            by_show,
        }));
        self.0.published.send_modify(|count| *count += 1);
        drop(publisher);
    }

    /// Changes with every publication.
    pub fn publications(&self) -> watch::Receiver<u64> {
        self.0.published.subscribe()
    }

    /// The follower has read, now, what there was to read.
    pub fn note_level(&self) {
        self.0.level.store(Some(Arc::new(Instant::now())));
    }

    /// How long ago the follower last read what there was to read; `None`: it never has.
    pub fn staleness(&self) -> Option<Duration> {
        self.0.level.load().as_ref().map(|level| level.elapsed())
    }

    /// All concerts, by id.
    pub fn concerts(&self) -> Arc<Vec<Arc<ConcertView>>> {
        Arc::clone(&self.0.catalog.load().concerts)
    }

    /// One concert.
    pub fn concert(&self, id: ConcertId) -> Option<Arc<ConcertView>> {
        self.0.catalog.load().by_id.get(&id).cloned()
    }

    /// One show with its concert.
    pub fn show(&self, id: ShowId) -> Option<(Arc<ConcertView>, Arc<ShowView>)> {
        self.0.catalog.load().by_show.get(&id).cloned()
    }

    /// The label of a seat; `None`: no such show, or it has not grown to this index here yet.
    pub fn label(&self, show: ShowId, seat: u32) -> Option<String> {
        let layout = self.0.catalog.load().by_show.get(&show)?.1.layout();
        Some(layout.seats.get(usize::try_from(seat).ok()?)?.label.clone())
    }
}

#[cfg(test)]
mod tests;
