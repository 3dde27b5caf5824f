//! Steering the line, and a look into a running sale.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::timeout_at;
use utoipa::ToSchema;

use super::{caller, check_reason, deadline, owned_by_path, policy, trail};
use crate::domain::ids::{ConcertId, LogName};
use crate::domain::policy::PolicyState;
use crate::http::body;
use crate::http::context::Context;
use crate::http::freshness;
use crate::http::openapi::params::{ConcertPath, Durable, Version};
use crate::http::openapi::refusals::refusals;
use crate::http::problem::Problem;
use crate::http::request::Request;
use crate::http::response::{self, Response};
use crate::live::ConcertView;

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PauseForm {
    /// At most 200 bytes without control characters.
    #[schema(max_length = 200, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
    reason: Option<String>,
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResumeForm {}

#[derive(Serialize, ToSchema)]
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
    #[schema(required = true)]
    log_lag_entries: Option<u64>,
}

/// Whether admission is stopped.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AdmissionBody {
    concert_id: ConcertId,
    paused: bool,
    #[schema(required = true)]
    reason: Option<String>,
}

refusals!(PauseRefusals: JSON, ORGANISER, DURABILITY, BODY, PATH, STORE);

/// `POST /v1/admin/concerts/{concertId}/queue/pause`
#[utoipa::path(
    post, path = "/v1/admin/concerts/{concertId}/queue/pause", operation_id = "pauseQueue",
    tag = "organiser", summary = "Stops admission",
    params(ConcertPath, Durable),
    request_body = Option<PauseForm>,
    responses((status = 200, description = "It is stopped.", body = AdmissionBody), PauseRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn pause(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let form: PauseForm = body::read_optional(ctx, request).await?;
    check_reason(form.reason.as_deref())?;
    let view = owned_by_path(ctx, request, &identity).await?;
    trail::note(request, json!({ "reason": form.reason }));
    let paused = |stands: &PolicyState| {
        Ok(PolicyState { paused: true, pause_reason: form.reason.clone(), ..stands.clone() })
    };
    policy::change(ctx, &view, deadline(), paused).await?;
    answer(&view)
}

refusals!(ResumeRefusals: JSON, ORGANISER, DURABILITY, BODY, PATH, STORE);

/// `POST /v1/admin/concerts/{concertId}/queue/resume`
#[utoipa::path(
    post, path = "/v1/admin/concerts/{concertId}/queue/resume", operation_id = "resumeQueue",
    tag = "organiser", summary = "Restarts admission",
    params(ConcertPath, Durable),
    request_body = Option<ResumeForm>,
    responses((status = 200, description = "It goes on.", body = AdmissionBody), ResumeRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn resume(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let ResumeForm {} = body::read_optional(ctx, request).await?;
    let view = owned_by_path(ctx, request, &identity).await?;
    let resumed =
        |stands: &PolicyState| Ok(PolicyState { paused: false, pause_reason: None, ..stands.clone() });
    policy::change(ctx, &view, deadline(), resumed).await?;
    answer(&view)
}

refusals!(SaleRefusals: JSON, ORGANISER, PATH, FRESH);

/// `GET /v1/admin/concerts/{concertId}/live`
#[utoipa::path(
    get, path = "/v1/admin/concerts/{concertId}/live", operation_id = "getSale", tag = "organiser",
    summary = "A look into the running sale",
    params(ConcertPath, Version),
    responses((status = 200, description = "The sale.", body = SaleBody), SaleRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn sale(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let view = owned_by_path(ctx, request, &identity).await?;
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
        admitted_per_second: view.admitted_per_second(Context::now()),
        log_lag_entries: lag(ctx, request, &view).await,
    })?;
    freshness::mark(&mut response, log_id, number);
    Ok(response)
}

fn answer(view: &ConcertView) -> Result<Response, Problem> {
    let (log_id, number) = (view.log_id(), view.number());
    let state = view.policy();
    let mut response = response::ok(&AdmissionBody {
        concert_id: view.concert().concert,
        paused: state.paused,
        reason: state.pause_reason.clone(),
    })?;
    freshness::mark(&mut response, log_id, number);
    Ok(response)
}

/// How many entries of the log MySQL lacks; `None` when it does not say.
pub(super) async fn lag(ctx: &Context, request: &Request, view: &ConcertView) -> Option<u64> {
    let log = LogName::Concert(view.concert().concert);
    let stored = timeout_at(request.deadline, ctx.archive.offset(log)).await.ok()?.ok()??;
    Some(view.number().saturating_sub(stored.offset.number))
}
