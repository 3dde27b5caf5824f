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
    if let Some(view) = ctx.live.concert(id) {
        return Ok(Some(view));
    }
    // Boxed, since hardly any request looks and all would carry the room for it.
    Box::pin(look(ctx, request)).await?;
    let found = ctx.live.concert(id);
    if let Some(view) = &found {
        Box::pin(whole(request, view)).await;
    }
    Ok(found)
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
    if let Some(found) = ctx.live.show(id) {
        return Ok(Some(found));
    }
    Box::pin(look(ctx, request)).await?;
    let found = ctx.live.show(id);
    if let Some((view, _)) = &found {
        Box::pin(whole(request, view)).await;
    }
    Ok(found)
}

/// The show and its concert, or 404.
pub(super) async fn show(
    ctx: &Context,
    request: &Request,
    id: ShowId,
) -> Result<(Arc<ConcertView>, Arc<ShowView>), Problem> {
    find_show(ctx, request, id).await?.ok_or_else(|| Problem::new(Code::NotFound))
}

async fn look(ctx: &Context, request: &Request) -> Result<(), Problem> {
    match timeout_at(request.deadline, ctx.live.lookout().look()).await {
        Ok(true) => Ok(()),
        _ => Err(Problem::new(Code::Unavailable).detail("Nobody can say now whether there is such a thing.")),
    }
}

/// What a view just made shows follows from its log.
async fn whole(request: &Request, view: &ConcertView) {
    view.reached(1, request.deadline).await;
}
