//! A gateway that moves nothing: payments in memory, and amounts that say what becomes of them.
//!
//! An amount that ends in 01 is declined, one that ends in 02 waits for the buyer, one in 03 for his bank; every other is
//! authorised at once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::json;

use super::{GivenBack, Standing};

/// What it tells by itself. Other fields are its own.
#[derive(Deserialize)]
struct Message {
    payment: String,
}

/// The name of the payment that a message is about.
pub(super) fn told(message: &[u8]) -> Result<String, serde_json::Error> {
    serde_json::from_slice(message).map(|Message { payment }| payment)
}

/// The gateway.
#[derive(Debug, Default)]
pub struct Sandbox {
    payments: Mutex<HashMap<String, Standing>>,
    refunds: Mutex<HashMap<String, (String, i64)>>,
}

// Each is set whole.
impl Sandbox {
    fn payments(&self) -> MutexGuard<'_, HashMap<String, Standing>> {
        self.payments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a payment, unless it has begun or was voided before.
    pub fn begin(&self, payment: &str, amount: i64) -> Standing {
        let first = || match amount % 100 {
            1 => Standing::Declined { reason: "card_declined".into() },
            2 => Standing::RequiresAction { next: json!({ "type": "sandbox", "payment": payment }) },
            3 => Standing::Processing,
            _ => Standing::Authorised,
        };
        self.payments().entry(payment.to_owned()).or_insert_with(first).clone()
    }

    /// How a payment stands.
    pub fn standing(&self, payment: &str) -> Standing {
        self.payments().get(payment).cloned().unwrap_or(Standing::Unknown)
    }

    /// The buyer, or his bank, has answered; too late for one that is at its end.
    pub fn answer(&self, payment: &str, yes: bool) {
        let answered =
            if yes { Standing::Authorised } else { Standing::Declined { reason: "refused".into() } };
        if let Some(standing) = self.payments().get_mut(payment)
            && matches!(standing, Standing::RequiresAction { .. } | Standing::Processing)
        {
            *standing = answered;
        }
    }

    /// Takes the money. Of a payment that it has forgotten with its process too: it is told to only after it has authorised.
    pub fn capture(&self, payment: &str) -> Standing {
        let mut payments = self.payments();
        let standing = payments.entry(payment.to_owned()).or_insert(Standing::Authorised);
        if *standing == Standing::Authorised {
            *standing = Standing::Captured;
        }
        standing.clone()
    }

    /// Lets the money go. One that has never begun can't begin any more.
    pub fn void(&self, payment: &str) -> Standing {
        let mut payments = self.payments();
        let standing = payments.entry(payment.to_owned()).or_insert(Standing::Voided);
        if *standing != Standing::Captured {
            *standing = Standing::Voided;
        }
        standing.clone()
    }

    /// Gives back money of a payment, once for each name of a refund. One that it has forgotten with its process counts as captured.
    pub fn refund(&self, payment: &str, refund: &str, amount: i64) -> GivenBack {
        if !matches!(self.payments().get(payment), None | Some(Standing::Captured)) {
            return GivenBack::Refused { reason: "not_captured".into() };
        }
        let mut refunds = self.refunds.lock().unwrap_or_else(PoisonError::into_inner);
        refunds.entry(refund.to_owned()).or_insert_with(|| (payment.to_owned(), amount));
        GivenBack::Done
    }

    /// All refunds: their names, payments and amounts.
    pub fn refunds(&self) -> Vec<(String, String, i64)> {
        let refunds = self.refunds.lock().unwrap_or_else(PoisonError::into_inner);
        refunds.iter().map(|(refund, (payment, amount))| (refund.clone(), payment.clone(), *amount)).collect()
    }

    /// All payments.
    pub fn all(&self) -> Vec<(String, Standing)> {
        self.payments().iter().map(|(payment, standing)| (payment.clone(), standing.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_voided_never_begins_and_what_was_captured_is_never_voided() {
        let sandbox = Sandbox::default();
        assert_eq!(sandbox.standing("a"), Standing::Unknown);
        assert_eq!(sandbox.void("a"), Standing::Voided);
        assert_eq!(sandbox.begin("a", 500), Standing::Voided);
        assert_eq!(sandbox.begin("b", 500), Standing::Authorised);
        assert_eq!((sandbox.capture("b"), sandbox.capture("b")), (Standing::Captured, Standing::Captured));
        assert_eq!(sandbox.void("b"), Standing::Captured);
        assert_eq!(sandbox.capture("a"), Standing::Voided);
    }

    #[test]
    fn a_refund_of_captured_money_counts_once() {
        let sandbox = Sandbox::default();
        sandbox.begin("a", 500);
        assert!(matches!(sandbox.refund("a", "r", 200), GivenBack::Refused { .. }));
        sandbox.capture("a");
        assert_eq!(sandbox.refund("a", "r", 200), GivenBack::Done);
        assert_eq!(sandbox.refund("a", "r", 200), GivenBack::Done);
        assert_eq!(sandbox.refunds(), [("r".to_owned(), "a".to_owned(), 200)]);
    }

    #[test]
    fn amounts_say_what_becomes_of_a_payment() {
        let sandbox = Sandbox::default();
        assert!(matches!(sandbox.begin("a", 101), Standing::Declined { .. }));
        assert!(matches!(sandbox.begin("b", 102), Standing::RequiresAction { .. }));
        sandbox.answer("b", true);
        assert_eq!(sandbox.standing("b"), Standing::Authorised);
        assert_eq!(sandbox.begin("c", 103), Standing::Processing);
        sandbox.answer("c", false);
        assert!(matches!(sandbox.standing("c"), Standing::Declined { .. }));
    }
}
