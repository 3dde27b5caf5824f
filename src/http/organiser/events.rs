//! The pull log: all events of an organiser's concerts, from the archive, in the order of each concert.
//!
//! A cursor holds how far each concert has been read, so nothing is passed over whatever is archived when; concerts take turns
//! to be first, so none waits behind a busy one for ever.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use utoipa::ToSchema;

use super::caller;
use crate::archive::LogOffset;
use crate::domain::cloud_event::CloudEvent;
use crate::domain::ids::{ConcertId, LogName};
use crate::follow::{TellError, cloud_events};
use crate::http::context::Context;
use crate::http::history;
use crate::http::openapi::params::{After, Limit};
use crate::http::openapi::refusals::refusals;
use crate::http::page;
use crate::http::problem::{Code, Problem};
use crate::http::query;
use crate::http::request::Request;
use crate::http::response::{self, Response};

/// Bytes of a cursor: some 800 concerts.
const CURSOR_BYTES_MAX: usize = 16_384;

/// How far each concert has been read: the last entry read whole, and how many events of the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Cursor {
    /// The concert whose turn it is to be first.
    first: u32,
    read: BTreeMap<ConcertId, (u64, usize)>,
}

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

refusals!(EventsRefusals: JSON, ORGANISER, FORM, FRESH);

/// `GET /v1/admin/events`
#[utoipa::path(
    get, path = "/v1/admin/events", operation_id = "listEvents", tag = "organiser",
    summary = "What happened in the organiser's concerts, as CloudEvents",
    params(After, Limit),
    responses((status = 200, description = "The next events; a schema for each type is in docs/events.", body = Events), EventsRefusals),
    security(("identity" = [])),
)]
pub(crate) async fn events(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let identity = caller(ctx, request)?;
    let limit = page::asked(request)?.limit as usize;
    let invalid = || Problem::field("after", "Not a cursor of this list.");
    let cursor: Cursor = match query::parameter(request, "after")? {
        None => Cursor::default(),
        Some(text) if text.len() > CURSOR_BYTES_MAX => return Err(invalid()),
        Some(text) => text.parse().map_err(|InvalidCursor| invalid())?,
    };
    let heads = history::read(request, ctx.archive.offsets()).await?;
    let owned = |head: &&LogOffset| match head.log {
        LogName::Concert(concert) => {
            ctx.live.concert(concert).is_some_and(|view| identity.runs(&view.concert()))
        }
        LogName::Wallet(_) => false,
    };
    let mut heads: Vec<&LogOffset> = heads.iter().filter(owned).collect();
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
    response::ok(&Events { items: page.items, next_cursor: page.cursor.to_string(), more })
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

#[derive(Debug, PartialEq, Eq)]
struct InvalidCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.first.to_string();
        for (concert, (number, done)) in &self.read {
            let _ = write!(text, ",{concert}:{number}.{done}");
        }
        f.write_str(&URL_SAFE_NO_PAD.encode(text))
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let text = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let text = text.ok_or(InvalidCursor)?;
        let mut parts = text.split(',');
        let first = parts.next().and_then(|first| first.parse().ok()).ok_or(InvalidCursor)?;
        let one = |part: &str| {
            let (concert, place) = part.split_once(':')?;
            let (number, done) = place.split_once('.')?;
            Some((ConcertId(concert.parse().ok()?), (number.parse().ok()?, done.parse().ok()?)))
        };
        let read = parts.map(one).collect::<Option<_>>().ok_or(InvalidCursor)?;
        Ok(Self { first, read })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_what_it_says() {
        let read = [(ConcertId(7), (12, 3)), (ConcertId(1_000_001), (4, 0))].into_iter().collect();
        let cursor = Cursor { first: 8, read };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        assert_eq!(Cursor::default().to_string().parse(), Ok(Cursor::default()));
        for text in ["", "x", "MA=="] {
            assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor), "{text}");
        }
    }
}
