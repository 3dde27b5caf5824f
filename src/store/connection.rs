//! One multiplexed connection that recovers, with deadlines of our own.
//!
//! redis-rs's plain multiplexed connection never recovers, and its manager lets callers wait on the reconnect for as
//! long as that takes; this one is dropped at the first error and made again by the next caller, each bounded.
//! Every new connection has a new generation: whatever was checked on the old one is checked again.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, RedisError, Value};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::meters::Meters;
use super::scripts::{ALL, Script};

/// Where Redis is and how long it may take.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `redis://host:port` or `unix:///path`.
    pub url: String,
    /// One reply.
    pub response_timeout: Duration,
    /// A connection with its scripts loaded.
    pub connect_timeout: Duration,
}

/// Before a read is asked again: Redis may be starting.
pub(super) const READ_PAUSE: Duration = Duration::from_millis(50);

/// How a command came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// It never left: nothing has happened.
    #[error("Redis could not be asked")]
    NotSent(#[source] RedisError),
    /// It may have run, or may run still.
    #[error("Redis did not answer")]
    Unknown(#[source] RedisError),
    /// Redis answered with an error before running it: nothing has happened.
    #[error("Redis refused")]
    Refused(#[source] RedisError),
    /// The script failed: a bug of ours.
    #[error("Redis reported a fault")]
    Fault(#[source] RedisError),
}

struct Live {
    connection: MultiplexedConnection,
    generation: u64,
}

/// A connection of one core or loop. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connection {
    client: Client,
    settings: Settings,
    // Held across the reconnect on purpose: one caller connects, the others wait with their own deadlines.
    state: Arc<Mutex<State>>,
    meters: Arc<Meters>,
}

#[derive(Default)]
struct State {
    live: Option<Live>,
    generations: u64,
}

/// Error codes by which Redis says that it did not run a command, and may later.
const REFUSALS: [&str; 10] = [
    "READONLY",
    "LOADING",
    "MASTERDOWN",
    "BUSY",
    "OOM",
    "MISCONF",
    "NOREPLICAS",
    "NOSCRIPT",
    "TRYAGAIN",
    "CLUSTERDOWN",
];

impl Connection {
    /// A connection that is made at the first call.
    pub(super) fn new(settings: Settings) -> Result<Self, RedisError> {
        let client = Client::open(settings.url.as_str())?;
        Ok(Self { client, settings, state: Arc::default(), meters: Arc::new(Meters::new()) })
    }

    /// What is counted about its calls.
    pub(super) fn meters(&self) -> &Meters {
        &self.meters
    }

    /// Runs a script by its hash; loads it if Redis has lost it. Answers with the connection's generation.
    ///
    /// `build` makes the EVALSHA for a generation: a new one, which every error brings, asks for the loss check again, since another
    /// Redis may answer now. A script that is gone again after it was loaded was not run: refused, like any other call that
    /// may be sent again.
    pub(super) async fn eval(
        &self,
        script: &Script,
        deadline: Instant,
        build: impl Fn(u64) -> Cmd,
    ) -> Result<(Value, u64), CallError> {
        let (mut connection, generation) = self.get(deadline).await?;
        let begun = Instant::now();
        let first = self.send(&mut connection, generation, &build(generation), deadline).await;
        self.meters.duration(script.name).record(begun.elapsed());
        if !matches!(&first, Err(CallError::Refused(error)) if error.code() == Some("NOSCRIPT")) {
            return first.map(|value| (value, generation));
        }
        Box::pin(self.load_and_eval(script, deadline, build)).await
    }

    async fn load_and_eval(
        &self,
        script: &Script,
        deadline: Instant,
        build: impl Fn(u64) -> Cmd,
    ) -> Result<(Value, u64), CallError> {
        let (mut connection, generation) = self.get(deadline).await?;
        self.send(&mut connection, generation, redis::cmd("SCRIPT").arg("LOAD").arg(script.text), deadline)
            .await?;
        let value = self.send(&mut connection, generation, &build(generation), deadline).await?;
        Ok((value, generation))
    }

    /// Runs a plain command.
    pub(super) async fn command(&self, command: &Cmd, deadline: Instant) -> Result<Value, CallError> {
        let (mut connection, generation) = self.get(deadline).await?;
        self.send(&mut connection, generation, command, deadline).await
    }

    /// Runs a command that changes nothing: asked again up to the deadline while there is no answer, and never of an
    /// unknown outcome.
    pub(super) async fn read(&self, command: &Cmd, deadline: Instant) -> Result<Value, CallError> {
        loop {
            match self.command(command, deadline).await {
                Err(CallError::Unknown(error) | CallError::NotSent(error)) => {
                    if Instant::now() + READ_PAUSE >= deadline {
                        return Err(CallError::NotSent(error));
                    }
                    sleep(READ_PAUSE).await;
                }
                answered => return answered,
            }
        }
    }

    async fn get(&self, deadline: Instant) -> Result<(MultiplexedConnection, u64), CallError> {
        let connected = timeout_at(deadline, async {
            let mut state = self.state.lock().await;
            if let Some(live) = &state.live {
                return Ok((live.connection.clone(), live.generation));
            }
            // Boxed: every call would carry the room that connecting needs.
            let connection = Box::pin(self.connect()).await?;
            state.generations += 1;
            let generation = state.generations;
            state.live = Some(Live { connection: connection.clone(), generation });
            Ok((connection, generation))
        });
        connected.await.unwrap_or_else(|_| Err(timed_out("connecting"))).map_err(CallError::NotSent)
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(Some(self.settings.connect_timeout));
        let connecting = async {
            let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
            let mut load = redis::pipe();
            for script in ALL {
                load.cmd("SCRIPT").arg("LOAD").arg(script.text).ignore();
            }
            let () = load.query_async(&mut connection).await?;
            self.meters.connects.increment(1);
            Ok(connection)
        };
        timeout(self.settings.connect_timeout, connecting)
            .await
            .unwrap_or_else(|_| Err(timed_out("connecting")))
    }

    async fn send(
        &self,
        connection: &mut MultiplexedConnection,
        generation: u64,
        command: &Cmd,
        deadline: Instant,
    ) -> Result<Value, CallError> {
        let limit = deadline.min(Instant::now() + self.settings.response_timeout);
        let answer = timeout_at(limit, connection.req_packed_command(command)).await;
        let answer = answer.unwrap_or_else(|_| Err(timed_out("waiting for a reply")));
        let error = match answer.and_then(Value::extract_error) {
            Ok(value) => return Ok(value),
            Err(error) => classify(error),
        };
        self.distrust(generation, is_over(&error)).await;
        Err(error)
    }

    /// What was checked on this generation is not to be trusted any more; `over`: nor is the connection itself of use.
    async fn distrust(&self, generation: u64, over: bool) {
        let mut state = self.state.lock().await;
        let next = state.generations + 1;
        match &mut state.live {
            Some(live) if live.generation == generation && over => state.live = None,
            Some(live) if live.generation == generation => {
                live.generation = next;
                state.generations = next;
            }
            _ => {}
        }
    }
}

fn timed_out(what: &'static str) -> RedisError {
    std::io::Error::new(std::io::ErrorKind::TimedOut, format!("timed out {what}")).into()
}

/// Whether the connection is of no more use: broken, or it leads to a replica.
fn is_over(error: &CallError) -> bool {
    match error {
        CallError::Unknown(_) | CallError::NotSent(_) => true,
        CallError::Refused(error) => matches!(error.code(), Some("READONLY" | "MASTERDOWN")),
        CallError::Fault(_) => false,
    }
}

fn classify(error: RedisError) -> CallError {
    if error.code().is_some_and(|code| REFUSALS.contains(&code)) {
        return CallError::Refused(error);
    }
    match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension => CallError::Fault(error),
        ErrorKind::Client | ErrorKind::InvalidClientConfig => CallError::NotSent(error),
        _ => CallError::Unknown(error),
    }
}
