//! Reservations: holding seats, reading, giving back; and the keys that tickets are verified with.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::StatusCode;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::time::timeout_at;

use super::auth;
use super::context::Context;
use super::freshness;
use super::layout;
use super::page::{self, List};
use super::problem::{Code, Problem};
use super::request::Request;
use super::response::{self, Response};
use crate::archive::{ReservationCursor, StoredReservation};
use crate::domain::catalog::Show;
use crate::domain::ids::{Id20, PaymentId, ReservationId, ShowId};
use crate::domain::reservation::{Reservation, Seats, Status};
use crate::domain::ticket::{Ticket, tickets};
use crate::domain::time::Millis;

mod hold;

pub(crate) use hold::hold;

/// A reservation as clients read it.
#[derive(Serialize)]
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

/// `GET /v1/reservations/{reservationId}`: always current.
pub(crate) async fn get(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let identity = auth::identity(ctx, request)?;
    let id = known(ctx, request)?;
    let mut answer = ctx.store.reservation(id, request.deadline).await?;
    let record = answer.value.take();
    let record = record.filter(|record| record.user == identity.user.as_str());
    let record = record.ok_or_else(|| Problem::new(Code::NotFound))?;
    let layout = layout::with_seats(ctx, record.show, &record.seats, request.deadline).await?;
    let shown = Shown::current(id, record, answer.now);
    let mut response = response::ok(&shown.body(ctx, &layout))?;
    freshness::mark_answer(&mut response, &answer);
    Ok(response)
}

/// `GET /v1/reservations`: a history read, as fresh as the archive.
pub(crate) async fn list(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let identity = auth::identity(ctx, request)?;
    let asked = page::asked(request)?;
    let after: Option<ReservationCursor> = page::parsed_cursor(&asked)?;
    let read = ctx.archive.reservations_of(identity.user.as_str(), after, asked.limit);
    let Ok(page) = timeout_at(request.deadline, read).await else {
        return Err(Problem::new(Code::Unavailable).detail("The archive takes too long."));
    };
    let page = page?;

    let now = Context::now();
    let mut rows: Vec<(Shown, Arc<Show>)> = Vec::with_capacity(page.items.len());
    for row in page.items {
        let layout = layout::with_seats(ctx, row.reservation.show, &row.seats, request.deadline).await?;
        rows.push((Shown::stored(row, now), layout));
    }
    let items = rows.iter().map(|(shown, layout)| shown.body(ctx, layout)).collect();
    response::ok(&List { items, next_cursor: page.next.map(|cursor| cursor.to_string()) })
}

/// `DELETE /v1/reservations/{reservationId}`
pub(crate) async fn release(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let identity = auth::identity(ctx, request)?;
    let id = known(ctx, request)?;
    let answer = ctx.store.release(id, &identity.user, request.deadline).await?;
    let mut response = response::empty(StatusCode::NO_CONTENT);
    freshness::mark_answer(&mut response, &answer);
    Ok(response)
}

/// `GET /v1/keys`: what verifies ticket codes offline.
pub(crate) fn ticket_keys(ctx: &Context) -> Result<Response, Problem> {
    let public = ctx.ticket_key.verifying_key().to_bytes();
    let hash = Sha256::digest(public);
    let key = json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "x": URL_SAFE_NO_PAD.encode(public),
        "kid": URL_SAFE_NO_PAD.encode(&hash[..8]),
        "use": "sig",
        "alg": "EdDSA",
    });
    response::ok(&json!({ "keys": [key] }))
}

/// The path's reservation, if its concert exists: nothing is asked about others.
fn known(ctx: &Context, request: &Request) -> Result<ReservationId, Problem> {
    let id: ReservationId = request.path_id()?;
    let view = ctx.live.concert(id.concert);
    view.map(|_| id).ok_or_else(|| Problem::new(Code::NotFound))
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

impl Shown {
    fn current(id: ReservationId, record: Reservation, now: Millis) -> Self {
        Self {
            id,
            status: record.status_at(now),
            seats: record.seats,
            amount: record.amount,
            created: record.created,
            end: record.end,
            payment: record.payment,
        }
    }

    fn stored(row: StoredReservation, now: Millis) -> Self {
        let lapsed = row.status == Status::Pending && now >= row.end;
        Self {
            id: row.reservation,
            status: if lapsed { Status::Expired } else { row.status },
            seats: row.seats,
            amount: row.amount,
            created: row.created,
            end: row.end,
            payment: row.payment.map(|payment| payment.id),
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
