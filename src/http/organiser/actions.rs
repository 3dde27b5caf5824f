//! What was done to an organiser's concerts, and by whom.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{caller, org};
use crate::archive::{ActionCursor, StoredAction};
use crate::domain::time::Millis;
use crate::http::auth::Role;
use crate::http::context::Context;
use crate::http::history;
use crate::http::openapi::params::Paging;
use crate::http::openapi::refusals::refusals;
use crate::http::page::{self, List};
use crate::http::problem::{Code, Problem};
use crate::http::request::Request;
use crate::http::response::{self, Response};

#[derive(Serialize, ToSchema)]
#[schema(as = OrganiserAction)]
#[serde(rename_all = "camelCase")]
struct ActionBody {
    action_id: String,
    at: Millis,
    who: String,
    org: String,
    /// Method and route.
    action: String,
    /// What it named or made.
    target: String,
    /// What was asked for.
    #[schema(value_type = Option<Object>, required = true)]
    details: Option<Box<RawValue>>,
    request_id: String,
    /// `done` or a problem's code; `begun` while it runs, or if its server died.
    outcome: String,
}

refusals!(ActionsRefusals: JSON, ORGANISER, FORM, FRESH);

/// `GET /v1/admin/actions`: newest first; those of the caller's organiser, for an admin all.
#[utoipa::path(
    get, path = "/v1/admin/actions", operation_id = "listActions", tag = "organiser",
    summary = "Who changed what, newest first",
    params(Paging),
    responses((status = 200, description = "A page.", body = List<ActionBody>), ActionsRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn list(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let asked = page::asked(request)?;
    let after: Option<ActionCursor> = page::parsed_cursor(&asked)?;
    let org = if identity.is(Role::Admin) { None } else { Some(org(&identity)?) };
    let page = history::read(request, ctx.archive.actions(org, after, asked.limit)).await?;
    response::ok(&List {
        items: page.items.into_iter().map(body).collect::<Result<_, _>>()?,
        next_cursor: page.next.map(|cursor| cursor.to_string()),
    })
}

fn body(row: StoredAction) -> Result<ActionBody, Problem> {
    let details = row.details.map(RawValue::from_string).transpose();
    Ok(ActionBody {
        action_id: row.id.to_string(),
        at: row.at,
        who: row.who,
        org: row.org,
        action: row.action,
        target: row.target,
        details: details.map_err(|error| Problem::caused(Code::Internal, error))?,
        request_id: row.request,
        outcome: row.outcome,
    })
}
