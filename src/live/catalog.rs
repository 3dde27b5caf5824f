//! One concert as every core of this server sees it: the catalog from MySQL over the state that the log tells.
//!
//! Reads never await: they take a read lock for well under a microsecond (a seat map is copied, then encoded outside).
//! An entry is applied under one short write lock, so no reader sees half of one. While a view is not warm its catalog
//! half is good and the other half says nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use arc_swap::ArcSwap;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::glance::Glance;
use super::queue::{LineCounts, PlaceView};
use super::sale::{Applied, ApplyError, Sale, SaleCounts};
use super::show::ShowView;
use super::snapshot::Filling;
use crate::domain::catalog::{Concert, Show};
use crate::domain::event::Entry;
use crate::domain::ids::{ConcertId, Mark, Offset, ShowId};
use crate::domain::policy::{Gate, PolicyState};
use crate::domain::time::Millis;

/// What a concert is to a buyer; of several the first that applies, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SaleState {
    /// Its log is lost; nothing is sold until it is recovered.
    Recovering,
    /// From `closesAt` on.
    Closed,
    /// It has shows, and none has a seat available or held.
    SoldOut,
    /// The organiser stopped admission.
    Paused,
    /// Before `opensAt`.
    Announced,
    /// On sale.
    Open,
}

impl SaleState {
    /// What a concert whose log stands is at `now`.
    pub(crate) fn of(policy: &PolicyState, sold_out: bool, now: Millis) -> Self {
        if policy.has_closed(now) {
            Self::Closed
        } else if sold_out {
            Self::SoldOut
        } else if policy.paused {
            Self::Paused
        } else if policy.opens_at.is_some_and(|opens| now < opens) {
            Self::Announced
        } else {
            Self::Open
        }
    }
}

/// The dynamic state, shared by the concert and its shows.
pub(crate) type SharedSale = Arc<RwLock<Sale>>;

/// Reads the state. A panic while applying left at worst a state that its follower replaces by a snapshot.
pub(crate) fn read(sale: &SharedSale) -> RwLockReadGuard<'_, Sale> {
    sale.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(sale: &SharedSale) -> RwLockWriteGuard<'_, Sale> {
    sale.write().unwrap_or_else(PoisonError::into_inner)
}

/// A concert.
pub struct ConcertView {
    id: ConcertId,
    concert: ArcSwap<Concert>,
    shows: ArcSwap<Vec<Arc<ShowView>>>,
    sale: SharedSale,
    /// The log id that MySQL holds: only a log with this id is this concert's.
    published: ArcSwap<Mark>,
    number: watch::Sender<u64>,
    warm: AtomicBool,
    recovering: AtomicBool,
}

impl ConcertView {
    pub(crate) fn new(concert: Arc<Concert>, shows: Vec<Arc<Show>>, log_id: Mark) -> Self {
        let policy = PolicyState {
            policy: concert.policy.clone(),
            opens_at: concert.opens_at,
            closes_at: concert.closes_at,
            ..PolicyState::default()
        };
        let sale = Arc::new(RwLock::new(Sale { log_id, policy: Arc::new(policy), ..Sale::default() }));
        let shows = shows.into_iter().map(|show| Arc::new(ShowView::new(show, Arc::clone(&sale))));
        Self {
            id: concert.concert,
            shows: ArcSwap::from_pointee(shows.collect()),
            concert: ArcSwap::new(concert),
            sale,
            published: ArcSwap::from_pointee(log_id),
            number: watch::Sender::new(0),
            warm: AtomicBool::new(false),
            recovering: AtomicBool::new(false),
        }
    }

    /// Takes over what MySQL holds now. Another log id means that the log was made anew: the view waits for its snapshot.
    pub(crate) fn republish(&self, concert: Arc<Concert>, shows: Vec<Arc<Show>>, log_id: Mark) {
        if concert.version < self.concert().version && log_id == self.published_log_id() {
            // Read before a newer one that is shown already.
            return;
        }
        let known = self.shows();
        let shows = shows.into_iter().map(|show| {
            let view = known.iter().find(|view| view.layout().show == show.show);
            if let Some(view) = view {
                view.replace_layout(show);
                return Arc::clone(view);
            }
            Arc::new(ShowView::new(show, Arc::clone(&self.sale)))
        });
        self.shows.store(Arc::new(shows.collect()));
        self.concert.store(concert);
        self.published.store(Arc::new(log_id));
        if self.log_id() != log_id {
            self.go_cold();
        }
    }

    /// The concert as MySQL holds it.
    pub fn concert(&self) -> Arc<Concert> {
        self.concert.load_full()
    }

    /// Its id.
    pub fn id(&self) -> ConcertId {
        self.id
    }

    /// The version of [`ConcertView::concert`].
    pub fn catalog_version(&self) -> u64 {
        self.concert.load().version
    }

    /// Its shows, in the order of their ids.
    pub fn shows(&self) -> Arc<Vec<Arc<ShowView>>> {
        self.shows.load_full()
    }

    /// The policy as the log tells it; before the first snapshot as MySQL does.
    pub fn policy(&self) -> Arc<PolicyState> {
        Arc::clone(&read(&self.sale).policy)
    }

    /// Whether the policy lets only ACTIVE places through this gate.
    pub fn gates(&self, gate: Gate) -> bool {
        read(&self.sale).policy.policy.gates(gate)
    }

    /// Whether the end of the sale has come at `now`.
    pub fn has_closed(&self, now: Millis) -> bool {
        read(&self.sale).policy.has_closed(now)
    }

    /// Version of [`ConcertView::policy`]; 0 before the first snapshot.
    pub fn policy_version(&self) -> u64 {
        read(&self.sale).policy_version
    }

    /// The id of the log that this view follows.
    pub fn log_id(&self) -> Mark {
        read(&self.sale).log_id
    }

    /// The log id that MySQL holds.
    pub fn published_log_id(&self) -> Mark {
        **self.published.load()
    }

    /// How often the log was recovered.
    pub fn epoch(&self) -> u16 {
        read(&self.sale).epoch
    }

    /// What the concert is at `now`.
    pub fn state(&self, now: Millis) -> SaleState {
        if self.recovering() {
            return SaleState::Recovering;
        }
        let sale = read(&self.sale);
        SaleState::of(&sale.policy, sale.is_sold_out(), now)
    }

    /// What a poll at `now` for the place with this sequence number needs to know, all of one moment.
    pub fn glance(&self, seq: u64, now: Millis) -> Glance {
        let recovering = self.recovering();
        Glance::of(&read(&self.sale), seq, now, recovering)
    }

    /// Whether the view is whole: a snapshot and all entries up to its last page are in.
    pub fn warm(&self) -> bool {
        self.warm.load(Ordering::Acquire)
    }

    /// Whether the log is known to be lost.
    pub fn recovering(&self) -> bool {
        self.recovering.load(Ordering::Acquire)
    }

    /// The log is lost: the concert says so until it comes back with a higher epoch or another log id, or until
    /// [`ConcertView::mark_selling`]. Reads go on.
    pub fn mark_recovering(&self) {
        if !self.recovering.swap(true, Ordering::AcqRel) {
            tracing::error!(concert = self.concert().concert.0, "the log of a concert is lost");
        }
    }

    /// The log stands again, says who knows (MySQL's state of the log).
    pub fn mark_selling(&self) {
        self.recovering.store(false, Ordering::Release);
    }

    /// Number of the last entry applied; 0: none.
    pub fn number(&self) -> u64 {
        *self.number.borrow()
    }

    /// The last entry applied.
    pub fn offset(&self) -> Offset {
        read(&self.sale).offset
    }

    /// Tells every change of [`ConcertView::number`]; of several in quick succession only the last.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.number.subscribe()
    }

    /// Waits until entry `number` is applied; `false` if that is not so at `deadline`.
    pub async fn reached(&self, number: u64, deadline: Instant) -> bool {
        if self.number() >= number {
            return true;
        }
        let mut changes = self.changes();
        let applied = changes.wait_for(|&applied| applied >= number);
        matches!(timeout_at(deadline, applied).await, Ok(Ok(_)))
    }

    /// What the place with this sequence number is.
    pub fn place(&self, seq: u64) -> PlaceView {
        read(&self.sale).line.place(seq)
    }

    /// The line in numbers.
    pub fn line(&self) -> LineCounts {
        read(&self.sale).line.counts()
    }

    /// Admissions a second over the last 10 s before `now`.
    pub fn admitted_per_second(&self, now: Millis) -> f64 {
        read(&self.sale).line.admitted_per_second(now)
    }

    /// Seats and money, all shows.
    pub fn sales(&self) -> SaleCounts {
        read(&self.sale).counts()
    }

    /// Why a show was cancelled; `None`: it was not.
    pub fn cancelled(&self, show: ShowId) -> Option<Arc<str>> {
        read(&self.sale).cancelled.get(&show).cloned()
    }

    /// Cancelled shows that have a seat which is not blocked.
    pub fn to_clear(&self) -> Vec<ShowId> {
        let sale = read(&self.sale);
        let is_clear = |show: &ShowId| sale.maps.get(show).is_none_or(|map| map.counts().is_clear());
        sale.cancelled.keys().filter(|show| !is_clear(show)).copied().collect()
    }

    /// Seconds from `opensAt`, or else from the first hold, until the last seat was sold; `None` while it is not sold
    /// out, or if either lies before the snapshot and nobody said ([`ConcertView::remember_sale`]).
    pub fn sold_out_in_seconds(&self) -> Option<u64> {
        let sale = read(&self.sale);
        let from = sale.policy.opens_at.or(sale.first_hold)?;
        u64::try_from((sale.sold_out?.0 - from.0) / 1000).ok()
    }

    /// Times that a snapshot cannot tell, as the archive has them: the first hold, and the payment that sold the last seat.
    pub fn remember_sale(&self, first_hold: Option<Millis>, sold_out: Option<Millis>) {
        let mut sale = write(&self.sale);
        sale.first_hold = first_hold.or(sale.first_hold);
        if sale.is_sold_out() {
            sale.sold_out = sale.sold_out.or(sold_out);
        }
    }

    /// Applies entry `number`; readers see all of it or nothing.
    pub fn apply(&self, number: u64, entry: &Entry<'_>) -> Result<Applied, ApplyError> {
        let applied = write(&self.sale).apply(number, entry)?;
        if matches!(applied, Applied::Moved { .. }) {
            self.number.send_replace(number);
        }
        Ok(applied)
    }

    /// Replaces the state by a snapshot that is complete. What only the old one knew of the sale's times is kept.
    pub fn install(&self, filling: Filling) {
        let mut next = filling.into_sale();
        let number = next.offset.number;
        let mut sale = write(&self.sale);
        let same_log = next.log_id == sale.log_id;
        if same_log && self.number() > 0 {
            next.first_hold = sale.first_hold.or(next.first_hold);
            if next.is_sold_out() {
                next.sold_out = next.sold_out.or(sale.sold_out);
            }
            if next.epoch > sale.epoch {
                self.mark_selling();
            }
        }
        if !same_log {
            self.mark_selling();
        }
        *sale = next;
        drop(sale);
        self.warm.store(true, Ordering::Release);
        self.number.send_replace(number);
    }

    /// The state is not to be trusted until the next snapshot.
    pub fn go_cold(&self) {
        self.warm.store(false, Ordering::Release);
    }
}
