//! The pull log: all events of an organiser's concerts, from the archive, in the order of each concert.
//!
//! A cursor holds how far each concert has been read, so nothing is passed over whatever is archived when; concerts take turns
//! to be first, so none waits behind a busy one for ever.

mod cursor;

use serde::Serialize;
use utoipa::ToSchema;

use self::cursor::{Cursor, InvalidCursor, TEXT_MAX};
use super::{caller, owned};
use crate::archive::LogOffset;
use crate::domain::cloud_event::CloudEvent;
use crate::domain::ids::{ConcertId, LogName};
use crate::follow::{TellError, cloud_events};
use crate::http::context::Context;
use crate::http::freshness;
use crate::http::history;
use crate::http::openapi::params::{After, Limit, OneConcert, Version};
use crate::http::openapi::refusals::refusals;
use crate::http::page;
use crate::http::problem::{Code, Problem};
use crate::http::query;
use crate::http::request::Request;
use crate::http::response::{self, Response};

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Events {
    #[schema(value_type = Vec<Object>)]
    items: Vec<CloudEvent>,
    /// Always there: asked again later, it gives what has come since.
    next_cursor: String,
    /// Whether there was more when it was read.
    more: bool,
}

refusals!(EventsRefusals: JSON, ORGANISER, FORM, FRESH; NotFound);

/// `GET /v1/admin/events`
#[utoipa::path(
    get, path = "/v1/admin/events", operation_id = "listEvents", tag = "organiser",
    summary = "What happened in the organiser's concerts, as CloudEvents",
    params(After, Limit, OneConcert, Version),
    responses((status = 200, description = "The next events; a schema for each type is in docs/events.", body = Events), EventsRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn events(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let limit = page::asked(request)?.limit as usize;
    let invalid = || Problem::field("after", "Not a cursor of this list.");
    let mut cursor: Cursor = match query::parameter(request, "after")? {
        None => Cursor::default(),
        Some(text) => text.parse().map_err(|InvalidCursor| invalid())?,
    };
    let one = one_concert(request)?;
    if let Some(concert) = one {
        owned(ctx, request, concert, &identity).await?;
        cursor.read.retain(|read, _| *read == concert);
    }
    freshness::catch_up(ctx, request).await?;
    let heads = match one {
        Some(concert) => {
            let head = ctx.archive.offset(LogName::Concert(concert));
            history::read(request, head).await?.into_iter().collect()
        }
        None => history::read(request, ctx.archive.offsets()).await?,
    };
    let wanted = |head: &&LogOffset| match head.log {
        LogName::Concert(concert) => {
            ctx.live.concert(concert).is_some_and(|view| identity.runs(&view.concert()))
        }
        LogName::Wallet(_) => false,
    };
    let mut heads: Vec<&LogOffset> = heads.iter().filter(wanted).collect();
    heads.sort_by_key(|head| head.log);
    let turn = heads.partition_point(|head| head.log < LogName::Concert(ConcertId(cursor.first)));
    if turn < heads.len() {
        heads.rotate_left(turn);
    }

    let mut page = Reading { limit, cursor, items: Vec::new() };
    let mut more = false;
    for head in heads {
        more |= page.read(ctx, request, head).await?;
    }
    let next_cursor = page.cursor.to_string();
    if next_cursor.len() > TEXT_MAX {
        let many =
            "So many concerts have no common cursor: read each by its concertId, with the last cursor.";
        return Err(Problem::field("concertId", many));
    }
    response::ok(&Events { items: page.items, next_cursor, more })
}

fn one_concert(request: &Request) -> Result<Option<ConcertId>, Problem> {
    let invalid = || Problem::field("concertId", "Expected the id of a concert.");
    let id = query::parameter(request, "concertId")?;
    id.map(|id| id.parse().map(ConcertId).map_err(|_| invalid())).transpose()
}

/// A page that is being filled.
struct Reading {
    limit: usize,
    cursor: Cursor,
    items: Vec<CloudEvent>,
}

impl Reading {
    /// Reads on in one log until the page is full. Answers whether the log has more.
    async fn read(&mut self, ctx: &Context, request: &Request, head: &LogOffset) -> Result<bool, Problem> {
        let LogName::Concert(concert) = head.log else {
            return Ok(false);
        };
        let (mut number, mut done) = self.cursor.read.get(&concert).copied().unwrap_or_default();
        let room = self.limit.saturating_sub(self.items.len());
        if number >= head.offset.number || room == 0 {
            return Ok(number < head.offset.number);
        }
        // Each entry but the first tells something.
        let entries = u32::try_from(room + 1).unwrap_or(u32::MAX);
        for (at, text) in history::read(request, ctx.archive.entries_after(head.log, number, entries)).await?
        {
            let events = match cloud_events(&ctx.live, head.log, head.log_id, at, &text) {
                Ok(events) => events,
                Err(TellError::Catalog(_)) => break,
                Err(error) => return Err(Problem::caused(Code::Internal, error)),
            };
            let (all, room) = (events.len(), self.limit - self.items.len());
            let taken = all.saturating_sub(done).min(room);
            self.items.extend(events.into_iter().skip(done).take(taken));
            done += taken;
            if done < all {
                break;
            }
            (number, done) = (at, 0);
        }
        self.cursor.read.insert(concert, (number, done));
        // Whoever was read now is last the next time.
        self.cursor.first = concert.0.saturating_add(1);
        Ok(number < head.offset.number)
    }
}
