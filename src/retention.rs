//! Retention (decision 0015): what was long over names nobody any more. Concerts first, then the money of users who are in none.
//!
//! A log at a time. Redis gets the new names first, and says so in the log; then MySQL is rewritten, page by page. Each step may break off
//! and is gone on with by the next round, whoever's it is: until the last one MySQL keeps the key that the names are made with.

mod concert;
mod last;
mod waiting;
mod wallet;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::archive::{Archive, LogState, RetentionState};
use crate::domain::ids::LogName;
use crate::domain::retention::{Names, RetentionKey};
use crate::domain::time::Millis;
use crate::forgetting::{ForgettingError, now};
use crate::metrics;
use crate::store::Store;

pub use self::waiting::Waiting;

/// How long the archive may need to have what Redis has.
const LEVEL: Duration = Duration::from_mins(1);

/// For whoever is being forgotten; MySQL gives a lock back when it has seen its connection end. s.
const LOCK_SECONDS: u32 = 10;

/// When a round begins no more logs: whoever wants to forget somebody waits for 30 s.
const TURN: Duration = Duration::from_secs(20);

/// Between two looks through a wallet partition, ms: each reads all of it.
const WALLET_EVERY: i64 = 24 * 3600 * 1000;

/// What a round has done.
#[derive(Debug, Default)]
pub struct Round {
    /// Logs in which nobody has his name any more who should not.
    pub done: u64,
    /// Rows of MySQL that were rewritten.
    pub rows: u64,
    /// Logs that have to wait: the next round looks again.
    pub waiting: BTreeMap<LogName, Waiting>,
    /// Whether its time was over before it had looked at all that may be due.
    pub more: bool,
}

/// Logs that are on their way to the end of their retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnderWay {
    /// How many.
    pub logs: u64,
    /// How long ago the first of them was begun; 0 if there is none.
    pub oldest: Duration,
}

/// What it takes to apply it.
#[derive(Clone)]
pub struct Retention {
    archive: Archive,
    store: Store,
    keep: Option<Duration>,
    ended: metrics::Counter,
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
    /// Everything that has been over for `keep` is due; `None`: nothing is, but what is half rewritten is brought to its end.
    pub fn new(archive: Archive, store: Store, keep: Option<Duration>) -> Self {
        Self { archive, store, keep, ended: metrics::RETENTION_LOGS.handle() }
    }

    /// The earlier of MySQL's time and that of this machine: what one clock alone takes for over is not, since nothing of it can be undone.
    pub async fn clock(&self) -> Result<Millis, ForgettingError> {
        Ok(self.archive.now().await?.min(now()))
    }

    /// Applies it to logs that are due at a time, for some seconds more than the last of them takes. Several may call: they take turns.
    pub async fn run(&self, at: Millis) -> Result<Round, ForgettingError> {
        let (mut round, until) = (Round::default(), Instant::now() + TURN);
        let Some(_lock) = self.archive.lock_forgetting(LOCK_SECONDS).await? else { return Ok(round) };
        // Whoever is half forgotten comes first: his two names would meet in one page.
        if !self.archive.unfinished_forgettings().await?.is_empty() {
            tracing::info!("retention has to wait: somebody is half forgotten");
            return Ok(round);
        }
        while let Some(turn) = self.next(at, &round.waiting).await? {
            let log = turn.state.log;
            match self.apply(&turn).await {
                Ok(rows) => {
                    round.done += 1;
                    round.rows += rows;
                }
                // Others need not wait for it.
                Err(waiting) => drop(round.waiting.insert(log, waiting)),
            }
            if Instant::now() > until {
                round.more = true;
                break;
            }
        }
        Ok(round)
    }

    /// What is under way at a time, whichever worker is at it. What was begun before the setting was taken back is not, nor is a concert
    /// that has got another show meanwhile: both go on one day by themselves, or never.
    pub async fn under_way(&self, at: Millis) -> Result<UnderWay, ForgettingError> {
        let before = self.keep.is_some().then(|| self.before(at));
        let (logs, first) = self.archive.retentions_awaited(before).await?;
        let oldest = first.and_then(|begun| u64::try_from(at.0 - begun.0).ok()).unwrap_or_default();
        Ok(UnderWay { logs, oldest: Duration::from_millis(oldest) })
    }

    /// What is older is over.
    fn before(&self, at: Millis) -> Millis {
        let keep = self.keep.map_or(i64::MAX, |keep| i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
        Millis(at.0.saturating_sub(keep))
    }

    /// The next log; what was begun goes before what is due.
    async fn next(
        &self,
        at: Millis,
        waiting: &BTreeMap<LogName, Waiting>,
    ) -> Result<Option<Turn>, ForgettingError> {
        let begun = self.archive.retentions_under_way().await?;
        let is_next = |state: &RetentionState| {
            !waiting.contains_key(&state.log) && (self.keep.is_some() || state.upto.is_some())
        };
        let before = self.before(at);
        if let Some(state) = begun.into_iter().find(is_next) {
            return Ok(Some(Turn { state, before, at }));
        }
        if self.keep.is_none() {
            return Ok(None);
        }
        let mut due = self.archive.concerts_over(before).await?;
        due.extend(self.archive.wallets_not_kept_since(Millis(at.0.saturating_sub(WALLET_EVERY))).await?);
        let Some(log) = due.into_iter().find(|log| !waiting.contains_key(log)) else { return Ok(None) };
        let key = RetentionKey(rand::random());
        self.archive.begin_retention(log, key, at).await?;
        Ok(Some(Turn { state: RetentionState { log, key, since: None, upto: None }, before, at }))
    }

    /// Goes on with a log as far as it can. Answers how many rows were rewritten, or why not now.
    async fn apply(&self, turn: &Turn) -> Result<u64, Waiting> {
        let (log, archive) = (turn.state.log, &self.archive);
        let (since, upto) = match (turn.state.since, turn.state.upto) {
            // Redis has been told all.
            (Some(since), Some(upto)) => (since, upto),
            _ => self.rename(turn).await?,
        };
        let rows = self.rewrite(&turn.state, since, upto).await?;
        is_ours(log, archive.end_retention(&turn.state, turn.at).await?)?;
        self.ended.increment(1);
        tracing::info!(%log, rows, "the retention of the log is over");
        Ok(rows)
    }

    /// Gives Redis the new names. Answers from which entry and number in line on nothing was live, and the last entry that may tell an
    /// old name.
    async fn rename(&self, turn: &Turn) -> Result<((u64, u64), u64), Waiting> {
        let (log, archive) = (turn.state.log, &self.archive);
        let known = archive.offset(log).await?.ok_or(Waiting::Unusable(LogState::Unborn))?;
        if known.state != LogState::Selling {
            return Err(Waiting::Unusable(known.state));
        }
        self.store.seen().register(log, known.log_id, known.offset);
        let (since, seq) = match log {
            LogName::Concert(concert) => self.begin_concert(turn, concert).await?,
            LogName::Wallet(_) => turn.state.since.unwrap_or((known.offset.number, 0)),
        };
        is_ours(log, archive.note_idle(&turn.state, since, seq).await?)?;
        match log {
            LogName::Concert(concert) => self.rename_buyers(turn, (concert, since)).await?,
            LogName::Wallet(partition) => self.rename_idle(turn, partition).await?,
        }
        let upto = self.name_nobody_last(&turn.state).await?;
        is_ours(log, archive.note_renamed(&turn.state, upto).await?)?;
        Ok(((since, seq), upto))
    }

    async fn rewrite(
        &self,
        state: &RetentionState,
        (since, seq): (u64, u64),
        upto: u64,
    ) -> Result<u64, ForgettingError> {
        let (archive, log) = (&self.archive, state.log);
        // A wallet's log is never over: only those have other names to whom it has told them.
        let everybody = matches!(log, LogName::Concert(_)).then_some(since);
        let mut names = Names::new(state.key, self.store.partitions(), everybody);
        let joined = archive.take_names(log, (since, upto), &mut names).await?;
        let tables = match log {
            LogName::Concert(concert) => {
                archive.rename_places(concert, seq, since, &names).await?
                    + archive.rename_joined(concert, &joined, &names).await?
                    + archive.rename_reservations(concert, since, &names).await?
            }
            LogName::Wallet(_) if names.told().next().is_none() => return Ok(0),
            LogName::Wallet(_) => archive.rename_ledger(log, &names).await?,
        };
        Ok(tables + archive.rewrite_entries(log, upto, &names).await?)
    }

    /// Waits until the archive has this entry.
    async fn level(&self, log: LogName, number: u64) -> Result<(), ForgettingError> {
        let level = self.archive.is_level(log, number, Instant::now() + LEVEL).await?;
        if level { Ok(()) } else { Err(ForgettingError::Behind(log)) }
    }
}

/// Whether a step was noted: it is not if the lock was lost and somebody else has begun anew.
fn is_ours(log: LogName, noted: bool) -> Result<(), ForgettingError> {
    if noted { Ok(()) } else { Err(ForgettingError::Rewriting(log)) }
}
