//! Steering the line, and a look into a running sale.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::timeout_at;

use super::{caller, deadline, owned_by_path, policy, trail};
use crate::domain::ids::{ConcertId, LogName};
use crate::domain::policy::PolicyState;
use crate::http::body;
use crate::http::context::Context;
use crate::http::freshness;
use crate::http::problem::Problem;
use crate::http::request::Request;
use crate::http::response::{self, Response};
use crate::live::ConcertView;

/// Bytes of a reason: it is sent to everybody who waits.
const REASON_BYTES_MAX: usize = 200;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PauseForm {
    reason: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResumeForm {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SaleBody {
    waiting: u64,
    active: u64,
    available: u64,
    held: u64,
    booked: u64,
    revenue: i64,
    admitted_per_second: f64,
    /// Entries that the archive has not stored yet; null when MySQL does not answer.
    log_lag_entries: Option<u64>,
}

/// `POST /v1/admin/concerts/{concertId}/queue/pause`
pub(crate) async fn pause(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let form: PauseForm = body::read_optional(ctx, request).await?;
    if form.reason.as_ref().is_some_and(|reason| reason.len() > REASON_BYTES_MAX) {
        return Err(Problem::field("reason", "Expected at most 200 bytes."));
    }
    let view = owned_by_path(ctx, request, &identity)?;
    trail::note(request, json!({ "reason": form.reason }));
    let paused = |stands: &PolicyState| {
        Ok(PolicyState { paused: true, pause_reason: form.reason.clone(), ..stands.clone() })
    };
    policy::change(ctx, &view, deadline(), paused).await?;
    answer(&view)
}

/// `POST /v1/admin/concerts/{concertId}/queue/resume`
pub(crate) async fn resume(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let ResumeForm {} = body::read_optional(ctx, request).await?;
    let view = owned_by_path(ctx, request, &identity)?;
    let resumed =
        |stands: &PolicyState| Ok(PolicyState { paused: false, pause_reason: None, ..stands.clone() });
    policy::change(ctx, &view, deadline(), resumed).await?;
    answer(&view)
}

/// `GET /v1/admin/concerts/{concertId}/live`
pub(crate) async fn sale(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let view = owned_by_path(ctx, request, &identity)?;
    freshness::wait(request, &view).await?;
    let (log_id, number) = (view.log_id(), view.number());
    let (line, sales) = (view.line(), view.sales());
    let mut response = response::ok(&SaleBody {
        waiting: line.waiting,
        active: line.active,
        available: sales.available,
        held: sales.held,
        booked: sales.booked,
        revenue: sales.revenue,
        admitted_per_second: line.admitted_per_second,
        log_lag_entries: lag(ctx, request, &view).await,
    })?;
    freshness::mark(&mut response, log_id, number);
    Ok(response)
}

fn answer(view: &ConcertView) -> Result<Response, Problem> {
    let state = view.policy();
    let concert: ConcertId = view.concert().concert;
    response::ok(&json!({
        "concertId": concert,
        "paused": state.paused,
        "reason": state.pause_reason,
    }))
}

/// How many entries of the log MySQL lacks; `None` when it does not say.
pub(super) async fn lag(ctx: &Context, request: &Request, view: &ConcertView) -> Option<u64> {
    let log = LogName::Concert(view.concert().concert);
    let offsets = timeout_at(request.deadline, ctx.archive.offsets()).await;
    let stored = offsets.ok()?.ok()?.into_iter().find(|row| row.log == log)?;
    Some(view.number().saturating_sub(stored.offset.number))
}
