//! Proves the invariants of the design across Redis and MySQL, beside running traffic; changes nothing.
//!
//! Every log is read again from its first entry: what MySQL has of it, in one consistent snapshot, and on to where Redis is.
//! What the entries say is compared with MySQL's tables at the offsets of the snapshot, and with Redis at the very entry
//! that each atomic page names. So nothing has to stand still, and nothing is a difference that is only a delay. Memory: one
//! concert at a time, and some 100 bytes for each payment.

mod by_user;
mod card;
mod card_refund;
mod concert;
mod earlier;
mod findings;
mod log;
mod payment;
mod queue;
mod request;
mod reservation;
mod scan;
mod tables;
mod top_up;
mod wallet;

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use self::concert::Concert;
use self::findings::Findings;
use self::log::{Model, Replay, Sources};
use self::payment::Pairs;
use self::wallet::Wallet;
use crate::archive::snapshot::Snapshot;
use crate::archive::{self, Archive, LogOffset, LogState};
use crate::domain::ids::LogName;
use crate::store::log::{ReadError, Tail};
use crate::store::{Failure, Store};

pub use self::findings::{Check, CheckReport, LogReport, Report};

/// Why nothing could be proven. What is wrong with the data is in the report, not here.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// MySQL.
    #[error("the archive could not be read")]
    Archive(#[from] archive::Error),
    /// Redis.
    #[error("a page of Redis could not be read")]
    Store(#[from] Failure),
    /// Its users are getting other names (0015), and nobody goes on with it: only a worker does.
    #[error("the retention of log {0} was begun and is not done: is a worker running?")]
    Rewriting(LogName),
    /// Users get other names all the time (0010, 0015).
    #[error("users were given other names all the time; try again")]
    Renaming,
    /// Redis, a log.
    #[error("a log could not be read")]
    Read(#[from] ReadError),
}

/// What has been seen so far, of all logs.
struct Evidence {
    findings: Findings,
    pairs: Pairs,
    /// Logs that can't be followed to their end: what should be there proves nothing.
    unproven: HashSet<LogName>,
    /// Rows met on the way, by table and log.
    rows: HashMap<String, u64>,
    logs: Vec<LogReport>,
}

impl Evidence {
    fn rows(&mut self, table: &str, owner: impl Display, count: usize) {
        *self.rows.entry(format!("{table}|{owner}")).or_default() += count as u64;
    }

    fn met(&self, key: &str) -> u64 {
        self.rows.get(key).copied().unwrap_or_default()
    }

    fn read<M: Model>(&mut self, archived: &LogOffset, replay: &Replay<M>) {
        if !replay.is_whole() {
            self.unproven.insert(archived.log);
        }
        let archived_number = archived.offset.number;
        self.logs.push(LogReport { log: archived.log, archived: archived_number, end: replay.number() });
    }
}

/// Audits that are begun anew because somebody was forgotten meanwhile.
const AGAIN_MAX: usize = 3;

/// For a log that is getting other names: a million people in line take some minutes.
const REWRITING: Duration = Duration::from_mins(10);

/// For whoever gives others other names, s.
const LOCK_SECONDS: u32 = 60;

/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(100);

/// Audits everything. `store` must know how many wallet partitions there are; logs become known to it on the way.
///
/// Entries are rewritten when somebody is forgotten (0010): what was read before and after that tells of one person by two
/// names, so a finding counts only if nobody was.
pub async fn run(archive: &Archive, store: &Store, tail: &Tail) -> Result<Report, AuditError> {
    for _ in 0..AGAIN_MAX {
        are_whole(archive).await?;
        let before = archive.namings().await?;
        let report = run_once(archive, store, tail).await?;
        if report.ok || archive.namings().await? == before {
            return Ok(report);
        }
    }
    // Somebody after the other is: now nobody.
    are_whole(archive).await?;
    let _lock = archive.lock_forgetting(LOCK_SECONDS).await?.ok_or(AuditError::Renaming)?;
    run_once(archive, store, tail).await
}

/// Waits while a log has new names in some pages only (0015).
async fn are_whole(archive: &Archive) -> Result<(), AuditError> {
    let until = Instant::now() + REWRITING;
    while let Some(log) = archive.rewriting().await? {
        if Instant::now() > until {
            return Err(AuditError::Rewriting(log));
        }
        sleep(LOOK).await;
    }
    Ok(())
}

async fn run_once(archive: &Archive, store: &Store, tail: &Tail) -> Result<Report, AuditError> {
    let sources = Sources { archive, store, tail };
    let mut evidence = Evidence {
        findings: Findings::default(),
        pairs: Pairs::new(store.partitions()),
        unproven: HashSet::new(),
        rows: HashMap::new(),
        logs: Vec::new(),
    };
    let mut snapshot = archive.snapshot().await?;
    let mut logs = snapshot.offsets().await?;
    logs.retain(|log| log.state != LogState::Unborn);

    let mut wallets = Vec::new();
    for archived in &logs {
        if let LogName::Wallet(partition) = archived.log {
            let replay = Replay::new(*archived, Wallet::new(partition));
            wallets.push((archived, read_wallet(&sources, &mut snapshot, replay, &mut evidence).await?));
        }
    }
    for archived in &logs {
        if matches!(archived.log, LogName::Concert(_)) {
            read_concert(&sources, &mut snapshot, archived, &mut evidence).await?;
        }
    }
    evidence.pairs.close();
    for (archived, mut replay) in wallets {
        scan::catch_up(&sources, &mut replay, &mut evidence).await?;
        evidence.read(archived, &replay);
    }
    tables::compare_totals(&mut snapshot, &mut evidence).await?;
    // Logs born since the snapshot were not read, though others may tell of their payments.
    let born = archive.offsets().await?.into_iter().map(|known| known.log);
    let unread = born.filter(|log| !logs.iter().any(|read| read.log == *log));
    evidence.unproven.extend(unread);
    let Evidence { mut findings, pairs, unproven, mut logs, .. } = evidence;
    pairs.finish(&unproven, &mut findings);
    logs.sort_unstable_by_key(|log| log.log);
    Ok(findings.report(logs))
}

async fn read_wallet(
    sources: &Sources<'_>,
    snapshot: &mut Snapshot,
    mut replay: Replay<Wallet>,
    evidence: &mut Evidence,
) -> Result<Replay<Wallet>, AuditError> {
    wallet::read_archived(snapshot, &mut replay, evidence).await?;
    replay.meet(sources, evidence).await?;
    scan::compare_wallet(sources, &mut replay, evidence).await?;
    top_up::compare_open(sources, &mut replay, evidence).await?;
    Ok(replay)
}

async fn read_concert(
    sources: &Sources<'_>,
    snapshot: &mut Snapshot,
    archived: &LogOffset,
    evidence: &mut Evidence,
) -> Result<(), AuditError> {
    let LogName::Concert(concert) = archived.log else {
        return Ok(());
    };
    let mut replay = Replay::new(*archived, Concert::new(concert));
    while replay.archived_page(snapshot, evidence).await?.is_some() {}
    if replay.is_whole() {
        tables::compare_concert(snapshot, &replay, evidence).await?;
    }
    replay.meet(sources, evidence).await?;
    scan::compare_concert(sources, &mut replay, evidence).await?;
    evidence.read(archived, &replay);
    Ok(())
}
