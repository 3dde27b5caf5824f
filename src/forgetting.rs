//! Forgets a user everywhere (decision 0010): Redis first, log by log, then all of MySQL in one transaction.
//!
//! Each step may break off and is found done by the next run: until the last one MySQL keeps his id beside the pseudonym, and which
//! logs have given him that. Between the first step and the last his balance pays nothing.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::archive::{self, Archive, ForgottenLog, ForgottenLogs, LogState, Rewritten};
use crate::domain::ids::{LogName, ShowId, UserId};
use crate::domain::pseudonym::pseudonym;
use crate::domain::time::Millis;
use crate::store::{Failure, ForgetMode, ForgetRequest, Found, Store};

/// One call of a script.
const STEP: Duration = Duration::from_secs(10);

/// How long the archive may need to have what Redis has.
const LEVEL: Duration = Duration::from_mins(1);

/// How long a run waits for another one, s.
const LOCK_SECONDS: u32 = 30;

/// Between two tries of a call whose reservations the archive does not know yet.
const LOOK: Duration = Duration::from_millis(50);

/// How often a log is asked anew because the archive does not know yet what he has booked.
const TRIES: usize = 200;

/// Why he is not forgotten, or not everywhere; the same again goes on where this stopped.
#[derive(Debug, thiserror::Error)]
pub enum ForgettingError {
    /// MySQL.
    #[error("MySQL can't be used")]
    Archive(#[from] archive::Error),
    /// Redis.
    #[error("Redis can't be used")]
    Store(#[from] Failure),
    /// Its entries can't be trusted now.
    #[error("log {0} is recovering: first it has to be recovered")]
    Recovering(LogName),
    /// No worker follows it.
    #[error("the archive does not get the entries of log {0}: is a worker running?")]
    Behind(LogName),
    /// One at a time, or what a user begins meanwhile would get two names.
    #[error("somebody else is being forgotten; try again")]
    Running,
    /// Its users are getting other names, all at once.
    #[error("the retention of log {0} is being applied; try again in some minutes")]
    Rewriting(LogName),
    /// What he has booked is not what the archive says.
    #[error("he has booked more in log {0} than the archive knows")]
    Busy(LogName),
}

/// What a log had of him.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Live {
    /// PENDING reservations.
    pub holds: u64,
    /// Places in line or active.
    pub places: u64,
    /// Card payments and refunds to cards under way.
    pub cards: u64,
    /// Charges through the gateway under way.
    pub top_ups: u64,
    /// Balance, minor units.
    pub balance: i64,
}

/// What was changed of somebody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Changed {
    /// Redis: reservations.
    pub reservations: u64,
    /// Redis: balances, 0 or 1.
    pub balances: u64,
    /// Redis: requests whose answers are remembered.
    pub requests: u64,
    /// MySQL: rows of `events`, whose bytes were rewritten.
    pub events: u64,
    /// MySQL: rows of all other tables, beside those that changed with the log.
    pub rows: u64,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "camelCase")]
pub enum Outcome {
    /// Nothing was changed: this is live of him, by log.
    Refused {
        /// Only logs that have something.
        live: BTreeMap<String, Live>,
    },
    /// Nothing has ever been heard of him, or he was forgotten.
    Unknown,
    /// He was forgotten.
    Forgotten {
        /// His name from now on.
        pseudonym: String,
        /// What has that name.
        changed: Changed,
        /// What was live of him and has ended.
        ended: BTreeMap<String, Live>,
    },
}

/// What it takes to forget.
#[derive(Clone)]
pub struct Forgetter {
    archive: Archive,
    store: Store,
}

/// Somebody who is being forgotten.
struct Person {
    user: UserId,
    pseudonym: UserId,
    /// The log of his money, under both names.
    wallet: LogName,
    /// All shows of all concerts.
    shows: BTreeMap<LogName, Vec<ShowId>>,
    changed: Changed,
    ended: BTreeMap<String, Live>,
}

impl Forgetter {
    /// Stands on its own connections.
    pub fn new(archive: Archive, store: Store) -> Self {
        Self { archive, store }
    }

    /// Forgets a user. Unless `force`, nothing happens while something of his is live.
    pub async fn forget(&self, user: &UserId, force: bool) -> Result<Outcome, ForgettingError> {
        let _lock = self.archive.lock_forgetting(LOCK_SECONDS).await?.ok_or(ForgettingError::Running)?;
        // A run of it that broke off: some pages have the new names, some the old.
        if let Some(log) = self.archive.rewriting().await? {
            return Err(ForgettingError::Rewriting(log));
        }
        self.forget_locked(user, force).await
    }

    /// Finishes what runs that broke off have begun; answers how many.
    pub async fn resume(&self) -> Result<u64, ForgettingError> {
        // Somebody who is at it will finish his own.
        let Some(_lock) = self.archive.lock_forgetting(0).await? else {
            return Ok(0);
        };
        let mut done = 0;
        for user in self.archive.unfinished_forgettings().await? {
            self.forget_locked(&user, true).await?;
            done += 1;
        }
        Ok(done)
    }

    async fn forget_locked(&self, user: &UserId, force: bool) -> Result<Outcome, ForgettingError> {
        let partitions = self.store.partitions();
        let shows = self.concerts().await?;
        let fresh = pseudonym(user, partitions, rand::random);
        let pseudonym = self.archive.begin_forgetting(user, &fresh, now()).await?;
        let known = self.archive.forgotten_logs(&pseudonym).await?;
        let wallet = LogName::Wallet(user.partition(partitions));
        let mut person = Person {
            user: user.clone(),
            pseudonym,
            wallet,
            shows,
            changed: Changed::default(),
            ended: BTreeMap::new(),
        };
        // What a run that broke off has begun is past refusing.
        let begun = person.pseudonym != fresh;
        let found = self.look(&person).await?;
        let live: BTreeMap<_, _> =
            found.iter().filter_map(|(log, found)| Some((log.to_string(), live(found)?))).collect();
        if !begun && !force && !live.is_empty() {
            self.archive.abandon_forgetting(&person.pseudonym).await?;
            return Ok(Outcome::Refused { live });
        }
        let logs = if known.contains_key(&wallet) {
            known
        } else if begun || found.values().any(has_his_name) {
            self.rename(&mut person, known).await?
        } else {
            self.sweep(&person, &found).await?
        };
        self.finish(person, &logs, begun).await
    }

    /// Makes all logs known to the store. Answers the concerts with their shows.
    async fn concerts(&self) -> Result<BTreeMap<LogName, Vec<ShowId>>, ForgettingError> {
        let mut concerts = BTreeMap::new();
        for known in self.archive.offsets().await? {
            match known.state {
                LogState::Unborn => continue,
                LogState::Recovering => return Err(ForgettingError::Recovering(known.log)),
                LogState::Selling => self.store.seen().register(known.log, known.log_id, known.offset),
            };
            if let LogName::Concert(concert) = known.log {
                concerts.insert(known.log, self.archive.shows_of(concert).await?);
            }
        }
        Ok(concerts)
    }

    /// What every log has of him; the archive has it, too.
    async fn look(&self, person: &Person) -> Result<BTreeMap<LogName, Found>, ForgettingError> {
        let mut all = BTreeMap::new();
        for log in person.logs() {
            let first = self.call(person, log, ForgetMode::Look).await?;
            self.level(log, first.number).await?;
            all.insert(log, self.call(person, log, ForgetMode::Look).await?);
        }
        Ok(all)
    }

    /// Gives him his new name in all logs, his money last.
    async fn rename(
        &self,
        person: &mut Person,
        mut known: ForgottenLogs,
    ) -> Result<ForgottenLogs, ForgettingError> {
        self.call(person, person.wallet, ForgetMode::Freeze).await?;
        for log in person.logs() {
            if known.contains_key(&log) {
                continue;
            }
            let upto = if log == person.wallet {
                self.rename_wallet(person).await?
            } else {
                self.rename_concert(person, log).await?
            };
            self.archive.note_forgotten_log(&person.pseudonym, log, upto).await?;
            known.insert(log, upto);
        }
        Ok(known)
    }

    /// All that he had when the archive was asked or has begun since; then what that entry has met unknown.
    async fn rename_concert(
        &self,
        person: &mut Person,
        log: LogName,
    ) -> Result<ForgottenLog, ForgettingError> {
        // Once his balance is marked no refund to a card is decided: the archive can name all that were before.
        let before = self.call(person, log, ForgetMode::Look).await?;
        self.level(log, before.number).await?;
        let found = self.call(person, log, ForgetMode::Forget).await?;
        person.count(log, &found);
        self.level(log, found.number).await?;
        let swept = self.call(person, log, ForgetMode::Sweep(found.at)).await?;
        person.changed.reservations += swept.records;
        person.changed.requests += swept.requests;
        Ok(ForgottenLog { number: found.number, seq: found.seq })
    }

    /// What comes behind it under his id is a new user's.
    async fn rename_wallet(&self, person: &mut Person) -> Result<ForgottenLog, ForgettingError> {
        // Nor does he begin a charge through the gateway since then.
        let before = self.call(person, person.wallet, ForgetMode::Look).await?;
        self.level(person.wallet, before.number).await?;
        let found = self.call(person, person.wallet, ForgetMode::Forget).await?;
        person.count(person.wallet, &found);
        // A run that broke off may have done it: what he has asked for since is a new user's.
        let told = if found.forgotten {
            None
        } else {
            self.archive.forgotten_at(person.wallet, &person.user, &person.pseudonym).await?
        };
        let until = told.unwrap_or(found.at);
        let swept = self.call(person, person.wallet, ForgetMode::Sweep(until)).await?;
        person.changed.requests += swept.requests;
        Ok(ForgottenLog { number: found.number, seq: 0 })
    }

    /// Redis has nothing of him but what its last entries may say.
    async fn sweep(
        &self,
        person: &Person,
        found: &BTreeMap<LogName, Found>,
    ) -> Result<ForgottenLogs, ForgettingError> {
        let mut logs = ForgottenLogs::new();
        for (log, found) in found {
            self.call(person, *log, ForgetMode::Sweep(found.at)).await?;
            logs.insert(*log, ForgottenLog { number: found.number, seq: found.seq });
        }
        Ok(logs)
    }

    /// The archive follows, once it has all that is to be rewritten.
    async fn finish(
        &self,
        person: Person,
        logs: &ForgottenLogs,
        begun: bool,
    ) -> Result<Outcome, ForgettingError> {
        for (log, upto) in logs {
            self.level(*log, upto.number).await?;
        }
        let Person { user, pseudonym, mut changed, ended, .. } = person;
        let rewritten = self.archive.finish_forgetting(&user, &pseudonym, logs, now()).await?;
        let all: Rewritten = rewritten.unwrap_or_default();
        changed.events = all.entries;
        changed.rows = all.total() - all.entries;
        if !begun && changed == Changed::default() {
            self.archive.abandon_forgetting(&pseudonym).await?;
            return Ok(Outcome::Unknown);
        }
        Ok(Outcome::Forgotten { pseudonym: pseudonym.to_string(), changed, ended })
    }

    /// Asks a log; again while he has booked more there than the archive knows.
    async fn call(&self, person: &Person, log: LogName, mode: ForgetMode) -> Result<Found, ForgettingError> {
        for _ in 0..TRIES {
            let requests = self.store.requests_of(log, &person.user, deadline()).await?;
            let of = ForgetRequest::of(&person.user, &person.pseudonym, mode);
            let mut request = ForgetRequest { requests: &requests, ..of };
            let concert = match log {
                LogName::Wallet(partition) => {
                    let top_ups = self.archive.open_top_ups_named(log, &person.user).await?;
                    request.cards = &top_ups;
                    return Ok(self.store.forget_wallet(partition, request, deadline()).await?);
                }
                LogName::Concert(concert) => concert,
            };
            let swept = matches!(mode, ForgetMode::Sweep(_));
            let name = if swept { &person.pseudonym } else { &person.user };
            let reservations = self.archive.reservations_named(concert, name).await?;
            let cards = self.archive.open_cards_named(concert, name).await?;
            (request.reservations, request.cards) = (&reservations, &cards);
            let shows = person.shows.get(&log).map_or(&[][..], Vec::as_slice);
            if let Some(found) = self.store.forget(concert, shows, request, deadline()).await? {
                return Ok(found);
            }
            sleep(LOOK).await;
        }
        Err(ForgettingError::Busy(log))
    }

    /// Waits until the archive has this entry.
    async fn level(&self, log: LogName, number: u64) -> Result<(), ForgettingError> {
        let level = self.archive.is_level(log, number, Instant::now() + LEVEL).await?;
        if level { Ok(()) } else { Err(ForgettingError::Behind(log)) }
    }
}

impl Person {
    /// All logs that may know him, that of his money last.
    fn logs(&self) -> Vec<LogName> {
        self.shows.keys().copied().chain([self.wallet]).collect()
    }

    fn count(&mut self, log: LogName, found: &Found) {
        self.changed.requests += found.requests;
        match log {
            LogName::Concert(_) => self.changed.reservations += found.records,
            LogName::Wallet(_) => self.changed.balances += found.records,
        }
        if let Some(live) = live(found) {
            let ended = self.ended.entry(log.to_string()).or_default();
            ended.holds += live.holds;
            ended.places += live.places;
            ended.cards += live.cards;
            ended.top_ups += live.top_ups;
            ended.balance += live.balance;
        }
    }
}

/// Whether a log has anything by his id.
fn has_his_name(found: &Found) -> bool {
    found.records + found.requests + found.places + found.cards + found.top_ups > 0
}

/// What there is of him that goes on; `None`: nothing.
fn live(found: &Found) -> Option<Live> {
    let Found { holds, places, cards, top_ups, balance, .. } = *found;
    let live = Live { holds, places, cards, top_ups, balance };
    (live != Live::default()).then_some(live)
}

pub(crate) fn deadline() -> Instant {
    Instant::now() + STEP
}

pub(crate) fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
