//! The reference: the server's own scripts, driven straight over one multiplexed connection.
//!
//! Also how a row puts a million people into line before it measures anything.

use std::time::{Duration, Instant};

use onsale::{
    domain::ids::{ConcertId, Id20, LogName, Mark, Offset, UserId},
    store::{
        ChargeRequest, HoldRequest,
        direct::{self, KnownLog},
    },
};
use redis::{Value, aio::MultiplexedConnection};

use crate::{Result, site::Site};

/// Users of one call that fills a line.
const JOIN_BATCH: usize = 256;

/// Calls under way at once.
pub(crate) const DEPTH: usize = 64;

/// A connection that has all scripts, and the log of a concert.
pub(crate) struct Direct {
    connection: MultiplexedConnection,
    concert: KnownLog,
}

/// What a drive did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Driven {
    /// Requests that were decided as wanted.
    pub(crate) done: usize,
    pub(crate) wall: Duration,
}

impl Direct {
    /// Loads the scripts and reads where the log of the concert is.
    pub(crate) async fn open(site: &Site, concert: ConcertId) -> Result<Self> {
        let mut connection = site.redis().await?;
        for text in direct::texts() {
            let () = redis::cmd("SCRIPT").arg("LOAD").arg(text).query_async(&mut connection).await?;
        }
        let concert = known(&mut connection, LogName::Concert(concert)).await?;
        Ok(Self { connection, concert })
    }

    /// Puts all of them into the line; their sequence numbers, in the same order.
    pub(crate) async fn join(&mut self, users: &[UserId]) -> Result<Vec<(UserId, u64)>> {
        let mut places = Vec::with_capacity(users.len());
        for batch in users.chunks(JOIN_BATCH) {
            let outcomes = self.call(&direct::join(&self.concert, batch)).await?;
            for (user, outcome) in batch.iter().zip(outcomes) {
                let seq = outcome.get(1).and_then(|seq| seq.parse().ok());
                let seq = seq.ok_or_else(|| format!("a join was refused: {outcome:?}"))?;
                places.push((user.clone(), seq));
            }
        }
        Ok(places)
    }

    /// Gives each of them so much money.
    pub(crate) async fn charge(&mut self, users: &[UserId], amount: i64, partitions: u8) -> Result<()> {
        let mut wallets = Vec::new();
        for partition in 0..partitions {
            wallets.push(known(&mut self.connection, LogName::Wallet(partition)).await?);
        }
        for batch in users.chunks(DEPTH) {
            let request = |user: &UserId| ChargeRequest {
                by: user.clone(),
                user: user.clone(),
                charge: Id20::from_bits(rand::random()),
                amount,
                key: "bench".to_owned(),
                fingerprint: Mark(0),
                refusal: None,
            };
            let requests: Vec<_> = batch.iter().map(request).collect();
            let outcomes = self.call(&direct::charge(&wallets, &requests)).await?;
            let charged =
                outcomes.iter().filter(|outcome| outcome.first().is_some_and(|name| name == "charged"));
            if charged.count() != batch.len() {
                return Err(format!("a charge was refused: {outcomes:?}").into());
            }
        }
        Ok(())
    }

    /// Holds for `time`, or until there are no more requests: each in a call of its own, 64 calls in one pipeline.
    pub(crate) async fn hold_singly(
        &mut self,
        requests: &mut impl Iterator<Item = HoldRequest>,
        time: Duration,
    ) -> Result<Driven> {
        let begun = Instant::now();
        let mut done = 0;
        while begun.elapsed() < time {
            let mut pipe = redis::pipe();
            let batch: Vec<_> = requests.by_ref().take(DEPTH).collect();
            if batch.is_empty() {
                break;
            }
            for request in &batch {
                pipe.add_command(direct::hold(&self.concert, std::slice::from_ref(request)));
            }
            let replies: Vec<Value> = pipe.query_async(&mut self.connection).await?;
            for reply in replies {
                done += held(&outcomes(reply)?)?;
            }
        }
        Ok(Driven { done, wall: begun.elapsed() })
    }

    /// The same with 64 requests in one call, one call under way.
    pub(crate) async fn hold_together(
        &mut self,
        requests: &mut impl Iterator<Item = HoldRequest>,
        time: Duration,
    ) -> Result<Driven> {
        let begun = Instant::now();
        let mut done = 0;
        while begun.elapsed() < time {
            let batch: Vec<_> = requests.by_ref().take(DEPTH).collect();
            if batch.is_empty() {
                break;
            }
            done += held(&self.call(&direct::hold(&self.concert, &batch)).await?)?;
        }
        Ok(Driven { done, wall: begun.elapsed() })
    }

    /// The catalog version that a hold must carry.
    pub(crate) async fn catalog(&mut self) -> Result<u64> {
        let meta = format!("{{{}}}:meta", self.concert.log);
        Ok(redis::cmd("HGET").arg(meta).arg("catalog").query_async(&mut self.connection).await?)
    }

    /// The log of the concert, as it was when this was opened.
    pub(crate) fn concert(&self) -> &KnownLog {
        &self.concert
    }

    /// One call; its outcomes, a list of words each.
    pub(crate) async fn call(&mut self, command: &redis::Cmd) -> Result<Vec<Vec<String>>> {
        outcomes(command.query_async(&mut self.connection).await?)
    }
}

/// A log as Redis has it now.
pub(crate) async fn known(connection: &mut MultiplexedConnection, log: LogName) -> Result<KnownLog> {
    let fields = ["log_id", "number", "mark"];
    let mut command = redis::cmd("HMGET");
    let command = command.arg(format!("{{{log}}}:meta")).arg(&fields);
    let (id, number, mark): (String, u64, String) = command.query_async(connection).await?;
    let offset = Offset { number, mark: mark.parse::<Mark>()? };
    Ok(KnownLog { log, id: id.parse()?, offset })
}

/// The outcomes of one call, behind the five fields of its head.
pub(crate) fn outcomes(reply: Value) -> Result<Vec<Vec<String>>> {
    let items: Vec<Value> = redis::from_redis_value(reply)?;
    let (head, rest) = items.split_at_checked(5).ok_or_else(|| format!("a call was refused: {items:?}"))?;
    if !matches!(head.first(), Some(Value::BulkString(word)) if word == b"ok") {
        return Err(format!("a call was refused: {head:?}").into());
    }
    rest.iter().map(|outcome| Ok(redis::from_redis_value(outcome.clone())?)).collect()
}

fn held(outcomes: &[Vec<String>]) -> Result<usize> {
    match outcomes.iter().find(|outcome| outcome.first().is_none_or(|name| name != "held")) {
        Some(refused) => Err(format!("a hold was refused: {refused:?}").into()),
        None => Ok(outcomes.len()),
    }
}
