//! Followers read the logs from offsets of their own and carry them on: the archive to MySQL, the live views to memory.
//!
//! What they share is here: the test that one entry follows the other, and how to wait when the other side is away. A
//! follower never skips an entry and never guesses: a log that does not go on where it was left is stopped, alone.

mod archive;
mod kafka;
mod lease;
mod live;
mod pack;
mod snapshot;
mod supply;
mod tally;
mod telling;
mod track;
mod webhook;

use std::time::Duration;

use crate::domain::event::VERSION;
use crate::domain::fields::{Fields, Malformed};
use crate::domain::ids::{Mark, Offset};

pub use archive::{Applied, ArchiveFollower};
pub use kafka::{KafkaFollower, KafkaParts};
pub use live::LiveFollower;
pub use telling::{TellError, cloud_events};
pub use webhook::{InvalidUrl, NoClient, WebhookFollower, WebhookParts, check_url, origin};

/// Why an entry can't be the next one of its log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// Another number, or it names another entry as the one before: the log was trimmed, lost or is another.
    #[error("entry {found} does not follow {} {}", after.number, after.mark)]
    Discontinuity {
        /// The entry that it had to follow.
        after: Offset,
        /// Its number.
        found: u64,
    },
    /// Its head can't be read: a bug of the writer, or a newer writer.
    #[error("entry {found} can't be read: {source}")]
    Malformed {
        /// Its number.
        found: u64,
        /// What is wrong with it.
        source: Malformed,
    },
}

/// Reads the head of an entry and answers its offset, if it follows `after`. Its events are not looked at.
pub fn follows(after: Offset, number: u64, text: &str) -> Result<Offset, Break> {
    let malformed = |source| Break::Malformed { found: number, source };
    let mut fields = Fields::new(text);
    let start = fields;
    if fields.word("version").map_err(malformed)? != VERSION {
        return Err(malformed(start.malformed("version")));
    }
    let mark = fields.parse("mark").map_err(malformed)?;
    let previous: Mark = fields.parse("previous mark").map_err(malformed)?;
    if number != after.number + 1 || previous != after.mark {
        return Err(Break::Discontinuity { after, found: number });
    }
    Ok(Offset { number, mark })
}

/// Waits that double from 100 ms to 5 s while something is away, so that its return is noticed soon and its absence
/// costs nothing.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure.
    pub fn failed(&mut self) -> Duration {
        self.failures += 1;
        let doublings = (self.failures - 1).min(6);
        Duration::from_millis(100 << doublings).min(Duration::from_secs(5))
    }

    /// It works again.
    pub fn worked(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_follows_by_number_and_mark() {
        let after = Offset { number: 4, mark: Mark(0xa) };
        let text = "1 000000000000000b 000000000000000a 1780000000000\n";
        assert_eq!(follows(after, 5, text), Ok(Offset { number: 5, mark: Mark(0xb) }));
        assert_eq!(follows(after, 6, text), Err(Break::Discontinuity { after, found: 6 }));
        let other = Offset { mark: Mark(0xc), ..after };
        assert_eq!(follows(other, 5, text), Err(Break::Discontinuity { after: other, found: 5 }));
        assert!(matches!(follows(after, 5, &text.replacen('1', "2", 1)), Err(Break::Malformed { .. })));
    }

    #[test]
    fn waits_double_up_to_a_cap_and_start_again() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..8).map(|_| backoff.failed().as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        backoff.worked();
        assert_eq!(backoff.failed().as_millis(), 100);
    }
}
