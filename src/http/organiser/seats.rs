//! Blocking and unblocking seats: known to the contract, not built yet.

use serde::Deserialize;
use utoipa::ToSchema;

use super::{caller, owned};
use crate::domain::ids::ShowId;
use crate::http::body;
use crate::http::context::Context;
use crate::http::idempotency;
use crate::http::openapi::params::{Durable, Key, ShowPath};
use crate::http::openapi::refusals::refusals;
use crate::http::problem::{Code, Problem};
use crate::http::request::Request;
use crate::http::response::Response;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SeatsToBlock)]
struct SeatsForm {
    #[schema(min_items = 1)]
    seats: Vec<String>,
}

refusals!(BlockRefusals: JSON, ORGANISER, DURABILITY, KEY, BODY, PATH, NOT_BUILT);

/// `POST /v1/admin/shows/{showId}/seats/block`
#[utoipa::path(
    post, path = "/v1/admin/shows/{showId}/seats/block", operation_id = "blockSeats", tag = "organiser",
    summary = "Takes seats out of the sale",
    params(ShowPath, Key, Durable),
    request_body = SeatsForm,
    responses(BlockRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn block(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    change(ctx, request).await
}

/// `POST /v1/admin/shows/{showId}/seats/unblock`
#[utoipa::path(
    post, path = "/v1/admin/shows/{showId}/seats/unblock", operation_id = "unblockSeats", tag = "organiser",
    summary = "Puts blocked seats back on sale",
    params(ShowPath, Key, Durable),
    request_body = SeatsForm,
    responses(BlockRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn unblock(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    change(ctx, request).await
}

async fn change(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    idempotency::key(request)?;
    let form: SeatsForm = body::read(ctx, request).await?;
    if form.seats.is_empty() {
        return Err(Problem::field("seats", "Expected at least one seat."));
    }
    let not_found = || Problem::new(Code::NotFound);
    let (view, show) = ctx.live.show(ShowId(request.path_id()?)).ok_or_else(not_found)?;
    owned(ctx, view.concert().concert, &identity)?;
    let layout = show.layout();
    if let Some(label) = form.seats.iter().find(|label| !layout.by_label.contains_key(*label)) {
        return Err(Problem::field("seats", format!("The show has no seat {label:?}.")));
    }
    Err(Problem::new(Code::NotImplemented).detail("Blocking seats is not built yet."))
}
