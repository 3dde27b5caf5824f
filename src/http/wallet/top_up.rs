//! Charges through the payment gateway: one that begins, and how one stands. What becomes of it is decided elsewhere (`clearing`).

use std::time::Duration;

use hyper::StatusCode;
use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout_at;
use utoipa::ToSchema;

use super::{ChargedBody, Problem, out_of_range, own};
use crate::clearing::{Clearing, ClearingError, Progress};
use crate::domain::ids::{ChargeId, LogName};
use crate::domain::outcome::Refusal;
use crate::domain::time::Millis;
use crate::domain::top_up::{GivenUp, KnownTopUp, TopUp, TopUpEnd, TopUpState};
use crate::gateway::Standing;
use crate::http::context::Context;
use crate::http::freshness;
use crate::http::history;
use crate::http::idempotency;
use crate::http::openapi::params::ChargePath;
use crate::http::openapi::refusals::refusals;
use crate::http::problem::Code;
use crate::http::request::Request;
use crate::http::response::{self, Response};
use crate::store::{Failure, TopUpRequest};

/// What is kept of a request's time to answer, once the gateway has taken all the rest.
const ANSWERING: Duration = Duration::from_millis(100);

/// A charge through the gateway as clients read it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TopUpBody<'a> {
    charge_id: String,
    amount: i64,
    currency: &'a str,
    #[schema(value_type = TopUpStatus)]
    status: &'static str,
    /// What the user has to do, if the gateway has said so.
    next_action: Option<Value>,
    /// It is given up then; absent once that can't be.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Millis>,
    /// The balance after it, once it is CONFIRMED.
    #[serde(skip_serializing_if = "Option::is_none")]
    current_balance: Option<i64>,
}

/// Words for how a charge through the gateway stands.
#[derive(ToSchema)]
#[schema(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(dead_code, reason = "describes `TopUpBody::status`, which is a word already")]
enum TopUpStatus {
    RequiresAction,
    Processing,
    Confirmed,
    Failed,
    Voided,
}

/// How a top-up stands, with what the gateway said if it was asked just now.
struct Stands {
    known: KnownTopUp,
    standing: Option<Standing>,
    /// Why the gateway declined.
    reason: Option<String>,
}

/// The rest of `POST /v1/users/{userId}/balance`: 200 once the money is in the balance, 202 before, 402 if it never will be.
pub(super) async fn begin(
    ctx: &Context,
    request: &Request,
    clearing: &Clearing,
    asked: TopUpRequest,
) -> Result<Response, Problem> {
    let partition = asked.user.partition(ctx.store.partitions());
    let answer = match ctx.store.top_up(asked, request.deadline).await {
        Err(Failure::Refused(Refusal::AmountOutOfRange)) => return Err(out_of_range(ctx)),
        other => other?,
    };
    let id = ChargeId { partition, id: answer.value.charge };
    let stands = match answer.value.known.clone() {
        KnownTopUp::Open(open) => clear(request, clearing, id, open, answer.replayed).await,
        ended @ KnownTopUp::Ended(_) => Stands { known: ended, standing: None, reason: None },
    };
    let mut response = match stands.known {
        KnownTopUp::Ended(TopUpEnd::Credited { amount, balance }) => response::ok(&ChargedBody {
            charged_amount: amount,
            current_balance: balance,
            charge_id: Some(id.to_string()),
        })?,
        KnownTopUp::Ended(TopUpEnd::Voided { reason, .. }) => {
            let reason = stands.reason.unwrap_or_else(|| reason.as_str().to_owned());
            let declined = Problem::new(Code::PaymentDeclined).with("reason", reason);
            return Err(declined.replayed(answer.replayed));
        }
        KnownTopUp::Open(_) => response::json(StatusCode::ACCEPTED, &body(ctx, id, &stands))?,
    };
    idempotency::mark_replayed(&mut response, answer.replayed);
    freshness::mark_answer(&mut response, &answer);
    Ok(response)
}

/// Goes as far with it as it goes, in a task of its own: it goes on when the client hangs up, or the gateway takes longer than
/// the request may. If the process dies a worker goes on from the record.
async fn clear(
    request: &Request,
    clearing: &Clearing,
    id: ChargeId,
    open: TopUp,
    known_before: bool,
) -> Stands {
    let (clearing, top_up) = (clearing.clone(), open.clone());
    let cleared = tokio::spawn(async move {
        if known_before {
            clearing.look_at_top_up(id, &top_up).await
        } else {
            clearing.begin_top_up(id, &top_up).await.map(Some)
        }
    });
    match timeout_at(request.deadline - ANSWERING, cleared).await {
        Ok(Ok(progress)) => stands(id, open, progress),
        Ok(Err(_)) | Err(_) => Stands { known: KnownTopUp::Open(open), standing: None, reason: None },
    }
}

fn stands(id: ChargeId, open: TopUp, progress: Result<Option<Progress>, ClearingError>) -> Stands {
    let (standing, ended) = match progress {
        Ok(Some(Progress::Ended { end, reason })) => (None, Some((end, reason))),
        Ok(Some(Progress::Open(standing))) => (Some(standing), None),
        Ok(Some(Progress::Forgotten) | None) => (None, None),
        Err(error) => {
            if error.is_news() {
                tracing::warn!(charge = %id, error = &error as &dyn std::error::Error, "a top-up waits");
            }
            (None, None)
        }
    };
    match ended {
        Some((end, reason)) => Stands { known: KnownTopUp::Ended(end), standing, reason },
        None => Stands { known: KnownTopUp::Open(open), standing, reason: None },
    }
}

refusals!(TopUpRefusals: JSON, IDENTITY, PATH, STORE; Forbidden);

/// `GET /v1/users/{userId}/charges/{chargeId}`
#[utoipa::path(
    get, path = "/v1/users/{userId}/charges/{chargeId}", operation_id = "getCharge", tag = "payments",
    summary = "How one of the caller's charges through the gateway stands",
    params(ChargePath),
    responses((status = 200, description = "The charge.", body = TopUpBody), TopUpRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn get(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let (_, user) = own(ctx, request)?;
    let not_found = || Problem::new(Code::NotFound);
    let id: ChargeId = request.second_id.parse().map_err(|_| not_found())?;
    let log = LogName::Wallet(id.partition);
    let is_lost = ctx.store.seen().get(log).is_some_and(|seen| seen.is_lost());
    let known = if is_lost { None } else { ctx.store.known_top_up(id, &user, request.deadline).await? };
    let stands = match (known, &ctx.clearing) {
        (Some(KnownTopUp::Open(open)), Some(clearing)) => {
            let looked = timeout_at(request.deadline - ANSWERING, clearing.look_at_top_up(id, &open)).await;
            stands(id, open, looked.unwrap_or(Ok(None)))
        }
        (Some(known), _) => Stands { known, standing: None, reason: None },
        (None, _) => {
            let found = history::read(request, ctx.archive.top_up(id)).await?;
            let top_up = found.filter(|top_up| top_up.user == user.as_str()).ok_or_else(not_found)?;
            let amount = top_up.amount;
            // Redis knows better, and the archive is about to.
            let status = top_up.end.as_ref().map_or("PROCESSING", ended);
            let current_balance = top_up.end.as_ref().and_then(balance_after);
            let (next_action, expires_at) = (None, None);
            let (charge_id, currency) = (id.to_string(), top_up.currency.as_str());
            let body =
                TopUpBody { charge_id, amount, currency, status, next_action, expires_at, current_balance };
            return response::ok(&body);
        }
    };
    response::ok(&body(ctx, id, &stands))
}

fn body<'a>(ctx: &'a Context, id: ChargeId, stands: &'a Stands) -> TopUpBody<'a> {
    let charge_id = id.to_string();
    let open = match &stands.known {
        KnownTopUp::Open(open) => open,
        KnownTopUp::Ended(end) => {
            let (TopUpEnd::Credited { amount, .. } | TopUpEnd::Voided { amount, .. }) = *end;
            return TopUpBody {
                charge_id,
                amount,
                currency: &ctx.settings.wallet.currency,
                status: ended(end),
                next_action: None,
                expires_at: None,
                current_balance: balance_after(end),
            };
        }
    };
    let (status, next_action) = match (open.state, &stands.standing) {
        (TopUpState::Declined, _) => ("FAILED", None),
        (TopUpState::Expired, _) => ("VOIDED", None),
        (TopUpState::Authorising, Some(Standing::RequiresAction { next })) => {
            ("REQUIRES_ACTION", Some(next.clone()))
        }
        (TopUpState::Authorising | TopUpState::Capture, _) => ("PROCESSING", None),
    };
    TopUpBody {
        charge_id,
        amount: open.amount,
        currency: &open.currency,
        status,
        next_action,
        expires_at: (open.state == TopUpState::Authorising).then_some(open.end),
        current_balance: None,
    }
}

fn ended(end: &TopUpEnd) -> &'static str {
    match end {
        TopUpEnd::Credited { .. } => "CONFIRMED",
        TopUpEnd::Voided { reason: GivenUp::Declined | GivenUp::Refused, .. } => "FAILED",
        TopUpEnd::Voided { reason: GivenUp::Expired, .. } => "VOIDED",
    }
}

fn balance_after(end: &TopUpEnd) -> Option<i64> {
    match *end {
        TopUpEnd::Credited { balance, .. } => Some(balance),
        TopUpEnd::Voided { .. } => None,
    }
}

/// The gateway has told something of a top-up: 204 once it is as far as it goes.
pub(crate) async fn told(
    ctx: &Context,
    request: &Request,
    clearing: &Clearing,
    charge: ChargeId,
) -> Result<Response, Problem> {
    let done = || Ok(response::empty(StatusCode::NO_CONTENT));
    let Some(open) = ctx.store.open_top_up(charge, request.deadline).await? else {
        return done();
    };
    let clearing = clearing.clone();
    let cleared = tokio::spawn(async move { clearing.hear_of_top_up(charge, &open).await });
    match timeout_at(request.deadline, cleared).await {
        Ok(Ok(Ok(_))) => done(),
        Ok(Ok(Err(error))) => Err(Problem::caused(Code::Unavailable, error)),
        Ok(Err(_)) | Err(_) => Err(Problem::new(Code::Unavailable)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What the log has of this.
    fn logged(error: ClearingError) -> String {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let open = TopUp::decode("authorising 5 KRW 2 1 u").unwrap();
        let writer = Arc::clone(&lines);
        let subscriber = tracing_subscriber::fmt().with_writer(move || Lines(Arc::clone(&writer))).finish();
        let id = format!("t00-{}", "9".repeat(20)).parse().unwrap();
        let stands = tracing::subscriber::with_default(subscriber, || stands(id, open, Err(error)));
        assert!(matches!(stands.known, KnownTopUp::Open(_)));
        String::from_utf8(lines.lock().unwrap().clone()).unwrap()
    }

    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_gateway_that_is_slow_does_not_flood_the_log() {
        assert_eq!(logged(ClearingError::Busy), "");
        let other = logged(ClearingError::NotLevel(crate::domain::ids::ConcertId(7)));
        assert!(other.contains("a top-up waits"), "{other}");
    }
}
