//! What the log says of card payments: one that begins, what was decided of it, what the gateway did then (formats 7).

use super::decode_reservation;
use crate::domain::fields::{Fields, Malformed};
use crate::domain::ids::{Id20, ReservationId, ShowId};
use crate::domain::time::Millis;

/// A hold that lapses later now, as `extended` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extended<'a> {
    /// The reservation.
    pub reservation: Id20,
    /// Its show.
    pub show: ShowId,
    /// Its owner.
    pub user: &'a str,
    /// It lapses at this time.
    pub end: Millis,
}

/// A card payment, as every event of one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Card<'a> {
    /// The reservation that it is for.
    pub reservation: Id20,
    /// Its show.
    pub show: ShowId,
    /// Its owner.
    pub user: &'a str,
    /// The payment.
    pub payment: Id20,
}

/// A card payment that begins, as `authorising` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authorising<'a> {
    /// The payment.
    pub card: Card<'a>,
    /// Minor units.
    pub amount: i64,
    /// The request that began it; empty if the client sent no key.
    pub request: &'a str,
    /// Fingerprint of that request; `-` without one.
    pub fingerprint: &'a str,
}

/// Why a card payment is to be voided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoidReason {
    /// The gateway, the bank or the buyer said no.
    Declined,
    /// The hold was over first.
    Expired,
    /// The buyer gave the seats back first.
    Cancelled,
    /// The buyer paid from the balance first.
    Paid,
}

impl VoidReason {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Declined, Self::Expired, Self::Cancelled, Self::Paid];

    /// The word in logs and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Declined => "declined",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Paid => "paid",
        }
    }
}

/// A payment by card, as `authorised` in a wallet's log tells it: from the gateway to the concert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed<'a> {
    /// The payment.
    pub payment: Id20,
    /// Who paid.
    pub user: &'a str,
    /// What was paid.
    pub reservation: ReservationId,
    /// Minor units.
    pub amount: i64,
    /// His balance, which it does not change.
    pub balance: i64,
}

pub(super) fn decode_extended<'a>(fields: &mut Fields<'a>) -> Result<Extended<'a>, Malformed> {
    Ok(Extended {
        reservation: fields.parse("reservation")?,
        show: ShowId(fields.parse("show")?),
        user: fields.text("user")?,
        end: Millis(fields.parse("end")?),
    })
}

pub(super) fn decode_card<'a>(fields: &mut Fields<'a>) -> Result<Card<'a>, Malformed> {
    Ok(Card {
        reservation: fields.parse("reservation")?,
        show: ShowId(fields.parse("show")?),
        user: fields.text("user")?,
        payment: fields.parse("payment")?,
    })
}

pub(super) fn decode_authorising<'a>(fields: &mut Fields<'a>) -> Result<Authorising<'a>, Malformed> {
    Ok(Authorising {
        card: decode_card(fields)?,
        amount: fields.parse("amount")?,
        request: fields.text("request")?,
        fingerprint: fields.word("fingerprint")?,
    })
}

pub(super) fn decode_void_reason(fields: &mut Fields<'_>) -> Result<VoidReason, Malformed> {
    let start = *fields;
    let word = fields.word("void reason")?;
    let reason = VoidReason::ALL.into_iter().find(|reason| reason.as_str() == word);
    reason.ok_or_else(|| start.malformed("void reason"))
}

pub(super) fn decode_passed<'a>(fields: &mut Fields<'a>) -> Result<Passed<'a>, Malformed> {
    Ok(Passed {
        payment: fields.parse("payment")?,
        user: fields.text("user")?,
        reservation: decode_reservation(fields)?,
        amount: fields.parse("amount")?,
        balance: fields.parse("balance")?,
    })
}
