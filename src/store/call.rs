//! One script call: its keys, the head of its arguments, and what the reply says of the logs it touched.
//!
//! Every call carries the highest entry that this process has seen of each log; a log that Redis no longer knows stops
//! here, before anything is decided on it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use redis::{Cmd, Value};
use tokio::time::Instant;

use super::connection::{CallError, Connection};
use super::keys;
use super::memory::MemoryBound;
use super::reply::{Decided, MalformedReply, Reply};
use super::scripts::Script;
use super::seen::SeenLogs;
use crate::domain::ids::{ConcertId, LogName, Mark, Offset, ShowId};

/// What one call is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    /// Its concert, if it is about one.
    pub(super) concert: Option<ConcertId>,
    /// Shows whose keys it needs.
    pub(super) shows: &'a [ShowId],
    /// Wallet partitions, if the script takes any.
    pub(super) wallets: Option<&'a [u8]>,
    /// Whether the keys of open top-ups stand behind those of the partitions.
    pub(super) top_ups: bool,
}

impl<'a> Scope<'a> {
    /// A concert without any of its shows.
    pub(super) fn concert(concert: ConcertId) -> Scope<'static> {
        Scope { concert: Some(concert), shows: &[], wallets: None, top_ups: false }
    }

    /// A concert with some of its shows.
    pub(super) fn shows(concert: ConcertId, shows: &'a [ShowId]) -> Self {
        Self { concert: Some(concert), shows, wallets: None, top_ups: false }
    }

    fn logs(&self) -> impl Iterator<Item = LogName> + '_ {
        let wallets = self.wallets.into_iter().flatten().map(|partition| LogName::Wallet(*partition));
        self.concert.map(LogName::Concert).into_iter().chain(wallets)
    }

    /// The keys of the call, in the order of formats 1.
    pub(super) fn keys(&self) -> Vec<String> {
        let mut all = Vec::with_capacity(15 + 3 * self.shows.len() + 6 * self.wallets.map_or(0, <[u8]>::len));
        if let Some(concert) = self.concert {
            all.extend(keys::concert(concert));
            all.extend(self.shows.iter().flat_map(|show| keys::show(concert, *show)));
        }
        let wallets = || self.wallets.into_iter().flatten().copied();
        all.extend(wallets().flat_map(keys::wallet));
        all.extend(wallets().filter(|_| self.top_ups).map(keys::top_ups));
        all
    }
}

/// How a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// Redis, or the way to it.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The script answered what it should not.
    #[error(transparent)]
    Reply(#[from] MalformedReply),
    /// This process does not know the log: the concert is not born, or not yet published here.
    #[error("log {0} is not known here")]
    UnknownLog(LogName),
    /// Redis lacks an entry that was seen: the log has been stopped in this process.
    #[error("log {0} was lost")]
    LogLost(LogName),
}

/// A connection with what was checked on it.
pub(super) struct Caller {
    connection: Connection,
    seen: SeenLogs,
    memory: Arc<MemoryBound>,
    // The generation of the connection on which each log was last checked in full.
    checked: Mutex<HashMap<LogName, u64>>,
}

impl Caller {
    pub(super) fn new(connection: Connection, seen: SeenLogs, memory: Arc<MemoryBound>) -> Self {
        Self { connection, seen, memory, checked: Mutex::default() }
    }

    pub(super) fn seen(&self) -> &SeenLogs {
        &self.seen
    }

    pub(super) fn memory(&self) -> &MemoryBound {
        &self.memory
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Runs `script`; `arguments` appends what stands behind the head.
    pub(super) async fn ask(
        &self,
        script: &Script,
        scope: Scope<'_>,
        deadline: Instant,
        arguments: impl Fn(&mut Cmd),
    ) -> Result<Decided, AskError> {
        for log in scope.logs() {
            self.check_known(log)?;
        }
        let mark = Mark(rand::random());
        let keys = scope.keys();
        let build = |generation| {
            let mut command = redis::cmd("EVALSHA");
            command.arg(script.sha()).arg(keys.len()).arg(&keys).arg(mark.to_string());
            self.push_head(&mut command, scope, generation);
            arguments(&mut command);
            command
        };
        let evaluated = self.connection.eval(script, deadline, build).await;
        if let Err(CallError::Fault(error)) = &evaluated {
            tracing::error!(script = script.name, %error, "a script failed");
        }
        let (value, generation) = evaluated?;
        self.read(scope, value, generation)
    }

    fn check_known(&self, log: LogName) -> Result<(), AskError> {
        match self.seen.get(log) {
            None => Err(AskError::UnknownLog(log)),
            Some(seen) if seen.is_lost() && matches!(log, LogName::Concert(_)) => Err(AskError::LogLost(log)),
            Some(_) => Ok(()),
        }
    }

    fn push_head(&self, command: &mut Cmd, scope: Scope<'_>, generation: u64) {
        if let Some(concert) = scope.concert {
            self.push_seen(command, LogName::Concert(concert), generation);
            command.arg(scope.shows.len());
            for show in scope.shows {
                command.arg(show.0);
            }
        }
        if let Some(wallets) = scope.wallets {
            command.arg(wallets.len());
            for partition in wallets {
                let log = LogName::Wallet(*partition);
                command.arg(log.to_string());
                self.push_seen(command, log, generation);
            }
        }
    }

    /// Log id, number and mark seen, and whether they are to be looked up even if the log has gone on since. Of a log
    /// stopped in this process, maybe because of what another one saw, an id that no log has: the script refuses what is
    /// about it and serves the rest of the batch.
    pub(super) fn push_seen(&self, command: &mut Cmd, log: LogName, generation: u64) {
        let (log_id, offset) = self
            .seen
            .get(log)
            .filter(|seen| !seen.is_lost())
            .map_or((Mark::default(), Offset::default()), |seen| (seen.log_id(), seen.offset()));
        let checked =
            self.checked.lock().unwrap_or_else(PoisonError::into_inner).get(&log) == Some(&generation);
        command
            .arg(log_id.to_string())
            .arg(offset.number)
            .arg(offset.mark.to_string())
            .arg(u8::from(!checked));
    }

    fn read(&self, scope: Scope<'_>, value: Value, generation: u64) -> Result<Decided, AskError> {
        let concert = scope.concert.map(LogName::Concert);
        match (Reply::read(value)?, concert) {
            (Reply::LogLost, Some(log)) => Err(self.stop(log)),
            (Reply::LogLost, None) => Err(MalformedReply("log_lost without a concert".into()).into()),
            (Reply::Decided(decided), _) => {
                if let Some(log) = concert {
                    self.passed(log, decided.offset, generation);
                }
                for wallet in &decided.wallets {
                    self.passed(wallet.log, wallet.offset, generation);
                }
                Ok(decided)
            }
        }
    }

    /// Stops a log in this process.
    pub(super) fn stop(&self, log: LogName) -> AskError {
        if self.seen.get(log).is_some_and(|seen| seen.stop()) {
            tracing::error!(%log, "the log was lost: Redis lacks an entry that was seen; sales on it are stopped");
        }
        AskError::LogLost(log)
    }

    fn passed(&self, log: LogName, offset: Offset, generation: u64) {
        let Some(seen) = self.seen.get(log).filter(|seen| !seen.is_lost()) else {
            return;
        };
        seen.advance(offset);
        self.checked.lock().unwrap_or_else(PoisonError::into_inner).insert(log, generation);
    }
}
