//! Payments: from the balance one script decides, and a payment that was sent runs to its end; by card see `card`.

mod card;
pub(crate) mod webhook;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::card::CardBody;
use super::auth;
use super::body;
use super::context::Context;
use super::durability;
use super::freshness;
use super::gate;
use super::history;
use super::idempotency;
use super::known;
use super::layout;
use super::openapi::params::{Durable, Key, PaymentPath};
use super::openapi::refusals::refusals;
use super::problem::{Code, Problem};
use super::request::Request;
use super::reservation;
use super::response::{self, Response};
use crate::domain::catalog::Show;
use crate::domain::ids::{PaymentId, ReservationId, UserId};
use crate::domain::outcome::{InvalidReason, Refusal};
use crate::domain::policy::Gate;
use crate::domain::reservation::{Reservation, Seats, Status};
use crate::store::{Answer, AuthoriseRequest, PayRequest};

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PayForm {
    reservation_id: String,
    #[serde(default)]
    method: Option<Method>,
}

/// What a reservation is paid by, and what a refund goes to.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = PaymentMethod)]
pub(crate) enum Method {
    #[default]
    Balance,
    Card,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PaymentBody<'a> {
    payment_id: String,
    reservation_id: String,
    seats: Vec<&'a str>,
    amount: i64,
    currency: &'a str,
    #[schema(value_type = PaymentStatus)]
    status: Status,
    balance: i64,
    /// What of the amount went back, if anything has.
    #[serde(skip_serializing_if = "Option::is_none")]
    refunded_amount: Option<i64>,
}

refusals!(PayRefusals: JSON, IDENTITY, KEY, DURABILITY, BODY, STORE, NOT_BUILT; QueueTokenInvalid,
    InsufficientBalance, InvalidReservation, PaymentDeclined, RequestInProgress);

/// A payment, or a card payment that has not paid.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes the two bodies that the call has")]
enum PaymentAnswer<'a> {
    Paid(PaymentBody<'a>),
    Card(CardBody<'a>),
}

/// Words for how a payment stands.
#[derive(ToSchema)]
#[schema(rename_all = "UPPERCASE")]
#[expect(dead_code, reason = "describes `PaymentBody::status`, which is a word already")]
enum PaymentStatus {
    Confirmed,
    Refunded,
}

/// `POST /v1/payments`
#[utoipa::path(
    post, path = "/v1/payments", operation_id = "pay", tag = "payments",
    summary = "Pays a reservation",
    params(Key, Durable),
    request_body = PayForm,
    responses(
        (status = 200, description = "It is paid.", body = PaymentBody),
        (status = 202, description = "A card payment is under way.", body = CardBody),
        PayRefusals,
    ),
    security(("identity" = [], "queueToken" = []), ("identity" = [])),
)]
pub(crate) async fn pay(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    let identity = auth::identity(ctx, request)?;
    let key = idempotency::key(request)?;
    durability::check(request, ctx.settings.durability)?;
    let mut form: PayForm = body::read(ctx, request).await?;
    // Absent and BALANCE are one request under one key.
    let method = *form.method.get_or_insert_default();

    let not_found = || Problem::from(Refusal::InvalidReservation(InvalidReason::NotFound));
    let reservation: ReservationId = form.reservation_id.parse().map_err(|_| not_found())?;
    let view = known::find_concert(ctx, request, reservation.concert).await?.ok_or_else(not_found)?;
    if view.gates(Gate::Pay) {
        // Its time may be over: what counts is the end of the hold.
        gate::own_for(ctx, request, &identity.user, reservation.concert)?;
    }
    if method == Method::Card {
        let none = || Problem::new(Code::NotImplemented).detail("No payment gateway is configured.");
        let clearing = ctx.clearing.as_ref().ok_or_else(none)?;
        let asked = AuthoriseRequest {
            reservation,
            user: identity.user.clone(),
            payment: ctx.store.new_id(),
            fingerprint: idempotency::fingerprint(request, &form)?,
            key,
        };
        return card::begin(ctx, request, clearing, asked).await;
    }
    check_currency(ctx, reservation)?;

    let asked = PayRequest {
        reservation,
        user: identity.user.clone(),
        payment: ctx.store.new_id(),
        fingerprint: idempotency::fingerprint(request, &form)?,
        key,
    };
    let answer = ctx.store.pay(asked, request.deadline).await?;
    let paid = &answer.value;
    // It is paid: a catalog that is not read yet only delays the words for it.
    let layout = layout::with_seats(ctx, paid.show, &paid.seats, request.deadline).await;
    let layout = layout.map_err(|_| Problem::new(Code::OutcomeUnknown))?;
    let id = PaymentId { reservation, id: paid.payment };
    // What it was when it was made, whatever was refunded since.
    let body = payment_body(id, &layout, &paid.seats, (paid.amount, paid.balance));
    let mut response = response::ok(&body)?;
    idempotency::mark_replayed(&mut response, answer.replayed);
    freshness::mark_answer(&mut response, &answer);
    Ok(response)
}

refusals!(PaymentRefusals: JSON, IDENTITY, PATH, STORE);

/// `GET /v1/payments/{paymentId}`; `balance` is what its owner had after it.
#[utoipa::path(
    get, path = "/v1/payments/{paymentId}", operation_id = "getPayment", tag = "payments",
    summary = "One of the caller's payments",
    params(PaymentPath),
    responses((status = 200, description = "The payment.", body = PaymentAnswer), PaymentRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn get(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let identity = auth::identity(ctx, request)?;
    let id: PaymentId = request.path_id()?;
    let view = known::concert(ctx, request, id.reservation.concert).await?;
    match reservation::in_store(ctx, request, &view, id.reservation).await? {
        Some(answer) => current(ctx, request, id, &identity.user, answer).await,
        None => archived(ctx, request, id, &identity.user).await,
    }
}

async fn current(
    ctx: &Context,
    request: &Request,
    id: PaymentId,
    user: &UserId,
    answer: Answer<Reservation>,
) -> Result<Response, Problem> {
    if answer.value.user != user.as_str() {
        return Err(Problem::new(Code::NotFound));
    }
    if answer.value.payment == Some(id.id) {
        return paid(ctx, request, id, &answer).await;
    }
    // The card payment first, then its reservation again: what has become of the one stands in the other from then on.
    let open = ctx.store.card(id, request.deadline).await?;
    let answer = ctx.store.reservation(id.reservation, request.deadline).await?;
    let Some(record) = &answer.value else {
        return card::archived(ctx, request, id, user).await;
    };
    if record.payment == Some(id.id) {
        let Answer { value, replayed, at, log_id, now } = answer;
        let value = value.ok_or_else(|| Problem::new(Code::NotFound))?;
        return paid(ctx, request, id, &Answer { value, replayed, at, log_id, now }).await;
    }
    match open {
        Some(open) => card::look(ctx, request, id, record, &open).await,
        None => card::ended(ctx, request, id, record).await,
    }
}

/// The payment of a reservation that was paid.
async fn paid(
    ctx: &Context,
    request: &Request,
    id: PaymentId,
    answer: &Answer<Reservation>,
) -> Result<Response, Problem> {
    let record = &answer.value;
    let no_balance = || Problem::caused(Code::Internal, "a paid reservation without the balance after it");
    let balance = record.balance_after.ok_or_else(no_balance)?;
    let layout = layout::with_seats(ctx, record.show, &record.seats, request.deadline).await?;
    let mut body = payment_body(id, &layout, &record.seats, (record.amount, balance));
    body.status = record.status;
    body.refunded_amount = refunded_amount(&record.refunded);
    let mut response = response::ok(&body)?;
    freshness::mark_answer(&mut response, answer);
    Ok(response)
}

/// A payment that Redis has forgotten, or whose concert is stopped.
async fn archived(
    ctx: &Context,
    request: &Request,
    id: PaymentId,
    user: &UserId,
) -> Result<Response, Problem> {
    let found = history::read(request, ctx.archive.payment(id)).await?;
    let found = found.filter(|payment| payment.user == user.as_str());
    let Some(payment) = found else {
        return card::archived(ctx, request, id, user).await;
    };
    let layout = layout::with_seats(ctx, payment.show, &payment.seats, request.deadline).await?;
    let mut body = payment_body(id, &layout, &payment.seats, (payment.amount, payment.balance));
    body.status = payment.status;
    body.refunded_amount = refunded_amount(&payment.refunded);
    response::ok(&body)
}

fn refunded_amount(refunded: &Seats) -> Option<i64> {
    (!refunded.0.is_empty()).then(|| refunded.total())
}

/// A balance pays for shows in its own currency only.
fn check_currency(ctx: &Context, reservation: ReservationId) -> Result<(), Problem> {
    let Some((_, show)) = ctx.live.show(reservation.show) else {
        return Ok(());
    };
    if show.layout().currency == ctx.settings.wallet.currency {
        return Ok(());
    }
    Err(Problem::field("method", "A show in another currency than the wallet's is paid by card only."))
}

fn payment_body<'a>(
    id: PaymentId,
    layout: &'a Show,
    seats: &Seats,
    (amount, balance): (i64, i64),
) -> PaymentBody<'a> {
    PaymentBody {
        payment_id: id.to_string(),
        reservation_id: id.reservation.to_string(),
        seats: layout::labels(layout, seats).unwrap_or_default(),
        amount,
        currency: &layout.currency,
        status: Status::Confirmed,
        balance,
        refunded_amount: None,
    }
}
