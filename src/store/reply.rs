//! Reads what scripts answer: `{ 'ok', log id, number, mark, now, outcome, … }` or `{ 'log_lost', … }`.

use redis::Value;

use crate::domain::ids::{LogName, Mark, Offset};
use crate::domain::outcome::{InvalidReason, Refusal};
use crate::domain::time::Millis;

/// A reply that is not of the form its script promises: a bug, or scripts of another version.
#[derive(Debug, thiserror::Error)]
#[error("malformed reply of a script: {0}")]
pub(super) struct MalformedReply(pub(super) String);

/// Where a log stands after a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    pub(super) log: LogName,
    pub(super) offset: Offset,
}

/// A whole reply.
#[derive(Debug)]
pub(super) enum Reply {
    /// The log is not the one that was seen.
    LogLost,
    /// Every request was decided.
    Decided(Decided),
}

/// The head of a reply with its outcomes.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) log_id: Mark,
    pub(super) offset: Offset,
    pub(super) now: Millis,
    pub(super) outcomes: Vec<Outcome>,
    /// Logs of wallet partitions that the call may have appended to.
    pub(super) wallets: Vec<Position>,
}

/// One outcome: its name and fields.
#[derive(Debug)]
pub(super) struct Outcome(Vec<Value>);

fn malformed(what: impl Into<String>) -> MalformedReply {
    MalformedReply(what.into())
}

impl Reply {
    pub(super) fn read(value: Value) -> Result<Self, MalformedReply> {
        let Value::Array(mut items) = value else {
            return Err(malformed(format!("{value:?}")));
        };
        let rest = if items.len() >= 5 { items.split_off(5) } else { Vec::new() };
        let head = Outcome(items);
        match head.name()? {
            "log_lost" => Ok(Self::LogLost),
            "ok" => Ok(Self::Decided(Decided::read(&head, rest)?)),
            other => Err(malformed(other)),
        }
    }
}

impl Decided {
    fn read(head: &Outcome, rest: Vec<Value>) -> Result<Self, MalformedReply> {
        // A reply about wallets only has no log of its own: id and mark are empty.
        let mark = |at| head.text(at).map(|text| text.parse().unwrap_or_default());
        let offset = Offset { number: head.number(2)?, mark: mark(3)? };
        let (log_id, now) = (mark(1)?, Millis(head.number(4)?));
        let mut decided =
            Self { log_id, offset, now, outcomes: Vec::with_capacity(rest.len()), wallets: Vec::new() };
        for value in rest {
            let Value::Array(fields) = value else {
                return Err(malformed(format!("{value:?}")));
            };
            let outcome = Outcome(fields);
            if outcome.name()? == "wallet" {
                let offset = Offset { number: outcome.number(2)?, mark: outcome.parse(3)? };
                decided.wallets.push(Position { log: outcome.parse(1)?, offset });
            } else {
                decided.outcomes.push(outcome);
            }
        }
        Ok(decided)
    }
}

impl Outcome {
    pub(super) fn new(fields: Vec<Value>) -> Self {
        Self(fields)
    }

    pub(super) fn name(&self) -> Result<&str, MalformedReply> {
        self.text(0)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn value(&self, at: usize) -> Result<&Value, MalformedReply> {
        self.0.get(at).ok_or_else(|| malformed(format!("field {at} of {:?}", self.0)))
    }

    pub(super) fn text(&self, at: usize) -> Result<&str, MalformedReply> {
        match self.value(at)? {
            Value::BulkString(bytes) => {
                std::str::from_utf8(bytes).map_err(|_| malformed("text is not UTF-8"))
            }
            Value::SimpleString(text) => Ok(text),
            other => Err(malformed(format!("field {at} is {other:?}"))),
        }
    }

    pub(super) fn number<T: TryFrom<i64> + std::str::FromStr>(&self, at: usize) -> Result<T, MalformedReply> {
        let number = match self.value(at)? {
            Value::Int(number) => T::try_from(*number).ok(),
            _ => self.text(at)?.parse().ok(),
        };
        number.ok_or_else(|| malformed(format!("field {at} of {:?}", self.0)))
    }

    pub(super) fn parse<T: std::str::FromStr>(&self, at: usize) -> Result<T, MalformedReply> {
        self.text(at)?.parse().map_err(|_| malformed(format!("field {at} of {:?}", self.0)))
    }

    pub(super) fn millis(&self, at: usize) -> Result<Millis, MalformedReply> {
        self.number(at).map(Millis)
    }

    /// The refusal that this outcome is.
    pub(super) fn refusal(&self) -> Result<Refusal, MalformedReply> {
        Ok(match self.name()? {
            "idempotency_key_reused" => Refusal::IdempotencyKeyReused,
            "rate_limited" => Refusal::RateLimited,
            "sales_stopped" => Refusal::SalesStopped,
            "sale_not_open" => {
                Refusal::SaleNotOpen { opens_at: self.millis(1).ok().filter(|opens| opens.0 > 0) }
            }
            "sold_out" => Refusal::SoldOut,
            "queue_token_invalid" => Refusal::QueueTokenInvalid,
            "queue_token_expired" => Refusal::QueueTokenExpired,
            "queue_token_not_active" => Refusal::QueueTokenNotActive { position: self.number(1)? },
            "too_many_seats" => Refusal::TooManySeats { limit: self.number(1)? },
            "purchase_limit" => Refusal::PurchaseLimit { limit: self.number(1)?, owned: self.number(2)? },
            "seat_unavailable" => {
                let seats = (1..self.len()).map(|at| self.number(at)).collect::<Result<_, _>>()?;
                Refusal::SeatUnavailable { seats }
            }
            "invalid_reservation" => Refusal::InvalidReservation(self.invalid_reason()?),
            "insufficient_balance" => {
                Refusal::InsufficientBalance { current: self.number(1)?, required: self.number(2)? }
            }
            "reservation_not_pending" => Refusal::ReservationNotPending,
            "request_in_progress" => Refusal::RequestInProgress,
            "not_found" => Refusal::NotFound,
            "stale_catalog" => Refusal::StaleCatalog,
            "amount_out_of_range" => Refusal::AmountOutOfRange,
            "internal" => Refusal::Internal { message: self.text(1)?.to_owned() },
            other => return Err(malformed(format!("unknown outcome {other}"))),
        })
    }

    fn invalid_reason(&self) -> Result<InvalidReason, MalformedReply> {
        let name = self.text(1)?;
        let reason = InvalidReason::ALL.into_iter().find(|reason| reason.as_str() == name);
        reason.ok_or_else(|| malformed(format!("unknown reason {name}")))
    }
}
