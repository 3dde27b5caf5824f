//! Putting on sale what MySQL holds: the archive names the log, Redis gives birth to it, the archive stores its first entry.
//!
//! Only then does this process sell on it (design, "A log is born once"). Each step repeats harmlessly, so a call that broke off is
//! finished by the next one, or by a worker; a log that the archive has an entry of is never given birth to again.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use crate::archive::{self, Archive, LogBatch, LogState};
use crate::domain::ids::{ConcertId, LogName, Mark, Offset};
use crate::domain::policy::PolicyState;
use crate::follow::follows;
use crate::store::log::{ReadError, Tail};
use crate::store::{Birth, Failure, ShowOpening, Store};

/// Why something could not be put on sale; the same call again goes on where this one stopped.
#[derive(Debug, thiserror::Error)]
pub enum OpeningError {
    /// MySQL.
    #[error("the archive could not take part in the opening")]
    Archive(#[from] archive::Error),
    /// Redis.
    #[error("Redis could not take part in the opening")]
    Store(#[from] Failure),
    /// Redis, on the way back.
    #[error("the first entry could not be read")]
    Read(#[from] ReadError),
    /// Redis holds another log under that name: another installation's, or one that MySQL has forgotten.
    #[error("Redis holds another log under the name {0}")]
    Foreign(LogName),
    /// The number of wallet partitions is fixed at birth: users' money lies where the first number put it.
    #[error("the configuration says {configured} wallet partitions, but {born} were born")]
    Partitions {
        /// What the configuration says.
        configured: u8,
        /// What there is.
        born: usize,
    },
    /// A policy that this version can't read: a newer one has written it.
    #[error("the policy of concert {concert} in Redis can't be read")]
    Policy {
        /// The concert.
        concert: ConcertId,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The log was lost, or cannot be read.
    #[error("log {0} is recovering")]
    Recovering(LogName),
}

/// Brings logs into the world, and shows and policies into their logs.
#[derive(Clone)]
pub struct Opening {
    archive: Archive,
    store: Store,
    tail: Tail,
}

/// How long the first entry may take to be read back: it is there already.
const READ_BACK: Duration = Duration::from_secs(1);

impl Opening {
    /// Stands on its own connections.
    pub fn new(archive: Archive, store: Store, tail: Tail) -> Self {
        Self { archive, store, tail }
    }

    /// Makes sure that the logs of all wallet partitions are born, and known here. Their number is fixed at birth.
    pub async fn wallets(&self, deadline: Instant) -> Result<(), OpeningError> {
        let partitions = self.store.partitions();
        let log_ids: Vec<_> = (0..partitions).map(|_| Mark(rand::random())).collect();
        let begun = self.archive.begin_wallets(&log_ids).await?;
        if begun != (0..partitions).map(LogName::Wallet).collect::<Vec<_>>() {
            return Err(OpeningError::Partitions { configured: partitions, born: begun.len() });
        }
        for partition in 0..partitions {
            let open = |log_id| self.store.open_wallet(partition, log_id, deadline);
            match self.birth(LogName::Wallet(partition), open).await {
                // A lost wallet stops its users' money, not the process.
                Ok(_) | Err(OpeningError::Recovering(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Refuses a number of wallet partitions other than that of the installation, if it has any. Changes nothing.
    pub async fn check_wallets(&self) -> Result<(), OpeningError> {
        let known = self.archive.offsets().await?;
        let born = known.iter().filter(|known| matches!(known.log, LogName::Wallet(_))).count();
        let configured = self.store.partitions();
        if born == 0 || born == usize::from(configured) {
            return Ok(());
        }
        Err(OpeningError::Partitions { configured, born })
    }

    /// Makes sure that the log of a concert is born, and known here. Answers its id.
    pub async fn concert(
        &self,
        concert: ConcertId,
        policy: &PolicyState,
        deadline: Instant,
    ) -> Result<Mark, OpeningError> {
        let open = |log_id| self.store.open_concert(concert, log_id, policy, deadline);
        self.birth(LogName::Concert(concert), open).await
    }

    /// Puts a show of a born concert on sale, or more seats of it. Answers the entry that says so.
    pub async fn show(
        &self,
        concert: ConcertId,
        opening: ShowOpening,
        deadline: Instant,
    ) -> Result<Offset, OpeningError> {
        Ok(self.store.open_show(concert, opening, deadline).await?)
    }

    /// Brings to Redis all that MySQL has of a concert: its log, its shows with their seats, and that titles or prices changed.
    pub async fn finish(&self, concert: ConcertId, deadline: Instant) -> Result<(), OpeningError> {
        let stored = self.archive.policy(concert).await?.map(|(_, policy)| policy).unwrap_or_default();
        self.concert(concert, &stored, deadline).await?;
        let catalog = self.archive.concert(concert).await?.map_or(0, |record| record.version);
        for (show, seats) in self.archive.show_sizes(concert).await? {
            self.show(concert, ShowOpening { show, seats, catalog }, deadline).await?;
        }
        self.store.catalog_changed(concert, catalog, deadline).await?;
        Ok(())
    }

    /// Catalog versions of all concerts, by id: what [`Opening::finish`] brings to Redis.
    pub async fn versions(&self) -> Result<Vec<(ConcertId, u64)>, OpeningError> {
        Ok(self.archive.catalog_versions().await?)
    }

    /// Changes the policy of a born concert, whoever else changes it meanwhile. What is in force already is not written again.
    pub async fn policy(
        &self,
        concert: ConcertId,
        change: impl Fn(&PolicyState) -> PolicyState,
        deadline: Instant,
    ) -> Result<(), OpeningError> {
        loop {
            let head = self.store.snapshot_head(concert, deadline).await?;
            let stands = serde_json::from_str(&head.policy_json);
            let stands = stands.map_err(|source| OpeningError::Policy { concert, source })?;
            let wanted = change(&stands);
            if wanted == stands {
                return Ok(());
            }
            if self.store.set_policy(concert, head.policy_version, &wanted, deadline).await?.is_some() {
                return Ok(());
            }
        }
    }

    async fn birth<F: Future<Output = Result<Birth, Failure>>>(
        &self,
        log: LogName,
        open: impl FnOnce(Mark) -> F,
    ) -> Result<Mark, OpeningError> {
        if let Some(log_id) = self.known(log).await? {
            return Ok(log_id);
        }
        let log_id = self.archive.begin_log(log, Mark(rand::random())).await?;
        let birth = open(log_id).await?;
        if birth.log_id != log_id {
            return Err(OpeningError::Foreign(log));
        }
        self.archive_first(log).await?;
        // What the archive has is what counts: another may have given birth to it, sold on it and lost it meanwhile.
        self.known(log).await?.ok_or(OpeningError::Foreign(log))
    }

    /// The id of a log that the archive has an entry of, which is then known here.
    async fn known(&self, log: LogName) -> Result<Option<Mark>, OpeningError> {
        let Some(born) = self.archive.offset(log).await?.filter(|known| known.state != LogState::Unborn)
        else {
            return Ok(None);
        };
        let seen = self.store.seen().register(log, born.log_id, born.offset);
        if born.state == LogState::Recovering {
            seen.stop();
            return Err(OpeningError::Recovering(log));
        }
        Ok(Some(born.log_id))
    }

    /// Stores the first entry; a follower that was faster has stored the same.
    async fn archive_first(&self, log: LogName) -> Result<(), OpeningError> {
        let read = self.tail.read(&[(log, 0)], 1, READ_BACK).await?;
        let entry =
            read.into_iter().flat_map(|(_, entries)| entries).next().ok_or(OpeningError::Foreign(log))?;
        follows(Offset::default(), entry.number, &entry.text).map_err(|_| OpeningError::Foreign(log))?;
        let entries = vec![(entry.number, entry.text)];
        self.archive.apply(&[LogBatch { log, from: Offset::default(), entries }]).await?;
        Ok(())
    }
}
