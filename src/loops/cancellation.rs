//! Cancellation: clears cancelled shows and refunds whoever has paid, some reservations a tick.
//!
//! What is left is read from Redis each time and each refund is decided there, so a loop that is killed anywhere is
//! gone on with by the next one, and any number of them may run: a reservation that another has refunded is done.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::{every, for_each_selling, report, step_deadline};
use crate::domain::ids::{ConcertId, Id20, Mark, ReservationId, ShowId, UserId};
use crate::domain::outcome::{InvalidReason, Refusal};
use crate::live::{ConcertView, Live};
use crate::store::{Cleared, Failure, RefundRequest, Store};

/// Pages of 100 seats of one show in one tick: what bounds a tick in which nothing is left to refund.
const PAGES_MAX: usize = 50;

/// Pages that a worker clears at once, of all concerts: each takes Redis 0.15 ms, more where much is held, and what came together over one
/// connection it runs without a look at any other. Many shows that are cancelled together take turns here, not before everybody's batches.
const PAGES_AT_ONCE: usize = 2;

/// Where the next tick goes on; a loop that has just begun starts at the first seat.
type Cursors = Arc<Mutex<HashMap<ShowId, Cursor>>>;

/// A place among the seats of a show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cursor {
    /// The first seat of the page.
    first: u64,
    /// Reservations of the page that were tried in vain: they keep no other from its turn.
    skip: usize,
}

/// How fast buyers of cancelled shows get their money back.
#[derive(Clone, Copy, Debug)]
pub struct RefundRate {
    /// Reservations of one concert in one tick, at least 1.
    pub batch: usize,
    /// Between two ticks.
    pub period: Duration,
}

/// Clears and refunds for all concerts until shut down.
pub async fn cancellation(store: Store, live: Live, rate: RefundRate, shutdown: watch::Receiver<bool>) {
    let (cursors, turns) = (Cursors::default(), Arc::new(Semaphore::new(PAGES_AT_ONCE)));
    let step = |store: Store, concert: ConcertId| {
        let shows = live.concert(concert).map(|view| view.to_clear()).unwrap_or_default();
        let (cursors, turns) = (Arc::clone(&cursors), Arc::clone(&turns));
        let round = Round { store, concert, cursors, turns, batch: rate.batch };
        round.run(shows)
    };
    every(rate.period, shutdown, || for_each_selling("cancel", &store, &live, has_work, &step)).await;
}

/// A view that is not warm knows nothing: what it tells later is soon enough.
fn has_work(view: &ConcertView) -> bool {
    !view.to_clear().is_empty()
}

/// One tick of one concert.
struct Round {
    store: Store,
    concert: ConcertId,
    cursors: Cursors,
    turns: Arc<Semaphore>,
    batch: usize,
}

impl Round {
    async fn run(self, shows: Vec<ShowId>) -> Result<(), Failure> {
        let mut left = self.batch;
        for show in shows {
            left = self.clear(show, left).await?;
            if left == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Goes on with a show until so many were refunded or it has been gone through. Answers how many may follow.
    async fn clear(&self, show: ShowId, mut left: usize) -> Result<usize, Failure> {
        let mut at = self.cursor(show);
        for _ in 0..PAGES_MAX {
            let turn = self.turns.acquire().await.expect("nobody closes it");
            let page = self.store.clear(self.concert, show, at.first, step_deadline()).await?;
            drop(turn);
            let Cleared { next, confirmed } = page;
            let wanted = confirmed.len().saturating_sub(at.skip);
            let tried = wanted.min(left);
            let failed = self.refund_all(show, confirmed.into_iter().skip(at.skip).take(tried)).await;
            left -= tried;
            at = if tried == wanted {
                Cursor { first: next.unwrap_or(0), skip: 0 }
            } else {
                Cursor { skip: at.skip + failed, ..at }
            };
            self.keep(show, at);
            if left == 0 || at == Cursor::default() {
                break;
            }
        }
        Ok(left)
    }

    /// Side by side, so that they share script calls. Answers how many could not be refunded now.
    async fn refund_all(&self, show: ShowId, confirmed: impl Iterator<Item = (Id20, UserId)>) -> usize {
        let mut refunds = JoinSet::new();
        for (id, user) in confirmed {
            let reservation = ReservationId { concert: self.concert, show, id };
            let request = RefundRequest {
                reservation,
                user,
                refund: refund_id(reservation),
                seats: Vec::new(),
                by: None,
                fingerprint: Mark::default(),
            };
            let store = self.store.clone();
            refunds.spawn(async move { (reservation, store.refund(request, step_deadline()).await) });
        }
        let mut failed = 0;
        while let Some(ended) = refunds.join_next().await {
            match ended {
                // By us, by another worker, or by an earlier call whose outcome nobody learned; or outstanding for good, since nobody
                // knows whose balance it was (0015).
                Ok((
                    _,
                    Ok(_)
                    | Err(Failure::Refused(Refusal::InvalidReservation(
                        InvalidReason::Refunded | InvalidReason::Anonymous,
                    ))),
                )) => continue,
                // Tried again at the next round, and outstanding in the report until then.
                Ok((reservation, Err(Failure::Refused(refusal)))) => {
                    tracing::debug!(%reservation, refusal = refusal.name(), "a refund has to wait");
                }
                Ok((_, Err(failure))) => report("refund", self.concert, &failure),
                Err(panicked) => tracing::error!(step = "refund", error = %panicked, "a refund panicked"),
            }
            failed += 1;
        }
        failed
    }

    fn cursor(&self, show: ShowId) -> Cursor {
        let cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        cursors.get(&show).copied().unwrap_or_default()
    }

    fn keep(&self, show: ShowId, at: Cursor) {
        self.cursors.lock().unwrap_or_else(PoisonError::into_inner).insert(show, at);
    }
}

/// The id of the refund that a cancelled show brings: the same whoever makes it, and as often as it is tried.
fn refund_id(reservation: ReservationId) -> Id20 {
    let hash = Sha256::digest(format!("cancelled {reservation}"));
    let first = hash.first_chunk().expect("SHA-256 is longer than 16 bytes");
    Id20::from_bits(u128::from_be_bytes(*first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_has_one_refund_and_another_has_another() {
        let of = |id| {
            refund_id(ReservationId { concert: ConcertId(7), show: ShowId(12), id: Id20::from_bits(id) })
        };
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
