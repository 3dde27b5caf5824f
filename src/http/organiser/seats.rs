//! Blocking and unblocking seats: known to the contract, not built yet.

use serde::Deserialize;

use super::caller;
use crate::http::body;
use crate::http::context::Context;
use crate::http::idempotency;
use crate::http::problem::{Code, Problem};
use crate::http::request::Request;
use crate::http::response::Response;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeatsForm {
    seats: Vec<String>,
}

/// `POST /v1/admin/shows/{showId}/seats/block` and `/unblock`
pub(crate) async fn block(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    caller(ctx, request)?;
    idempotency::key(request)?;
    let form: SeatsForm = body::read(ctx, request).await?;
    if form.seats.is_empty() {
        return Err(Problem::field("seats", "Expected at least one seat."));
    }
    Err(Problem::new(Code::NotImplemented))
}
