//! Organisers' calls: creating what is sold, steering a sale, looking into it.
//!
//! These may touch MySQL and take longer than a buyer's. A concert of another organiser does not exist for
//! them (404).

pub(super) mod actions;
pub(super) mod cancellation;
pub(super) mod catalog;
pub(super) mod events;
pub(super) mod export;
mod opening;
mod policy;
pub(super) mod queue;
pub(super) mod report;
pub(super) mod reservation;
pub(super) mod seating;
pub(super) mod seats;
pub(super) mod trail;
pub(super) mod webhook;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::auth::{self, Identity};
use super::context::Context;
use super::durability;
use super::problem::{Code, Problem};
use super::request::Request;
use super::router::Verb;
use crate::domain::ids::ConcertId;
use crate::live::ConcertView;

/// For calls that write seats to MySQL, or read all of a concert there: 200,000 seats take seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// The caller, who must have the right to this call; what he changes is as safe as the installation makes it.
fn caller(ctx: &Context, request: &Request) -> Result<Arc<Identity>, Problem> {
    let identity = auth::organiser(ctx, request)?;
    if request.verb == Verb::Post {
        durability::check(request, ctx.settings.durability)?;
    }
    Ok(identity)
}

fn deadline() -> Instant {
    Instant::now() + PATIENCE
}

/// The concert, if this caller runs it.
fn owned(ctx: &Context, concert: ConcertId, identity: &Identity) -> Result<Arc<ConcertView>, Problem> {
    let view = ctx.live.concert(concert);
    view.filter(|view| identity.runs(&view.concert())).ok_or_else(|| Problem::new(Code::NotFound))
}

/// The concert that the path names, if this caller runs it.
fn owned_by_path(ctx: &Context, request: &Request, identity: &Identity) -> Result<Arc<ConcertView>, Problem> {
    owned(ctx, ConcertId(request.path_id()?), identity)
}
