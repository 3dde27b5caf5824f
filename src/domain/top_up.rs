//! A balance that is charged through the payment gateway: the record that Redis holds meanwhile, and what is kept of its end
//! (formats 8).

use std::str::FromStr;

use super::fields::{Fields, Malformed};
use super::ids::InvalidId;
use super::time::Millis;

/// How far a top-up is that is not at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopUpState {
    /// The user and his bank are at it.
    Authorising,
    /// The gateway is to be told to take the money.
    Capture,
    /// It has declined, and is to be told to let the money go.
    Declined,
    /// The time was over first; it is to be told to let the money go.
    Expired,
}

impl TopUpState {
    /// All of them, each at the place of its number.
    pub const ALL: [Self; 4] = [Self::Authorising, Self::Capture, Self::Declined, Self::Expired];

    /// The word in records and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authorising => "authorising",
            Self::Capture => "capture",
            Self::Declined => "declined",
            Self::Expired => "expired",
        }
    }
}

impl FromStr for TopUpState {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(InvalidId)
    }
}

/// Why a top-up has brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenUp {
    /// The gateway, the bank or the user said no.
    Declined,
    /// Nobody said anything in time.
    Expired,
    /// The gateway has let go what it had authorised and was told to take.
    Refused,
}

impl GivenUp {
    /// The word in logs and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Declined => "declined",
            Self::Expired => "expired",
            Self::Refused => "refused",
        }
    }
}

impl FromStr for GivenUp {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let all = [Self::Declined, Self::Expired, Self::Refused];
        all.into_iter().find(|reason| reason.as_str() == text).ok_or(InvalidId)
    }
}

/// A top-up as Redis holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUp {
    /// How far it is.
    pub state: TopUpState,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217: what the gateway was asked for, whatever is configured since.
    pub currency: String,
    /// It is given up then, unless it was authorised before.
    pub end: Millis,
    /// Since when it is in its state.
    pub since: Millis,
    /// Whose balance it is for.
    pub user: String,
}

impl TopUp {
    /// Reads a record.
    pub fn decode(record: &str) -> Result<Self, Malformed> {
        let mut fields = Fields::new(record);
        Ok(Self {
            state: fields.parse("state")?,
            amount: fields.parse("amount")?,
            currency: fields.word("currency")?.to_owned(),
            end: Millis(fields.parse("end")?),
            since: Millis(fields.parse("since")?),
            user: fields.rest().to_owned(),
        })
    }
}

/// How a top-up has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopUpEnd {
    /// The money is in the balance.
    Credited {
        /// Minor units.
        amount: i64,
        /// The balance after it, minor units.
        balance: i64,
    },
    /// No money has moved.
    Voided {
        /// What it was for, minor units.
        amount: i64,
        /// Why.
        reason: GivenUp,
    },
}

impl TopUpEnd {
    /// Reads what is kept: `credited <amount> <balance>`, or why it was given up and the amount.
    pub fn decode(text: &str) -> Result<Self, Malformed> {
        let mut fields = Fields::new(text);
        let start = fields;
        let word = fields.word("end")?;
        let amount = fields.parse("amount")?;
        if word == "credited" {
            return Ok(Self::Credited { amount, balance: fields.parse("balance")? });
        }
        let reason = word.parse().map_err(|_| start.malformed("end"))?;
        Ok(Self::Voided { amount, reason })
    }
}

/// A top-up as far as Redis knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownTopUp {
    /// Not at its end.
    Open(TopUp),
    /// At its end, at most a day ago.
    Ended(TopUpEnd),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_and_ends_are_read_whole() {
        let record = "capture 10000 KRW 1780000900000 1780000000000 a b|c";
        let top_up = TopUp::decode(record).unwrap();
        assert_eq!(
            (top_up.state, top_up.amount, top_up.currency.as_str()),
            (TopUpState::Capture, 10_000, "KRW")
        );
        assert_eq!((top_up.end.0 - top_up.since.0, top_up.user.as_str()), (900_000, "a b|c"));
        assert!(TopUp::decode(&record.replace("capture", "captured")).is_err());
        let credited = TopUpEnd::Credited { amount: 5, balance: 7 };
        let refused = TopUpEnd::Voided { amount: 5, reason: GivenUp::Refused };
        assert_eq!(TopUpEnd::decode("credited 5 7"), Ok(credited));
        assert_eq!(TopUpEnd::decode("refused 5"), Ok(refused));
        assert!(TopUpEnd::decode("voided 5").is_err());
    }
}
