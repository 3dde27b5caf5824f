//! The audit trail around organisers' changing calls: a row before the change, its outcome before the answer.
//!
//! It stands around every such route, so no handler can forget it; a handler only notes what was asked for, without
//! secrets and without buyers. Without MySQL nothing is changed, but for what steers a running sale and lives in Redis
//! (pausing, policies, blocked seats, refunds, a cancellation): that goes on, and the log has what the trail lacks.

use std::time::Duration;

use hyper::header::LOCATION;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::archive::{ActionCursor, ActionEnd, NewAction};
use crate::domain::ids::{ConcertId, ReservationId, ShowId};
use crate::http::auth::{self, Identity};
use crate::http::context::Context;
use crate::http::known;
use crate::http::problem::{Code, Problem};
use crate::http::request::Request;
use crate::http::response::Response;
use crate::http::router::{self, Endpoint, Verb};

/// How long a call that goes on without MySQL waits for it first; and every call for the row's outcome.
const PATIENCE: Duration = Duration::from_secs(2);
/// What the columns hold.
const ORG_CHARS: usize = 64;
const TARGET_CHARS: usize = 100;

/// Whether a call is one of those that the trail keeps.
pub(crate) fn is_kept(request: &Request) -> bool {
    request.verb != Verb::Get && request.route.starts_with("/v1/admin/")
}

/// Tells the trail what was asked for: small, no secrets, nothing of buyers but their ids.
pub(super) fn note(request: &mut Request, details: Value) {
    request.noted = Some(Box::new(details));
}

/// Answers a changing call, with its row around it.
pub(crate) async fn kept(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    let identity = auth::organiser(ctx, request)?;
    let Some(scope) = scope(ctx, request, &identity).await? else {
        return unnamed(ctx, request, &identity).await;
    };
    let action = action(request, &identity, scope);
    let row = begin(ctx, request, &action).await?;
    let outcome = router::answer(ctx, request).await;
    end(ctx, request, &action, row, &outcome).await;
    outcome
}

/// It names nothing of this caller's: the handler says so, and nothing changes. But for what was made between the two looks.
async fn unnamed(ctx: &Context, request: &mut Request, identity: &Identity) -> Result<Response, Problem> {
    let outcome = router::answer(ctx, request).await;
    let may_be_done = outcome.as_ref().map_or_else(|problem| problem.code == Code::OutcomeUnknown, |_| true);
    if may_be_done && let Ok(Some(scope)) = scope(ctx, request, identity).await {
        let action = action(request, identity, scope);
        end(ctx, request, &action, None, &outcome).await;
    }
    outcome
}

fn action(request: &Request, identity: &Identity, (org, target): (String, String)) -> NewAction {
    NewAction {
        at: Context::now(),
        who: identity.user.clone(),
        org: org.chars().take(ORG_CHARS).collect(),
        action: format!("{} {}", request.verb.as_str(), request.route),
        target,
        request: request.instance.as_str().to_owned(),
    }
}

/// The organiser of what a call names, and its name; `None` if there is no such thing for this caller.
async fn scope(
    ctx: &Context,
    request: &Request,
    identity: &Identity,
) -> Result<Option<(String, String)>, Problem> {
    let resource = request.route.trim_start_matches("/v1/admin/").split('/').next().unwrap_or_default();
    let own_org = || identity.org.clone().unwrap_or_default();
    if request.id.is_empty() {
        return Ok(Some((own_org(), String::new())));
    }
    let (view, target) = match resource {
        "concerts" => {
            let Ok(id) = request.path_id().map(ConcertId) else { return Ok(None) };
            (known::find_concert(ctx, request, id).await?, format!("concert {id}"))
        }
        "shows" => {
            let Ok(id) = request.path_id().map(ShowId) else { return Ok(None) };
            let found = known::find_show(ctx, request, id).await?;
            (found.map(|(view, _)| view), format!("show {id}"))
        }
        "reservations" => {
            let Ok(id) = request.path_id::<ReservationId>() else { return Ok(None) };
            (known::find_concert(ctx, request, id.concert).await?, format!("reservation {id}"))
        }
        // What belongs to no concert belongs to the caller's organiser.
        other => {
            let target = format!("{other} {}", request.id);
            let target = target.chars().filter(|c| !c.is_control()).take(TARGET_CHARS).collect();
            return Ok(Some((own_org(), target)));
        }
    };
    let record = view.map(|view| view.concert());
    Ok(record.filter(|record| identity.runs(record)).map(|record| (record.org.clone(), target)))
}

/// Whether a call changes Redis alone and has to work while MySQL is away.
fn saves_a_sale(endpoint: Endpoint) -> bool {
    matches!(
        endpoint,
        Endpoint::PauseQueue
            | Endpoint::ResumeQueue
            | Endpoint::UpdateConcert
            | Endpoint::BlockSeats
            | Endpoint::UnblockSeats
            | Endpoint::Refund
            | Endpoint::CancelShow
    )
}

async fn begin(
    ctx: &Context,
    request: &Request,
    action: &NewAction,
) -> Result<Option<ActionCursor>, Problem> {
    let goes_on = saves_a_sale(request.endpoint);
    // Half of its time is the call's own.
    let left = request.deadline.saturating_duration_since(Instant::now());
    let deadline = if goes_on { Instant::now() + PATIENCE.min(left / 2) } else { request.deadline };
    match timeout_at(deadline, ctx.archive.begin_action(action)).await {
        Ok(Ok(row)) => Ok(Some(row)),
        Ok(Err(_)) | Err(_) if goes_on => Ok(None),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Problem::new(Code::Unavailable).detail("The audit trail can't be written.")),
    }
}

/// Writes how it ended. What has happened is answered all the same: then the log has it.
async fn end(
    ctx: &Context,
    request: &mut Request,
    action: &NewAction,
    row: Option<ActionCursor>,
    outcome: &Result<Response, Problem>,
) {
    let end = ActionEnd {
        target: target(action, outcome),
        details: request.noted.take().map(|noted| noted.to_string()),
        outcome: outcome.as_ref().map_or_else(|problem| problem.code.name(), |_| "done").to_owned(),
    };
    let writing = async {
        let row = match row {
            Some(row) => row,
            None => ctx.archive.begin_action(action).await?,
        };
        ctx.archive.end_action(row, &end).await
    };
    if let Ok(Ok(())) = timeout_at(Instant::now() + PATIENCE, writing).await {
        return;
    }
    tracing::warn!(
        at = %action.at.to_rfc3339(),
        who = action.who.as_str(),
        org = action.org,
        action = action.action,
        target_of_action = end.target,
        details = end.details,
        request_id = action.request,
        outcome = end.outcome,
        "an organiser's action could not be written to the audit trail"
    );
}

/// What it named, or what it has made, as its answer's `Location` says.
fn target(action: &NewAction, outcome: &Result<Response, Problem>) -> String {
    if !action.target.is_empty() {
        return action.target.clone();
    }
    let made = outcome.as_ref().ok().and_then(|response| response.headers().get(LOCATION)?.to_str().ok());
    made.unwrap_or_default().chars().take(TARGET_CHARS).collect()
}
