//! Queue tokens at the door: which calls need one, and whether its place lets its owner through.
//!
//! A place that memory shows ACTIVE and claimed passes without a call. Everything else is asked of the store: a
//! refusal, and the claim itself, never come from a view that may be a second old; but for the end of the sale, which the view
//! knows.

use hyper::header::HeaderName;

use super::auth::{self, Identity};
use super::context::Context;
use super::known;
use super::problem::{Code, Problem};
use super::request::Request;
use crate::domain::ids::{ConcertId, UserId};
use crate::domain::outcome::Refusal;
use crate::domain::policy::Gate;
use crate::domain::queue_token::{Place, TokenError};
use crate::live::{ConcertView, PlaceView};
use crate::store::{Failure, PlaceState};

const HEADER: HeaderName = HeaderName::from_static("queue-token");

/// A token that was verified, whether or not its time is over.
///
/// It has two ends: its own, which it carries, and that of the sale, which an organiser may move at any time. That one is
/// asked of the view wherever a token is used.
pub(crate) struct Proof {
    pub(crate) place: Place,
    pub(crate) expired: bool,
}

impl Proof {
    /// The place, if neither the token nor the sale has come to its end.
    pub(crate) fn current(self, view: &ConcertView) -> Result<Place, Problem> {
        let place = self.unexpired()?;
        if view.has_closed(Context::now()) { Err(Problem::new(Code::QueueTokenExpired)) } else { Ok(place) }
    }

    /// The place, if the token's own time is not over.
    pub(crate) fn unexpired(self) -> Result<Place, Problem> {
        if self.expired { Err(Problem::new(Code::QueueTokenExpired)) } else { Ok(self.place) }
    }
}

/// Verifies a queue token's form and signature.
pub(crate) fn prove(ctx: &Context, token: &str) -> Result<Proof, Problem> {
    let now = Context::now_seconds();
    // Its time is looked at by the caller: a replay and a payment outlive it.
    let place = ctx.queue_keys.verify(token, 0).map_err(|error| match error {
        TokenError::Invalid => Problem::new(Code::QueueTokenInvalid),
        TokenError::Expired => Problem::new(Code::QueueTokenExpired),
    })?;
    let expired = now >= place.expires;
    Ok(Proof { place, expired })
}

/// What stands in the header `Queue-Token`, if it stands there once.
pub(crate) fn token(request: &Request) -> Option<&str> {
    request.header(&HEADER).ok().flatten()
}

/// The caller's own queue token from the header `Queue-Token`.
pub(crate) fn own(ctx: &Context, request: &Request, user: &UserId) -> Result<Proof, Problem> {
    let invalid = || Problem::new(Code::QueueTokenInvalid);
    let proof = prove(ctx, token(request).ok_or_else(invalid)?)?;
    if proof.place.user == *user { Ok(proof) } else { Err(invalid()) }
}

/// The caller's own queue token for this concert.
pub(crate) fn own_for(
    ctx: &Context,
    request: &Request,
    user: &UserId,
    concert: ConcertId,
) -> Result<Proof, Problem> {
    let proof = own(ctx, request, user)?;
    if proof.place.concert == concert { Ok(proof) } else { Err(Problem::new(Code::QueueTokenInvalid)) }
}

/// For reads that the policy may gate (`shows`, `seats`): needs an ACTIVE place where it does.
pub(crate) async fn pass(
    ctx: &Context,
    request: &Request,
    view: &ConcertView,
    gate: Gate,
) -> Result<(), Problem> {
    if !view.gates(gate) {
        return Ok(());
    }
    let identity = auth::identity(ctx, request)?;
    let concert = view.id();
    let place = own_for(ctx, request, &identity.user, concert)?.current(view)?;
    if is_active_in(view, &place).is_some() {
        return Ok(());
    }
    Ok(claim(ctx, request, &place).await?)
}

/// For charging where the installation asks for an ACTIVE place in any line: what to answer if the charge is a
/// new one. `None`: go on. Money is never let in by a view that may be behind: the place is asked of the store.
pub(crate) async fn refusal_anywhere(
    ctx: &Context,
    request: &Request,
    identity: &Identity,
) -> Result<Option<Refusal>, Problem> {
    let Ok(proof) = own(ctx, request, &identity.user) else {
        return Ok(Some(Refusal::QueueTokenInvalid));
    };
    let Some(view) = known::find_concert(ctx, request, proof.place.concert).await? else {
        return Ok(Some(Refusal::QueueTokenInvalid));
    };
    let Ok(place) = proof.current(&view) else {
        return Ok(Some(Refusal::QueueTokenExpired));
    };
    match claim(ctx, request, &place).await {
        Ok(()) => Ok(None),
        Err(Failure::Refused(refusal)) => Ok(Some(refusal)),
        Err(Failure::Stopped(_)) => Ok(Some(Refusal::SalesStopped)),
        Err(failure) => Err(failure.into()),
    }
}

async fn claim(ctx: &Context, request: &Request, place: &Place) -> Result<(), Failure> {
    let claim = ctx.store.claim(place.concert, &place.user, place.seq, request.deadline);
    match claim.await?.value {
        PlaceState::Active { .. } => Ok(()),
        PlaceState::Waiting { position } => Err(Failure::Refused(Refusal::QueueTokenNotActive { position })),
    }
}

/// The end of a place that memory shows ACTIVE and claimed, and not over.
pub(crate) fn is_active_in(view: &ConcertView, place: &Place) -> Option<crate::domain::time::Millis> {
    match view.place(place.seq) {
        PlaceView::Active { end, claimed: true } if Context::now() < end => Some(end),
        _ => None,
    }
}
