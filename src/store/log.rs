//! Reading logs: what followers need, on a connection of their own that may block.

use std::time::Duration;

use bb8::Pool;
use redis::streams::{StreamId, StreamReadReply};
use redis::{FromRedisValue, Value};
use tokio::time::{Instant, timeout};

use super::pool::{self, FollowerConnection};
use super::reply::{MalformedReply, Outcome, Reply};
use super::{Failure, Settings, Source, Store, fault, keys, scripts};
use crate::domain::ids::{LogName, Mark, Offset};

/// One entry as the stream holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawEntry {
    /// Dense per log, from 1.
    pub number: u64,
    /// Formats 2.
    pub text: String,
}

/// Where a log begins and ends in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogBounds {
    /// Its id; `None` if Redis holds no such log.
    pub log_id: Option<Mark>,
    /// Its last entry.
    pub last: Offset,
    /// The highest entry that may be gone.
    pub trim: u64,
}

/// Reads logs from given places on. Blocks on a connection that nobody else uses.
#[derive(Clone)]
pub struct Tail {
    pool: Pool<FollowerConnection>,
    limit: Duration,
}

/// Redis could not be read; nothing is lost by asking again.
#[derive(Debug, thiserror::Error)]
#[error("logs could not be read")]
pub struct ReadError(#[source] pub(super) Source);

impl ReadError {
    fn new(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(std::sync::Arc::new(error))
    }
}

impl Tail {
    /// A reader; connects at the first read.
    pub fn new(settings: &Settings) -> Result<Self, ReadError> {
        let pool = pool::build(settings, 1).map_err(ReadError::new)?;
        Ok(Self { pool, limit: settings.response_timeout })
    }

    /// Entries behind the given numbers, at most `count` of each log; waits up to `block` for the first, and not at all
    /// if that is zero. Redis looks at its clock ten times a second only: a wait in vain may take so much longer.
    pub async fn read(
        &self,
        from: &[(LogName, u64)],
        count: usize,
        block: Duration,
    ) -> Result<Vec<(LogName, Vec<RawEntry>)>, ReadError> {
        if from.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = redis::cmd("XREAD");
        command.arg("COUNT").arg(count);
        if !block.is_zero() {
            command.arg("BLOCK").arg(u64::try_from(block.as_millis()).unwrap_or(u64::MAX).max(1));
        }
        command.arg("STREAMS");
        for (log, _) in from {
            command.arg(keys::log(*log));
        }
        for (_, number) in from {
            command.arg(format!("{number}-0"));
        }
        let value = self.query(&command, block).await?;
        let Some(reply) = Option::<StreamReadReply>::from_redis_value(value).map_err(ReadError::new)? else {
            return Ok(Vec::new());
        };
        let read = |stream: redis::streams::StreamKey| {
            let log = from.iter().map(|(log, _)| *log).find(|log| keys::log(*log) == stream.key);
            let log = log.ok_or_else(|| MalformedReply(format!("a stream {}", stream.key)))?;
            Ok((log, stream.ids.iter().map(raw_entry).collect::<Result<_, _>>()?))
        };
        reply.keys.into_iter().map(read).collect::<Result<_, MalformedReply>>().map_err(ReadError::new)
    }

    /// Where a log begins and ends now.
    pub async fn bounds(&self, log: LogName) -> Result<LogBounds, ReadError> {
        let mut command = redis::cmd("HMGET");
        command.arg(keys::meta(log)).arg(&["log_id", "number", "mark", "trim"]);
        let value = self.query(&command, Duration::ZERO).await?;
        let fields = Vec::<Option<String>>::from_redis_value(value).map_err(ReadError::new)?;
        let [Some(log_id), Some(number), Some(mark), Some(trim)] = fields.as_slice() else {
            return Ok(LogBounds { log_id: None, last: Offset::default(), trim: 0 });
        };
        let bounds = || {
            let last = Offset { number: number.parse().ok()?, mark: mark.parse().ok()? };
            Some(LogBounds { log_id: Some(log_id.parse().ok()?), last, trim: trim.parse().ok()? })
        };
        bounds().ok_or_else(|| ReadError::new(MalformedReply(format!("meta of {log}: {fields:?}"))))
    }

    async fn query(&self, command: &redis::Cmd, block: Duration) -> Result<Value, ReadError> {
        let mut connection = self.pool.get().await.map_err(ReadError::new)?;
        let answer = timeout(block + self.limit, connection.query(command)).await;
        match answer {
            Ok(result) => result.map_err(ReadError::new),
            Err(elapsed) => {
                // Its reply would be taken for the next one's.
                connection.mark_broken();
                Err(ReadError::new(elapsed))
            }
        }
    }
}

fn raw_entry(entry: &StreamId) -> Result<RawEntry, MalformedReply> {
    let malformed = || MalformedReply(format!("an entry {}", entry.id));
    let number = entry.id.strip_suffix("-0").and_then(|number| number.parse().ok()).ok_or_else(malformed)?;
    match entry.map.get("e") {
        Some(Value::BulkString(bytes)) => {
            Ok(RawEntry { number, text: String::from_utf8(bytes.clone()).map_err(|_| malformed())? })
        }
        _ => Err(malformed()),
    }
}

impl Store {
    /// Forgets entries up to `upto`, which the archive has, a bounded step. Answers the new trim mark.
    pub async fn trim(&self, log: LogName, upto: u64, deadline: Instant) -> Result<u64, Failure> {
        let build = |generation| {
            let mut command = redis::cmd("EVALSHA");
            command.arg(scripts::TRIM.sha()).arg(2).arg(keys::meta(log)).arg(keys::log(log));
            self.caller().push_seen(&mut command, log, generation);
            command.arg(upto);
            command
        };
        let evaluated = self.caller().connection().eval(&scripts::TRIM, deadline, build).await;
        let (value, _) = evaluated?;
        match Reply::read(value).map_err(fault)? {
            Reply::LogLost => Err(self.caller().stop(log).into()),
            Reply::Decided(decided) => {
                super::only_outcome(&decided, "trimmed", |outcome: &Outcome| outcome.number(1))
            }
        }
    }
}
