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

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::auth::{self, Identity};
use super::context::Context;
use super::durability;
use super::known;
use super::problem::{Code, Problem};
use super::request::Request;
use super::router::Verb;
use crate::archive;
use crate::domain::ids::{ConcertId, ShowId};
use crate::live::{ConcertView, ShowView};

/// For calls that write seats to MySQL, or read all of a concert there: 200,000 seats take seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Shows whose seats are laid out and written at once, by all cores: 200,000 take some 30 MB meanwhile, a plan of 16 MiB some 100.
static SEATINGS: Semaphore = Semaphore::const_new(2);

/// Bytes of a reason: what its column holds, and it is sent to everybody who waits.
const REASON_BYTES_MAX: usize = 200;

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

/// The turn of a call that lays out seats; 503 if it does not come until then.
async fn seating_turn(deadline: Instant) -> Result<SemaphorePermit<'static>, Problem> {
    let turn = timeout_at(deadline, SEATINGS.acquire()).await;
    let too_many = |_| Problem::new(Code::Overloaded).detail("The seats of other shows are being laid out.");
    Ok(turn.map_err(too_many)?.expect("nobody closes it"))
}

/// What MySQL answers to something that changes it, before this time. Later it may be done all the same: 504.
async fn written<F: Future>(deadline: Instant, writing: F) -> Result<F::Output, Problem> {
    let late = |elapsed| {
        let says = "MySQL takes too long: look whether it was done before you ask again.";
        Problem::caused(Code::OutcomeUnknown, elapsed).detail(says)
    };
    timeout_at(deadline, writing).await.map_err(late)
}

/// The same of one change, with what MySQL says of it: 503 only where nothing of it has happened.
async fn stored<T>(
    deadline: Instant,
    writing: impl Future<Output = Result<T, archive::Error>>,
) -> Result<T, Problem> {
    written(deadline, writing).await?.map_err(not_stored)
}

/// What a client is told of a change that came to nothing in MySQL, or to nobody knows what.
fn not_stored(error: archive::Error) -> Problem {
    if error.is_unknown() {
        let says = "MySQL broke off: look whether it was done before you ask again.";
        return Problem::caused(Code::OutcomeUnknown, error).detail(says);
    }
    error.into()
}

/// The organiser that this caller works for.
fn org(identity: &Identity) -> Result<&str, Problem> {
    let no_org = || Problem::new(Code::Forbidden).detail("The identity token names no org.");
    identity.org.as_deref().ok_or_else(no_org)
}

/// What may stand as the reason of a pause or a cancellation: it is shown to buyers.
fn check_reason(reason: Option<&str>) -> Result<(), Problem> {
    let wrong = |reason: &str| reason.len() > REASON_BYTES_MAX || reason.chars().any(char::is_control);
    if reason.is_some_and(wrong) {
        return Err(Problem::field("reason", "Expected at most 200 bytes without control characters."));
    }
    Ok(())
}

/// The concert, if this caller runs it.
async fn owned(
    ctx: &Context,
    request: &Request,
    concert: ConcertId,
    identity: &Identity,
) -> Result<Arc<ConcertView>, Problem> {
    let view = known::concert(ctx, request, concert).await?;
    identity.runs(&view.concert()).then_some(view).ok_or_else(|| Problem::new(Code::NotFound))
}

/// The show that the path names and its concert, if this caller runs it.
async fn owned_show(
    ctx: &Context,
    request: &Request,
    identity: &Identity,
) -> Result<(Arc<ConcertView>, Arc<ShowView>), Problem> {
    let (view, show) = known::show(ctx, request, ShowId(request.path_id()?)).await?;
    identity.runs(&view.concert()).then_some((view, show)).ok_or_else(|| Problem::new(Code::NotFound))
}

/// The concert that the path names, if this caller runs it.
async fn owned_by_path(
    ctx: &Context,
    request: &Request,
    identity: &Identity,
) -> Result<Arc<ConcertView>, Problem> {
    owned(ctx, request, ConcertId(request.path_id()?), identity).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_lay_out_seats_at_once_and_the_third_waits_for_its_turn() {
        let first = seating_turn(deadline()).await.unwrap();
        let _second = seating_turn(deadline()).await.unwrap();
        assert_eq!(seating_turn(Instant::now()).await.unwrap_err().code, Code::Overloaded);
        drop(first);
        assert!(seating_turn(deadline()).await.is_ok());
    }

    #[tokio::test]
    async fn what_mysql_does_not_answer_in_time_may_be_done() {
        let late = written(Instant::now(), std::future::pending::<()>()).await.unwrap_err();
        assert_eq!(late.code, Code::OutcomeUnknown);
        assert_eq!(written(deadline(), std::future::ready(7)).await.unwrap(), 7);
    }
}
