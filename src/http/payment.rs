//! Payments from the balance: one script decides, and a payment that was sent runs to its end.

use serde::{Deserialize, Serialize};

use super::auth;
use super::body;
use super::context::Context;
use super::durability;
use super::freshness;
use super::gate;
use super::idempotency;
use super::layout;
use super::problem::{Code, Problem};
use super::request::Request;
use super::response::{self, Response};
use crate::domain::catalog::Show;
use crate::domain::ids::{PaymentId, ReservationId};
use crate::domain::outcome::{InvalidReason, Refusal};
use crate::domain::policy::Gate;
use crate::domain::reservation::{Seats, Status};
use crate::store::PayRequest;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PayForm {
    reservation_id: String,
    #[serde(default)]
    method: Option<Method>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum Method {
    #[default]
    Balance,
    Card,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PaymentBody<'a> {
    payment_id: String,
    reservation_id: String,
    seats: Vec<&'a str>,
    amount: i64,
    currency: &'a str,
    status: &'static str,
    balance: i64,
}

/// `POST /v1/payments`
pub(crate) async fn pay(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    let identity = auth::identity(ctx, request)?;
    let key = idempotency::key(request)?;
    durability::check(request, ctx.settings.durability)?;
    let mut form: PayForm = body::read(ctx, request).await?;
    // Absent and BALANCE are one request under one key.
    if *form.method.get_or_insert_default() == Method::Card {
        return Err(Problem::new(Code::NotImplemented));
    }

    let not_found = || Problem::from(Refusal::InvalidReservation(InvalidReason::NotFound));
    let reservation: ReservationId = form.reservation_id.parse().map_err(|_| not_found())?;
    let view = ctx.live.concert(reservation.concert).ok_or_else(not_found)?;
    if view.policy().policy.gates(Gate::Pay) {
        // Its time may be over: what counts is the end of the hold.
        gate::own_for(ctx, request, &identity.user, reservation.concert)?;
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
    let body = payment_body(id, &layout, &paid.seats, (paid.amount, paid.balance));
    let mut response = response::ok(&body)?;
    idempotency::mark_replayed(&mut response, answer.replayed);
    durability::mark(&mut response, ctx.settings.durability);
    freshness::mark_answer(&mut response, &answer);
    Ok(response)
}

/// `GET /v1/payments/{paymentId}`; `balance` is the caller's now.
pub(crate) async fn get(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let identity = auth::identity(ctx, request)?;
    let not_found = || Problem::new(Code::NotFound);
    let id: PaymentId = request.path_id()?;
    ctx.live.concert(id.reservation.concert).ok_or_else(not_found)?;
    let mut answer = ctx.store.reservation(id.reservation, request.deadline).await?;
    let record = answer.value.take();
    let record = record.filter(|record| {
        record.user == identity.user.as_str()
            && record.payment == Some(id.id)
            && matches!(record.status, Status::Confirmed | Status::Refunded)
    });
    let record = record.ok_or_else(not_found)?;
    let balance = ctx.store.balance(&identity.user, request.deadline).await?;
    let layout = layout::with_seats(ctx, record.show, &record.seats, request.deadline).await?;
    let mut body = payment_body(id, &layout, &record.seats, (record.amount, balance.amount));
    if record.status == Status::Refunded {
        body.status = "REFUNDED";
    }
    let mut response = response::ok(&body)?;
    freshness::mark_answer(&mut response, &answer);
    Ok(response)
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
        status: "CONFIRMED",
        balance,
    }
}
