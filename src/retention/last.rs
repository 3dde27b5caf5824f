//! The last entry of a log, which Redis keeps however old it is: it must name nobody who has another name.

use super::Retention;
use crate::archive::{self, RetentionState};
use crate::domain::event::{Entry, Event, LogKind, Naming};
use crate::domain::forgetting::requester;
use crate::domain::ids::{LogName, UserId};
use crate::domain::pseudonym::is_pseudonym;
use crate::domain::time::Millis;
use crate::forgetting::{ForgettingError, deadline};
use crate::store::{ForgetMode, ForgetRequest};

impl Retention {
    /// Makes it so, and answers its number; the archive has it.
    pub(super) async fn name_nobody_last(&self, state: &RetentionState) -> Result<u64, ForgettingError> {
        let log = state.log;
        let end = self.end_of(log).await?;
        let Some(user) = self.named_last(log, end).await? else { return Ok(end) };
        let pushed = self.push_on(state, &user).await?;
        self.level(log, pushed).await?;
        Ok(pushed)
    }

    /// The last entry that the archive has, of a log in which it has all that this process has written.
    async fn end_of(&self, log: LogName) -> Result<u64, ForgettingError> {
        let seen = self.store.seen().get(log).map_or(0, |seen| seen.offset().number);
        self.level(log, seen).await?;
        Ok(self.archive.offset(log).await?.map_or(seen, |known| known.offset.number))
    }

    /// Who has still his name in this entry; of a wallet's log, which is never over, only those who have just got another.
    async fn named_last(&self, log: LogName, number: u64) -> Result<Option<UserId>, ForgettingError> {
        let last = self.archive.entries_after(log, number.saturating_sub(1), 1).await?;
        let Some((number, text)) = last.first() else { return Ok(None) };
        let source = |source| archive::Error::Entry { log, number: *number, source };
        let entry = Entry::decode(LogKind::of(log), text).map_err(source)?;
        let counts = |event: &&Event<'_>| match log {
            LogName::Concert(_) => true,
            LogName::Wallet(_) => matches!(event, Event::Forgotten(_)),
        };
        let namings = entry.events.iter().filter(counts).flat_map(Event::namings).flatten();
        let mut users = namings.filter_map(|naming| match naming {
            Naming::User(user) => Some(user),
            Naming::Request(request) => requester(request),
        });
        Ok(users.rfind(|user| !is_pseudonym(user)).and_then(UserId::new))
    }

    /// Has another entry follow.
    async fn push_on(&self, state: &RetentionState, user: &UserId) -> Result<u64, ForgettingError> {
        let name = state.key.name(user, self.store.partitions());
        let request = ForgetRequest::of(user, &name, ForgetMode::Sweep(Millis(0)));
        match state.log {
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
