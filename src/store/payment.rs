//! Payments from the balance: money, seats and place in one script call.

use redis::Cmd;
use tokio::time::Instant;

use super::coalesce::Verb;
use super::reply::{MalformedReply, Outcome};
use super::reservation::request_id;
use super::scripts::{self, Script};
use super::{Answer, Failure, Store};
use crate::domain::ids::{Id20, LogName, Mark, ReservationId, ShowId, UserId};
use crate::domain::reservation::Seats;

/// A reservation that its owner wants to pay.
#[derive(Clone, Debug)]
pub struct PayRequest {
    /// The reservation.
    pub reservation: ReservationId,
    /// Who pays; he must own it.
    pub user: UserId,
    /// The id that the payment gets.
    pub payment: Id20,
    /// The client's `Idempotency-Key`.
    pub key: Option<String>,
    /// Of the request as parsed.
    pub fingerprint: Mark,
}

/// A payment as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// The reservation that is CONFIRMED now; another than asked for never.
    pub reservation: Id20,
    /// Its id; another than asked for when replayed.
    pub payment: Id20,
    /// The show.
    pub show: ShowId,
    /// The seats booked, with their prices.
    pub seats: Seats,
    /// Minor units.
    pub amount: i64,
    /// The owner's balance after it, minor units.
    pub balance: i64,
}

pub(super) struct Pay;

/// A request with the partition of its user.
pub(super) struct PartitionedPay {
    pub(super) request: PayRequest,
    pub(super) partition: u8,
}

impl Verb for Pay {
    type Request = PartitionedPay;
    type Reply = Paid;
    const WALLETS: bool = true;

    fn script() -> &'static Script {
        &scripts::PAY
    }

    fn weight(pay: &PartitionedPay) -> usize {
        pay.request.reservation.id.seats()
    }

    fn show(pay: &PartitionedPay) -> Option<ShowId> {
        Some(pay.request.reservation.show)
    }

    fn partition(pay: &PartitionedPay) -> Option<u8> {
        Some(pay.partition)
    }

    fn push(pay: &PartitionedPay, command: &mut Cmd) {
        let PayRequest { reservation, user, payment, key, fingerprint } = &pay.request;
        command.arg(user.as_str()).arg(reservation.show.0).arg(reservation.id.as_str()).arg(payment.as_str());
        command.arg(LogName::Wallet(pay.partition).to_string());
        command.arg(request_id(user, "pay", key.as_deref())).arg(fingerprint.to_string());
    }

    fn read(outcome: &Outcome) -> Result<Option<(Paid, bool)>, MalformedReply> {
        let name = outcome.name()?;
        if name != "paid" && name != "replayed" {
            return Ok(None);
        }
        let paid = Paid {
            reservation: outcome.parse(1)?,
            show: ShowId(outcome.number(2)?),
            payment: outcome.parse(3)?,
            seats: outcome.parse(4)?,
            amount: outcome.number(5)?,
            balance: outcome.number(6)?,
        };
        Ok(Some((paid, name == "replayed")))
    }
}

impl Store {
    /// Pays a PENDING reservation from its owner's balance.
    pub async fn pay(&self, request: PayRequest, deadline: Instant) -> Result<Answer<Paid>, Failure> {
        let partition = request.user.partition(self.partitions());
        self.check_wallet(partition)?;
        let concert = request.reservation.concert;
        self.lanes(concert).pay.call(PartitionedPay { request, partition }, deadline).await
    }
}
