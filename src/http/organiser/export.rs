//! An organiser's own data to take away: reservations and money of one concert as CSV, page after page.

use std::borrow::Cow;

use super::{caller, owned_by_path};
use crate::archive::{ExportedReservation, Movement, MovementCursor};
use crate::domain::ids::{Id20, ShowId};
use crate::domain::reservation::{Seats, Status};
use crate::domain::time::Millis;
use crate::http::context::Context;
use crate::http::freshness;
use crate::http::history;
use crate::http::layout;
use crate::http::openapi::params::{ConcertPath, SheetPaging, Version};
use crate::http::openapi::refusals::refusals;
use crate::http::page;
use crate::http::problem::Problem;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::http::sheet::{self, Cell, Sheet, SheetPage};

const RESERVATIONS: &[&str] = &[
    "reservationId",
    "showId",
    "userId",
    "status",
    "seats",
    "amount",
    "currency",
    "createdAt",
    "expiresAt",
    "paymentId",
    "paidAt",
];
const LEDGER: &[&str] = &[
    "entryId",
    "at",
    "type",
    "amount",
    "currency",
    "userId",
    "showId",
    "reservationId",
    "reference",
    "method",
];

refusals!(SheetRefusals: ORGANISER, FORM, PATH, FRESH);

/// `GET /v1/admin/concerts/{concertId}/reservations.csv`
#[utoipa::path(
    get, path = "/v1/admin/concerts/{concertId}/reservations.csv", operation_id = "exportReservations", tag = "organiser",
    summary = "All reservations, as a table",
    params(ConcertPath, SheetPaging, Version),
    responses(SheetPage, SheetRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn reservations(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let asked = sheet::asked(request)?;
    let after: Option<Id20> = page::parsed_cursor(&asked)?;
    let concert = owned_by_path(ctx, request, &identity).await?.id();
    freshness::catch_up(ctx, request).await?;
    let page = history::read(request, ctx.archive.reservations_in(concert, after, asked.limit)).await?;
    let (mut rows, now) = (Sheet::new(&asked, RESERVATIONS)?, Context::now());
    for row in &page.items {
        let layout = layout::with_seats(ctx, row.reservation.show, &row.seats, request.deadline).await?;
        let labels = layout::labels(&layout, &row.seats).unwrap_or_default();
        rows.row(reservation(row, &labels, &layout.currency, now)).await?;
    }
    rows.answer(request, &asked, page.next.map(|id| id.as_str().to_owned()))
}

fn reservation<'a>(
    row: &'a ExportedReservation,
    labels: &[&str],
    currency: &'a str,
    now: Millis,
) -> [Cell<'a>; 11] {
    let is_over = row.status == Status::Pending && now >= row.end;
    let status = if is_over { Status::Expired } else { row.status };
    let (payment, paid_at) = match row.paid {
        Some((payment, at)) => (Cell::word(&payment), Cell::Time(at)),
        None => (Cell::Empty, Cell::Empty),
    };
    [
        Cell::word(&row.reservation),
        Cell::word(&row.reservation.show),
        Cell::Text(Cow::Borrowed(&row.user)),
        Cell::word(&status.as_str().to_uppercase()),
        Cell::Text(Cow::Owned(labels.join("; "))),
        Cell::Number(row.amount),
        Cell::Word(Cow::Borrowed(currency)),
        Cell::Time(row.created),
        Cell::Time(row.end),
        payment,
        paid_at,
    ]
}

/// `GET /v1/admin/concerts/{concertId}/ledger.csv`
#[utoipa::path(
    get, path = "/v1/admin/concerts/{concertId}/ledger.csv", operation_id = "exportLedger", tag = "organiser",
    summary = "All money, as a table",
    params(ConcertPath, SheetPaging, Version),
    responses(SheetPage, SheetRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn ledger(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let asked = sheet::asked(request)?;
    let after: Option<MovementCursor> = page::parsed_cursor(&asked)?;
    let concert = owned_by_path(ctx, request, &identity).await?.id();
    freshness::catch_up(ctx, request).await?;
    let page = history::read(request, ctx.archive.movements_in(concert, after, asked.limit)).await?;
    let mut rows = Sheet::new(&asked, LEDGER)?;
    for row in &page.items {
        let currency = currency(ctx, request, row.reservation.show).await?;
        rows.row(movement(row, &currency)).await?;
    }
    rows.answer(request, &asked, page.next.map(|cursor| cursor.to_string()))
}

fn movement<'a>(row: &'a Movement, currency: &'a str) -> [Cell<'a>; 10] {
    // The words of api.md's ledger and payments; a kind that came later is its own word.
    let later = row.kind.to_uppercase();
    let (kind, method) = match row.kind.as_str() {
        "paid" => ("PAYMENT", "BALANCE"),
        "card" => ("PAYMENT", "CARD"),
        "refunded" => ("REFUND", "BALANCE"),
        "card_back" => ("REFUND", "CARD"),
        _ => (later.as_str(), ""),
    };
    [
        Cell::word(&row.entry),
        Cell::Time(row.at),
        Cell::word(&kind),
        Cell::Number(row.amount),
        Cell::Word(Cow::Borrowed(currency)),
        Cell::Text(Cow::Borrowed(&row.user)),
        Cell::word(&row.reservation.show),
        Cell::word(&row.reservation),
        Cell::Word(Cow::Borrowed(&row.reference)),
        Cell::Word(Cow::Borrowed(method)),
    ]
}

async fn currency(ctx: &Context, request: &Request, show: ShowId) -> Result<String, Problem> {
    // Any layout of the show names it.
    let layout = layout::with_seats(ctx, show, &Seats::default(), request.deadline).await?;
    Ok(layout.currency.clone())
}
