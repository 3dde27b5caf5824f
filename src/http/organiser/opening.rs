//! Putting on sale what an organiser wrote to MySQL, and showing it on this server at once.
//!
//! [`crate::opening`] gives birth to logs; other servers look for what is new when it is asked for, else within a second. Each step
//! repeats harmlessly, so a call that broke off behind MySQL is finished by a worker: it is never answered as if nothing had
//! happened. What is seen to fail before is.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::written;
use crate::domain::catalog::Show;
use crate::domain::ids::{ConcertId, Mark, ShowId};
use crate::domain::policy::PolicyState;
use crate::http::context::Context;
use crate::http::problem::{Code, Problem};
use crate::live::ConcertView;
use crate::publishing::publish;
use crate::store::ShowOpening;

/// How long a call waits for Redis before it writes to MySQL.
const LOOK: Duration = Duration::from_secs(2);

/// Before MySQL is written: Redis has to answer.
pub(super) async fn check_store(ctx: &Context) -> Result<(), Problem> {
    Ok(ctx.store.check_answers(Instant::now() + LOOK).await?)
}

/// Before MySQL is written: the concert's log has to stand, and Redis to answer.
pub(super) async fn check_log(ctx: &Context, view: &ConcertView) -> Result<(), Problem> {
    Ok(ctx.store.check_stands(view.id(), Instant::now() + LOOK).await?)
}

/// Opens a new concert's log and shows it here: a join right after it succeeds.
pub(super) async fn concert(
    ctx: &Context,
    concert: ConcertId,
    state: &PolicyState,
    deadline: Instant,
) -> Result<Arc<ConcertView>, Problem> {
    let log_id = written(deadline, ctx.opening.concert(concert, state, deadline)).await??;
    written(deadline, read_and_publish(ctx, concert, log_id)).await??;
    let view = ctx.live.concert(concert);
    let view =
        view.ok_or_else(|| Problem::caused(Code::Internal, "a published concert is not in the view"))?;
    // What a view shows follows within the second anyway; the concert works already.
    view.reached(1, deadline).await;
    Ok(view)
}

/// Opens a new show and shows it here.
pub(super) async fn show(
    ctx: &Context,
    view: &ConcertView,
    show: ShowId,
    catalog: u64,
    deadline: Instant,
) -> Result<(), Problem> {
    let concert = view.concert().concert;
    let shows = written(deadline, read_and_publish(ctx, concert, view.log_id())).await??;
    let found = shows.iter().find(|known| known.show == show);
    let seats = found.and_then(|show| u32::try_from(show.seats.len()).ok());
    let seats = seats.ok_or_else(|| Problem::caused(Code::Internal, "a show just created has no seats"))?;
    let opening = ShowOpening { show, seats, catalog };
    let at = ctx.opening.show(concert, opening, deadline).await?;
    view.reached(at.number, deadline).await;
    Ok(())
}

/// Shows here that titles or places changed, and tells Redis, and so every other server.
pub(super) async fn changed(
    ctx: &Context,
    view: &ConcertView,
    catalog: u64,
    deadline: Instant,
) -> Result<(), Problem> {
    let concert = view.concert().concert;
    written(deadline, read_and_publish(ctx, concert, view.log_id())).await??;
    match ctx.store.catalog_changed(concert, catalog, deadline).await {
        Ok(at) => {
            view.reached(at.number, deadline).await;
        }
        // It is changed: a worker tells Redis later.
        Err(failure) => {
            let error = &failure as &dyn std::error::Error;
            tracing::warn!(%concert, error, "other servers wait for a changed title");
        }
    }
    Ok(())
}

/// Shows here what MySQL has of a concert that was just written.
async fn read_and_publish(
    ctx: &Context,
    concert: ConcertId,
    log_id: Mark,
) -> Result<Vec<Arc<Show>>, Problem> {
    let shows = publish(&ctx.archive, &ctx.live, concert, log_id).await?;
    shows.ok_or_else(|| Problem::caused(Code::Internal, "a concert just written is not in MySQL"))
}
