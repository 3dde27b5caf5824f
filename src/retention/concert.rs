//! A concert that is over: whoever still stands in line leaves, then all who have bought get their new names.

use tokio::task::JoinSet;

use super::{PAGE, Retention, Turn};
use crate::domain::ids::{ConcertId, LogName, ShowId, UserId};
use crate::domain::time::Millis;
use crate::forgetting::{ForgettingError, deadline, now};
use crate::store::scan::Index;
use crate::store::{Failure, ForgetMode, ForgetRequest};

/// How long ended reservations may still be in Redis (`tidy`), ms, with an hour to spare.
const ENDED_KEEP: i64 = 25 * 3600 * 1000;

/// What must be empty before anybody gets another name: all that is live of anybody.
const LIVE: [Index; 6] =
    [Index::Line, Index::Place, Index::Active, Index::Pending, Index::Expiry, Index::Cards];

impl Retention {
    /// The last entry, and the last number in line, when nothing was live in a concert; `None`: something is.
    pub(super) async fn idle_since(&self, concert: ConcertId) -> Result<Option<(u64, u64)>, ForgettingError> {
        let log = LogName::Concert(concert);
        self.end_line(concert).await?;
        let mut since = None;
        for index in LIVE {
            let page = self.store.scan(concert, index, 0, deadline()).await?;
            let number = page.at.number;
            if page.total > 0 || *since.get_or_insert(number) != number {
                tracing::warn!(%log, index = index.name(), left = page.total, "its retention has to wait: something is live");
                return Ok(None);
            }
        }
        let Some(number) = since else { return Ok(None) };
        self.level(log, number).await?;
        Ok(Some((number, self.archive.last_place(concert).await?)))
    }

    /// Ends the places of all who were never let in, or never left.
    async fn end_line(&self, concert: ConcertId) -> Result<(), ForgettingError> {
        let mut after = 0;
        loop {
            let places = self.archive.open_places(concert, after, PAGE).await?;
            let Some((last, _)) = places.last() else { return Ok(()) };
            after = *last;
            let mut leaving = JoinSet::new();
            for (seq, user) in places {
                let store = self.store.clone();
                leaving.spawn(async move { store.leave(concert, &user, seq, deadline()).await.map(drop) });
            }
            while let Some(left) = leaving.join_next().await {
                // A place that has ended meanwhile is one less.
                match left {
                    Ok(Ok(()) | Err(Failure::Refused(_))) => {}
                    Ok(Err(failure)) => return Err(failure.into()),
                    Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
                }
            }
        }
    }

    /// All who have reservations in Redis; `false`: one of them has come back, and something of his is live.
    pub(super) async fn rename_buyers(
        &self,
        turn: &Turn,
        concert: ConcertId,
    ) -> Result<bool, ForgettingError> {
        let shows = self.archive.shows_of(concert).await?;
        let (mut after, ended) = (None, Millis(now().0 - ENDED_KEEP));
        loop {
            let users = self.archive.buyers(concert, ended, after.as_ref(), PAGE).await?;
            for user in &users {
                if !self.rename_buyer(turn, (concert, &shows), user).await? {
                    tracing::warn!(%concert, "its retention has to wait: a buyer has come back");
                    return Ok(false);
                }
            }
            let Some(last) = users.last() else { return Ok(true) };
            after = Some(last.clone());
        }
    }

    async fn rename_buyer(
        &self,
        turn: &Turn,
        (concert, shows): (ConcertId, &[ShowId]),
        user: &UserId,
    ) -> Result<bool, ForgettingError> {
        let name = turn.state.key.name(user, self.store.partitions());
        let reservations = self.archive.reservations_named(concert, user).await?;
        let request = ForgetRequest {
            user,
            pseudonym: &name,
            mode: ForgetMode::Idle(turn.before),
            reservations: &reservations,
            requests: &[],
            cards: &[],
        };
        let found = self.store.forget(concert, shows, request, deadline()).await?;
        Ok(found.is_some_and(|found| found.forgotten))
    }

    /// Makes the last entry of a log that names a user one that does not; answers its number.
    pub(super) async fn push_on(
        &self,
        log: LogName,
        user: &UserId,
        name: &UserId,
    ) -> Result<u64, ForgettingError> {
        let request = ForgetRequest {
            user,
            pseudonym: name,
            mode: ForgetMode::Sweep(Millis(0)),
            reservations: &[],
            requests: &[],
            cards: &[],
        };
        match log {
            LogName::Concert(concert) => {
                let found = self.store.forget(concert, &[], request, deadline()).await?;
                Ok(found.map_or(0, |found| found.number))
            }
            LogName::Wallet(partition) => {
                Ok(self.store.forget_wallet(partition, request, deadline()).await?.number)
            }
        }
    }
}
