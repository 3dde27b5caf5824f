//! Reservations: holding seats, reading, giving back; and the keys that tickets are verified with.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::StatusCode;
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::auth;
use super::context::Context;
use super::freshness;
use super::history;
use super::known;
use super::layout;
use super::openapi::params::{Paging, ReservationPath, Version};
use super::openapi::refusals::refusals;
use super::page::{self, List};
use super::problem::{Code, Problem};
use super::request::Request;
use super::response::{self, Response};
use crate::archive::{ReservationCursor, StoredReservation};
use crate::domain::catalog::Show;
use crate::domain::ids::{Id20, PaymentId, ReservationId, ShowId, UserId};
use crate::domain::outcome::Refusal;
use crate::domain::reservation::{Reservation, Seats, Status};
use crate::domain::ticket::{Ticket, tickets};
use crate::domain::time::Millis;
use crate::live::ConcertView;
use crate::store::{Answer, Failure};

pub(crate) mod hold;

pub(crate) use hold::hold;

/// A reservation as clients read it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReservationBody<'a> {
    reservation_id: String,
    show_id: ShowId,
    seats: Vec<&'a str>,
    status: Status,
    amount: i64,
    currency: &'a str,
    created_at: Millis,
    expires_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tickets: Option<Vec<Ticket>>,
}

/// What ticket codes are verified with: a JWK set (RFC 7517) of Ed25519 keys.
#[derive(Serialize, ToSchema)]
struct TicketKeys {
    keys: [TicketKey; 1],
}

#[derive(Serialize, ToSchema)]
struct TicketKey {
    kty: &'static str,
    crv: &'static str,
    x: String,
    kid: String,
    #[serde(rename = "use")]
    purpose: &'static str,
    alg: &'static str,
}

refusals!(ReservationRefusals: JSON, IDENTITY, PATH, STORE);

/// `GET /v1/reservations/{reservationId}`: current while Redis knows it, then as the archive has it.
#[utoipa::path(
    get, path = "/v1/reservations/{reservationId}", operation_id = "getReservation", tag = "reservations",
    summary = "One of the caller's reservations, with its tickets once paid",
    params(ReservationPath),
    responses((status = 200, description = "The reservation.", body = ReservationBody), ReservationRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn get(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let identity = auth::identity(ctx, request)?;
    let (id, view) = of_path(ctx, request).await?;
    let Some(answer) = in_store(ctx, request, &view, id).await? else {
        let shown = archived(ctx, request, id, &identity.user).await?;
        let layout = layout::with_seats(ctx, id.show, &shown.seats, request.deadline).await?;
        return response::ok(&shown.body(ctx, &layout));
    };
    if answer.value.user != identity.user.as_str() {
        return Err(Problem::new(Code::NotFound));
    }
    let layout = layout::with_seats(ctx, id.show, &answer.value.seats, request.deadline).await?;
    let shown = Shown::current(id, &answer.value, answer.now);
    let mut response = response::ok(&shown.body(ctx, &layout))?;
    freshness::mark_answer(&mut response, &answer);
    Ok(response)
}

/// What Redis knows of a reservation; `None` where it can't say: it forgets those that ended a day ago, and
/// tells nothing while the concert's log is lost.
pub(super) async fn in_store(
    ctx: &Context,
    request: &Request,
    view: &ConcertView,
    id: ReservationId,
) -> Result<Option<Answer<Reservation>>, Problem> {
    if view.recovering() {
        return Ok(None);
    }
    let Answer { value, replayed, at, log_id, now } = match ctx.store.reservation(id, request.deadline).await
    {
        Err(Failure::Stopped(_)) => return Ok(None),
        answer => answer?,
    };
    Ok(value.map(|value| Answer { value, replayed, at, log_id, now }))
}

async fn archived(
    ctx: &Context,
    request: &Request,
    id: ReservationId,
    user: &UserId,
) -> Result<Shown, Problem> {
    let found = history::read(request, ctx.archive.reservation(id, user.as_str())).await?;
    let row = found.ok_or_else(|| Problem::new(Code::NotFound))?;
    Ok(Shown::stored(&row, Context::now()))
}

refusals!(ReservationsRefusals: JSON, IDENTITY, FORM, FRESH);

/// `GET /v1/reservations`: a history read, as fresh as the archive.
#[utoipa::path(
    get, path = "/v1/reservations", operation_id = "listReservations", tag = "reservations",
    summary = "The caller's reservations, newest first",
    params(Paging, Version),
    responses((status = 200, description = "A page.", body = List<ReservationBody>), ReservationsRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn list(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let identity = auth::identity(ctx, request)?;
    let asked = page::asked(request)?;
    let after: Option<ReservationCursor> = page::parsed_cursor(&asked)?;
    freshness::catch_up(ctx, request).await?;
    let read = ctx.archive.reservations_of(identity.user.as_str(), after, asked.limit);
    let page = history::read(request, read).await?;

    let now = Context::now();
    let mut rows: Vec<(Shown, Arc<Show>)> = Vec::with_capacity(page.items.len());
    for row in page.items {
        let layout = layout::with_seats(ctx, row.reservation.show, &row.seats, request.deadline).await?;
        rows.push((Shown::stored(&row, now), layout));
    }
    let items = rows.iter().map(|(shown, layout)| shown.body(ctx, layout)).collect();
    response::ok(&List { items, next_cursor: page.next.map(|cursor| cursor.to_string()) })
}

refusals!(ReleaseRefusals: IDENTITY, PATH, STORE; ReservationNotPending);

/// `DELETE /v1/reservations/{reservationId}`
#[utoipa::path(
    delete, path = "/v1/reservations/{reservationId}", operation_id = "releaseReservation",
    tag = "reservations", summary = "Gives held seats back",
    params(ReservationPath),
    responses((status = 204, description = "It has ended, now or before."), ReleaseRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn release(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let identity = auth::identity(ctx, request)?;
    let (id, _) = of_path(ctx, request).await?;
    let mut response = response::empty(StatusCode::NO_CONTENT);
    match ctx.store.release(id, &identity.user, request.deadline).await {
        Ok(answer) => freshness::mark_answer(&mut response, &answer),
        // Redis may have forgotten it: what has ended long ago has still ended.
        Err(Failure::Refused(Refusal::NotFound)) => {
            match archived(ctx, request, id, &identity.user).await?.status {
                Status::Expired | Status::Cancelled | Status::Refunded => {}
                Status::Confirmed => return Err(Refusal::ReservationNotPending.into()),
                Status::Pending => return Err(Refusal::NotFound.into()),
            }
        }
        Err(failure) => return Err(failure.into()),
    }
    Ok(response)
}

refusals!(TicketKeysRefusals: JSON);

/// `GET /v1/keys`: what verifies ticket codes offline.
#[utoipa::path(
    get, path = "/v1/keys", operation_id = "getTicketKeys", tag = "reservations",
    summary = "What ticket codes are verified with, offline",
    responses((status = 200, description = "A JWK set.", body = TicketKeys), TicketKeysRefusals),
)]
pub(crate) fn ticket_keys(ctx: &Context) -> Result<Response, Problem> {
    let public = ctx.ticket_key.verifying_key().to_bytes();
    let hash = Sha256::digest(public);
    let key = TicketKey {
        kty: "OKP",
        crv: "Ed25519",
        x: URL_SAFE_NO_PAD.encode(public),
        kid: URL_SAFE_NO_PAD.encode(&hash[..8]),
        purpose: "sig",
        alg: "EdDSA",
    };
    response::ok(&TicketKeys { keys: [key] })
}

/// The path's reservation, if its concert exists: nothing is asked about others.
async fn of_path(ctx: &Context, request: &Request) -> Result<(ReservationId, Arc<ConcertView>), Problem> {
    let id: ReservationId = request.path_id()?;
    Ok((id, known::concert(ctx, request, id.concert).await?))
}

/// A reservation, wherever it was read.
struct Shown {
    id: ReservationId,
    seats: Seats,
    status: Status,
    amount: i64,
    created: Millis,
    end: Millis,
    payment: Option<Id20>,
}

/// The seats of a reservation and their price: of a CONFIRMED one those that are left, of any other all that it had.
fn left(status: Status, seats: &Seats, refunded: &Seats) -> (Seats, i64) {
    let left = if status == Status::Confirmed { seats.without(refunded) } else { seats.clone() };
    let amount = left.total();
    (left, amount)
}

impl Shown {
    fn current(id: ReservationId, record: &Reservation, now: Millis) -> Self {
        let (seats, amount) = left(record.status, &record.seats, &record.refunded);
        Self {
            id,
            status: record.status_at(now),
            seats,
            amount,
            created: record.created,
            end: record.end,
            payment: record.payment,
        }
    }

    fn stored(row: &StoredReservation, now: Millis) -> Self {
        let lapsed = row.status == Status::Pending && now >= row.end;
        let (seats, amount) = left(row.status, &row.seats, &row.refunded);
        Self {
            id: row.reservation,
            status: if lapsed { Status::Expired } else { row.status },
            seats,
            amount,
            created: row.created,
            end: row.end,
            payment: row.payment.as_ref().map(|payment| payment.id),
        }
    }

    fn body<'a>(&self, ctx: &Context, layout: &'a Show) -> ReservationBody<'a> {
        let seats = layout::labels(layout, &self.seats).unwrap_or_default();
        let confirmed = self.status == Status::Confirmed;
        let tickets = confirmed.then(|| tickets(&ctx.ticket_key, self.id, &seats));
        let payment = |id| PaymentId { reservation: self.id, id }.to_string();
        ReservationBody {
            reservation_id: self.id.to_string(),
            show_id: self.id.show,
            seats,
            status: self.status,
            amount: self.amount,
            currency: &layout.currency,
            created_at: self.created,
            expires_at: self.end,
            payment_id: self.payment.map(payment),
            tickets,
        }
    }
}
