//! A concert that is over: whoever still stands in line leaves, then all who have bought get their new names.

use tokio::task::JoinSet;

use super::{Retention, Turn, Waiting};
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
    /// The last entry, and the last number in line, when nothing was live in a concert. One that got another show is not over any more.
    pub(super) async fn begin_concert(&self, turn: &Turn, concert: ConcertId) -> Result<(u64, u64), Waiting> {
        let log = LogName::Concert(concert);
        if self.archive.has_show_ahead(concert, turn.before).await? {
            self.archive.abandon_retention(log).await?;
            return Err(Waiting::ShowAhead);
        }
        // Not abandoned: how long it has been waiting shows in what was begun.
        if self.archive.owes_for_cancelled(concert).await? {
            return Err(Waiting::Unpaid);
        }
        if let Some(since) = turn.state.since {
            return Ok(since);
        }
        self.end_line(concert, turn.before).await?;
        let mut since = None;
        for key in LIVE {
            let page = self.store.scan(concert, key, 0, deadline()).await?;
            let number = page.at.number;
            if page.total > 0 {
                return Err(Waiting::Live { key, left: page.total });
            }
            if *since.get_or_insert(number) != number {
                return Err(Waiting::Moving);
            }
        }
        let number = since.ok_or(Waiting::Moving)?;
        self.level(log, number).await?;
        Ok((number, self.archive.last_place(concert).await?))
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

    /// All who have bought, or have been paid back since.
    pub(super) async fn rename_buyers(
        &self,
        turn: &Turn,
        (concert, since): (ConcertId, u64),
    ) -> Result<(), Waiting> {
        let shows = self.archive.shows_of(concert).await?;
        for user in self.archive.buyers(concert, since).await? {
            if !self.rename_buyer(turn, (concert, &shows), &user).await? {
                return Err(Waiting::Buyer);
            }
        }
        Ok(())
    }

    async fn rename_buyer(
        &self,
        turn: &Turn,
        (concert, shows): (ConcertId, &[ShowId]),
        user: &UserId,
    ) -> Result<bool, ForgettingError> {
        let name = turn.state.key.name(user, self.store.partitions());
        let reservations = self.archive.reservations_named(concert, user).await?;
        let of = ForgetRequest::of(user, &name, ForgetMode::Idle(turn.before));
        let request = ForgetRequest { reservations: &reservations, ..of };
        let found = self.store.forget(concert, shows, request, deadline()).await?;
        Ok(found.is_some_and(|found| found.forgotten))
    }
}
