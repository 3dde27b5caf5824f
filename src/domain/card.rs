//! A card payment, or a refund to a card, that is not at its end yet: the record that Redis holds (formats 7).

use std::str::FromStr;

use super::fields::{Fields, Malformed};
use super::ids::{Id20, InvalidId, ShowId};
use super::time::Millis;

/// How far a card payment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardState {
    /// The buyer and his bank are at it.
    Authorising,
    /// Its seats are booked; the gateway is to be told to take the money.
    Capture,
    /// It buys nothing; the gateway is to be told to let the money go.
    Void,
    /// Its seats are free again; the gateway is to be told to give the money back.
    Refund,
    /// The gateway does not give it back: people have to look. It is told again all the same.
    Refused,
}

impl CardState {
    /// All of them, each at the place of its number.
    pub const ALL: [Self; 5] = [Self::Authorising, Self::Capture, Self::Void, Self::Refund, Self::Refused];

    /// The word in records and replies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authorising => "authorising",
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Refund => "refund",
            Self::Refused => "refused",
        }
    }
}

impl FromStr for CardState {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(InvalidId)
    }
}

/// A card payment as Redis holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardPayment {
    /// How far it is.
    pub state: CardState,
    /// The reservation that it is for.
    pub reservation: Id20,
    /// Its show.
    pub show: ShowId,
    /// Minor units; of a refund, what goes back.
    pub amount: i64,
    /// Since when it is in its state.
    pub since: Millis,
    /// Of a refund, which has a record and a name of its own: the payment that it gives back of.
    pub refunds: Option<RefundsOf>,
    /// Who pays.
    pub user: String,
}

/// The payment that a refund gives back of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefundsOf {
    /// Its name.
    pub payment: Id20,
    /// What it paid, minor units.
    pub paid: i64,
}

impl CardPayment {
    /// Reads a record.
    pub fn decode(record: &str) -> Result<Self, Malformed> {
        let mut fields = Fields::new(record);
        let state = fields.parse("state")?;
        let reservation = fields.parse("reservation")?;
        let show = ShowId(fields.parse("show")?);
        let amount = fields.parse("amount")?;
        let since = Millis(fields.parse("since")?);
        let refunds = match state {
            CardState::Refund | CardState::Refused => {
                Some(RefundsOf { payment: fields.parse("payment")?, paid: fields.parse("paid")? })
            }
            CardState::Authorising | CardState::Capture | CardState::Void => None,
        };
        Ok(Self { state, reservation, show, amount, since, refunds, user: fields.rest().to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_whole() {
        let record = format!("capture {} 12 100000 1780000000000 a b|c", "0".repeat(20));
        let card = CardPayment::decode(&record).unwrap();
        assert_eq!((card.state, card.show, card.amount), (CardState::Capture, ShowId(12), 100_000));
        assert_eq!((card.since.0, card.user.as_str()), (1_780_000_000_000, "a b|c"));
        assert_eq!(card.refunds, None);
        assert!(CardPayment::decode(&record.replace("capture", "captured")).is_err());
        let of = "1".repeat(20);
        let refund = format!("refund {} 12 40000 1780000000000 {of} 100000 a b|c", "0".repeat(20));
        let card = CardPayment::decode(&refund).unwrap();
        assert_eq!((card.state, card.amount, card.user.as_str()), (CardState::Refund, 40_000, "a b|c"));
        assert_eq!(card.refunds, Some(RefundsOf { payment: of.parse().unwrap(), paid: 100_000 }));
    }
}
