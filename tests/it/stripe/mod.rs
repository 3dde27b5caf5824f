//! The adapter of Stripe: against an account with states, and against stripe-mock, which knows every call that Stripe takes.

mod adapter;
mod contract;

use std::time::Duration;

use onsale::gateway::{Gateway, Intent};

use crate::support::stripe::{KEY, Stripe};

/// A process that knows nothing yet, on this account.
fn process(stripe: &Stripe) -> Gateway {
    Gateway::stripe(stripe.url(), KEY.as_bytes(), Duration::from_secs(5)).unwrap()
}

fn intent(name: &str) -> Intent {
    Intent { name: name.to_owned(), amount: 50_000, currency: "KRW".to_owned() }
}
