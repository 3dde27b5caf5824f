//! Payments by card: one that begins, and how one stands. What becomes of it is decided elsewhere (`clearing`).

use std::time::Duration;

use hyper::StatusCode;
use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout_at;
use utoipa::ToSchema;

use super::Problem;
use crate::archive::StoredCardState;
use crate::clearing::{Clearing, ClearingError};
use crate::domain::card::{CardPayment, CardState};
use crate::domain::event::VoidReason;
use crate::domain::ids::{PaymentId, UserId};
use crate::domain::reservation::{Reservation, Seats};
use crate::domain::time::Millis;
use crate::gateway::Standing;
use crate::http::context::Context;
use crate::http::freshness;
use crate::http::history;
use crate::http::idempotency;
use crate::http::layout;
use crate::http::problem::Code;
use crate::http::request::Request;
use crate::http::response::{self, Response};
use crate::store::{AuthoriseRequest, Begun};

/// What is kept of a request's time to answer, once the gateway has taken all the rest.
const ANSWERING: Duration = Duration::from_millis(100);

/// A card payment as clients read it while it has not paid.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CardBody<'a> {
    payment_id: String,
    reservation_id: String,
    seats: Vec<&'a str>,
    amount: i64,
    currency: &'a str,
    #[schema(value_type = CardStatus)]
    status: &'static str,
    /// What the buyer has to do, if the gateway has said so.
    next_action: Option<Value>,
    /// When the hold lapses; absent where it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Millis>,
}

/// Words for how a card payment stands that has not paid.
#[derive(ToSchema)]
#[schema(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(dead_code, reason = "describes `CardBody::status`, which is a word already")]
enum CardStatus {
    RequiresAction,
    Processing,
    Failed,
    Voided,
}

/// The rest of `POST /v1/payments`: 202, or 402 if the gateway declines at once. Asked again it tells how the payment stands by
/// now (0013).
pub(super) async fn begin(
    ctx: &Context,
    request: &Request,
    clearing: &Clearing,
    asked: AuthoriseRequest,
) -> Result<Response, Problem> {
    let (reservation, user) = (asked.reservation, asked.user.clone());
    let answer = ctx.store.authorise(asked, request.deadline).await?;
    let begun = &answer.value;
    let id = PaymentId { reservation, id: begun.payment };
    let (status, next_action) = match begun.state {
        Begun::Open(CardState::Authorising) => {
            let standing = ask(request, clearing, id, &user, (begun.amount, answer.replayed)).await;
            if let Some(Standing::Declined { reason }) = standing {
                return Err(declined(reason).replayed(answer.replayed));
            }
            shown(standing)
        }
        Begun::Declined => ("FAILED", None),
        Begun::Open(CardState::Void) | Begun::Ended => (over(ctx, request, id).await?, None),
        // Nothing is left to do but to tell the gateway.
        Begun::Open(_) => ("PROCESSING", None),
    };
    if status == "FAILED" {
        // The gateway's word is not kept; this process may have heard it.
        let reason = clearing.said_no(id).unwrap_or_else(|| "declined".into());
        return Err(declined(reason).replayed(answer.replayed));
    }
    let layout = layout::with_seats(ctx, begun.show, &begun.seats, request.deadline).await;
    let layout = layout.map_err(|_| Problem::new(Code::OutcomeUnknown))?;
    let body = CardBody {
        payment_id: id.to_string(),
        reservation_id: reservation.to_string(),
        seats: layout::labels(&layout, &begun.seats).unwrap_or_default(),
        amount: begun.amount,
        currency: &layout.currency,
        status,
        next_action,
        expires_at: (status != "VOIDED").then_some(begun.end),
    };
    let mut response = response::json(StatusCode::ACCEPTED, &body)?;
    idempotency::mark_replayed(&mut response, answer.replayed);
    freshness::mark_answer(&mut response, &answer);
    Ok(response)
}

/// Begins the payment at the gateway, in a task of its own: it goes on when the client hangs up, or the gateway takes longer
/// than the request may. If the process dies a worker goes on from the record. `None`: it is not known yet how it stands.
async fn ask(
    request: &Request,
    clearing: &Clearing,
    id: PaymentId,
    user: &UserId,
    (amount, replayed): (i64, bool),
) -> Option<Standing> {
    let (clearing, user) = (clearing.clone(), user.clone());
    let begun = tokio::spawn(async move {
        // Who asks again looks at it: that makes no more calls than he who asks how it stands.
        if replayed { clearing.look_up(id).await } else { clearing.begin(id, &user, amount).await.map(Some) }
    });
    match timeout_at(request.deadline - ANSWERING, begun).await {
        Ok(Ok(Ok(standing))) => standing,
        Ok(Ok(Err(error))) => {
            waits(id, &error);
            None
        }
        Ok(Err(_)) | Err(_) => None,
    }
}

fn waits(id: PaymentId, error: &ClearingError) {
    if error.is_news() {
        tracing::warn!(payment = %id, error = error as &dyn std::error::Error, "a card payment waits");
    }
}

fn declined(reason: String) -> Problem {
    Problem::new(Code::PaymentDeclined).with("reason", reason)
}

fn shown(standing: Option<Standing>) -> (&'static str, Option<Value>) {
    match standing {
        Some(Standing::RequiresAction { next }) => ("REQUIRES_ACTION", Some(next)),
        _ => ("PROCESSING", None),
    }
}

/// How a payment ended that this request began before; `PROCESSING`, as was told first, of one that has paid.
async fn over(ctx: &Context, request: &Request, id: PaymentId) -> Result<&'static str, Problem> {
    let answer = ctx.store.reservation(id.reservation, request.deadline).await?;
    let record = answer.value.as_ref();
    if record.is_some_and(|record| record.payment == Some(id.id)) {
        return Ok("PROCESSING");
    }
    if let Some(status) = record.and_then(|record| unpaid(record, id)) {
        return Ok(status);
    }
    let found = history::read(request, ctx.archive.card(id)).await;
    let found = found.map_err(|_| Problem::new(Code::OutcomeUnknown))?;
    Ok(found.map_or("PROCESSING", |card| stored(card.state)))
}

/// How a payment of this reservation, which it had, stands that is not to pay it; `None`: its record knows of none.
fn unpaid(record: &Reservation, id: PaymentId) -> Option<&'static str> {
    if record.card == Some(id.id) {
        return Some("VOIDED");
    }
    // Another begins only when the one before was declined.
    let tried = record.card.is_some() || !record.declined.is_empty();
    tried.then_some("FAILED")
}

/// The same as the archive has it.
fn stored(state: StoredCardState) -> &'static str {
    match state {
        StoredCardState::Void(VoidReason::Declined) => "FAILED",
        StoredCardState::Void(_) => "VOIDED",
        // Redis knows better, and the archive is about to.
        StoredCardState::Authorising | StoredCardState::Paid => "PROCESSING",
    }
}

/// A card payment that has not paid, of the reservation that Redis has; the gateway is asked how it stands.
pub(super) async fn look(
    ctx: &Context,
    request: &Request,
    id: PaymentId,
    record: &Reservation,
    card: &CardPayment,
) -> Result<Response, Problem> {
    let standing = match &ctx.clearing {
        Some(clearing) if card.state == CardState::Authorising => {
            let look = timeout_at(request.deadline - ANSWERING, clearing.look(id, card)).await;
            look.ok().and_then(|looked| looked.inspect_err(|error| waits(id, error)).ok().flatten())
        }
        _ => None,
    };
    let (status, next_action) = match card.state {
        CardState::Void => (unpaid(record, id).unwrap_or("VOIDED"), None),
        // A refund is not looked at by its name (`Store::card`).
        CardState::Authorising | CardState::Capture | CardState::Refund | CardState::Refused => {
            shown(standing)
        }
    };
    let pending = card.state == CardState::Authorising;
    let end = pending.then_some(record.end);
    answer(ctx, request, (id, card.amount, &record.seats), (status, next_action, end)).await
}

/// A card payment that is at its end and has not paid, of the reservation that Redis has: the last ones are told of there, older
/// ones as the archive has them.
pub(super) async fn ended(
    ctx: &Context,
    request: &Request,
    id: PaymentId,
    record: &Reservation,
) -> Result<Response, Problem> {
    let status = if record.declined.contains(&id.id) {
        "FAILED"
    } else if record.card == Some(id.id) {
        "VOIDED"
    } else {
        let user = UserId::new(&record.user).ok_or_else(|| Problem::new(Code::NotFound))?;
        return archived(ctx, request, id, &user).await;
    };
    answer(ctx, request, (id, record.amount, &record.seats), (status, None, None)).await
}

/// A card payment that is at its end and has not paid.
pub(super) async fn archived(
    ctx: &Context,
    request: &Request,
    id: PaymentId,
    user: &UserId,
) -> Result<Response, Problem> {
    let not_found = || Problem::new(Code::NotFound);
    let found = history::read(request, ctx.archive.card(id)).await?;
    let card = found.filter(|card| card.user == user.as_str()).ok_or_else(not_found)?;
    let status = stored(card.state);
    let made = history::read(request, ctx.archive.reservation(id.reservation, user.as_str())).await?;
    let made = made.ok_or_else(not_found)?;
    answer(ctx, request, (id, card.amount, &made.seats), (status, None, None)).await
}

async fn answer(
    ctx: &Context,
    request: &Request,
    (id, amount, seats): (PaymentId, i64, &Seats),
    (status, next_action, expires_at): (&'static str, Option<Value>, Option<Millis>),
) -> Result<Response, Problem> {
    let layout = layout::with_seats(ctx, id.reservation.show, seats, request.deadline).await?;
    response::ok(&CardBody {
        payment_id: id.to_string(),
        reservation_id: id.reservation.to_string(),
        seats: layout::labels(&layout, seats).unwrap_or_default(),
        amount,
        currency: &layout.currency,
        status,
        next_action,
        expires_at,
    })
}
