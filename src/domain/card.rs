//! A card payment that is not at its end yet: the record that Redis holds (formats 7).

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
}

impl CardState {
    /// The word in records and replies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authorising => "authorising",
            Self::Capture => "capture",
            Self::Void => "void",
        }
    }
}

impl FromStr for CardState {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let all = [Self::Authorising, Self::Capture, Self::Void];
        all.into_iter().find(|state| state.as_str() == text).ok_or(InvalidId)
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
    /// Minor units.
    pub amount: i64,
    /// Since when it is in its state.
    pub since: Millis,
    /// Who pays.
    pub user: String,
}

impl CardPayment {
    /// Reads a record.
    pub fn decode(record: &str) -> Result<Self, Malformed> {
        let mut fields = Fields::new(record);
        Ok(Self {
            state: fields.parse("state")?,
            reservation: fields.parse("reservation")?,
            show: ShowId(fields.parse("show")?),
            amount: fields.parse("amount")?,
            since: Millis(fields.parse("since")?),
            user: fields.rest().to_owned(),
        })
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
        assert!(CardPayment::decode(&record.replace("capture", "captured")).is_err());
    }
}
