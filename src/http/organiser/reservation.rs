//! An organiser's look at one reservation, and its refund.

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{caller, owned, trail};
use crate::archive::HistoryItem;
use crate::domain::catalog::Show;
use crate::domain::ids::{Id20, LogName, PaymentId, ReservationId, UserId};
use crate::domain::outcome::{InvalidReason, Refusal};
use crate::domain::reservation::{Reservation, Status};
use crate::http::body;
use crate::http::context::Context;
use crate::http::freshness;
use crate::http::history;
use crate::http::idempotency;
use crate::http::layout;
use crate::http::openapi::params::{Durable, NeededKey, Paging, ReservationPath, Version};
use crate::http::openapi::refusals::refusals;
use crate::http::page::{self, List};
use crate::http::payment::Method;
use crate::http::problem::{Code, Problem};
use crate::http::request::Request;
use crate::http::reservation::in_store;
use crate::http::response::{self, Response};
use crate::live::ConcertView;
use crate::store::RefundRequest;

#[derive(Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RefundForm {
    /// All of them where absent.
    #[schema(min_items = 1)]
    seats: Option<Vec<String>>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Refund)]
struct RefundBody<'a> {
    refund_id: String,
    reservation_id: String,
    /// Those given back now.
    seats: Vec<&'a str>,
    amount: i64,
    currency: &'a str,
    /// What the reservation was after it.
    status: Status,
    /// Where the money goes: what a card paid is given back to the card by the gateway, soon after this answer.
    method: Method,
}

refusals!(HistoryRefusals: JSON, ORGANISER, FORM, PATH, FRESH);

/// `GET /v1/admin/reservations/{reservationId}/history`: from the archive, once that has all that had happened.
#[utoipa::path(
    get, path = "/v1/admin/reservations/{reservationId}/history", operation_id = "listHistory",
    tag = "organiser", summary = "Every change of a reservation",
    params(ReservationPath, Paging, Version),
    responses((status = 200, description = "A page.", body = List<HistoryItem>), HistoryRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn history(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let asked = page::asked(request)?;
    let id: ReservationId = request.path_id()?;
    let view = owned(ctx, request, id.concert, &identity).await?;
    let changes = changes(ctx, request, &view, id).await?;
    if changes.is_empty() {
        return Err(Problem::new(Code::NotFound));
    }
    response::ok(&page::cut(changes.into_iter(), &asked)?)
}

/// All changes that the client has seen; where it names none, all that there were when it asked, or a moment before if the archive
/// lags.
async fn changes(
    ctx: &Context,
    request: &Request,
    view: &ConcertView,
    id: ReservationId,
) -> Result<Vec<HistoryItem>, Problem> {
    if let Some(number) = freshness::seen_of(request, view) {
        freshness::wait_archive(ctx, request, id.concert, number).await?;
        let changes = history::read(request, ctx.archive.history_of(id)).await?;
        // The client may have seen something older than the reservation.
        if !changes.is_empty() {
            return Ok(changes);
        }
    }
    // One that Redis has forgotten has been in the archive since before that.
    let current = match in_store(ctx, request, view, id).await {
        // Without Redis there is what MySQL has.
        Err(problem) if problem.code == Code::Unavailable => None,
        current => current?,
    };
    if let Some(current) = &current {
        freshness::catch_up_to(ctx, request, LogName::Concert(id.concert), current.at.number).await?;
    }
    let changes = history::read(request, ctx.archive.history_of(id)).await?;
    if changes.is_empty() && current.is_some() {
        return Err(Problem::new(Code::Unavailable).detail("MySQL has not got that reservation yet."));
    }
    Ok(changes)
}

refusals!(RefundRefusals: JSON, ORGANISER, DURABILITY, KEY, BODY, PATH, STORE, NOT_BUILT; IdempotencyKeyRequired,
    InvalidReservation, RequestInProgress, AmountOutOfRange);

/// `POST /v1/admin/reservations/{reservationId}/refund`
#[utoipa::path(
    post, path = "/v1/admin/reservations/{reservationId}/refund", operation_id = "refundReservation",
    tag = "organiser", summary = "Gives money and seats back; what a card paid goes back to the card",
    params(ReservationPath, NeededKey, Durable),
    request_body = Option<RefundForm>,
    responses((status = 200, description = "They are given back.", body = RefundBody), RefundRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn refund(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let key = idempotency::required_key(request)?;
    let form: RefundForm = body::read_optional(ctx, request).await?;
    let labels = form.seats.as_deref();
    if let Some(labels) = labels {
        layout::check_named("seats", labels)?;
    }
    let id: ReservationId = request.path_id()?;
    owned(ctx, request, id.concert, &identity).await?;

    let record = known(ctx, request, id).await?;
    let method = if record.is_paid_by_card() { Method::Card } else { Method::Balance };
    if method == Method::Card && ctx.clearing.is_none() {
        // Nobody would tell any gateway.
        return Err(Problem::new(Code::NotImplemented).detail("No payment gateway is configured."));
    }
    let layout = layout::with_seats(ctx, id.show, &record.seats, request.deadline).await?;
    let seats = indexes(&layout, &record, labels.unwrap_or_default())?;
    if method == Method::Card {
        check_sum(ctx, &layout.currency, &record, &seats)?;
    }
    let asked = RefundRequest {
        reservation: id,
        user: owner(&record)?,
        refund: ctx.store.new_id(),
        seats,
        fingerprint: idempotency::fingerprint(request, &form)?,
        by: Some((identity.user.clone(), key)),
    };
    trail::note(request, json!({ "seats": form.seats }));
    let answer = ctx.store.refund(asked, request.deadline).await?;
    let refunded = &answer.value;
    let described =
        json!({ "seats": form.seats, "refundId": refunded.refund.to_string(), "amount": refunded.amount });
    trail::note(request, described);
    let mut response = response::ok(&RefundBody {
        refund_id: refunded.refund.to_string(),
        reservation_id: id.to_string(),
        seats: layout::labels(&layout, &refunded.seats).unwrap_or_default(),
        amount: refunded.amount,
        currency: &layout.currency,
        status: refunded.status,
        method,
    })?;
    if method == Method::Card && !answer.replayed {
        tell(ctx, id, refunded.refund);
    }
    idempotency::mark_replayed(&mut response, answer.replayed);
    freshness::mark_answer(&mut response, &answer);
    Ok(response)
}

/// Has the gateway told at once, in a task of its own: it outlives the request. If it comes to nothing a worker goes on.
fn tell(ctx: &Context, reservation: ReservationId, refund: Id20) {
    let Some(clearing) = ctx.clearing.clone() else {
        return;
    };
    tokio::spawn(async move {
        let name = PaymentId { reservation, id: refund };
        if let Err(error) = clearing.clear_refund(name).await {
            tracing::warn!(refund = %name, error = &error as &dyn std::error::Error, "a refund to a card waits");
        }
    });
}

/// Refuses seats whose price no gateway can give back: afterwards they would be free, and their money nowhere. All that a payment
/// came to goes back in any currency, since it could be paid.
fn check_sum(ctx: &Context, currency: &str, record: &Reservation, seats: &[u32]) -> Result<(), Problem> {
    let Some(clearing) = &ctx.clearing else {
        return Ok(());
    };
    let sum = record.price_of(seats);
    if clearing.gives_back(currency, sum) {
        return Ok(());
    }
    let says = format!(
        "The payment gateway can't give back {sum} minor units of {currency}: choose seats of another sum, or all of them."
    );
    Err(Problem::field("seats", says))
}

/// The reservation as Redis has it: refunds are decided there only. It forgets one a day after its end, and then the archive
/// says what that was.
async fn known(ctx: &Context, request: &Request, id: ReservationId) -> Result<Reservation, Problem> {
    if let Some(record) = ctx.store.reservation(id, request.deadline).await?.value {
        return Ok(record);
    }
    let status = history::read(request, ctx.archive.status_of(id)).await?;
    let reason = match status.ok_or_else(|| Problem::new(Code::NotFound))? {
        Status::Refunded => InvalidReason::Refunded,
        Status::Cancelled => InvalidReason::Cancelled,
        Status::Expired => InvalidReason::Expired,
        Status::Pending | Status::Confirmed => InvalidReason::NotFound,
    };
    Err(Refusal::InvalidReservation(reason).into())
}

fn owner(record: &Reservation) -> Result<UserId, Problem> {
    let user = UserId::new(&record.user);
    user.ok_or_else(|| Problem::caused(Code::Internal, "a reservation whose owner is no user id"))
}

/// The indexes of these seats, all of which the reservation has, or had before they were refunded.
fn indexes(layout: &Show, record: &Reservation, labels: &[String]) -> Result<Vec<u32>, Problem> {
    let index = |label: &String| {
        let index = layout.by_label.get(label).copied();
        let of_it = index.filter(|index| record.seats.indexes().any(|seat| seat == *index));
        of_it.ok_or_else(|| Problem::field("seats", format!("The reservation has no seat {label:?}.")))
    };
    labels.iter().map(index).collect()
}
