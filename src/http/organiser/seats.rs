//! Taking seats out of sale, and putting them back.

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{caller, owned_show, trail};
use crate::domain::catalog::Show;
use crate::domain::ids::ShowId;
use crate::domain::outcome::Refusal;
use crate::http::body;
use crate::http::context::Context;
use crate::http::freshness;
use crate::http::idempotency;
use crate::http::layout;
use crate::http::openapi::params::{Durable, Key, ShowPath};
use crate::http::openapi::refusals::refusals;
use crate::http::problem::{Code, Problem};
use crate::http::request::Request;
use crate::http::response::{self, Response};
use crate::store::{BlockRequest, Failure, SeatChange};

/// Seats of one call: all or none change in one script call, which takes some 2 ms for these.
const SEATS_MAX: usize = 1000;
/// Of these the trail names so many, and how many they are; the log has all.
const SEATS_NOTED: usize = 50;

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SeatsToBlock)]
struct SeatsForm {
    #[schema(min_items = 1)]
    seats: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BlockedSeats)]
struct SeatsBody<'a> {
    show_id: ShowId,
    seats: &'a [String],
    /// What they are now.
    status: &'static str,
}

refusals!(BlockRefusals: JSON, ORGANISER, DURABILITY, KEY, BODY, PATH, STORE; TooManySeats, SeatUnavailable,
    SaleNotOpen);

/// `POST /v1/admin/shows/{showId}/seats/block`
#[utoipa::path(
    post, path = "/v1/admin/shows/{showId}/seats/block", operation_id = "blockSeats", tag = "organiser",
    summary = "Takes seats out of the sale",
    params(ShowPath, Key, Durable),
    request_body = SeatsForm,
    responses((status = 200, description = "All of them are.", body = SeatsBody), BlockRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn block(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    change(ctx, request, SeatChange::Block).await
}

/// `POST /v1/admin/shows/{showId}/seats/unblock`
#[utoipa::path(
    post, path = "/v1/admin/shows/{showId}/seats/unblock", operation_id = "unblockSeats", tag = "organiser",
    summary = "Puts blocked seats back on sale",
    params(ShowPath, Key, Durable),
    request_body = SeatsForm,
    responses((status = 200, description = "All of them are.", body = SeatsBody), BlockRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn unblock(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    change(ctx, request, SeatChange::Unblock).await
}

async fn change(ctx: &Context, request: &mut Request, change: SeatChange) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let key = idempotency::key(request)?;
    let form: SeatsForm = body::read(ctx, request).await?;
    if form.seats.len() > SEATS_MAX {
        return Err(Problem::new(Code::TooManySeats).with("limit", SEATS_MAX));
    }
    layout::check_named("seats", &form.seats)?;
    let (view, show) = owned_show(ctx, request, &identity).await?;
    let layout = show.layout();

    let asked = BlockRequest {
        show: layout.show,
        change,
        seats: indexes(&layout, &form.seats)?,
        id: ctx.store.new_id(),
        fingerprint: idempotency::fingerprint(request, &form)?,
        key: key.map(|key| (identity.user.clone(), key)),
    };
    let named = &form.seats[..form.seats.len().min(SEATS_NOTED)];
    trail::note(request, json!({ "seats": named, "count": form.seats.len() }));
    let answer = match ctx.store.block(view.id(), asked, request.deadline).await {
        Err(Failure::Refused(Refusal::SeatUnavailable { seats })) => {
            return Err(layout::unavailable(&layout, &seats));
        }
        other => other?,
    };
    let status = match change {
        SeatChange::Block => "BLOCKED",
        SeatChange::Unblock => "AVAILABLE",
    };
    let mut response = response::ok(&SeatsBody { show_id: layout.show, seats: &form.seats, status })?;
    idempotency::mark_replayed(&mut response, answer.replayed);
    freshness::mark_answer(&mut response, &answer);
    Ok(response)
}

fn indexes(layout: &Show, labels: &[String]) -> Result<Vec<u32>, Problem> {
    let index = |label: &String| {
        let index = layout.by_label.get(label).copied();
        index.ok_or_else(|| Problem::field("seats", format!("The show has no seat {label:?}.")))
    };
    labels.iter().map(index).collect()
}
