//! Somebody who buys once: a user that nobody was before, signed in.

use std::time::{SystemTime, UNIX_EPOCH};

use goose::prelude::*;
use jsonwebtoken::{Header, encode};
use serde::Serialize;

use crate::sale::Sale;

/// Longer than a journey, shorter than a day.
const TOKEN_SECONDS: u64 = 3600;

#[derive(Serialize)]
struct Claims {
    sub: String,
    exp: u64,
}

/// The identity token of a new user.
pub(crate) fn sign_in(sale: &Sale) -> Result<String, Box<TransactionError>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
    let claims =
        Claims { sub: format!("goose-{:032x}", rand::random::<u128>()), exp: now.as_secs() + TOKEN_SECONDS };
    let header = Header { kid: Some(sale.kid.clone()), ..Header::default() };
    encode(&header, &claims, &sale.key).map_err(|error| error.to_string().into())
}
