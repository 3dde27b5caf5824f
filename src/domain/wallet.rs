//! Money: integers in the currency's minor unit, below 2^53 (the largest integer that Lua holds exactly).

use iso_currency::{Currency, IntoEnumIterator};

/// The bound of every balance and amount, minor units: 2^53.
pub const AMOUNT_MAX: i64 = 1 << 53;

/// Whether this is the code of a currency, by ISO 4217.
pub fn is_currency(code: &str) -> bool {
    Currency::from_code(code).is_some()
}

/// The codes that [`is_currency`] knows.
pub fn currencies() -> impl Iterator<Item = &'static str> {
    Currency::iter().map(|currency| currency.code())
}

/// A user's balance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Minor units, never negative.
    pub amount: i64,
    /// The last change; `None` for a user never seen.
    pub updated: Option<super::time::Millis>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_currency_is_one_that_iso_4217_names() {
        for code in ["KRW", "USD", "KWD", "EUR"] {
            assert!(is_currency(code) && currencies().any(|known| known == code), "{code}");
        }
        for code in ["", "won", "krw", "KR", "KRWW", "ZZZ", "ÄÖÜ"] {
            assert!(!is_currency(code), "{code}");
        }
    }
}
