//! Payments from the balance, and what goes back of them: money and seats in one script call.

use redis::Cmd;
use tokio::time::Instant;

use super::coalesce::Verb;
use super::reply::{MalformedReply, Outcome};
use super::reservation::request_id;
use super::scripts::{self, Script};
use super::{Answer, Failure, Store};
use crate::domain::ids::{Id20, LogName, Mark, ReservationId, ShowId, UserId};
use crate::domain::reservation::{Seats, Status};

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

/// Seats that are to be given back, and their price.
#[derive(Clone, Debug)]
pub struct RefundRequest {
    /// The reservation.
    pub reservation: ReservationId,
    /// Its owner: his balance grows.
    pub user: UserId,
    /// The id that the refund gets.
    pub refund: Id20,
    /// Indexes of the seats, none twice; empty: all that are left.
    pub seats: Vec<u32>,
    /// Who asks for it, and his `Idempotency-Key`; `None`: nobody does.
    pub by: Option<(UserId, String)>,
    /// Of the request as parsed.
    pub fingerprint: Mark,
}

/// A refund as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refunded {
    /// Its id; another than asked for when replayed.
    pub refund: Id20,
    /// The seats that are available again, with their prices.
    pub seats: Seats,
    /// Minor units.
    pub amount: i64,
    /// What the reservation was after it: CONFIRMED or REFUNDED.
    pub status: Status,
}

pub(super) struct Pay;
pub(super) struct Refund;

/// A request with the partition of the reservation's owner.
pub(super) struct PartitionedRefund {
    pub(super) request: RefundRequest,
    pub(super) partition: u8,
}

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

impl Verb for Refund {
    type Request = PartitionedRefund;
    type Reply = Refunded;
    const WALLETS: bool = true;

    fn script() -> &'static Script {
        &scripts::REFUND
    }

    fn weight(refund: &PartitionedRefund) -> usize {
        refund.request.reservation.id.seats()
    }

    fn show(refund: &PartitionedRefund) -> Option<ShowId> {
        Some(refund.request.reservation.show)
    }

    fn partition(refund: &PartitionedRefund) -> Option<u8> {
        Some(refund.partition)
    }

    fn push(refund: &PartitionedRefund, command: &mut Cmd) {
        let RefundRequest { reservation, user, refund: id, seats, by, fingerprint } = &refund.request;
        command.arg(user.as_str()).arg(reservation.show.0).arg(reservation.id.as_str()).arg(id.as_str());
        command.arg(LogName::Wallet(refund.partition).to_string());
        let (by, request) = by.as_ref().map_or(("", String::new()), |(by, key)| {
            // The path names the reservation: the same key on another path is another request.
            (by.as_str(), request_id(by, "refund", Some(&format!("{}{key}", reservation.id))))
        });
        command.arg(request).arg(fingerprint.to_string()).arg(by);
        command.arg(seats.iter().map(u32::to_string).collect::<Vec<_>>().join(","));
    }

    fn read(outcome: &Outcome) -> Result<Option<(Refunded, bool)>, MalformedReply> {
        let name = outcome.name()?;
        if name != "refunded" && name != "replayed" {
            return Ok(None);
        }
        let refunded = Refunded {
            refund: outcome.parse(1)?,
            seats: outcome.parse(4)?,
            amount: outcome.number(5)?,
            status: outcome.parse(6)?,
        };
        Ok(Some((refunded, name == "replayed")))
    }
}

impl Store {
    /// Gives seats of a CONFIRMED reservation back, and their price to its owner, each once.
    pub async fn refund(
        &self,
        request: RefundRequest,
        deadline: Instant,
    ) -> Result<Answer<Refunded>, Failure> {
        let partition = request.user.partition(self.partitions());
        self.check_wallet(partition)?;
        let concert = request.reservation.concert;
        self.lanes(concert).refund.call(PartitionedRefund { request, partition }, deadline).await
    }

    /// Pays a PENDING reservation from its owner's balance.
    pub async fn pay(&self, request: PayRequest, deadline: Instant) -> Result<Answer<Paid>, Failure> {
        let partition = request.user.partition(self.partitions());
        self.check_wallet(partition)?;
        let concert = request.reservation.concert;
        self.lanes(concert).pay.call(PartitionedPay { request, partition }, deadline).await
    }
}
