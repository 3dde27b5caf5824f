//! Where an organiser wants to be told of what happens in his concerts.

use std::collections::HashSet;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{caller, org, stored, trail};
use crate::archive::{Webhook, WebhookState};
use crate::config::Secret;
use crate::domain::cloud_event::TYPES;
use crate::domain::time::Millis;
use crate::follow::{check_url, origin};
use crate::http::auth::rights::Right;
use crate::http::body;
use crate::http::context::Context;
use crate::http::history;
use crate::http::openapi::params::{Durable, Paging, WebhookPath};
use crate::http::openapi::refusals::refusals;
use crate::http::page::{self, List};
use crate::http::problem::{Code, Problem};
use crate::http::request::Request;
use crate::http::response::{self, Response};

/// Endpoints of one organiser: each is a reader of all his logs.
const WEBHOOKS_MAX: u32 = 20;

#[derive(Deserialize, ToSchema)]
#[schema(as = WebhookToMake)]
#[serde(deny_unknown_fields)]
struct WebhookForm {
    url: String,
    types: Option<Vec<String>>,
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResendForm {
    event_id: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
#[serde(rename_all = "camelCase")]
struct WebhookBody {
    webhook_id: String,
    url: String,
    types: Vec<String>,
    created_at: Millis,
    /// Shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    failures: u32,
    last_error: Option<String>,
    dead_letters: u64,
}

#[derive(Serialize, ToSchema)]
struct Resent {
    resent: u64,
}

impl From<WebhookState> for WebhookBody {
    fn from(state: WebhookState) -> Self {
        let WebhookState { webhook, failures, error, dead_letters } = state;
        let last_error = (!error.is_empty()).then_some(error);
        Self { failures, last_error, dead_letters, ..Self::of(webhook) }
    }
}

impl WebhookBody {
    fn of(webhook: Webhook) -> Self {
        Self {
            webhook_id: webhook.webhook.to_string(),
            url: webhook.url,
            types: webhook.types,
            created_at: webhook.created,
            secret: None,
            failures: 0,
            last_error: None,
            dead_letters: 0,
        }
    }
}

refusals!(CreateWebhookRefusals: JSON, ORGANISER, DURABILITY, BODY, FRESH; OutcomeUnknown);

/// `POST /v1/admin/webhooks`
#[utoipa::path(
    post, path = "/v1/admin/webhooks", operation_id = "createWebhook", tag = "organiser",
    summary = "Tells an endpoint of events from now on",
    params(Durable),
    request_body = WebhookForm,
    responses((status = 201, description = "It is told; the secret is shown only here.", body = WebhookBody), CreateWebhookRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn create(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let org = org(&identity)?.to_owned();
    let form: WebhookForm = body::read(ctx, request).await?;
    check_url(&form.url, ctx.settings.insecure_webhooks)
        .map_err(|invalid| Problem::field("url", invalid.to_string()))?;
    let types = form.types.unwrap_or_default();
    check_types(&types)?;
    let secret = Secret::new(rand::random::<[u8; 32]>());
    let mut new =
        Webhook { webhook: 0, org, url: form.url, types, secret: secret.clone(), created: Context::now() };
    let made = stored(request.deadline, ctx.archive.create_webhook(&new, WEBHOOKS_MAX)).await?;
    let too_many = || Problem::new(Code::InvalidRequest).detail("An organiser may have 20 webhooks.");
    new.webhook = made.ok_or_else(too_many)?;
    // Not its address: that may hold a secret of the receiver.
    trail::note(request, json!({ "webhookId": new.webhook.to_string(), "types": new.types }));
    let secret = Some(shown(secret.expose()));
    response::json(StatusCode::CREATED, &WebhookBody { secret, ..WebhookBody::of(new) })
}

refusals!(ListWebhooksRefusals: JSON, ORGANISER, FORM, FRESH);

/// `GET /v1/admin/webhooks`; of an address, which may hold a secret of the receiver, only those who may make webhooks see more than
/// scheme, host and port.
#[utoipa::path(
    get, path = "/v1/admin/webhooks", operation_id = "listWebhooks", tag = "organiser",
    summary = "The organiser's webhooks and how they fare",
    params(Paging),
    responses((status = 200, description = "A page.", body = List<WebhookBody>), ListWebhooksRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn list(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let asked = page::asked(request)?;
    let mut states = history::read(request, ctx.archive.webhook_states(org(&identity)?)).await?;
    if !identity.has(Right::Run) {
        for state in &mut states {
            state.webhook.url = origin(&state.webhook.url);
        }
    }
    response::ok(&page::cut(states.into_iter().map(WebhookBody::from), &asked)?)
}

refusals!(DeleteWebhookRefusals: ORGANISER, PATH, FRESH; OutcomeUnknown);

/// `DELETE /v1/admin/webhooks/{webhookId}`
#[utoipa::path(
    delete, path = "/v1/admin/webhooks/{webhookId}", operation_id = "deleteWebhook", tag = "organiser",
    summary = "Tells it nothing more",
    params(WebhookPath),
    responses((status = 204, description = "It is gone."), DeleteWebhookRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn delete(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let id = request.path_id()?;
    let deleted = stored(request.deadline, ctx.archive.delete_webhook(org(&identity)?, id)).await?;
    if deleted { Ok(response::empty(StatusCode::NO_CONTENT)) } else { Err(Problem::new(Code::NotFound)) }
}

refusals!(ResendRefusals: JSON, ORGANISER, DURABILITY, BODY, PATH, FRESH; OutcomeUnknown);

/// `POST /v1/admin/webhooks/{webhookId}/resend`
#[utoipa::path(
    post, path = "/v1/admin/webhooks/{webhookId}/resend", operation_id = "resendEvents", tag = "organiser",
    summary = "Tries dead letters once more",
    params(WebhookPath, Durable),
    request_body = Option<ResendForm>,
    responses((status = 200, description = "So many are tried.", body = Resent), ResendRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn resend(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let form: ResendForm = body::read_optional(ctx, request).await?;
    let id: u32 = request.path_id()?;
    let states = history::read(request, ctx.archive.webhook_states(org(&identity)?)).await?;
    if !states.iter().any(|state| state.webhook.webhook == id) {
        return Err(Problem::new(Code::NotFound));
    }
    let resent = stored(request.deadline, ctx.archive.resend(id, form.event_id.as_deref())).await?;
    if resent == 0 && form.event_id.is_some() {
        return Err(Problem::field("eventId", "Not a dead letter of this webhook."));
    }
    trail::note(request, json!({ "eventId": form.event_id, "resent": resent }));
    response::ok(&Resent { resent })
}

fn check_types(types: &[String]) -> Result<(), Problem> {
    let mut seen = HashSet::new();
    let mut kinds = types.iter().map(String::as_str);
    if kinds.all(|kind| TYPES.contains(&kind) && seen.insert(kind)) {
        return Ok(());
    }
    Err(Problem::field("types", "Expected types of docs/events, each once."))
}

/// As Standard Webhooks writes a secret.
fn shown(secret: &[u8]) -> String {
    use base64::Engine as _;
    format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_that_are_told_each_once() {
        let owned = |types: &[&str]| types.iter().map(|kind| (*kind).to_owned()).collect::<Vec<_>>();
        assert!(check_types(&owned(&TYPES)).is_ok() && check_types(&[]).is_ok());
        assert!(check_types(&owned(&[TYPES[0], TYPES[1], TYPES[0]])).is_err());
        assert!(check_types(&owned(&[TYPES[0], "payment.lost"])).is_err());
    }
}
