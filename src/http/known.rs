//! The concert or show that a call names. What this server has not heard of it looks for in MySQL before it says that there is none:
//! another may have put it on sale a moment ago, and have answered that it works.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::time::timeout_at;

use super::context::Context;
use super::history;
use super::problem::{Code, Problem};
use super::request::Request;
use crate::domain::ids::{ConcertId, ShowId};
use crate::live::{ConcertView, ShowView};
use crate::publishing::look_up;

/// Looks at once: whoever asks for ids that nobody has keeps MySQL from nothing else.
static LOOKS: Semaphore = Semaphore::const_new(2);

/// What a call names.
#[derive(Clone, Copy)]
enum Named {
    Concert(ConcertId),
    Show(ShowId),
}

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
    Box::pin(look(ctx, request, Named::Concert(id))).await?;
    Ok(ctx.live.concert(id))
}

/// The concert, or 404.
pub(super) async fn concert(
    ctx: &Context,
    request: &Request,
    id: ConcertId,
) -> Result<Arc<ConcertView>, Problem> {
    find_concert(ctx, request, id).await?.ok_or_else(|| Problem::new(Code::NotFound))
}

/// The show and its concert, or 404.
pub(super) async fn show(
    ctx: &Context,
    request: &Request,
    id: ShowId,
) -> Result<(Arc<ConcertView>, Arc<ShowView>), Problem> {
    if let Some(found) = ctx.live.show(id) {
        return Ok(found);
    }
    Box::pin(look(ctx, request, Named::Show(id))).await?;
    ctx.live.show(id).ok_or_else(|| Problem::new(Code::NotFound))
}

async fn look(ctx: &Context, request: &Request, named: Named) -> Result<(), Problem> {
    let late = |_| Problem::new(Code::Unavailable).detail("Others look for what is new.");
    let _turn = timeout_at(request.deadline, LOOKS.acquire()).await.map_err(late)?;
    let concert = match named {
        Named::Concert(id) if ctx.live.concert(id).is_none() => Some(id),
        Named::Show(id) if ctx.live.show(id).is_none() => {
            history::read(request, ctx.archive.concert_of(id)).await?
        }
        // Who looked before has found it.
        Named::Concert(_) | Named::Show(_) => None,
    };
    let Some(concert) = concert else { return Ok(()) };
    let found = look_up(&ctx.archive, ctx.store.seen(), &ctx.live, concert);
    if history::read(request, found).await?
        && let Some(view) = ctx.live.concert(concert)
    {
        view.reached(1, request.deadline).await;
    }
    Ok(())
}
