//! Why a payment is not a step further, and which of these reasons are counted.

use crate::archive;
use crate::domain::ids::{ChargeId, ConcertId, PaymentId, ShowId};
use crate::gateway::{self, Standing};
use crate::metrics;
use crate::store::Failure;

/// Why a payment is not a step further. Somebody tries again.
#[derive(Debug, thiserror::Error)]
pub enum ClearingError {
    /// The gateway.
    #[error(transparent)]
    Gateway(#[from] gateway::Error),
    /// The store.
    #[error("the store failed")]
    Store(#[from] Failure),
    /// The archive.
    #[error("the archive failed")]
    Archive(#[from] archive::Error),
    /// The catalog of its show is not known here, and so neither is its currency.
    #[error("show {0} is not known here")]
    UnknownShow(ShowId),
    /// As many as may be are with the gateway. Nothing has happened.
    #[error("too many payments are with the gateway")]
    Busy,
    /// Nobody here knows it, and what MySQL has is not all that there was.
    #[error("log of concert {0} is not level")]
    NotLevel(ConcertId),
    /// The owner in the record is no user id: a bug.
    #[error("card payment {0} has no owner")]
    NoOwner(PaymentId),
    /// The user in the record of a top-up is no user id: a bug.
    #[error("top-up {0} has no user")]
    NoPayer(ChargeId),
    /// As with a payment: people have to look.
    #[error("the gateway was told to {told} top-up {charge}, which is {standing:?}")]
    TopUpContradicts {
        /// The top-up.
        charge: ChargeId,
        /// `capture` or `void`.
        told: &'static str,
        /// What it says.
        standing: Standing,
    },
    /// The gateway has done, or will do, something else than was decided: people have to look.
    #[error("the gateway was told to {told} payment {payment}, which is {standing:?}")]
    Contradicts {
        /// The payment.
        payment: PaymentId,
        /// `capture` or `void`.
        told: &'static str,
        /// What it says.
        standing: Standing,
    },
    /// The gateway does not give back what it took: people have to look.
    #[error("the gateway does not give back {amount} of payment {payment}: {reason}")]
    RefundRefused {
        /// The payment.
        payment: PaymentId,
        /// Minor units.
        amount: i64,
        /// The gateway's word.
        reason: String,
    },
    /// Money that was on its way back has not arrived, and is at the gateway again: people have to look.
    #[error("refund {refund} of payment {payment} has failed after it had succeeded")]
    RefundFailed {
        /// The payment.
        payment: PaymentId,
        /// Its name at the gateway.
        refund: String,
    },
}

impl ClearingError {
    /// What money the gateway was told of, and what it was to do and did not, if it contradicts: of `kind` and `told`.
    pub fn contradicted(&self) -> Option<[&'static str; 2]> {
        match self {
            Self::Contradicts { told, .. } => Some(["card", told]),
            Self::RefundRefused { .. } | Self::RefundFailed { .. } => Some(["card", "refund"]),
            Self::TopUpContradicts { told, .. } => Some(["top_up", told]),
            _ => None,
        }
    }

    /// Whether there is anything in it that whoever reads the log does not know yet: that the gateway is slow shows at each payment.
    pub fn is_news(&self) -> bool {
        !matches!(self, Self::Busy)
    }
}

/// Counts it, if the gateway contradicts.
pub(super) fn counted<T>(outcome: Result<T, ClearingError>) -> Result<T, ClearingError> {
    outcome.inspect_err(|error| {
        if let Some(labels) = error.contradicted() {
            metrics::GATEWAY_CONTRADICTIONS.with(labels).increment(1);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_gateway_contradicts_is_told_apart() {
        let payment: PaymentId = format!("p1-2-{0}-{0}", "9".repeat(20)).parse().unwrap();
        let charge: ChargeId = format!("t00-{}", "9".repeat(20)).parse().unwrap();
        let (told, standing) = ("void", Standing::Captured);
        let refund = "r".to_owned();
        for (error, labels) in [
            (ClearingError::Contradicts { payment, told, standing: standing.clone() }, ["card", "void"]),
            (ClearingError::TopUpContradicts { charge, told, standing }, ["top_up", "void"]),
            (
                ClearingError::RefundRefused { payment, amount: 1, reason: "closed".to_owned() },
                ["card", "refund"],
            ),
            (ClearingError::RefundFailed { payment, refund }, ["card", "refund"]),
        ] {
            assert_eq!(error.contradicted(), Some(labels), "{error}");
            assert!(metrics::CONTRADICTED.contains(&labels) && error.is_news(), "{error}");
        }
        assert_eq!(ClearingError::NoPayer(charge).contradicted(), None);
    }
}
