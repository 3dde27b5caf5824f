//! Money: integers in the currency's minor unit, below 2^53 (the largest integer that Lua holds exactly).

/// The bound of every balance and amount, minor units: 2^53.
pub const AMOUNT_MAX: i64 = 1 << 53;

/// A user's balance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Minor units, never negative.
    pub amount: i64,
    /// The last change; `None` for a user never seen.
    pub updated: Option<super::time::Millis>,
}
