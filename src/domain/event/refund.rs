//! What `refunded` and `refunding` say: in a concert's log of seats, in a wallet's of money; and what becomes of what goes back to a
//! card (formats 7).

use super::card::{Card, decode_card};
use super::decode_reservation;
use crate::domain::fields::{Fields, Malformed};
use crate::domain::ids::{Id20, ReservationId, ShowId};
use crate::domain::reservation::{Seats, Status};

/// A refund, as `refunded` in a concert's log tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refunded<'a> {
    /// The reservation.
    pub reservation: Id20,
    /// Its show.
    pub show: ShowId,
    /// Its owner.
    pub user: &'a str,
    /// The refund.
    pub refund: Id20,
    /// What went back now, minor units.
    pub amount: i64,
    /// The owner's balance after it.
    pub balance: i64,
    /// The seats that are available again.
    pub seats: Seats,
    /// All seats of the reservation that have been refunded so far, these among them.
    pub refunded: Seats,
    /// CONFIRMED while it has other seats, then REFUNDED.
    pub status: Status,
    /// The request that asked for it; empty if nobody did.
    pub request: &'a str,
    /// Fingerprint of that request; `-` without one.
    pub fingerprint: &'a str,
}

/// A refund of what a card paid, step by step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CardRefund<'a> {
    /// As `refunded`, but that the balance stays; the gateway is to be told to give the money back.
    Decided {
        /// The refund.
        back: Refunded<'a>,
        /// The card payment that it gives back of.
        payment: Id20,
        /// What that paid, minor units.
        paid: i64,
    },
    /// The gateway has given it back.
    Returned(OpenRefund<'a>),
    /// The gateway does not give it back: people have to look.
    Refused(OpenRefund<'a>),
}

/// A refund to a card, as what the gateway did with it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenRefund<'a> {
    /// The payment that it gives back of.
    pub card: Card<'a>,
    /// The refund.
    pub refund: Id20,
    /// Minor units.
    pub amount: i64,
}

/// Money that came back, as `refunded` in a wallet's log tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returned<'a> {
    /// The refund.
    pub refund: Id20,
    /// Whose balance grew.
    pub user: &'a str,
    /// What had been paid.
    pub reservation: ReservationId,
    /// Minor units.
    pub amount: i64,
    /// His balance after it.
    pub balance: i64,
}

pub(super) fn decode_refunded<'a>(fields: &mut Fields<'a>) -> Result<Refunded<'a>, Malformed> {
    Ok(Refunded {
        reservation: fields.parse("reservation")?,
        show: ShowId(fields.parse("show")?),
        user: fields.text("user")?,
        refund: fields.parse("refund")?,
        amount: fields.parse("amount")?,
        balance: fields.parse("balance")?,
        seats: fields.parse("seats")?,
        refunded: fields.parse("refunded seats")?,
        status: fields.parse("status")?,
        request: fields.text("request")?,
        fingerprint: fields.word("fingerprint")?,
    })
}

/// Of one of the three words.
pub(super) fn decode_step<'a>(word: &str, fields: &mut Fields<'a>) -> Result<CardRefund<'a>, Malformed> {
    Ok(match word {
        "refunding" => CardRefund::Decided {
            back: decode_refunded(fields)?,
            payment: fields.parse("payment")?,
            paid: fields.parse("paid")?,
        },
        "returned" => CardRefund::Returned(decode_open(fields)?),
        _ => CardRefund::Refused(decode_open(fields)?),
    })
}

fn decode_open<'a>(fields: &mut Fields<'a>) -> Result<OpenRefund<'a>, Malformed> {
    let card = decode_card(fields)?;
    Ok(OpenRefund { card, refund: fields.parse("refund")?, amount: fields.parse("amount")? })
}

pub(super) fn decode_returned<'a>(fields: &mut Fields<'a>) -> Result<Returned<'a>, Malformed> {
    Ok(Returned {
        refund: fields.parse("refund")?,
        user: fields.text("user")?,
        reservation: decode_reservation(fields)?,
        amount: fields.parse("amount")?,
        balance: fields.parse("balance")?,
    })
}
