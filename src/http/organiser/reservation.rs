//! An organiser's look at one reservation: its history; refunds are not built yet.

use serde::Deserialize;

use super::{caller, owned};
use crate::domain::ids::ReservationId;
use crate::http::body;
use crate::http::context::Context;
use crate::http::history;
use crate::http::idempotency;
use crate::http::page;
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
    let asked = page::asked(request)?;
    let id: ReservationId = request.path_id()?;
    owned(ctx, id.concert, &identity)?;
    let changes = history::read(request, ctx.archive.history_of(id)).await?;
    if changes.is_empty() {
        return Err(Problem::new(Code::NotFound));
    }
    response::ok(&page::cut(changes.into_iter(), &asked)?)
}

/// `POST /v1/admin/reservations/{reservationId}/refund`
pub(crate) async fn refund(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    idempotency::required_key(request)?;
    let form: RefundForm = body::read_optional(ctx, request).await?;
    if form.seats.is_some_and(|seats| seats.is_empty()) {
        return Err(Problem::field("seats", "Expected at least one seat."));
    }
    let id: ReservationId = request.path_id()?;
    owned(ctx, id.concert, &identity)?;
    Err(Problem::new(Code::NotImplemented).detail("Refunds are not built yet."))
}
