//! The line: joining, leaving, and the poll that everybody who waits sends.
//!
//! A poll is answered from memory while that shows the place waiting, or ACTIVE and claimed. The first ACTIVE
//! is the claim and a place that is gone is a refusal: both are the store's to say.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::ToSchema;

use super::auth;
use super::body;
use super::context::Context;
use super::durability;
use super::freshness;
use super::gate::{self, Proof};
use super::known;
use super::openapi::params::{Durable, Version};
use super::openapi::refusals::refusals;
use super::problem::{Code, Problem};
use super::request::Request;
use super::response::{self, Response};
use crate::domain::ids::ConcertId;
use crate::domain::policy::PolicyState;
use crate::domain::queue::{estimated_wait_seconds, poll_after_seconds};
use crate::domain::queue_token::Place;
use crate::domain::time::Millis;
use crate::live::{ConcertView, Glance, PlaceView, SaleState};
use crate::store::PlaceState;

/// Life of a queue token, seconds. The end of the sale is none of its: that may be moved while the token is out.
const TOKEN_SECONDS: i64 = 24 * 60 * 60;
/// How long an answer waits for the view to be as new as itself: the follower is milliseconds behind.
const LEVEL: Duration = Duration::from_millis(100);

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"concertId": 1}))]
struct JoinForm {
    #[schema(value_type = ConcertId)]
    concert_id: u64,
}

/// Words for how a place stands; clients take one that they don't know for waiting.
#[derive(ToSchema)]
#[schema(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(dead_code, reason = "describes `Standing::status`, which is a word already")]
enum StandingStatus {
    Waiting,
    Active,
    SoldOutPending,
    SoldOut,
    Paused,
}

/// How a place stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Standing {
    #[schema(value_type = StandingStatus)]
    status: &'static str,
    /// 0 once ACTIVE.
    position: u64,
    queue_position: u64,
    /// Null when nobody can know.
    #[schema(required = true)]
    estimated_wait_seconds: Option<u64>,
    poll_after_seconds: u64,
    /// Null while waiting.
    #[schema(required = true)]
    active_until: Option<Millis>,
    /// Seats that may come back.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// To be used from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    concert_id: Option<ConcertId>,
}

refusals!(JoinRefusals: JSON, IDENTITY, DURABILITY, BODY, PATH, STORE; SaleNotOpen, SoldOut);

/// `POST /v1/queue/tokens`
#[utoipa::path(
    post, path = "/v1/queue/tokens", operation_id = "joinQueue", tag = "queue",
    summary = "Takes a place in line, or shows the one that is there",
    params(Durable),
    request_body = JoinForm,
    responses(
        (status = 201, description = "A new place.", body = Standing),
        (status = 200, description = "The same place as before.", body = Standing),
        JoinRefusals,
    ),
    security(("identity" = [])),
)]
pub(crate) async fn join(ctx: &Context, request: &mut Request) -> Result<Response, Problem> {
    let identity = auth::identity(ctx, request)?;
    durability::check(request, ctx.settings.durability)?;
    let form: JoinForm = body::read(ctx, request).await?;
    let concert = u32::try_from(form.concert_id).map(ConcertId).ok();
    let concert = concert.ok_or_else(|| Problem::new(Code::NotFound))?;
    let view = known::concert(ctx, request, concert).await?;

    let answer = ctx.store.join(concert, &identity.user, request.deadline).await?;
    let joined = answer.value;
    let mut standing = match joined.place {
        PlaceState::Waiting { position } => {
            level(&view, answer.at.number, request).await;
            waiting(&view.glance(joined.seq, answer.now), position, answer.now)
        }
        PlaceState::Active { end } => active(&view.policy(), end),
    };
    let place = Place {
        concert,
        epoch: joined.epoch,
        seq: joined.seq,
        expires: token_end(Context::now()),
        user: identity.user.clone(),
    };
    standing.token = Some(ctx.queue_keys.sign(&place));
    standing.concert_id = Some(concert);
    let status = if joined.fresh { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = response::json(status, &standing)?;
    freshness::mark_answer(&mut response, &answer);
    Ok(response)
}

refusals!(LeaveRefusals: IDENTITY, PLACE, STORE);

/// `DELETE /v1/queue/tokens`
#[utoipa::path(
    delete, path = "/v1/queue/tokens", operation_id = "leaveQueue", tag = "queue",
    summary = "Leaves the line, or gives the active place back",
    responses((status = 204, description = "The place is gone."), LeaveRefusals),
    security(("identity" = [], "queueToken" = [])),
)]
pub(crate) async fn leave(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let identity = auth::identity(ctx, request)?;
    let proof = gate::own(ctx, request, &identity.user)?;
    let view = concert_of(ctx, request, &proof.place).await?;
    freshness::wait(request, &view).await?;
    let place = proof.current(&view)?;
    let left = ctx.store.leave(place.concert, &place.user, place.seq, request.deadline);
    let answer = left.await?;
    let mut response = response::empty(StatusCode::NO_CONTENT);
    freshness::mark_answer(&mut response, &answer);
    Ok(response)
}

refusals!(StatusRefusals: JSON, IDENTITY, PLACE, STORE);

/// `GET /v1/queue/status`
#[utoipa::path(
    get, path = "/v1/queue/status", operation_id = "getQueueStatus", tag = "queue",
    summary = "How the place stands",
    params(Version),
    responses((status = 200, description = "The place.", body = Standing), StatusRefusals),
    security(("queueBearer" = []), ("identity" = [], "queueToken" = [])),
)]
pub(crate) async fn status(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let (token, proof) = caller_place(ctx, request)?;
    let place = proof.unexpired()?;
    let view = concert_of(ctx, request, &place).await?;
    let seen = freshness::wait(request, &view).await?;
    let now = Context::now();
    let glance = view.glance(place.seq, now);
    if glance.policy.has_closed(now) {
        return Err(Problem::new(Code::QueueTokenExpired));
    }
    let from_memory = match glance.place {
        PlaceView::Active { end, claimed: true } if now < end => Some(active(&glance.policy, end)),
        PlaceView::Waiting { position } => Some(waiting(&glance, position, now)),
        // The store can't decide while the log is lost; the line keeps its places.
        _ if glance.recovering => Some(waiting(&glance, 0, now)),
        _ => None,
    };
    let token = fresher(ctx, &glance, &place, (token, now));
    let (mut standing, number) = match from_memory {
        Some(standing) => (standing, glance.number.max(seen)),
        // Boxed, since one poll of many claims and all would carry the room for it.
        None => Box::pin(claim(ctx, request, &view, &place)).await?,
    };
    standing.token = token;
    let mut response = response::ok(&standing)?;
    freshness::mark(&mut response, glance.log_id, number);
    Ok(response)
}

refusals!(QueueStreamRefusals: IDENTITY, PLACE, NOT_BUILT);

/// `GET /v1/queue/stream`
#[utoipa::path(
    get, path = "/v1/queue/stream", operation_id = "streamQueue", tag = "queue",
    summary = "How the place stands, as server-sent events",
    responses(QueueStreamRefusals),
    security(("queueBearer" = []), ("identity" = [], "queueToken" = [])),
)]
pub(crate) async fn stream(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let (_, proof) = caller_place(ctx, request)?;
    let view = concert_of(ctx, request, &proof.place).await?;
    proof.current(&view)?;
    Err(Problem::new(Code::NotImplemented))
}

refusals!(StreamTicketRefusals: JSON, IDENTITY, NOT_BUILT);

/// `POST /v1/stream-tickets`
#[utoipa::path(
    post, path = "/v1/stream-tickets", operation_id = "createStreamTicket", tag = "queue",
    summary = "A ticket that stands for a token in a stream's address",
    responses(StreamTicketRefusals),
    security(("identity" = [])),
)]
pub(crate) fn stream_ticket(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    auth::identity(ctx, request)?;
    Err(Problem::new(Code::NotImplemented))
}

async fn claim(
    ctx: &Context,
    request: &Request,
    view: &ConcertView,
    place: &Place,
) -> Result<(Standing, u64), Problem> {
    let claim = ctx.store.claim(place.concert, &place.user, place.seq, request.deadline);
    let answer = claim.await?;
    let standing = match answer.value {
        PlaceState::Active { end } => active(&view.policy(), end),
        PlaceState::Waiting { position } => {
            level(view, answer.at.number, request).await;
            waiting(&view.glance(place.seq, answer.now), position, answer.now)
        }
    };
    Ok((standing, answer.at.number))
}

/// A position came from Redis: the view that answers the next poll must not be behind it, or the place would seem
/// to have moved back. Bounded, since a view whose follower stands still would hold every join.
async fn level(view: &ConcertView, number: u64, request: &Request) {
    let deadline = request.deadline.min(Instant::now() + LEVEL);
    view.reached(number, deadline).await;
}

/// The token and place of the caller: it stands as Bearer, or in its own header beside an identity token.
fn caller_place<'r>(ctx: &Context, request: &'r Request) -> Result<(&'r str, Proof), Problem> {
    let bearer = auth::bearer(request);
    if let Some(token) = bearer.filter(|token| token.starts_with("q1.")) {
        return Ok((token, gate::prove(ctx, token)?));
    }
    let token = gate::token(request);
    let identity = auth::identity(ctx, request).map_err(|problem| {
        // Alone and no identity token: it was meant for the other.
        let alone = bearer.is_some() && token.is_none();
        if alone { Problem::new(Code::QueueTokenInvalid) } else { problem }
    })?;
    let proof = gate::own(ctx, request, &identity.user)?;
    Ok((token.unwrap_or_default(), proof))
}

/// A token for the same place where the caller's is not what would be signed today: another epoch, a newer key, or half
/// of its time gone.
fn fresher(ctx: &Context, glance: &Glance, place: &Place, (token, now): (&str, Millis)) -> Option<String> {
    let expires = token_end(now);
    let aged = expires.abs_diff(place.expires) > TOKEN_SECONDS.unsigned_abs() / 2;
    let stale = aged || place.epoch != glance.epoch || !ctx.queue_keys.signed_by_newest(token);
    stale.then(|| ctx.queue_keys.sign(&Place { expires, epoch: glance.epoch, ..place.clone() }))
}

/// A token for a concert that is not here proves nothing.
async fn concert_of(ctx: &Context, request: &Request, place: &Place) -> Result<Arc<ConcertView>, Problem> {
    let view = known::find_concert(ctx, request, place.concert).await?;
    view.ok_or_else(|| Problem::new(Code::QueueTokenInvalid))
}

/// When a queue token signed at `now` ends, unix seconds.
fn token_end(now: Millis) -> u64 {
    u64::try_from(now.plus_seconds(TOKEN_SECONDS).0).unwrap_or(0).div_ceil(1000)
}

fn active(policy: &PolicyState, end: Millis) -> Standing {
    Standing {
        status: "ACTIVE",
        position: 0,
        queue_position: 0,
        estimated_wait_seconds: Some(0),
        poll_after_seconds: poll_after_seconds(None, &policy.policy),
        active_until: Some(end),
        held: None,
        reason: None,
        token: None,
        concert_id: None,
    }
}

/// A place that waits, told what the sale has come to: first RECOVERING, then what is sold, then a pause.
fn waiting(glance: &Glance, position: u64, now: Millis) -> Standing {
    let (state, sales, policy) = (glance.state(now), glance.sales, &glance.policy.policy);
    let pending = sales.available == 0 && sales.held > 0;
    let (status, held, reason) = match state {
        SaleState::Recovering => ("PAUSED", None, Some("recovering".into())),
        SaleState::SoldOut => ("SOLD_OUT", None, None),
        SaleState::Open | SaleState::Paused if pending => ("SOLD_OUT_PENDING", Some(sales.held), None),
        SaleState::Paused => ("PAUSED", None, glance.policy.pause_reason.clone()),
        SaleState::Open | SaleState::Announced | SaleState::Closed => ("WAITING", None, None),
    };
    let moves = state == SaleState::Open;
    let rate = glance.admitted_per_second;
    let estimate = moves.then(|| estimated_wait_seconds(position, policy, rate)).flatten();
    Standing {
        status,
        position,
        queue_position: position,
        estimated_wait_seconds: estimate,
        poll_after_seconds: poll_after_seconds(estimate, policy),
        active_until: None,
        held,
        reason,
        token: None,
        concert_id: None,
    }
}
