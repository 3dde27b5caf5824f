//! Cancelling a show: its sale ends at once, its buyers are refunded by the workers, and how far they are.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::{caller, check_reason, deadline, owned_show, trail};
use crate::archive::Refunds;
use crate::domain::ids::{LogName, ShowId};
use crate::http::body;
use crate::http::context::Context;
use crate::http::freshness;
use crate::http::history;
use crate::http::openapi::params::{Durable, ShowPath};
use crate::http::openapi::refusals::refusals;
use crate::http::problem::{Code, Problem};
use crate::http::request::Request;
use crate::http::response::{self, Response};
use crate::live::{ConcertView, ShowView};

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CancelForm {
    /// At most 200 bytes without control characters.
    #[schema(max_length = 200, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
    reason: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = CancellationState)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Progress {
    /// Something is left to be refunded, given back or blocked, or to be archived.
    Refunding,
    /// Every buyer has his money, by the gateway too, and every seat is blocked.
    Done,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Cancellation)]
#[serde(rename_all = "camelCase")]
struct CancellationBody<'a> {
    show_id: ShowId,
    state: Progress,
    reason: Option<&'a str>,
}

/// What is cancelled, and how far its refunds are.
#[derive(Serialize, ToSchema)]
#[schema(as = CancellationProgress)]
struct ProgressBody<'a> {
    #[serde(flatten)]
    cancellation: CancellationBody<'a>,
    #[serde(flatten)]
    counts: Counts<'a>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CancellationCounts)]
struct Counts<'a> {
    refunded: i64,
    outstanding: i64,
    amount: i64,
    /// Of those refunded, what the gateway has not given back to a card yet.
    at_gateway: i64,
    currency: &'a str,
}

impl Progress {
    fn of(done: bool) -> Self {
        if done { Self::Done } else { Self::Refunding }
    }
}

fn told(reason: &str) -> Option<&str> {
    (!reason.is_empty()).then_some(reason)
}

refusals!(CancelRefusals: JSON, ORGANISER, DURABILITY, BODY, PATH, STORE);

/// `POST /v1/admin/shows/{showId}/cancel`; again it changes nothing, and the first reason stays: no `Idempotency-Key` is needed,
/// none is kept.
#[utoipa::path(
    post, path = "/v1/admin/shows/{showId}/cancel", operation_id = "cancelShow", tag = "organiser",
    summary = "Ends the sale of a show and refunds its buyers",
    params(ShowPath, Durable),
    request_body = Option<CancelForm>,
    responses((status = 200, description = "It is cancelled; refunds follow.", body = CancellationBody), CancelRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn cancel(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let form: CancelForm = body::read_optional(ctx, request).await?;
    check_reason(form.reason.as_deref())?;
    let reason = form.reason.unwrap_or_default();
    let (view, show_view) = owned_show(ctx, request, &identity).await?;
    let show = show_view.layout().show;
    trail::note(request, json!({ "reason": told(&reason) }));
    let at = ctx.store.cancel_show(view.id(), show, &reason, request.deadline).await?;
    // It is cancelled: what MySQL, or this view, can't say now is no error.
    view.reached(at.number, request.deadline).await;
    let known = view.cancelled(show);
    // Asked again behind its end it is at its end; what MySQL does not say is not done.
    let so_far = progress_of(ctx, &view, &show_view, request.deadline).await;
    let state = so_far.map_or(Progress::Refunding, |(state, _)| state);
    let body = CancellationBody { show_id: show, state, reason: told(known.as_deref().unwrap_or(&reason)) };
    let mut response = response::ok(&body)?;
    freshness::mark(&mut response, view.log_id(), at.number);
    Ok(response)
}

refusals!(CancellationRefusals: JSON, ORGANISER, PATH, FRESH, FORM);

/// `GET /v1/admin/shows/{showId}/cancellation`: a history read, as fresh as the archive.
#[utoipa::path(
    get, path = "/v1/admin/shows/{showId}/cancellation", operation_id = "getCancellation", tag = "organiser",
    summary = "How far the refunds of a cancelled show are",
    params(ShowPath),
    responses((status = 200, description = "So far.", body = ProgressBody), CancellationRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn progress(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let (view, show_view) = owned_show(ctx, request, &identity).await?;
    freshness::wait(request, &view).await?;
    let layout = show_view.layout();
    let (log_id, number) = (view.log_id(), view.number());
    let not_cancelled = || Problem::new(Code::NotFound).detail("The show is not cancelled.");
    let reason = view.cancelled(layout.show).ok_or_else(not_cancelled)?;
    let (state, refunds) = progress_of(ctx, &view, &show_view, deadline()).await?;
    let counts = Counts {
        refunded: refunds.refunded,
        outstanding: refunds.outstanding,
        amount: refunds.amount,
        at_gateway: refunds.at_gateway,
        currency: &layout.currency,
    };
    let cancellation = CancellationBody { show_id: layout.show, state, reason: told(&reason) };
    let mut response = response::ok(&ProgressBody { cancellation, counts })?;
    freshness::mark(&mut response, log_id, number);
    Ok(response)
}

/// How far the refunds are, as fresh as the archive, by this time.
async fn progress_of(
    ctx: &Context,
    view: &ConcertView,
    show: &ShowView,
    deadline: Instant,
) -> Result<(Progress, Refunds), Problem> {
    // A show that is clear changes no more: its last change is the last refund.
    let (is_clear, changed) = (show.counts().is_clear(), show.changed_in());
    // The offset first: what it covers is in what is counted after it.
    let log = LogName::Concert(view.id());
    let offset = history::read_until(deadline, ctx.archive.offset(log)).await?;
    let archived = offset.map_or(0, |row| row.offset.number);
    let refunds =
        history::read_until(deadline, ctx.archive.refunds_of(view.id(), show.layout().show)).await?;
    Ok((Progress::of(is_clear && archived >= changed && refunds.at_gateway == 0), refunds))
}
