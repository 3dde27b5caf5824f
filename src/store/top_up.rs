//! Charges through the payment gateway: what the scripts decide of them; what the gateway is asked and told is none of their
//! business.

use std::time::Duration;

use redis::{Cmd, Value};
use tokio::time::Instant;

use super::call::Scope;
use super::coalesce::Verb;
use super::reply::{MalformedReply, Outcome};
use super::scripts::{self, Script};
use super::wallet::refusal_argument;
use super::{Answer, Failure, Store, fault, keys};
use crate::domain::fields::{Malformed, prefixed};
use crate::domain::ids::{ChargeId, Id20, LogName, Mark, UserId};
use crate::domain::outcome::Refusal;
use crate::domain::time::Millis;
use crate::domain::top_up::{KnownTopUp, TopUp, TopUpEnd};
use crate::store::scan::ScanPage;

/// Money that a user wants in his balance.
#[derive(Clone, Debug)]
pub struct TopUpRequest {
    /// Who pays, for himself.
    pub user: UserId,
    /// The id that the charge gets.
    pub charge: Id20,
    /// Minor units, above 0.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// It is given up after that.
    pub within: Duration,
    /// The client's `Idempotency-Key`.
    pub key: String,
    /// Of the request as parsed.
    pub fingerprint: Mark,
    /// As in [`super::ChargeRequest`].
    pub refusal: Option<Refusal>,
}

/// A top-up as it was begun by this request or an equal one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BegunTopUp {
    /// Its id; another than asked for when replayed.
    pub charge: Id20,
    /// How far it is by now.
    pub known: KnownTopUp,
}

/// What the gateway says of a top-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Nothing that decides.
    Pending,
    /// The money is reserved.
    Authorised,
    /// It will never be.
    Declined,
    /// It was taken.
    Captured,
    /// Nothing is reserved, and nothing ever will be.
    Voided,
}

/// What follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopUpTask {
    /// Take the money.
    Capture,
    /// Let it go.
    Void,
    /// Ask the gateway again.
    Wait,
    /// Nothing.
    Nothing(TopUpEnd),
}

pub(super) struct Begin;
pub(super) struct Credit;

/// A request with the partition of its user.
pub(super) struct PartitionedTopUp {
    request: TopUpRequest,
    partition: u8,
}

pub(super) struct CreditRequest {
    charge: ChargeId,
    user: UserId,
    said: Said,
}

impl Verb for Begin {
    type Request = PartitionedTopUp;
    type Reply = BegunTopUp;
    const WALLETS: bool = true;
    const TOP_UPS: bool = true;

    fn script() -> &'static Script {
        &scripts::TOP_UP
    }

    fn partition(top_up: &PartitionedTopUp) -> Option<u8> {
        Some(top_up.partition)
    }

    fn push(top_up: &PartitionedTopUp, command: &mut Cmd) {
        let request = &top_up.request;
        command.arg(LogName::Wallet(top_up.partition).to_string());
        command.arg(request.user.as_str()).arg(request.charge.as_str()).arg(request.amount);
        command.arg(&request.currency).arg(u64::try_from(request.within.as_millis()).unwrap_or(u64::MAX));
        command.arg(format!("{}topup:{}", prefixed(request.user.as_str()), request.key));
        command.arg(request.fingerprint.to_string()).arg(refusal_argument(request.refusal.as_ref()));
    }

    fn read(outcome: &Outcome) -> Result<Option<(BegunTopUp, bool)>, MalformedReply> {
        let name = outcome.name()?;
        if name != "begun" && name != "replayed" {
            return Ok(None);
        }
        let known = match outcome.text(2)? {
            "open" => KnownTopUp::Open(TopUp::decode(outcome.text(3)?).map_err(|error| malformed(&error))?),
            _ => KnownTopUp::Ended(TopUpEnd::decode(outcome.text(3)?).map_err(|error| malformed(&error))?),
        };
        Ok(Some((BegunTopUp { charge: outcome.parse(1)?, known }, name == "replayed")))
    }
}

impl Verb for Credit {
    type Request = CreditRequest;
    type Reply = TopUpTask;
    const WALLETS: bool = true;
    const TOP_UPS: bool = true;

    fn script() -> &'static Script {
        &scripts::CREDIT
    }

    fn partition(request: &CreditRequest) -> Option<u8> {
        Some(request.charge.partition)
    }

    fn push(request: &CreditRequest, command: &mut Cmd) {
        let said = match request.said {
            Said::Pending => "pending",
            Said::Authorised => "authorised",
            Said::Declined => "declined",
            Said::Captured => "captured",
            Said::Voided => "voided",
        };
        command.arg(LogName::Wallet(request.charge.partition).to_string());
        command.arg(request.user.as_str()).arg(request.charge.id.as_str()).arg(said);
    }

    fn read(outcome: &Outcome) -> Result<Option<(TopUpTask, bool)>, MalformedReply> {
        let task = match outcome.name()? {
            "capture" => TopUpTask::Capture,
            "void" => TopUpTask::Void,
            "pending" => TopUpTask::Wait,
            "credited" | "voided" | "ended" => {
                TopUpTask::Nothing(TopUpEnd::decode(outcome.text(1)?).map_err(|error| malformed(&error))?)
            }
            _ => return Ok(None),
        };
        Ok(Some((task, false)))
    }
}

fn malformed(error: &Malformed) -> MalformedReply {
    MalformedReply(error.to_string())
}

impl Store {
    /// Begins a charge through the gateway, once for each request.
    pub async fn top_up(
        &self,
        request: TopUpRequest,
        deadline: Instant,
    ) -> Result<Answer<BegunTopUp>, Failure> {
        let partition = request.user.partition(self.partitions());
        self.check_wallet(partition)?;
        self.0.top_up.call(PartitionedTopUp { request, partition }, deadline).await
    }

    /// Decides what becomes of a top-up of which the gateway says this: what is left to do. Refused: there is none of this
    /// user's any more (`not_found`), or his balance has no room for what was captured (`amount_out_of_range`).
    pub async fn credit(
        &self,
        charge: ChargeId,
        user: &UserId,
        said: Said,
        deadline: Instant,
    ) -> Result<TopUpTask, Failure> {
        self.check_wallet(charge.partition)?;
        let request = CreditRequest { charge, user: user.clone(), said };
        Ok(self.0.credit.call(request, deadline).await?.value)
    }

    /// A top-up that is not at its end; `None` if there is none of that name.
    pub async fn open_top_up(&self, charge: ChargeId, deadline: Instant) -> Result<Option<TopUp>, Failure> {
        if charge.partition >= self.partitions() {
            return Ok(None);
        }
        let record = self.field(keys::top_ups(charge.partition), charge.id.as_str(), deadline).await?;
        record.map(|record| TopUp::decode(&record).map_err(fault)).transpose()
    }

    /// A top-up of this user as far as Redis knows of it: a day longer than it takes.
    pub async fn known_top_up(
        &self,
        charge: ChargeId,
        user: &UserId,
        deadline: Instant,
    ) -> Result<Option<KnownTopUp>, Failure> {
        if charge.partition != user.partition(self.partitions()) {
            return Ok(None);
        }
        // In this order: the script that removes the one writes the other.
        if let Some(open) = self.open_top_up(charge, deadline).await? {
            return Ok((open.user == user.as_str()).then_some(KnownTopUp::Open(open)));
        }
        let request = format!("{}ended:{}", prefixed(user.as_str()), charge.id);
        let Some(kept) = self.field(keys::wallet_requests(charge.partition), &request, deadline).await?
        else {
            return Ok(None);
        };
        let (_, told) = kept.split_once(' ').unwrap_or_default();
        Ok(Some(KnownTopUp::Ended(TopUpEnd::decode(told).map_err(fault)?)))
    }

    async fn field(&self, key: String, field: &str, deadline: Instant) -> Result<Option<String>, Failure> {
        let command = redis::cmd("HGET").arg(key).arg(field).to_owned();
        match self.caller().connection().read(&command, deadline).await? {
            Value::Nil => Ok(None),
            Value::BulkString(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            other => Err(fault(MalformedReply(format!("{other:?}")))),
        }
    }

    /// Some 500 top-ups of a wallet partition that are not at their end, charge → record (formats 8); begins at cursor 0. A
    /// partition whose log was lost is refused as stopped.
    pub async fn scan_top_ups(
        &self,
        partition: u8,
        cursor: u64,
        deadline: Instant,
    ) -> Result<ScanPage, Failure> {
        let log = LogName::Wallet(partition);
        let scope = Scope { concert: None, shows: &[], wallets: Some(&[partition]), top_ups: true };
        let arguments = |command: &mut Cmd| {
            command.arg(cursor);
        };
        let decided = self.caller().ask(&scripts::SNAPSHOT_TOP_UPS, scope, deadline, arguments).await?;
        self.wallet_page(&decided, log, "top_ups")
    }

    /// The same page with its records read, the time of the call, and where the next page begins. One may come twice.
    pub async fn top_ups(
        &self,
        partition: u8,
        cursor: u64,
        deadline: Instant,
    ) -> Result<(Vec<(ChargeId, TopUp)>, Millis, Option<u64>), Failure> {
        self.check_wallet(partition)?;
        let page = self.scan_top_ups(partition, cursor, deadline).await?;
        let read = |(charge, record): &(String, String)| {
            let id = charge.parse().map_err(fault)?;
            Ok((ChargeId { partition, id }, TopUp::decode(record).map_err(fault)?))
        };
        let top_ups = page.items.iter().map(read).collect::<Result<_, Failure>>()?;
        Ok((top_ups, page.now, page.next))
    }
}
