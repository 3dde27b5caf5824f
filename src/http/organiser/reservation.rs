//! An organiser's look at one reservation: its history; refunds are not built yet.

use serde::Deserialize;
use utoipa::ToSchema;

use super::{caller, owned};
use crate::archive::HistoryItem;
use crate::domain::ids::ReservationId;
use crate::http::body;
use crate::http::context::Context;
use crate::http::history;
use crate::http::idempotency;
use crate::http::openapi::params::{Durable, NeededKey, Paging, ReservationPath};
use crate::http::openapi::refusals::refusals;
use crate::http::page::{self, List};
use crate::http::problem::{Code, Problem};
use crate::http::request::Request;
use crate::http::response::{self, Response};

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RefundForm {
    /// All of them where absent.
    #[schema(min_items = 1)]
    seats: Option<Vec<String>>,
}

refusals!(HistoryRefusals: JSON, ORGANISER, FORM, PATH, FRESH);

/// `GET /v1/admin/reservations/{reservationId}/history`
#[utoipa::path(
    get, path = "/v1/admin/reservations/{reservationId}/history", operation_id = "listHistory",
    tag = "organiser", summary = "Every change of a reservation",
    params(ReservationPath, Paging),
    responses((status = 200, description = "A page.", body = List<HistoryItem>), HistoryRefusals),
    security(("identity" = [])),
)]
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

refusals!(RefundRefusals: JSON, ORGANISER, DURABILITY, KEY, BODY, PATH, NOT_BUILT; IdempotencyKeyRequired);

/// `POST /v1/admin/reservations/{reservationId}/refund`
#[utoipa::path(
    post, path = "/v1/admin/reservations/{reservationId}/refund", operation_id = "refundReservation",
    tag = "organiser", summary = "Gives money and seats back",
    params(ReservationPath, NeededKey, Durable),
    request_body = Option<RefundForm>,
    responses(RefundRefusals),
    security(("identity" = [])),
)]
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
