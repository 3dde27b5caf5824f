//! Amounts as Stripe takes them: minor units, as ours are, but for the currencies that its list of special cases names.

/// Why a payment is not begun, in a word.
pub(super) const REFUSED: &str = "amount_not_chargeable";

/// What Stripe is to be asked for, for `amount` of ISO 4217's minor units; `None` if it does not take that.
pub(super) fn charged(currency: &str, amount: i64) -> Option<i64> {
    match currency {
        // Without a minor unit; Stripe goes on taking hundredths, always 00.
        "ISK" => amount.checked_mul(100),
        // Fifths, counted in hundredths by ISO 4217; whole ones at Stripe.
        "MGA" => (amount % 100 == 0).then_some(amount / 100),
        // Thousandths, the last digit of which has to be 0.
        "BHD" | "JOD" | "KWD" | "OMR" | "TND" => (amount % 10 == 0).then_some(amount),
        // Stripe's documents name it both among those without a minor unit and as one in hundredths: a wrong guess charges a
        // hundredfold.
        "UGX" => None,
        _ => Some(amount),
    }
}

#[cfg(test)]
mod tests {
    use super::charged;

    #[test]
    fn currencies_that_stripe_counts_otherwise_are_converted_or_refused() {
        for (currency, amount, taken) in [
            ("KRW", 50_000, Some(50_000)),
            ("EUR", 1234, Some(1234)),
            ("HUF", 1234, Some(1234)),
            ("ISK", 5, Some(500)),
            ("ISK", i64::MAX, None),
            ("MGA", 300, Some(3)),
            ("MGA", 320, None),
            ("KWD", 5120, Some(5120)),
            ("KWD", 5124, None),
            ("UGX", 500, None),
        ] {
            assert_eq!(charged(currency, amount), taken, "{amount} {currency}");
        }
    }
}
