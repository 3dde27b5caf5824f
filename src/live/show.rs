//! One show as every core of this server sees it: its seats from the catalog, their state from the log.
//!
//! Bodies are made by whoever asks first, outside the lock of the sale. Others meanwhile get the body before that one
//! if it may still be served, and wait if not; two of one version are never made.

use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use arc_swap::{ArcSwap, ArcSwapOption};

use super::body::{Encoded, Encoder, Latest, Moment, SeatsForm, Version};
use super::catalog::{SharedSale, read};
use super::layout::Layout;
use super::seats::{SeatCounts, SeatMap};
use crate::domain::catalog::Show;
use crate::domain::ids::Mark;

/// A show.
pub struct ShowView {
    layout: ArcSwap<Layout>,
    sale: SharedSale,
    full: Bodies,
    status: Bodies,
    seats: Bodies,
}

/// One form of the seat map.
#[derive(Default)]
struct Bodies {
    latest: ArcSwapOption<Latest>,
    encoder: Mutex<Encoder>,
}

impl ShowView {
    pub(crate) fn new(show: Arc<Show>, sale: SharedSale) -> Self {
        Self {
            layout: ArcSwap::from_pointee(Layout::new(show)),
            sale,
            full: Bodies::default(),
            status: Bodies::default(),
            seats: Bodies::default(),
        }
    }

    /// Takes over what MySQL holds now; what was encoded stays good if clients see the same seats.
    pub(crate) fn replace_layout(&self, show: Arc<Show>) {
        let old = self.layout.load_full();
        if old.same_seats(&show) && old.show.starts_at == show.starts_at {
            return;
        }
        self.layout.store(Arc::new(Layout::new(show)));
    }

    /// The show with its seats, by index.
    pub fn layout(&self) -> Arc<Show> {
        Arc::clone(&self.layout.load().show)
    }

    /// How many seats are what; all 0 until the show is on sale.
    pub fn counts(&self) -> SeatCounts {
        let show = self.layout.load().show.show;
        let sale = read(&self.sale);
        sale.maps.get(&show).map(SeatMap::counts).unwrap_or_default()
    }

    /// Number of the last entry that changed the map; 0: none.
    pub fn changed_in(&self) -> u64 {
        let show = self.layout.load().show.show;
        read(&self.sale).maps.get(&show).map_or(0, SeatMap::version)
    }

    /// `<log id>.<number of the last entry that changed the map>`.
    pub fn version(&self) -> String {
        let show = self.layout.load().show.show;
        let sale = read(&self.sale);
        let number = sale.maps.get(&show).map_or(0, SeatMap::version);
        version(sale.log_id, number)
    }

    /// A body of the seat map, at most half a second old. It carries its own version and `ETag`.
    pub fn body(&self, form: SeatsForm) -> Arc<Encoded> {
        self.body_at_least(form, 0)
    }

    /// A body of the seat map with entry `number` in it, if this view has applied it ([`super::ConcertView::reached`]).
    pub fn body_at_least(&self, form: SeatsForm, number: u64) -> Arc<Encoded> {
        let layout = self.layout.load_full();
        let bodies = match form {
            SeatsForm::Full => &self.full,
            SeatsForm::Status => &self.status,
            SeatsForm::Layout => &self.seats,
        };
        let now = self.version_of(form, &layout);
        let latest = bodies.latest.load_full();
        let serves = |latest: &&Arc<Latest>| {
            latest.is_of(now, &layout) || (latest.applied >= number && latest.rests(now, &layout))
        };
        if let Some(latest) = latest.as_ref().filter(serves) {
            return Arc::clone(&latest.encoded);
        }
        let stands_in = |latest: &&Arc<Latest>| latest.applied >= number && latest.stands_in(now, &layout);
        let mut encoder = match bodies.encoder.try_lock() {
            Ok(encoder) => encoder,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => match latest.as_ref().filter(stands_in) {
                Some(latest) => return Arc::clone(&latest.encoded),
                None => bodies.encoder.lock().unwrap_or_else(PoisonError::into_inner),
            },
        };
        let moment = self.moment(form, &layout);
        // Whoever held the encoder before may have made this very version.
        if let Some(latest) = bodies.latest.load_full()
            && latest.is_of(moment.at, &layout)
        {
            return Arc::clone(&latest.encoded);
        }
        let latest = Arc::new(encoder.encode(form, &layout, &moment));
        bodies.latest.store(Some(Arc::clone(&latest)));
        Arc::clone(&latest.encoded)
    }

    fn version_of(&self, form: SeatsForm, layout: &Layout) -> Version {
        match form {
            SeatsForm::Layout => (Mark(layout.pieces().fingerprint), 0),
            SeatsForm::Full | SeatsForm::Status => {
                let sale = read(&self.sale);
                (sale.log_id, sale.maps.get(&layout.show.show).map_or(0, SeatMap::version))
            }
        }
    }

    fn moment(&self, form: SeatsForm, layout: &Layout) -> Moment {
        if form == SeatsForm::Layout {
            let (at, version) = (self.version_of(form, layout), layout.pieces().version());
            return Moment { at, version, applied: u64::MAX, bytes: Vec::new() };
        }
        let sale = read(&self.sale);
        let map = sale.maps.get(&layout.show.show);
        let at = (sale.log_id, map.map_or(0, SeatMap::version));
        Moment {
            at,
            version: version(at.0, at.1),
            applied: sale.offset.number,
            bytes: map.map(|map| map.bytes().to_vec()).unwrap_or_default(),
        }
    }

    /// The version now, with index and byte (`b'0'` to `b'3'`) of every seat that changed since `since`. `None`: that
    /// version is too old, of another log or none; the caller sends the full form.
    pub fn changes_since(&self, since: &str) -> Option<(String, Vec<(u32, u8)>)> {
        let (log, number) = since.split_once('.')?;
        let show = self.layout.load().show.show;
        let sale = read(&self.sale);
        if log.parse::<Mark>().ok()? != sale.log_id {
            return None;
        }
        let map = sale.maps.get(&show)?;
        let changes = map.changes_since(number.parse().ok()?)?;
        Some((version(sale.log_id, map.version()), changes))
    }

    /// How often each form has been encoded: full, status, layout.
    #[cfg(test)]
    pub(crate) fn encodings(&self) -> [u64; 3] {
        [&self.full, &self.status, &self.seats].map(|bodies| bodies.encoder.lock().unwrap().made)
    }
}

fn version(log_id: Mark, number: u64) -> String {
    format!("{log_id}.{number}")
}
