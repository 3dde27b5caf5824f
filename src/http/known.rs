//! The concert or show that a call names. What this server has not heard of it looks for in MySQL before it says that there is none:
//! another may have put it on sale a moment ago, and have answered that it works.

use std::sync::Arc;

use tokio::time::timeout_at;

use super::context::Context;
use super::problem::{Code, Problem};
use super::request::Request;
use crate::domain::ids::{ConcertId, ShowId};
use crate::live::{ConcertView, ShowView};

/// The concert, if there is one.
pub(super) async fn find_concert(
    ctx: &Context,
    request: &Request,
    id: ConcertId,
) -> Result<Option<Arc<ConcertView>>, Problem> {
    find(ctx, request, || ctx.live.concert(id), |view| view).await
}

/// The concert, or 404.
pub(super) async fn concert(
    ctx: &Context,
    request: &Request,
    id: ConcertId,
) -> Result<Arc<ConcertView>, Problem> {
    find_concert(ctx, request, id).await?.ok_or_else(|| Problem::new(Code::NotFound))
}

/// The show and its concert, if there is one.
pub(super) async fn find_show(
    ctx: &Context,
    request: &Request,
    id: ShowId,
) -> Result<Option<(Arc<ConcertView>, Arc<ShowView>)>, Problem> {
    find(ctx, request, || ctx.live.show(id), |(view, _)| view).await
}

/// The show and its concert, or 404.
pub(super) async fn show(
    ctx: &Context,
    request: &Request,
    id: ShowId,
) -> Result<(Arc<ConcertView>, Arc<ShowView>), Problem> {
    find_show(ctx, request, id).await?.ok_or_else(|| Problem::new(Code::NotFound))
}

/// What `known` finds here, else behind a look; then its concert shows what its log has.
async fn find<T>(
    ctx: &Context,
    request: &Request,
    known: impl Fn() -> Option<T>,
    concert: impl Fn(&T) -> &Arc<ConcertView>,
) -> Result<Option<T>, Problem> {
    if let Some(found) = known() {
        return Ok(Some(found));
    }
    // Boxed, since hardly any request looks and all would carry the room for it.
    Box::pin(look(ctx, request)).await?;
    let found = known();
    if let Some(found) = &found {
        Box::pin(concert(found).reached(1, request.deadline)).await;
    }
    Ok(found)
}

async fn look(ctx: &Context, request: &Request) -> Result<(), Problem> {
    match timeout_at(request.deadline, ctx.live.lookout().look()).await {
        Ok(true) => Ok(()),
        _ => Err(Problem::new(Code::Unavailable).detail("Nobody can say now whether there is such a thing.")),
    }
}
