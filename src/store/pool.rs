//! Connections for followers: bb8 with a manager of our own that marks the dead.
//!
//! bb8-redis pings at every checkout, which costs a round trip each time; without the ping it never notices a dead connection,
//! since its `has_broken` is always false. This manager remembers an unrecoverable error instead.

use std::time::Duration;

use bb8::{ManageConnection, Pool};
use bb8_redis::RedisConnectionManager;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, Cmd, RedisError, Value};

use super::Settings;

/// A connection that one follower has to itself for as long as it blocks.
pub(super) struct FollowerConnection {
    client: Client,
    connect_timeout: Duration,
}

/// A pooled connection and whether it is of no more use.
pub(super) struct Marked {
    connection: MultiplexedConnection,
    broken: bool,
}

impl Marked {
    pub(super) async fn query(&mut self, command: &Cmd) -> Result<Value, RedisError> {
        let answer = self.connection.req_packed_command(command).await.and_then(Value::extract_error);
        self.broken |= answer.as_ref().is_err_and(RedisError::is_unrecoverable_error);
        answer
    }

    pub(super) fn mark_broken(&mut self) {
        self.broken = true;
    }
}

impl ManageConnection for FollowerConnection {
    type Connection = Marked;
    type Error = RedisError;

    async fn connect(&self) -> Result<Marked, RedisError> {
        // The caller's own deadline covers blocking reads; redis-rs's 500 ms would cut them.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(Some(self.connect_timeout));
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        Ok(Marked { connection, broken: false })
    }

    async fn is_valid(&self, _: &mut Marked) -> Result<(), RedisError> {
        Ok(())
    }

    fn has_broken(&self, marked: &mut Marked) -> bool {
        marked.broken
    }
}

pub(super) fn build(settings: &Settings, size: u32) -> Result<Pool<FollowerConnection>, RedisError> {
    // Checks the address as bb8-redis would.
    RedisConnectionManager::new(settings.url.as_str())?;
    let client = Client::open(settings.url.as_str())?;
    let manager = FollowerConnection { client, connect_timeout: settings.connect_timeout };
    let builder =
        Pool::builder().max_size(size).test_on_check_out(false).connection_timeout(settings.connect_timeout);
    Ok(builder.build_unchecked(manager))
}
