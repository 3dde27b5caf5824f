//! What every command stands on: MySQL, Redis, and the logs of the wallets.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Error, START};
use crate::archive::Archive;
use crate::config::{Config, EngineSetting};
use crate::opening::Opening;
use crate::store::log::Tail;
use crate::store::{Engine, Limits, MemoryBound, SeenLogs, Settings, Store};

/// Looks at all settings of Redis or Valkey.
pub(super) async fn look_at_redis(config: &Config) -> Result<Vec<EngineSetting>, Error> {
    let memory = Arc::new(MemoryBound::new(config.log.memory_max_bytes));
    let store = Store::bounded(redis_settings(config), limits(config), 1, SeenLogs::default(), memory)?;
    Ok(store.engine(Instant::now() + START).await?.settings)
}

/// Looks at all settings of MySQL or MariaDB.
pub(super) async fn look_at_mysql(config: &Config) -> Result<Vec<EngineSetting>, Error> {
    Ok(Archive::connect(&config.mysql).await?.engine_settings().await?)
}

fn redis_settings(config: &Config) -> Settings {
    Settings {
        url: config.redis.url.expose().to_owned(),
        response_timeout: Duration::from_millis(config.redis.response_timeout_ms),
        connect_timeout: Duration::from_millis(config.redis.connect_timeout_ms),
    }
}

fn limits(config: &Config) -> Limits {
    Limits { batch_weight: config.coalesce.batch_weight, queue_requests: config.coalesce.queue_requests }
}

/// The two engines, checked, with what this process has seen of their logs.
pub(super) struct Installation {
    pub(super) archive: Archive,
    pub(super) seen: SeenLogs,
    pub(super) engine: Engine,
    settings: Settings,
    limits: Limits,
    partitions: u8,
    memory: Arc<MemoryBound>,
}

impl Installation {
    /// Connects, checks the engine's settings and makes sure that the wallets' logs are born.
    pub(super) async fn connect(config: &Config) -> Result<Self, Error> {
        let installation = Self::look_at(config).await?;
        installation.opening()?.wallets(Instant::now() + START).await?;
        Ok(installation)
    }

    /// The same for whoever only looks: changes nothing, an empty installation stays empty.
    pub(super) async fn look_at(config: &Config) -> Result<Self, Error> {
        let archive = Archive::connect(&config.mysql).await?;
        archive.check_engine().await?;
        let (settings, limits) = (redis_settings(config), limits(config));
        let partitions = u8::try_from(config.wallet.partitions).unwrap_or(u8::MAX);
        let seen = SeenLogs::default();
        let memory = Arc::new(MemoryBound::new(config.log.memory_max_bytes));
        let store = Store::bounded(settings.clone(), limits, partitions, seen.clone(), Arc::clone(&memory))?;
        let engine = store.check_engine(Instant::now() + START).await?;
        tracing::info!(
            engine = engine.name,
            version = engine.version,
            durable = engine.durable,
            "Redis is fit"
        );
        Ok(Self { archive, seen, engine, settings, limits, partitions, memory })
    }

    /// A store for the server or for a loop.
    pub(super) fn store(&self) -> Result<Store, Error> {
        let (settings, memory) = (self.settings.clone(), Arc::clone(&self.memory));
        Ok(Store::bounded(settings, self.limits, self.partitions, self.seen.clone(), memory)?)
    }

    /// A reader of logs for one follower.
    pub(super) fn tail(&self) -> Result<Tail, Error> {
        Ok(Tail::new(&self.settings)?)
    }

    /// What puts concerts and shows on sale.
    pub(super) fn opening(&self) -> Result<Opening, Error> {
        Ok(Opening::new(self.archive.clone(), self.store()?, self.tail()?))
    }
}
