//! Seat maps: bodies that the live view encoded once, conditional, compressed, or only what changed.

use hyper::StatusCode;
use hyper::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, VARY,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::context::Context;
use super::freshness;
use super::gate;
use super::known;
use super::negotiate;
use super::openapi::params::{Condition, ShowPath, Version};
use super::openapi::refusals::refusals;
use super::openapi::seat_map::{SeatMap, SeatStatus};
use super::problem::{Code, Problem};
use super::query;
use super::request::Request;
use super::response::{self, Response};
use crate::domain::ids::ShowId;
use crate::domain::policy::Gate;
use crate::live::{Encoded, SeatsForm, ShowView};

#[derive(Serialize, ToSchema)]
pub(super) struct Changes<'a> {
    version: String,
    changes: Vec<SeatChange<'a>>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct SeatChange<'a> {
    seat: &'a str,
    #[schema(value_type = SeatStatus)]
    status: &'static str,
}

refusals!(SeatsRefusals: JSON, PATH, FORM, FRESH, GATED);

/// `GET /v1/shows/{showId}/seats`
#[utoipa::path(
    get, path = "/v1/shows/{showId}/seats", operation_id = "getSeats", tag = "catalog",
    summary = "The seats of a show, whole or what changed",
    params(
        ShowPath, Version, Condition,
        ("view" = inline(Option<SeatsForm>), Query, description = "Everything, what changes, or what does not."),
        ("since" = Option<String>, Query,
            description = "A `version`: only what changed since then, unless that is too old."),
    ),
    responses(
        (status = 200, description = "The map in the form asked for.", body = SeatMap,
            headers(("ETag" = String, description = "Strong, of this form of this version."))),
        (status = 304, description = "The client has it.",
            headers(("ETag" = String, description = "That of the form which the client has."))),
        SeatsRefusals,
    ),
    security((), ("identity" = [], "queueToken" = [])),
)]
pub(crate) async fn seats(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let form = form(request)?;
    let since = query::parameter(request, "since")?;
    let (concert, show) = known::show(ctx, request, ShowId(request.path_id()?)).await?;
    // First, so that who has seen his place end is not let in by a view that has not.
    let seen = freshness::wait(request, &concert).await?;
    gate::pass(ctx, request, &concert, Gate::Seats).await?;

    if let Some(since) = since
        && let Some(response) = changes(&show, &since, seen)?
    {
        return Ok(response);
    }
    let body = if seen == 0 { show.body(form) } else { show.body_at_least(form, seen) };
    Ok(encoded(request, &body, seen))
}

refusals!(SeatsStreamRefusals: PATH, FRESH, GATED, NOT_BUILT);

/// `GET /v1/shows/{showId}/seats/stream`
#[utoipa::path(
    get, path = "/v1/shows/{showId}/seats/stream", operation_id = "streamSeats", tag = "catalog",
    summary = "The seats of a show as server-sent events",
    params(ShowPath),
    responses(SeatsStreamRefusals),
    security((), ("identity" = [], "queueToken" = [])),
)]
pub(crate) async fn stream(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let (concert, _) = known::show(ctx, request, ShowId(request.path_id()?)).await?;
    gate::pass(ctx, request, &concert, Gate::Seats).await?;
    Err(Problem::new(Code::NotImplemented))
}

fn form(request: &Request) -> Result<SeatsForm, Problem> {
    match query::parameter(request, "view")?.as_deref() {
        None | Some("full") => Ok(SeatsForm::Full),
        Some("status") => Ok(SeatsForm::Status),
        Some("layout") => Ok(SeatsForm::Layout),
        Some(_) => Err(Problem::field("view", "Expected full, status or layout.")),
    }
}

/// What changed since that version; `None` if it is too old or another log's, or the layout is not read yet.
fn changes(show: &ShowView, since: &str, seen: u64) -> Result<Option<Response>, Problem> {
    let Some((version, moved)) = show.changes_since(since) else {
        return Ok(None);
    };
    let layout = show.layout();
    let change = |&(index, status): &(u32, u8)| {
        let seat = layout.seats.get(index as usize)?;
        Some(SeatChange { seat: &seat.label, status: status_word(status)? })
    };
    let Some(changes) = moved.iter().map(change).collect() else {
        return Ok(None);
    };
    let mut response = response::ok(&Changes { version: version.clone(), changes })?;
    mark_version(&mut response, &version, seen);
    Ok(Some(response))
}

/// The status of a seat's byte.
fn status_word(byte: u8) -> Option<&'static str> {
    match byte {
        b'0' => Some("AVAILABLE"),
        b'1' => Some("HELD"),
        b'2' => Some("BOOKED"),
        b'3' => Some("BLOCKED"),
        _ => None,
    }
}

fn encoded(request: &Request, body: &Encoded, seen: u64) -> Response {
    let header = |name| request.headers.get(name).and_then(|value| value.to_str().ok());
    let gzip = header(ACCEPT_ENCODING).is_some_and(negotiate::takes_gzip);
    let mut tags = [&body.etag, &body.gzip_etag];
    if gzip {
        tags.reverse();
    }
    // Either form says the same map; the tag that is sent is that of the form which the client has.
    let had = header(IF_NONE_MATCH)
        .and_then(|condition| tags.iter().position(|tag| negotiate::has_already(condition, tag)));
    let unchanged = had.is_some();
    let mut response = match (unchanged, gzip) {
        (true, _) => response::empty(StatusCode::NOT_MODIFIED),
        (false, true) => response::json_bytes(StatusCode::OK, body.gzip.clone()),
        (false, false) => response::json_bytes(StatusCode::OK, body.json.clone()),
    };
    let headers = response.headers_mut();
    if gzip && !unchanged {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if unchanged {
        headers.remove(CONTENT_TYPE);
    }
    if let Ok(etag) = HeaderValue::try_from(tags[had.unwrap_or(0)]) {
        headers.insert(ETAG, etag);
    }
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    // A cache asks each time; "private" since a policy may gate seats at any moment.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if let Some((log_id, number)) = body.at {
        freshness::mark(&mut response, log_id, number.max(seen));
    }
    response
}

/// A seat map's version names the last entry that changed it. A client that has seen a later one keeps that.
fn mark_version(response: &mut Response, version: &str, seen: u64) {
    if let Some((log_id, number)) = freshness::parse(version) {
        freshness::mark(response, log_id, number.max(seen));
    }
}
