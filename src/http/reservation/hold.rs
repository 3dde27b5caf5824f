//! `POST /v1/reservations`: all of the seats or none.

use hyper::StatusCode;
use hyper::header::LOCATION;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::ReservationBody;
use crate::domain::catalog::Show;
use crate::domain::ids::{ConcertId, ReservationId, ShowId, UserId};
use crate::domain::outcome::Refusal;
use crate::domain::policy::{Gate, SEATS_PER_RESERVATION_MAX};
use crate::domain::reservation::{Seats, Status};
use crate::http::auth;
use crate::http::body;
use crate::http::context::Context;
use crate::http::durability;
use crate::http::freshness;
use crate::http::gate;
use crate::http::idempotency;
use crate::http::known;
use crate::http::layout;
use crate::http::openapi::params::{Durable, Key};
use crate::http::openapi::refusals::refusals;
use crate::http::problem::{Code, Problem};
use crate::http::request::Request;
use crate::http::response::{self, Response};
use crate::live::{ConcertView, ShowView};
use crate::store::{Answer, Failure, Held, HoldRequest};

/// How long a newer catalog is waited for before asking again; as much of the deadline is left for asking.
const SECOND_ASK: Duration = Duration::from_millis(100);
/// A sequence number that no place has: they are counted from 1.
const NO_PLACE: u64 = u64::MAX;

/// One of `seats`, `bestAvailable` and `anyOf`.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"showId": 1, "seats": ["12"]}))]
struct HoldForm {
    #[schema(value_type = ShowId)]
    show_id: u64,
    /// Labels, each once.
    #[schema(min_items = 1)]
    seats: Option<Vec<String>>,
    best_available: Option<BestAvailable>,
    #[schema(min_items = 1)]
    any_of: Option<Vec<Vec<String>>>,
}

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BestAvailable {
    #[schema(minimum = 1)]
    count: u32,
    section: Option<String>,
}

refusals!(HoldRefusals: JSON, IDENTITY, KEY, DURABILITY, BODY, PATH, PLACE, STORE, NOT_BUILT; TooManySeats,
    QueueTokenNotActive, PurchaseLimit, SeatUnavailable, SoldOut, SaleNotOpen);

/// `POST /v1/reservations`
#[utoipa::path(
    post, path = "/v1/reservations", operation_id = "holdSeats", tag = "reservations",
    summary = "Holds seats, all or none",
    params(Key, Durable),
    request_body = HoldForm,
    responses(
        (status = 201, description = "They are held until `expiresAt`.", body = ReservationBody,
            headers(("Location" = String, description = "The reservation."))),
        HoldRefusals,
    ),
    security(("identity" = [], "queueToken" = []), ("identity" = [])),
)]
pub(crate) async fn hold(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    let identity = auth::identity(ctx, request)?;
    let key = idempotency::key(request)?;
    durability::check(request, ctx.settings.durability)?;
    let form: HoldForm = body::read(ctx, request).await?;
    check_form(&form)?;

    let id = u32::try_from(form.show_id).map(ShowId).map_err(|_| Problem::new(Code::NotFound))?;
    let (concert, show) = known::show(ctx, request, id).await?;
    let labels = form.seats.as_deref().unwrap_or_default();
    check_labels(&show.layout(), labels)?;
    let seq = place(ctx, request, &concert, &identity.user)?;
    if form.seats.is_none() {
        return Err(Problem::new(Code::NotImplemented).detail("Only named seats can be held yet."));
    }
    let wanted = Wanted {
        concert: concert.id(),
        seq,
        labels,
        request: HoldRequest {
            show: id,
            user: identity.user.clone(),
            seq: None,
            catalog: 0,
            seats: Seats::default(),
            reservation: ctx.store.new_id(),
            fingerprint: idempotency::fingerprint(request, &form)?,
            key,
        },
    };
    let answer = ask(ctx, request, &concert, &show, wanted).await?;
    answered(ctx, request, concert.id(), answer).await
}

struct Wanted<'a> {
    concert: ConcertId,
    seq: Option<u64>,
    labels: &'a [String],
    request: HoldRequest,
}

/// One way of asking, and seats named each once.
fn check_form(form: &HoldForm) -> Result<(), Problem> {
    let ways = [form.seats.is_some(), form.best_available.is_some(), form.any_of.is_some()];
    if ways.iter().filter(|way| **way).count() != 1 {
        return Err(Problem::field("seats", "Expected one of seats, bestAvailable and anyOf."));
    }
    if form.best_available.as_ref().is_some_and(|best| best.count == 0) {
        return Err(Problem::field("bestAvailable.count", "Expected at least 1."));
    }
    let lists = form.any_of.iter().flatten().map(|labels| ("anyOf", labels));
    for (field, labels) in form.seats.iter().map(|labels| ("seats", labels)).chain(lists) {
        layout::check_named(field, labels)?;
    }
    match &form.any_of {
        Some(lists) if lists.is_empty() => {
            Err(Problem::field("anyOf", "Expected at least one list of seats."))
        }
        _ => Ok(()),
    }
}

fn check_labels(layout: &Show, labels: &[String]) -> Result<(), Problem> {
    let unknown = labels.iter().find(|label| !layout.by_label.contains_key(*label));
    unknown.map_or(Ok(()), |label| Err(Problem::field("seats", format!("The show has no seat {label:?}."))))
}

/// The place that lets the caller hold, where the policy asks for one; elsewhere the one he has: holding is a sign of
/// life. That a token's time is over is the script's to say: a replay, a stop and the end of the sale come before it.
fn place(
    ctx: &Context,
    request: &Request,
    concert: &ConcertView,
    user: &UserId,
) -> Result<Option<u64>, Problem> {
    let proof = gate::own_for(ctx, request, user, concert.id());
    let proof = if concert.gates(Gate::Reserve) { Some(proof?) } else { proof.ok() };
    Ok(proof.map(|proof| if proof.expired { NO_PLACE } else { proof.place.seq }))
}

/// Asks with the layout at hand, and again while the script knows another catalog, up to the deadline.
async fn ask(
    ctx: &Context,
    request: &Request,
    concert: &ConcertView,
    show: &Arc<ShowView>,
    wanted: Wanted<'_>,
) -> Result<Answer<Held>, Problem> {
    loop {
        // The version first: a layout that is newer than it is refused as stale, never priced wrong.
        let version = concert.catalog_version();
        let layout = show.layout();
        let asked = HoldRequest {
            seq: wanted.seq,
            catalog: version,
            seats: priced(&layout, wanted.labels)?,
            ..wanted.request.clone()
        };
        match ctx.store.hold(wanted.concert, asked, request.deadline).await {
            Err(Failure::Refused(Refusal::StaleCatalog)) => {
                let left = request.deadline - Instant::now();
                if left < 2 * SECOND_ASK {
                    return Err(Refusal::StaleCatalog.into());
                }
                // Redis may also be the older one for a moment: then only asking again helps.
                layout::other_than(concert, version, Instant::now() + SECOND_ASK).await;
            }
            Err(Failure::Refused(Refusal::SeatUnavailable { seats })) => {
                return Err(layout::unavailable(&layout, &seats));
            }
            Err(failure) => return Err(failure.into()),
            Ok(answer) => return Ok(answer),
        }
    }
}

/// Indexes and prices. More seats than any policy allows are refused by the script whatever they are, so
/// one too many is enough for it to look at: the weight of a request stays bounded.
fn priced(layout: &Show, labels: &[String]) -> Result<Seats, Problem> {
    let bound = SEATS_PER_RESERVATION_MAX as usize + 1;
    let seat = |label: &String| {
        let index = *layout.by_label.get(label)?;
        Some((index, layout.seats.get(index as usize)?.price))
    };
    let seats: Option<Vec<_>> = labels.iter().take(bound).map(seat).collect();
    if let Some(seats) = seats {
        return Ok(Seats(seats));
    }
    // Looked at before, but this may be a newer layout.
    check_labels(layout, labels)?;
    Err(Problem::caused(Code::Internal, "a layout whose labels and seats differ"))
}

async fn answered(
    ctx: &Context,
    request: &Request,
    concert: ConcertId,
    answer: Answer<Held>,
) -> Result<Response, Problem> {
    let held = &answer.value;
    let id = ReservationId { concert, show: held.show, id: held.reservation };
    // A replay may come through a server that has not read this catalog yet. The hold stands: ask again.
    let layout = layout::with_seats(ctx, held.show, &held.seats, request.deadline).await;
    let layout = layout.map_err(|_| Problem::new(Code::OutcomeUnknown))?;
    let body = ReservationBody {
        reservation_id: id.to_string(),
        show_id: held.show,
        seats: layout::labels(&layout, &held.seats).unwrap_or_default(),
        status: Status::Pending,
        amount: held.amount,
        currency: &layout.currency,
        created_at: held.created,
        expires_at: held.end,
        payment_id: None,
        tickets: None,
    };
    let mut response = response::json(StatusCode::CREATED, &body)?;
    response::set(&mut response, LOCATION, format!("/v1/reservations/{id}"));
    idempotency::mark_replayed(&mut response, answer.replayed);
    freshness::mark_answer(&mut response, &answer);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(body: &str) -> Option<Code> {
        let form: HoldForm = serde_json::from_str(body).unwrap();
        check_form(&form).err().map(|problem| problem.code)
    }

    #[test]
    fn exactly_one_way_of_asking_is_taken_and_seats_are_named_once() {
        assert_eq!(code(r#"{"showId": 1, "seats": ["A-1-1"]}"#), None);
        for body in [
            r#"{"showId": 1}"#,
            r#"{"showId": 1, "seats": []}"#,
            r#"{"showId": 1, "seats": ["A", "B", "A"]}"#,
            r#"{"showId": 1, "seats": ["A"], "anyOf": []}"#,
            r#"{"showId": 1, "anyOf": []}"#,
            r#"{"showId": 1, "anyOf": [["A"], ["B", "B"]]}"#,
            r#"{"showId": 1, "bestAvailable": {"count": 0}}"#,
        ] {
            assert_eq!(code(body), Some(Code::InvalidRequest), "{body}");
        }
        let best = r#"{"showId": 1, "bestAvailable": {"count": 2, "section": "A"}}"#;
        assert_eq!(code(best), None);
    }
}
