//! An organiser's look at one reservation: its history; refunds are not built yet.

use serde::Deserialize;
use tokio::time::timeout_at;

use super::{caller, owned};
use crate::domain::ids::ReservationId;
use crate::http::body;
use crate::http::context::Context;
use crate::http::idempotency;
use crate::http::page::List;
use crate::http::problem::{Code, Problem};
use crate::http::request::Request;
use crate::http::response::{self, Response};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundForm {
    seats: Option<Vec<String>>,
}

/// `GET /v1/admin/reservations/{reservationId}/history`
pub(crate) async fn history(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let id: ReservationId = request.path_id()?;
    owned(ctx, id.concert, &identity)?;
    let read = timeout_at(request.deadline, ctx.archive.history_of(id)).await;
    let Ok(changes) = read else {
        return Err(Problem::new(Code::Unavailable).detail("The archive takes too long."));
    };
    let changes = changes?;
    if changes.is_empty() {
        return Err(Problem::new(Code::NotFound));
    }
    response::ok(&List { items: changes, next_cursor: None })
}

/// `POST /v1/admin/reservations/{reservationId}/refund`
pub(crate) async fn refund(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    caller(ctx, request)?;
    idempotency::required_key(request)?;
    let form: RefundForm = body::read_optional(ctx, request).await?;
    if form.seats.is_some_and(|seats| seats.is_empty()) {
        return Err(Problem::field("seats", "Expected at least one seat."));
    }
    Err(Problem::new(Code::NotImplemented))
}
