//! The engine's settings, looked at before anything is sold on it.

use redis::{FromRedisValue, Value};
use tokio::time::Instant;

use super::{Failure, Store};
use crate::config::{EngineSetting, Fitness};

/// What is behind the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// `redis` or `valkey`.
    pub name: &'static str,
    /// Its version.
    pub version: String,
    /// Whether every write is on disk before it is answered (`appendonly yes`, `appendfsync always`).
    pub durable: bool,
    /// All settings that are asked of it.
    pub settings: Vec<EngineSetting>,
}

/// Why an engine is not fit.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It could not be asked.
    #[error("the engine's settings could not be read")]
    Unavailable(#[from] Failure),
    /// Too old for script flags, or a setting that would lose or refuse data.
    #[error("{0}")]
    Unfit(EngineSetting),
}

impl Store {
    /// Asks the engine for its settings and refuses those that break promises.
    pub async fn check_engine(&self, deadline: Instant) -> Result<Engine, EngineError> {
        let engine = self.engine(deadline).await?;
        match engine.settings.iter().find(|setting| setting.fitness == Fitness::Unfit) {
            Some(unfit) => Err(EngineError::Unfit(unfit.clone())),
            None => Ok(engine),
        }
    }

    /// Asks the engine for its settings and judges them.
    pub async fn engine(&self, deadline: Instant) -> Result<Engine, Failure> {
        let info = self.text(redis::cmd("INFO").arg("everything"), deadline).await?;
        let field = |name: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.map_or_else(String::new, |value| value.trim().to_owned())
        };
        let (name, version, oldest) = match field("valkey_version") {
            version if !version.is_empty() => ("valkey", version, 8),
            _ => ("redis", field("redis_version"), 7),
        };
        let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
        let clustered = field("cluster_enabled");
        let eviction = self.setting("maxmemory-policy", deadline).await?;
        let limit = self.setting("maxmemory", deadline).await?;
        let aof = self.setting("appendonly", deadline).await?;
        let sync = self.setting("appendfsync", deadline).await?;
        let torn = self.setting("aof-load-truncated", deadline).await?;
        // Our own bound has to be reached first: it refuses new holds and lets claims go on, Redis knows no such difference.
        let bound = self.memory().max_bytes();
        let roomy = limit.parse::<u64>().is_ok_and(|limit| limit == 0 || limit > bound);
        let settings = [
            EngineSetting::needed(
                "version",
                version.clone(),
                format!("{oldest}.0 or later"),
                major >= oldest,
            ),
            EngineSetting::needed("cluster_enabled", clustered.clone(), "0", clustered != "1"),
            EngineSetting::needed(
                "maxmemory-policy",
                eviction.clone(),
                "noeviction",
                eviction == "noeviction",
            ),
            EngineSetting::advised("maxmemory", limit, format!("0, or above {bound}"), roomy),
            EngineSetting::advised("appendonly", aof.clone(), "yes", aof == "yes"),
            EngineSetting::advised("appendfsync", sync.clone(), "always", sync == "always"),
            EngineSetting::advised("aof-load-truncated", torn.clone(), "yes", torn == "yes"),
        ];
        let settings = settings.into_iter().map(|setting| setting.of(name)).collect();
        Ok(Engine { name, version, durable: aof == "yes" && sync == "always", settings })
    }

    async fn setting(&self, name: &str, deadline: Instant) -> Result<String, Failure> {
        let value = self.command(redis::cmd("CONFIG").arg("GET").arg(name), deadline).await?;
        let pairs = Vec::<(String, String)>::from_redis_value(value).map_err(super::fault)?;
        Ok(pairs.into_iter().next().map(|(_, value)| value).unwrap_or_default())
    }

    pub(super) async fn text(&self, command: &redis::Cmd, deadline: Instant) -> Result<String, Failure> {
        String::from_redis_value(self.command(command, deadline).await?).map_err(super::fault)
    }

    async fn command(&self, command: &redis::Cmd, deadline: Instant) -> Result<Value, Failure> {
        Ok(self.caller().connection().command(command, deadline).await?)
    }
}
