//! A log read again from its first entry: the entries in MySQL, then those that only Redis has, each following the one before.
//!
//! What the entries say builds a model; tables and keys are compared with it at the entry that they name. Once an entry is
//! missing or unreadable nothing more can be said of this log: it is reported once, not as a thousand differences.

use std::time::Duration;

use tokio::time::Instant;

use super::findings::Check;
use super::{AuditError, Evidence};
use crate::archive::snapshot::{EventRow, Snapshot};
use crate::archive::{Archive, LogOffset, LogState};
use crate::domain::event::{Entry, Event, LogKind};
use crate::domain::ids::{LogName, Mark, Offset};
use crate::domain::time::Millis;
use crate::store::log::{RawEntry, Tail};
use crate::store::{Failure, Store};

/// Entries of one read.
const READ: u64 = 256;

/// For an entry that is there already.
const BLOCK: Duration = Duration::from_millis(1);

/// One call to Redis must be over by then.
const CALL: Duration = Duration::from_secs(10);

/// What a log's entries build.
pub(super) trait Model {
    /// Takes an entry in; entries come in order, each once.
    fn apply(&mut self, number: u64, entry: &Entry<'_>, evidence: &mut Evidence);
}

/// Where entries and pages come from.
pub(super) struct Sources<'a> {
    pub(super) archive: &'a Archive,
    pub(super) store: &'a Store,
    pub(super) tail: &'a Tail,
}

pub(super) fn call_deadline() -> Instant {
    Instant::now() + CALL
}

/// A log that is being read again.
pub(super) struct Replay<M> {
    pub(super) model: M,
    archived: LogOffset,
    /// The last entry applied.
    offset: Offset,
    at: Millis,
    /// Whether all entries so far were there and could be read.
    whole: bool,
}

impl<M: Model> Replay<M> {
    pub(super) fn new(archived: LogOffset, model: M) -> Self {
        Self { model, archived, offset: Offset::default(), at: Millis::default(), whole: true }
    }

    pub(super) fn log(&self) -> LogName {
        self.archived.log
    }

    /// The number of the last entry applied.
    pub(super) fn number(&self) -> u64 {
        self.offset.number
    }

    /// Whether the model is what the log says.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// The log can't be followed from here on.
    pub(super) fn broken(&mut self, why: &str, evidence: &mut Evidence) {
        self.whole = false;
        evidence.findings.violated(Check::Continuity, format!("{}: {why}", self.log()));
    }

    /// Applies the next entries that MySQL has. `None` behind the last, otherwise their first and last number.
    pub(super) async fn archived_page(
        &mut self,
        snapshot: &mut Snapshot,
        evidence: &mut Evidence,
    ) -> Result<Option<std::ops::RangeInclusive<u64>>, AuditError> {
        let rows = snapshot.events(self.log(), self.offset.number).await?;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            self.archived_end(evidence);
            return Ok(None);
        };
        let numbers = first.number..=last.number;
        evidence.rows("events", self.log(), rows.len());
        for row in &rows {
            self.take_row(row, evidence);
        }
        Ok(self.whole.then_some(numbers))
    }

    fn take_row(&mut self, row: &EventRow, evidence: &mut Evidence) {
        if self.whole && row.number > self.archived.offset.number {
            let why =
                format!("MySQL has entry {} beyond its offset {}", row.number, self.archived.offset.number);
            self.broken(&why, evidence);
        }
        self.take(row.number, &row.body, evidence);
        if !self.whole {
            return;
        }
        let agrees = row.mark == self.offset.mark.to_string() && row.at == self.at;
        evidence.findings.expect(Check::Continuity, agrees, || {
            format!(
                "{}: mark or time of entry {} are not those beside it in MySQL",
                self.archived.log, row.number
            )
        });
    }

    fn archived_end(&mut self, evidence: &mut Evidence) {
        let archived = self.archived.offset;
        if self.offset.number < archived.number {
            let why = format!("MySQL's offset is {}, its last entry {}", archived.number, self.offset.number);
            self.broken(&why, evidence);
        } else if self.offset.mark != archived.mark {
            let why = format!("MySQL's offset has mark {}, its entry {}", archived.mark, self.offset.mark);
            evidence.findings.violated(Check::Continuity, format!("{}: {why}", self.log()));
        }
    }

    /// Takes the next entry in.
    fn take(&mut self, number: u64, text: &str, evidence: &mut Evidence) {
        if !self.whole {
            return;
        }
        if number != self.offset.number + 1 {
            self.broken(&format!("entry {} is missing before {number}", self.offset.number + 1), evidence);
            return;
        }
        let entry = match Entry::decode(LogKind::of(self.log()), text) {
            Ok(entry) => entry,
            Err(error) => {
                self.broken(&format!("entry {number} can't be read: {error}"), evidence);
                return;
            }
        };
        let log = self.log();
        let follows = entry.previous == self.offset.mark && entry.at >= self.at;
        evidence.findings.expect(Check::Continuity, follows, || {
            format!("{log}: entry {number} does not follow the one before by mark and time")
        });
        let opened = entry.events.iter().find_map(|event| match event {
            Event::Opened { log_id, .. } => Some(*log_id),
            _ => None,
        });
        if (number == 1 || opened.is_some()) && opened != Some(self.archived.log_id) {
            let why = format!("entry {number} does not open the log {}", self.archived.log_id);
            evidence.findings.violated(Check::Continuity, format!("{log}: {why}"));
        }
        self.offset = Offset { number, mark: entry.mark };
        self.at = entry.at;
        self.model.apply(number, &entry, evidence);
    }

    /// Looks whether Redis has this log and goes on where MySQL stands; if so pages can be asked for.
    pub(super) async fn meet(
        &mut self,
        sources: &Sources<'_>,
        evidence: &mut Evidence,
    ) -> Result<(), AuditError> {
        if self.archived.state == LogState::Recovering {
            self.broken("stopped: it is recovering", evidence);
        }
        if !self.whole {
            return Ok(());
        }
        let bounds = sources.tail.bounds(self.log()).await?;
        let (archived, last) = (self.archived.offset, bounds.last);
        let id = |id: Option<Mark>| id.map_or("none".to_owned(), |id| id.to_string());
        let why = if bounds.log_id != Some(self.archived.log_id) {
            Some(format!("lost: log {} in Redis, {} in MySQL", id(bounds.log_id), self.archived.log_id))
        } else if last.number < archived.number {
            Some(format!("lost: it ends at {} in Redis, MySQL has {}", last.number, archived.number))
        } else if last.number == archived.number && last.mark != archived.mark {
            Some(format!("lost: entry {} is another in Redis than in MySQL", last.number))
        } else if bounds.trim > archived.number && self.is_next_gone(sources).await? {
            Some(format!("Redis has forgotten entries up to {}, MySQL has {}", bounds.trim, archived.number))
        } else {
            None
        };
        match why {
            Some(why) => self.broken(&why, evidence),
            None => {
                sources.store.seen().register(self.log(), self.archived.log_id, archived);
            }
        }
        Ok(())
    }

    /// Whether the entry behind the model is gone from Redis and MySQL alike.
    async fn is_next_gone(&self, sources: &Sources<'_>) -> Result<bool, AuditError> {
        let next = sources.archive.entries_after(self.log(), self.offset.number, 1).await?;
        Ok(next.first().is_none_or(|(number, _)| *number != self.offset.number + 1))
    }

    /// Applies the entries up to the one that a page names. Whether the page can be compared with the model then.
    pub(super) async fn advance(
        &mut self,
        sources: &Sources<'_>,
        to: Offset,
        evidence: &mut Evidence,
    ) -> Result<bool, AuditError> {
        while self.whole && self.offset.number < to.number {
            let entries = self.next_entries(sources, to.number).await?;
            if entries.is_empty() {
                self.broken(&format!("entry {} is nowhere", self.offset.number + 1), evidence);
            }
            for entry in entries {
                self.take(entry.number, &entry.text, evidence);
            }
        }
        if self.whole && self.offset != to {
            let why =
                format!("a page of Redis is at {} {}, its log at {}", to.number, to.mark, self.offset.number);
            self.broken(&why, evidence);
        }
        Ok(self.whole)
    }

    /// The next entries, up to `to`: from Redis, or where it has forgotten them meanwhile from MySQL.
    async fn next_entries(&self, sources: &Sources<'_>, to: u64) -> Result<Vec<RawEntry>, AuditError> {
        let (log, after) = (self.log(), self.offset.number);
        let count = (to - after).min(READ);
        let size = usize::try_from(count).expect("at most 256");
        let read = sources.tail.read(&[(log, after)], size, BLOCK).await?;
        let entries: Vec<_> = read.into_iter().flat_map(|(_, entries)| entries).collect();
        if entries.first().is_some_and(|entry| entry.number == after + 1) {
            return Ok(entries);
        }
        let limit = u32::try_from(count).expect("at most 256");
        let stored = sources.archive.entries_after(log, after, limit).await?;
        Ok(stored.into_iter().map(|(number, text)| RawEntry { number, text }).collect())
    }

    /// What a page call answered, or nothing if the log was found lost by it.
    pub(super) fn page<T>(
        &mut self,
        page: Result<T, Failure>,
        evidence: &mut Evidence,
    ) -> Result<Option<T>, AuditError> {
        match page {
            Ok(page) => Ok(Some(page)),
            Err(Failure::Stopped(_)) => {
                self.broken("lost: Redis lacks an entry that MySQL has", evidence);
                Ok(None)
            }
            Err(failure) => Err(failure.into()),
        }
    }
}
