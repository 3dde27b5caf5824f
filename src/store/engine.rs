//! The engine's settings, checked before anything is sold on it.

use redis::{FromRedisValue, Value};
use tokio::time::Instant;

use super::{Failure, Store};

/// What is behind the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// `redis` or `valkey`.
    pub name: &'static str,
    /// Its version.
    pub version: String,
    /// Whether every write is on disk before it is answered (`appendonly yes`, `appendfsync always`).
    pub durable: bool,
}

/// Why an engine is not fit.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It could not be asked.
    #[error("the engine's settings could not be read")]
    Unavailable(#[from] Failure),
    /// Too old for script flags.
    #[error("{0} {1} is too old: Redis 7.0 or Valkey 8 is needed")]
    TooOld(&'static str, String),
    /// A setting that would lose or refuse data.
    #[error("{0} is {1:?}, but must be {2:?}")]
    Setting(&'static str, String, &'static str),
}

impl Store {
    /// Asks the engine for its settings and refuses those that break promises.
    pub async fn check_engine(&self, deadline: Instant) -> Result<Engine, EngineError> {
        let info = self.text(redis::cmd("INFO").arg("everything"), deadline).await?;
        let field = |name: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.map(|value| value.trim().to_owned())
        };
        let (name, version, oldest) = match field("valkey_version") {
            Some(version) => ("valkey", version, 8),
            None => ("redis", field("redis_version").unwrap_or_default(), 7),
        };
        let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
        if major < oldest {
            return Err(EngineError::TooOld(name, version));
        }
        if field("cluster_enabled").as_deref() == Some("1") {
            return Err(EngineError::Setting("cluster_enabled", "1".into(), "0"));
        }
        let eviction = self.setting("maxmemory-policy", deadline).await?;
        if eviction != "noeviction" {
            return Err(EngineError::Setting("maxmemory-policy", eviction, "noeviction"));
        }
        let aof = self.setting("appendonly", deadline).await? == "yes";
        let durable = aof && self.setting("appendfsync", deadline).await? == "always";
        Ok(Engine { name, version, durable })
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
