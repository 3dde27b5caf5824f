//! What a script can answer besides success: one name from Lua to JSON to metric.
//!
//! Refusals are values: somebody asked for what cannot be had. Faults (Redis away, a bug) are errors of the
//! layer that met them.

use super::time::Millis;

/// Why a reservation is neither paid nor given back, as `reason` of `invalid_reservation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidReason {
    /// Its time was over.
    Expired,
    /// It is CONFIRMED.
    AlreadyPaid,
    /// Its owner gave it back.
    Cancelled,
    /// Its money went back.
    Refunded,
    /// There is none, or it is another's.
    NotFound,
    /// Its owner's name was given up when its retention was over: nobody knows whose balance paid it.
    Anonymous,
}

impl InvalidReason {
    /// All of them, in order of precedence.
    pub const ALL: [Self; 6] =
        [Self::NotFound, Self::AlreadyPaid, Self::Cancelled, Self::Refunded, Self::Expired, Self::Anonymous];

    /// The word in scripts and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::AlreadyPaid => "already_paid",
            Self::Cancelled => "cancelled",
            Self::Refunded => "refunded",
            Self::NotFound => "not_found",
            Self::Anonymous => "anonymous",
        }
    }
}

/// Why a script refused one request; nothing has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The key was used for another request.
    IdempotencyKeyReused,
    /// The user has 1,000 live keys there.
    RateLimited,
    /// The concert, or the wallet partition, is stopped.
    SalesStopped,
    /// Before `opensAt` or from `closesAt` on.
    SaleNotOpen {
        /// `opensAt` of the concert, if it has one.
        opens_at: Option<Millis>,
    },
    /// No show has a seat available or held.
    SoldOut,
    /// The policy wants a queue token.
    QueueTokenInvalid,
    /// The place has ended.
    QueueTokenExpired,
    /// The place is still in line.
    QueueTokenNotActive {
        /// 1 for the next to be admitted.
        position: u64,
    },
    /// More seats than one reservation may have.
    TooManySeats {
        /// `maxSeatsPerReservation`.
        limit: u32,
    },
    /// More seats than one user may have of a show.
    PurchaseLimit {
        /// `maxSeatsPerUser`.
        limit: u32,
        /// Held and booked already.
        owned: u32,
    },
    /// Some of the seats are not free.
    SeatUnavailable {
        /// Those, by index, in the order asked.
        seats: Vec<u32>,
    },
    /// The reservation is neither paid nor given back.
    InvalidReservation(InvalidReason),
    /// The balance is too small, minor units.
    InsufficientBalance {
        /// What there is.
        current: i64,
        /// What it takes.
        required: i64,
    },
    /// The reservation is CONFIRMED and cannot be given back.
    ReservationNotPending,
    /// A card payment of the reservation is under way.
    RequestInProgress,
    /// There is no such thing, or it is another's.
    NotFound,
    /// The server's catalog is older than the concert's; it reads it again and asks again.
    StaleCatalog,
    /// The balance would leave the range of exact integers (2^53).
    AmountOutOfRange,
    /// The request threw inside the script; the others of its batch were served.
    Internal {
        /// What Lua said.
        message: String,
    },
}

impl Refusal {
    /// The outcome's name: in scripts, problems and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::RateLimited => "rate_limited",
            Self::SalesStopped => "sales_stopped",
            Self::SaleNotOpen { .. } => "sale_not_open",
            Self::SoldOut => "sold_out",
            Self::QueueTokenInvalid => "queue_token_invalid",
            Self::QueueTokenExpired => "queue_token_expired",
            Self::QueueTokenNotActive { .. } => "queue_token_not_active",
            Self::TooManySeats { .. } => "too_many_seats",
            Self::PurchaseLimit { .. } => "purchase_limit",
            Self::SeatUnavailable { .. } => "seat_unavailable",
            Self::InvalidReservation(_) => "invalid_reservation",
            Self::InsufficientBalance { .. } => "insufficient_balance",
            Self::ReservationNotPending => "reservation_not_pending",
            Self::RequestInProgress => "request_in_progress",
            Self::NotFound => "not_found",
            Self::StaleCatalog => "stale_catalog",
            Self::AmountOutOfRange => "amount_out_of_range",
            Self::Internal { .. } => "internal",
        }
    }
}
