//! The highest entry of each log that this process has seen: what loss is measured by (design, "Loss is looked for before selling").
//!
//! Shared by all cores and followers. It only grows; a log found lost stays stopped until the process is told otherwise.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::domain::ids::{LogName, Mark, Offset};

/// What is known of one log.
#[derive(Debug)]
pub struct SeenLog {
    log_id: Mark,
    offset: Mutex<Offset>,
    lost: AtomicBool,
}

impl SeenLog {
    /// The id given at its birth.
    pub fn log_id(&self) -> Mark {
        self.log_id
    }

    /// The highest entry seen.
    pub fn offset(&self) -> Offset {
        *self.offset.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of an entry; lower ones are known already.
    pub fn advance(&self, seen: Offset) {
        let mut offset = self.offset.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.number > offset.number {
            *offset = seen;
        }
    }

    /// Whether Redis lacked an entry that was seen.
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Stops everything on this log in this process. Answers whether it was selling until now.
    pub fn stop(&self) -> bool {
        !self.lost.swap(true, Ordering::AcqRel)
    }
}

/// All logs that this process knows. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct SeenLogs(Arc<RwLock<HashMap<LogName, Arc<SeenLog>>>>);

impl SeenLogs {
    /// Makes a born log known from the archive's offset; one that is known already only moves forward.
    ///
    /// Another log id under a known name is a lost log: it was born again behind our back.
    pub fn register(&self, log: LogName, log_id: Mark, offset: Offset) -> Arc<SeenLog> {
        let mut logs = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let seen = logs.entry(log).or_insert_with(|| {
            Arc::new(SeenLog { log_id, offset: Mutex::new(offset), lost: AtomicBool::new(false) })
        });
        if seen.log_id != log_id {
            seen.stop();
        }
        seen.advance(offset);
        Arc::clone(seen)
    }

    /// The log, if it is known here.
    pub fn get(&self, log: LogName) -> Option<Arc<SeenLog>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&log).cloned()
    }

    /// The name of the log with this id.
    pub fn named(&self, log_id: Mark) -> Option<LogName> {
        let logs = self.0.read().unwrap_or_else(PoisonError::into_inner);
        logs.iter().find(|(_, seen)| seen.log_id == log_id).map(|(log, _)| *log)
    }

    /// The names of all of them.
    pub fn names(&self) -> Vec<LogName> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// Those that are stopped.
    pub fn lost(&self) -> Vec<LogName> {
        let logs = self.0.read().unwrap_or_else(PoisonError::into_inner);
        logs.iter().filter(|(_, seen)| seen.is_lost()).map(|(log, _)| *log).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_only_grows_and_another_birth_is_a_loss() {
        let logs = SeenLogs::default();
        let at = |number| Offset { number, mark: Mark(number) };
        let seen = logs.register(LogName::Wallet(1), Mark(5), at(3));
        seen.advance(at(2));
        assert_eq!(seen.offset(), at(3));
        logs.register(LogName::Wallet(1), Mark(5), at(9));
        assert_eq!((seen.offset(), seen.is_lost()), (at(9), false));
        assert_eq!((logs.named(Mark(5)), logs.named(Mark(6))), (Some(LogName::Wallet(1)), None));
        logs.register(LogName::Wallet(1), Mark(6), at(1));
        assert_eq!(logs.lost(), [LogName::Wallet(1)]);
    }
}
