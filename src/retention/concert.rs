//! A concert that is over: whoever still stands in line leaves, then all who have bought get their new names.

use tokio::task::JoinSet;

use super::{Retention, Turn};
use crate::domain::ids::{ConcertId, LogName, ShowId, UserId};
use crate::domain::time::Millis;
use crate::forgetting::{ForgettingError, deadline};
use crate::store::scan::Index;
use crate::store::{Failure, ForgetMode, ForgetRequest};

/// What must be empty before anybody gets another name: all that is live of anybody, and ended reservations that are not tidied yet.
const LIVE: [Index; 7] =
    [Index::Line, Index::Place, Index::Active, Index::Pending, Index::Expiry, Index::Cards, Index::Ended];

/// Places that are ended side by side.
const PAGE: u32 = 500;

impl Retention {
    /// The last entry, and the last number in line, when nothing was live in a concert; `None`: something is, or it is not over any
    /// more, since it got another show.
    pub(super) async fn begin_concert(
        &self,
        turn: &Turn,
        concert: ConcertId,
    ) -> Result<Option<(u64, u64)>, ForgettingError> {
        let log = LogName::Concert(concert);
        if self.archive.has_show_ahead(concert, turn.before).await? {
            tracing::warn!(%log, "its retention has to wait: a show lies ahead, or has to be paid back");
            self.archive.abandon_retention(log).await?;
            return Ok(None);
        }
        if turn.state.since.is_some() {
            return Ok(turn.state.since);
        }
        self.end_line(concert, turn.before).await?;
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
    async fn end_line(&self, concert: ConcertId, before: Millis) -> Result<(), ForgettingError> {
        let mut after = 0;
        loop {
            let places = self.archive.open_places(concert, before, after, PAGE).await?;
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

    /// All who have bought, or have been paid back since; `false`: one of them has come back, and something of his is live.
    pub(super) async fn rename_buyers(
        &self,
        turn: &Turn,
        (concert, since): (ConcertId, u64),
    ) -> Result<bool, ForgettingError> {
        let shows = self.archive.shows_of(concert).await?;
        for user in self.archive.buyers(concert, since).await? {
            if !self.rename_buyer(turn, (concert, &shows), &user).await? {
                tracing::warn!(%concert, "its retention has to wait: a buyer has come back, or is owed something");
                return Ok(false);
            }
        }
        Ok(true)
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
}
