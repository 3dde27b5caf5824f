//! Where the followers that tell the world outside read: Redis near the head of a log, the archive's table of events behind it.
//!
//! They tell nothing that MySQL does not have: what Redis may still lose has not been told to anybody. Trimming does not
//! wait for them; what is gone from Redis, or while Redis is away, is read from the archive.

use std::time::Duration;

use super::{Break, follows};
use crate::archive::{Archive, Error};
use crate::domain::ids::{LogName, Offset};
use crate::store::log::{RawEntry, Tail};

/// What a read waits for: what is asked for is there.
const BLOCK: Duration = Duration::from_millis(1);

/// Why a log can't be told further.
#[derive(Debug, thiserror::Error)]
pub(super) enum SupplyError {
    /// MySQL; waiting helps.
    #[error("the archive can't be read")]
    Archive(#[from] Error),
    /// What the archive holds does not go on where it was left: the log needs recovery.
    #[error("log {log} does not go on where it was left")]
    Break {
        /// The log.
        log: LogName,
        /// Where and how.
        source: Break,
    },
}

/// One log to be read: from behind `after` up to `upto`, which the archive has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) log: LogName,
    pub(super) after: Offset,
    pub(super) upto: u64,
}

/// Entries of one log that follow each other, each with its offset.
pub(super) type Run = Vec<(Offset, String)>;

/// Reads for one follower, on a connection of its own.
pub(super) struct Supply {
    pub(super) archive: Archive,
    pub(super) tail: Tail,
}

impl Supply {
    /// What there is of these logs, at most `share` entries of each. A log that does not go on is told by its error.
    pub(super) async fn read(
        &self,
        wanted: &[Wanted],
        share: usize,
    ) -> Vec<(LogName, Result<Run, SupplyError>)> {
        let from: Vec<_> = wanted.iter().map(|wanted| (wanted.log, wanted.after.number)).collect();
        // Redis away: the archive has all of it.
        let mut near = self.tail.read(&from, share, BLOCK).await.unwrap_or_default();
        let mut all = Vec::with_capacity(wanted.len());
        for one in wanted {
            let found = near.iter().position(|(log, _)| *log == one.log).map(|at| near.swap_remove(at).1);
            let run = match run(*one, found.unwrap_or_default()) {
                Ok(run) if !run.is_empty() => Ok(run),
                _ => self.read_archive(*one, share).await,
            };
            all.push((one.log, run));
        }
        all
    }

    /// The same of one log from MySQL alone.
    pub(super) async fn read_archive(&self, wanted: Wanted, share: usize) -> Result<Run, SupplyError> {
        let limit = u32::try_from(share).unwrap_or(u32::MAX);
        let rows = self.archive.entries_after(wanted.log, wanted.after.number, limit).await?;
        let entries = rows.into_iter().map(|(number, text)| RawEntry { number, text }).collect();
        run(wanted, entries).map_err(|source| SupplyError::Break { log: wanted.log, source })
    }
}

/// What of these entries is wanted; each has to follow the one before.
fn run(wanted: Wanted, entries: Vec<RawEntry>) -> Result<Run, Break> {
    let mut last = wanted.after;
    let mut run = Vec::with_capacity(entries.len());
    for RawEntry { number, text } in entries {
        if number > wanted.upto {
            break;
        }
        last = follows(last, number, &text)?;
        run.push((last, text));
    }
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Mark;

    fn entry(number: u64) -> RawEntry {
        RawEntry { number, text: format!("1 {} {} 1780000000000\n", Mark(number), Mark(number - 1)) }
    }

    #[test]
    fn a_run_ends_where_the_archive_does_and_has_no_hole() {
        let after = Offset { number: 3, mark: Mark(3) };
        let wanted = Wanted { log: LogName::Wallet(1), after, upto: 5 };
        let read = run(wanted, (4..9).map(entry).collect()).unwrap();
        assert_eq!(read.iter().map(|(offset, _)| offset.number).collect::<Vec<_>>(), [4, 5]);
        assert!(run(wanted, vec![entry(5)]).is_err());
    }
}
