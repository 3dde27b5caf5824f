//! From what `store` and `archive` say to what a client reads: the only place that maps them.

use serde_json::Value;

use super::problem::{Code, Problem};
use crate::domain::outcome::Refusal;
use crate::domain::wallet::AMOUNT_MAX;
use crate::opening::OpeningError;
use crate::store::Failure;
use crate::{archive, domain::time::Millis};

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => refusal.into(),
            Failure::Stopped(_) => Self::new(Code::SalesStopped),
            Failure::Overloaded => Self::new(Code::Overloaded),
            Failure::Unavailable(_) => Self::caused(Code::Unavailable, failure),
            Failure::OutcomeUnknown(_) => Self::caused(Code::OutcomeUnknown, failure),
            Failure::Fault(_) => Self::caused(Code::Internal, failure),
        }
    }
}

/// `seat_unavailable` names seats by index here: the handler that knows the labels maps it first.
impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::IdempotencyKeyReused => Self::new(Code::IdempotencyKeyReused),
            Refusal::RateLimited => Self::new(Code::RateLimited),
            Refusal::SalesStopped => Self::new(Code::SalesStopped),
            Refusal::SaleNotOpen { opens_at } => {
                Self::new(Code::SaleNotOpen).with("opensAt", optional_time(opens_at))
            }
            Refusal::SoldOut => Self::new(Code::SoldOut),
            Refusal::QueueTokenInvalid => Self::new(Code::QueueTokenInvalid),
            Refusal::QueueTokenExpired => Self::new(Code::QueueTokenExpired),
            Refusal::QueueTokenNotActive { position } => {
                Self::new(Code::QueueTokenNotActive).with("position", position)
            }
            Refusal::TooManySeats { limit } => Self::new(Code::TooManySeats).with("limit", limit),
            Refusal::PurchaseLimit { limit, owned } => {
                Self::new(Code::PurchaseLimit).with("limit", limit).with("owned", owned)
            }
            Refusal::SeatUnavailable { seats } => Self::new(Code::SeatUnavailable).with("seats", seats),
            Refusal::InvalidReservation(reason) => {
                Self::new(Code::InvalidReservation).with("reason", reason.as_str())
            }
            Refusal::InsufficientBalance { current, required } => Self::new(Code::InsufficientBalance)
                .with("currentBalance", current)
                .with("requiredAmount", required),
            Refusal::ReservationNotPending => Self::new(Code::ReservationNotPending),
            Refusal::RequestInProgress => Self::new(Code::RequestInProgress)
                .detail("A card payment of this reservation is under way, or its owner is being forgotten."),
            Refusal::NotFound => Self::new(Code::NotFound),
            // Asked again already, up to the deadline: MySQL does not give the catalog that Redis names.
            Refusal::StaleCatalog => Self::new(Code::Unavailable).detail("The catalog is being read again."),
            // A charge says what the installation allows (http/wallet); a refund, that a balance stays an exact integer.
            Refusal::AmountOutOfRange => Self::new(Code::AmountOutOfRange)
                .detail("The balance would be too large.")
                .with("min", 0)
                .with("max", AMOUNT_MAX - 1),
            Refusal::Internal { message } => Self::caused(Code::Internal, message),
        }
    }
}

impl From<archive::Error> for Problem {
    fn from(error: archive::Error) -> Self {
        let code = match error {
            archive::Error::Database(_) => Code::Unavailable,
            _ => Code::Internal,
        };
        Self::caused(code, error)
    }
}

impl From<OpeningError> for Problem {
    fn from(error: OpeningError) -> Self {
        match error {
            OpeningError::Archive(error) => error.into(),
            OpeningError::Store(failure) => failure.into(),
            OpeningError::Recovering(_) => Self::new(Code::SalesStopped),
            OpeningError::Read(_) => Self::caused(Code::Unavailable, error),
            OpeningError::Foreign(_) | OpeningError::Partitions { .. } | OpeningError::Policy { .. } => {
                Self::caused(Code::Internal, error)
            }
        }
    }
}

fn optional_time(time: Option<Millis>) -> Value {
    time.map_or(Value::Null, |time| time.to_rfc3339().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outcome::InvalidReason;

    #[test]
    fn a_refusal_and_its_problem_have_one_name() {
        let refusals = [
            Refusal::IdempotencyKeyReused,
            Refusal::RateLimited,
            Refusal::SalesStopped,
            Refusal::SaleNotOpen { opens_at: None },
            Refusal::SoldOut,
            Refusal::QueueTokenInvalid,
            Refusal::QueueTokenExpired,
            Refusal::QueueTokenNotActive { position: 3 },
            Refusal::TooManySeats { limit: 4 },
            Refusal::PurchaseLimit { limit: 8, owned: 8 },
            Refusal::SeatUnavailable { seats: vec![1] },
            Refusal::InvalidReservation(InvalidReason::Expired),
            Refusal::InsufficientBalance { current: 0, required: 1 },
            Refusal::ReservationNotPending,
            Refusal::RequestInProgress,
            Refusal::NotFound,
            Refusal::AmountOutOfRange,
            Refusal::Internal { message: "lua".into() },
        ];
        for refusal in refusals {
            let name = refusal.name();
            assert_eq!(Problem::from(refusal).code.name(), name);
        }
    }
}
