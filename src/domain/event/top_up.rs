//! What a wallet's log says of charges through the payment gateway (formats 8).

use crate::domain::fields::{Fields, Malformed};
use crate::domain::ids::Id20;
use crate::domain::time::Millis;
use crate::domain::top_up::GivenUp;

/// A step of a top-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopUp<'a> {
    /// The charge.
    pub charge: Id20,
    /// Whose balance it is for.
    pub user: &'a str,
    /// What happened.
    pub step: TopUpStep<'a>,
}

/// What happened to a top-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopUpStep<'a> {
    /// It begins.
    Charging {
        /// Minor units.
        amount: i64,
        /// ISO 4217.
        currency: &'a str,
        /// It is given up then.
        end: Millis,
        /// The request that began it.
        request: &'a str,
        /// Fingerprint of that request.
        fingerprint: &'a str,
    },
    /// The gateway is to be told to take the money.
    Capturing,
    /// It is to be told to let the money go.
    Voiding(GivenUp),
    /// It has taken the money, which is in the balance now.
    Credited {
        /// Minor units.
        amount: i64,
        /// The balance after it.
        balance: i64,
    },
    /// It has let the money go.
    Voided {
        /// Minor units.
        amount: i64,
        /// Why.
        reason: GivenUp,
    },
}

/// `None`: the word is none of a top-up.
pub(super) fn decode<'a>(word: &str, fields: &mut Fields<'a>) -> Result<Option<TopUp<'a>>, Malformed> {
    if !["charging", "capturing", "voiding", "credited", "voided"].contains(&word) {
        return Ok(None);
    }
    let charge = fields.parse("charge")?;
    let user = fields.text("user")?;
    let step = match word {
        "charging" => TopUpStep::Charging {
            amount: fields.parse("amount")?,
            currency: fields.word("currency")?,
            end: Millis(fields.parse("end")?),
            request: fields.text("request")?,
            fingerprint: fields.word("fingerprint")?,
        },
        "capturing" => TopUpStep::Capturing,
        "voiding" => TopUpStep::Voiding(fields.parse("reason")?),
        "credited" => {
            TopUpStep::Credited { amount: fields.parse("amount")?, balance: fields.parse("balance")? }
        }
        _ => TopUpStep::Voided { amount: fields.parse("amount")?, reason: fields.parse("reason")? },
    };
    Ok(Some(TopUp { charge, user, step }))
}
