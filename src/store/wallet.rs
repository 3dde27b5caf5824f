//! Balances: charge and read.

use redis::{Cmd, Value};
use tokio::time::Instant;

use super::coalesce::Verb;
use super::reply::{MalformedReply, Outcome};
use super::scripts::{self, Script};
use super::{Answer, Failure, Store, keys};
use crate::domain::fields::{Fields, prefixed};
use crate::domain::ids::{Id20, LogName, Mark, UserId};
use crate::domain::outcome::Refusal;
use crate::domain::time::Millis;
use crate::domain::wallet::Balance;

/// Money that comes into a balance.
#[derive(Clone, Debug)]
pub struct ChargeRequest {
    /// Whose request it is: the user himself, or a cashier.
    pub by: UserId,
    /// Whose balance grows.
    pub user: UserId,
    /// The id that the charge gets.
    pub charge: Id20,
    /// Minor units, above 0.
    pub amount: i64,
    /// The client's `Idempotency-Key`.
    pub key: String,
    /// Of the request as parsed.
    pub fingerprint: Mark,
    /// What a new request is answered: the place in line that an installation asks for was looked at before, and
    /// it must not stand before a replay. One of `sales_stopped` and the three of queue tokens.
    pub refusal: Option<Refusal>,
}

/// A charge as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charged {
    /// Its id; another than asked for when replayed.
    pub charge: Id20,
    /// Minor units.
    pub amount: i64,
    /// The balance after it, minor units.
    pub balance: i64,
}

pub(super) struct Charge;

/// A request with the partition of the charged user.
pub(super) struct PartitionedCharge {
    pub(super) request: ChargeRequest,
    pub(super) partition: u8,
}

impl Verb for Charge {
    type Request = PartitionedCharge;
    type Reply = Charged;
    const WALLETS: bool = true;

    fn script() -> &'static Script {
        &scripts::CHARGE
    }

    fn partition(charge: &PartitionedCharge) -> Option<u8> {
        Some(charge.partition)
    }

    fn push(charge: &PartitionedCharge, command: &mut Cmd) {
        let ChargeRequest { by, user, charge: id, amount, key, fingerprint, refusal } = &charge.request;
        command.arg(LogName::Wallet(charge.partition).to_string());
        command.arg(user.as_str()).arg(id.as_str()).arg(*amount);
        command.arg(format!("{}charge:{}{key}", prefixed(by.as_str()), prefixed(user.as_str())));
        command.arg(fingerprint.to_string()).arg(by.as_str()).arg(refusal_argument(refusal.as_ref()));
    }

    fn read(outcome: &Outcome) -> Result<Option<(Charged, bool)>, MalformedReply> {
        let name = outcome.name()?;
        if name != "charged" && name != "replayed" {
            return Ok(None);
        }
        let charged =
            Charged { charge: outcome.parse(1)?, amount: outcome.number(2)?, balance: outcome.number(3)? };
        Ok(Some((charged, name == "replayed")))
    }
}

/// The refusal's name, with the position that it tells.
pub(super) fn refusal_argument(refusal: Option<&Refusal>) -> String {
    match refusal {
        None => String::new(),
        Some(Refusal::QueueTokenNotActive { position }) => format!("queue_token_not_active {position}"),
        Some(refusal) => refusal.name().to_owned(),
    }
}

impl Store {
    /// Puts money into a balance, once for each request id.
    pub async fn charge(
        &self,
        request: ChargeRequest,
        deadline: Instant,
    ) -> Result<Answer<Charged>, Failure> {
        let partition = request.user.partition(self.partitions());
        self.check_wallet(partition)?;
        self.0.charge.call(PartitionedCharge { request, partition }, deadline).await
    }

    /// Refuses what is about a partition whose log was stopped in this process.
    pub(super) fn check_wallet(&self, partition: u8) -> Result<(), Failure> {
        let log = LogName::Wallet(partition);
        let lost = self.seen().get(log).is_some_and(|seen| seen.is_lost());
        if lost { Err(Failure::Stopped(log)) } else { Ok(()) }
    }

    /// A user's balance as it is now.
    pub async fn balance(&self, user: &UserId, deadline: Instant) -> Result<Balance, Failure> {
        let key = keys::balances(user.partition(self.partitions()));
        let command = redis::cmd("HGET").arg(key).arg(user.as_str()).to_owned();
        let value = self.caller().connection().read(&command, deadline).await;
        let record = match value? {
            Value::Nil => return Ok(Balance::default()),
            Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            other => return Err(super::fault(MalformedReply(format!("{other:?}")))),
        };
        let mut fields = Fields::new(&record);
        let balance = fields.parse("balance").and_then(|amount| Ok((amount, fields.parse("updated")?)));
        let (amount, updated) = balance.map_err(super::fault)?;
        Ok(Balance { amount, updated: Some(Millis(updated)) })
    }
}
