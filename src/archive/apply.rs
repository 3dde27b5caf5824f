//! The archive's sink: entries of several logs in one transaction, each exactly once.
//!
//! Its first statements move the offsets by compare-and-set. Whoever comes second finds an offset moved and writes
//! nothing, so any number of workers may follow the same logs. Offsets are moved in the order of the logs' names:
//! two workers never wait for each other in a circle.

use super::changes::Changes;
use super::log::{LogBatch, advance};
use super::{Archive, Error};

impl Archive {
    /// Applies these batches, of different logs, all or none. `false`: another worker was first, or a log has been
    /// stopped; nothing happened and the offsets have to be read again.
    pub async fn apply(&self, batches: &[LogBatch]) -> Result<bool, Error> {
        let mut ordered: Vec<_> = batches.iter().filter(|batch| !batch.entries.is_empty()).collect();
        ordered.sort_by_key(|batch| batch.log);
        let mut changes = Changes::default();
        let mut targets = Vec::with_capacity(ordered.len());
        for batch in &ordered {
            targets.push(changes.take(batch)?);
        }

        // Dropped without a commit, it rolls back.
        let mut transaction = self.pool.begin().await?;
        for (batch, to) in ordered.iter().zip(targets) {
            if !advance(&mut transaction, batch, to).await? {
                transaction.rollback().await?;
                return Ok(false);
            }
        }
        changes.write(&mut transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }
}
