//! Retention (decision 0015): what was long over names nobody any more. Concerts first, then the money of users who are in none.
//!
//! A log at a time. Redis gets the new names first, and says so in the log; then MySQL is rewritten, page by page. Each step may break off
//! and is gone on with by the next round, whoever's it is: until the last one MySQL keeps the key that the names are made with.

mod concert;
mod wallet;

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::archive::{Archive, LogState, RetentionState};
use crate::domain::event::{Entry, Event, LogKind, Naming};
use crate::domain::forgetting::requester;
use crate::domain::ids::{LogName, UserId};
use crate::domain::pseudonym::is_pseudonym;
use crate::domain::retention::{Names, RetentionKey};
use crate::domain::time::Millis;
use crate::forgetting::ForgettingError;
use crate::store::Store;

/// How long the archive may need to have what Redis has.
const LEVEL: Duration = Duration::from_mins(1);

/// MySQL gives a lock back when it has seen its connection end, s.
const LOCK_SECONDS: u32 = 2;

/// For so long nobody can be forgotten; a log that is begun is brought to its end.
const TURN: Duration = Duration::from_mins(1);

/// Between two looks through a wallet partition, ms: each reads all of it.
const WALLET_EVERY: i64 = 24 * 3600 * 1000;

/// Users of one read.
const PAGE: u32 = 500;

/// What a round has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Logs in which nobody has his name any more who should not.
    pub done: u64,
    /// Rows of MySQL that were rewritten.
    pub rows: u64,
    /// Logs in which something is live, or that can't be trusted now: the next round looks again.
    pub waiting: BTreeSet<LogName>,
    /// Whether its time was over before it had looked at all that may be due.
    pub more: bool,
}

/// What it takes to apply it.
#[derive(Clone)]
pub struct Retention {
    archive: Archive,
    store: Store,
    keep: Duration,
}

/// A log at its turn.
struct Turn {
    state: RetentionState,
    /// What is older is over.
    before: Millis,
    /// The time of the round.
    at: Millis,
}

impl Retention {
    /// Everything that has been over for `keep` is due.
    pub fn new(archive: Archive, store: Store, keep: Duration) -> Self {
        Self { archive, store, keep }
    }

    /// Applies it to logs that are due at a time, for about a minute. Several may call: they take turns.
    pub async fn run(&self, at: Millis) -> Result<Round, ForgettingError> {
        let keep = i64::try_from(self.keep.as_millis()).unwrap_or(i64::MAX);
        let before = Millis(at.0.saturating_sub(keep));
        let (mut round, until) = (Round::default(), Instant::now() + TURN);
        let Some(_lock) = self.archive.lock_forgetting(LOCK_SECONDS).await? else { return Ok(round) };
        // Whoever is half forgotten comes first: his two names would meet in one page.
        if !self.archive.unfinished_forgettings().await?.is_empty() {
            return Ok(round);
        }
        loop {
            if Instant::now() > until {
                round.more = true;
                break;
            }
            let Some(state) = self.next((before, at), &round.waiting).await? else { break };
            match self.apply(&Turn { state, before, at }).await? {
                Some(rows) => {
                    round.done += 1;
                    round.rows += rows;
                }
                None => drop(round.waiting.insert(state.log)),
            }
        }
        Ok(round)
    }

    /// The next log; what was begun goes before what is due.
    async fn next(
        &self,
        (before, at): (Millis, Millis),
        waiting: &BTreeSet<LogName>,
    ) -> Result<Option<RetentionState>, ForgettingError> {
        let begun = self.archive.retentions_under_way().await?;
        if let Some(state) = begun.into_iter().find(|state| !waiting.contains(&state.log)) {
            return Ok(Some(state));
        }
        let mut due = self.archive.concerts_over(before).await?;
        due.extend(self.archive.wallets_not_kept_since(Millis(at.0.saturating_sub(WALLET_EVERY))).await?);
        let Some(log) = due.into_iter().find(|log| !waiting.contains(log)) else { return Ok(None) };
        let key = RetentionKey(rand::random());
        self.archive.begin_retention(log, key, at).await?;
        Ok(Some(RetentionState { log, key, since: None, upto: None }))
    }

    /// Goes on with a log as far as it can. Answers how many rows were rewritten; `None`: not now.
    async fn apply(&self, turn: &Turn) -> Result<Option<u64>, ForgettingError> {
        let log = turn.state.log;
        let Some(known) = self.archive.offset(log).await?.filter(|known| known.state == LogState::Selling)
        else {
            return Ok(None);
        };
        self.store.seen().register(log, known.log_id, known.offset);
        let begun = match turn.state.since {
            Some(since) => Some(since),
            None => self.begin(log, known.offset.number).await?,
        };
        let Some(since) = begun else { return Ok(None) };
        let upto = match turn.state.upto {
            Some(upto) => upto,
            None if self.rename(turn).await? => self.close(turn).await?,
            None => return Ok(None),
        };
        let rows = self.rewrite(&turn.state, since, upto).await?;
        self.archive.end_retention(log, turn.at).await?;
        tracing::info!(%log, rows, "the retention of the log is over: it names nobody");
        Ok(Some(rows))
    }

    /// Writes from where on nothing is live by an old name.
    async fn begin(&self, log: LogName, archived: u64) -> Result<Option<(u64, u64)>, ForgettingError> {
        let since = match log {
            LogName::Concert(concert) => self.idle_since(concert).await?,
            LogName::Wallet(_) => Some((archived, 0)),
        };
        if let Some((number, seq)) = since {
            self.archive.note_idle(log, number, seq).await?;
        }
        Ok(since)
    }

    /// Gives Redis the new names; `false`: something is live.
    async fn rename(&self, turn: &Turn) -> Result<bool, ForgettingError> {
        match turn.state.log {
            LogName::Concert(concert) => self.rename_buyers(turn, concert).await,
            LogName::Wallet(partition) => self.rename_idle(turn, partition).await,
        }
    }

    /// Makes the last entry, which Redis keeps, name nobody, and writes how far MySQL is to be rewritten.
    async fn close(&self, turn: &Turn) -> Result<u64, ForgettingError> {
        let (log, key) = (turn.state.log, turn.state.key);
        let mut upto = self.end_of(log).await?;
        if let Some(user) = self.named_last(log, upto).await? {
            let name = key.name(&user, self.store.partitions());
            upto = self.push_on(log, &user, &name).await?;
            self.level(log, upto).await?;
        }
        self.archive.note_renamed(log, upto).await?;
        Ok(upto)
    }

    /// Who has still his name in the last entry.
    async fn named_last(&self, log: LogName, number: u64) -> Result<Option<UserId>, ForgettingError> {
        let last = self.archive.entries_after(log, number.saturating_sub(1), 1).await?;
        let Some((number, text)) = last.first() else { return Ok(None) };
        let source = |source| crate::archive::Error::Entry { log, number: *number, source };
        let entry = Entry::decode(LogKind::of(log), text).map_err(source)?;
        // A wallet's log is never over: only those count who have just got another name.
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

    async fn rewrite(
        &self,
        state: &RetentionState,
        (since, seq): (u64, u64),
        upto: u64,
    ) -> Result<u64, ForgettingError> {
        let (archive, log) = (&self.archive, state.log);
        let everybody = if matches!(log, LogName::Concert(_)) { since } else { 0 };
        let mut names = Names::new(state.key, self.store.partitions(), everybody);
        let joined = archive.take_names(log, (since, upto), &mut names).await?;
        if everybody == 0 && names.told().next().is_none() {
            return Ok(0);
        }
        let tables = match log {
            LogName::Concert(concert) => {
                archive.rename_places(concert, seq, since, &names).await?
                    + archive.rename_joined(concert, &joined, &names).await?
                    + archive.rename_reservations(concert, since, &names).await?
            }
            LogName::Wallet(_) => archive.rename_ledger(log, &names).await?,
        };
        Ok(tables + archive.rewrite_entries(log, upto, &names).await?)
    }

    /// The last entry that the archive has, of a log in which it has all that this process has written.
    async fn end_of(&self, log: LogName) -> Result<u64, ForgettingError> {
        let seen = self.store.seen().get(log).map_or(0, |seen| seen.offset().number);
        self.level(log, seen).await?;
        Ok(self.archive.offset(log).await?.map_or(seen, |known| known.offset.number))
    }

    /// Waits until the archive has this entry.
    async fn level(&self, log: LogName, number: u64) -> Result<(), ForgettingError> {
        let level = self.archive.is_level(log, number, Instant::now() + LEVEL).await?;
        if level { Ok(()) } else { Err(ForgettingError::Behind(log)) }
    }
}
