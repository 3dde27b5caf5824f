//! What the gateway tells by itself. Its word starts a look, nothing more: how the payment stands is asked, so an old, repeated or
//! overtaken message does no harm.

use hyper::StatusCode;
use hyper::header::HeaderName;
use utoipa::ToSchema;

use super::Problem;
use crate::clearing::ClearingError;
use crate::domain::ids::PaymentId;
use crate::http::body;
use crate::http::context::Context;
use crate::http::known;
use crate::http::openapi::params::GatewayPath;
use crate::http::openapi::refusals::refusals;
use crate::http::problem::Code;
use crate::http::request::Request;
use crate::http::response::{self, Response};
use crate::http::wallet;

/// The sandbox's, as it is described; other fields are its own. Stripe's are its events.
#[derive(ToSchema)]
#[schema(as = GatewayMessage)]
#[expect(dead_code, reason = "describes what the gateway's adapter reads")]
struct Message {
    payment: String,
}

refusals!(WebhookRefusals: FORM, PATH, STORE; Unauthenticated, PayloadTooLarge);

/// `POST /v1/gateway/webhooks/{gateway}`: 204 once the payment is as far as it goes, else the gateway sends it again.
#[utoipa::path(
    post, path = "/v1/gateway/webhooks/{gateway}", operation_id = "tellOfPayment", tag = "payments",
    summary = "What the payment gateway tells by itself, signed",
    params(GatewayPath),
    request_body = Message,
    responses((status = 204, description = "The payment is as far as it goes."), WebhookRefusals),
)]
pub(crate) async fn told(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    let clearing = ctx.clearing.as_ref().filter(|clearing| clearing.gateway() == request.id);
    let (Some(clearing), bytes) = (clearing, body::receive(ctx, request).await?) else {
        return Err(Problem::new(Code::NotFound));
    };
    let signature =
        request.header(&HeaderName::from_static(clearing.signature_header()))?.unwrap_or_default();
    let now = Context::now_seconds();
    if !clearing.webhooks().is_some_and(|secret| secret.verifies(signature, &bytes, now)) {
        return Err(Problem::new(Code::Unauthenticated).detail("The signature is not the gateway's."));
    }
    let told = clearing.told(&bytes);
    let told = told.map_err(|_| Problem::field("payment", "Expected the name of a payment."))?;
    let done = || Ok(response::empty(StatusCode::NO_CONTENT));
    let Some(told) = told else {
        return done();
    };
    if let Ok(charge) = told.payment.parse() {
        return wallet::top_up::told(ctx, request, clearing, charge).await;
    }
    // Of a payment that is not ours there is nothing to do.
    let Ok(payment) = told.payment.parse::<PaymentId>() else {
        return done();
    };
    if known::find_concert(ctx, request, payment.reservation.concert).await?.is_none() {
        return done();
    }
    let card = ctx.store.card(payment, request.deadline).await?;
    let (clearing, deadline) = (clearing.clone(), request.deadline);
    let cleared = tokio::spawn(async move {
        match told.failed_refund {
            Some(refund) => clearing.hear_of_failed_refund(payment, &refund).await,
            None => clearing.hear(payment, card, deadline).await,
        }
    });
    match tokio::time::timeout_at(request.deadline, cleared).await {
        Ok(Ok(Ok(()))) => done(),
        Ok(Ok(Err(error))) if error.contradicted().is_some() => {
            // Nobody looks at a payment that is at its end, and the gateway tells of it for some days only.
            tracing::error!(%payment, error = &error as &dyn std::error::Error, "a card payment needs people");
            match error {
                // To be told again would change nothing.
                ClearingError::RefundFailed { .. } => done(),
                other => Err(Problem::caused(Code::Unavailable, other)),
            }
        }
        Ok(Ok(Err(error))) => Err(Problem::caused(Code::Unavailable, error)),
        Ok(Err(_)) | Err(_) => Err(Problem::new(Code::Unavailable)),
    }
}
