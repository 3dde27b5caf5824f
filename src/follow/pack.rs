//! Cuts what a round has read into transactions: large enough to be cheap, small enough to be short.

use crate::archive::LogBatch;
use crate::domain::ids::{LogName, Offset};

/// Lines of one transaction, heads and events: some 60 ms of MySQL. One four times as large saves a tenth.
const LINES_MAX: usize = 4000;

/// Bytes of entries of one transaction.
const BYTES_MAX: usize = 8 << 20;

/// Entries of one log that are known to follow each other.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    pub(super) log: LogName,
    /// The offset before the first of them.
    pub(super) from: Offset,
    /// In order, each with its own offset.
    pub(super) entries: Vec<(Offset, String)>,
}

/// One transaction: batches, and the offset that each log reaches with it.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    pub(super) batches: Vec<LogBatch>,
    pub(super) reached: Vec<(LogName, Offset)>,
    /// Lines: the head of each entry and its events.
    lines: usize,
    bytes: usize,
}

/// Packs these logs, of which no two are the same, into transactions to be applied in order. `alone`: no transaction
/// holds two logs, so that a failure is one log's own.
pub(super) fn pack(logs: Vec<Checked>, alone: bool) -> Vec<Transaction> {
    let mut transactions: Vec<Transaction> = Vec::new();
    for Checked { log, mut from, entries } in logs {
        for (offset, text) in entries {
            let (lines, bytes) = (text.lines().count(), text.len());
            let fits = transactions.last().is_some_and(|last| last.takes(log, lines, bytes, alone));
            if !fits {
                transactions.push(Transaction::default());
            }
            let transaction = transactions.last_mut().expect("one was pushed if there was none");
            transaction.push(log, from, offset, text);
            transaction.lines += lines;
            transaction.bytes += bytes;
            from = offset;
        }
    }
    transactions
}

impl Transaction {
    /// Entries in it.
    pub(super) fn entries(&self) -> usize {
        self.batches.iter().map(|batch| batch.entries.len()).sum()
    }

    /// Events in it.
    pub(super) fn events(&self) -> usize {
        self.lines - self.entries()
    }

    fn takes(&self, log: LogName, lines: usize, bytes: usize, alone: bool) -> bool {
        let others = self.batches.iter().any(|batch| batch.log != log);
        self.lines + lines <= LINES_MAX && self.bytes + bytes <= BYTES_MAX && !(alone && others)
    }

    fn push(&mut self, log: LogName, from: Offset, offset: Offset, text: String) {
        match (self.batches.last_mut(), self.reached.last_mut()) {
            (Some(batch), Some(reached)) if batch.log == log => {
                batch.entries.push((offset.number, text));
                reached.1 = offset;
            }
            _ => {
                self.batches.push(LogBatch { log, from, entries: vec![(offset.number, text)] });
                self.reached.push((log, offset));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Mark;

    fn checked(partition: u8, entries: u64, lines: usize) -> Checked {
        let offset = |number| Offset { number, mark: Mark(number) };
        let entry = |number| (offset(number), "x\n".repeat(lines));
        Checked {
            log: LogName::Wallet(partition),
            from: Offset::default(),
            entries: (1..=entries).map(entry).collect(),
        }
    }

    fn shape(transactions: &[Transaction]) -> Vec<Vec<(LogName, u64, usize)>> {
        let batch = |batch: &LogBatch| (batch.log, batch.from.number, batch.entries.len());
        transactions.iter().map(|transaction| transaction.batches.iter().map(batch).collect()).collect()
    }

    #[test]
    fn logs_share_a_transaction_and_large_ones_are_cut() {
        let (one, two) = (LogName::Wallet(1), LogName::Wallet(2));
        let packed = pack(vec![checked(1, 3, LINES_MAX / 5 * 2), checked(2, 2, LINES_MAX / 10)], false);
        assert_eq!(shape(&packed), [vec![(one, 0, 2),], vec![(one, 2, 1), (two, 0, 2)]]);
        assert_eq!(packed[1].reached[0].1.number, 3);
        let alone = pack(vec![checked(1, 1, 1), checked(2, 1, 1)], true);
        assert_eq!(shape(&alone), [[(one, 0, 1)], [(two, 0, 1)]]);
    }

    #[test]
    fn an_entry_beyond_the_bounds_goes_by_itself() {
        let packed = pack(vec![checked(1, 2, LINES_MAX + 1)], false);
        assert_eq!(packed.len(), 2);
    }
}
