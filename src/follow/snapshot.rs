//! Reads the pages of a snapshot into a state for a live view.
//!
//! It runs beside the tailing of the logs, on another connection: a line of a million takes 2,000 pages, and the other
//! views must not wait for them. One concert at a time, so that starting servers do not storm Redis.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::domain::ids::ConcertId;
use crate::live::ApplyError;
use crate::live::snapshot::{Filling, Head, Place};
use crate::store::{Failure, Store};

/// For one page.
const PAGE_TIMEOUT: Duration = Duration::from_secs(2);

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub(super) enum FillError {
    /// A page could not be read.
    #[error("a page could not be read")]
    Read(#[from] Failure),
    /// The pages make no state.
    #[error("the pages make no state")]
    Apply(#[from] ApplyError),
}

/// A snapshot as the tail needs it.
pub(super) struct Filled {
    pub(super) concert: ConcertId,
    /// The state with the catalog version that Redis knows.
    pub(super) result: Result<(Filling, u64), FillError>,
}

/// Makes the snapshots that are wanted until nobody wants any.
pub(super) async fn fill_wanted(
    store: &Store,
    mut wanted: mpsc::Receiver<ConcertId>,
    filled: mpsc::Sender<Filled>,
) {
    while let Some(concert) = wanted.recv().await {
        let result = fill(store, concert).await;
        if filled.send(Filled { concert, result }).await.is_err() {
            return;
        }
    }
}

async fn fill(store: &Store, concert: ConcertId) -> Result<(Filling, u64), FillError> {
    let head = store.snapshot_head(concert, deadline()).await?;
    let catalog = head.catalog;
    let head = Head {
        log_id: head.log_id,
        epoch: head.epoch,
        offset: head.offset,
        policy_version: head.policy_version,
        policy_json: head.policy_json,
        seq: head.seq,
        revenue: head.revenue,
        show_versions: head.show_versions,
        cancelled: head.cancelled,
    };
    let mut filling = Filling::start(&head)?;
    fill_line(store, concert, &mut filling).await?;
    for &(show, _) in &head.show_versions {
        let mut next = Some(0);
        while let Some(first) = next {
            let page = store.snapshot_seats(concert, show, first, deadline()).await?;
            let from = u32::try_from(first).expect("a show has at most 200,000 seats");
            filling.add_seats(page.number, show, from, &page.items)?;
            next = page.next;
        }
    }
    filling.close_pages();
    Ok((filling, catalog))
}

async fn fill_line(store: &Store, concert: ConcertId, filling: &mut Filling) -> Result<(), FillError> {
    let mut next = Some(0);
    while let Some(after) = next {
        let page = store.snapshot_queue(concert, after, deadline()).await?;
        filling.add_waiting(page.number, &page.items)?;
        next = page.next;
    }
    let mut next = Some(0);
    while let Some(cursor) = next {
        let page = store.snapshot_places(concert, cursor, deadline()).await?;
        let places = page.items.iter();
        let places = places.map(|place| Place { seq: place.seq, end: place.end, claim_by: place.claim_by });
        filling.add_places(page.number, places);
        next = page.next;
    }
    Ok(())
}

fn deadline() -> Instant {
    Instant::now() + PAGE_TIMEOUT
}
