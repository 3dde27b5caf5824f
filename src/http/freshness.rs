//! `Onsale-Version`: a client that sends back what it saw gets nothing older.

use hyper::header::HeaderName;
use tokio::time::Instant;

use super::context::Context;
use super::history;
use super::problem::{Code, Problem};
use super::request::Request;
use super::response::{self, Response};
use crate::domain::ids::{ConcertId, LogName, Mark};
use crate::live::ConcertView;
use crate::store::Answer;

const HEADER: HeaderName = HeaderName::from_static("onsale-version");

/// Waits until the view has applied what the client has seen, up to the deadline (then 503). Answers the number
/// that the client has seen of this concert's log, 0 if it names none.
pub(crate) async fn wait(request: &Request, view: &ConcertView) -> Result<u64, Problem> {
    // A view without its snapshot says nothing; one whose log is lost shows what it last knew.
    if !view.warm() && !view.recovering() && !Box::pin(view.reached(1, request.deadline)).await {
        return Err(Problem::new(Code::Unavailable).detail("This server has not read the sale yet."));
    }
    match seen_of(request, view) {
        Some(number) => wait_for(request, view, number).await,
        None => Ok(0),
    }
}

/// The same where an answer tells of all concerts: the version names one of their logs.
pub(crate) async fn wait_any(ctx: &Context, request: &Request) -> Result<(), Problem> {
    let Some((log_id, number)) = asked(request) else {
        return Ok(());
    };
    match ctx.live.concerts().iter().find(|view| view.log_id() == log_id) {
        Some(view) => wait_for(request, view, number).await.map(drop),
        None => Ok(()),
    }
}

async fn wait_for(request: &Request, view: &ConcertView, number: u64) -> Result<u64, Problem> {
    // Boxed, since hardly any request waits and all would carry the room for it.
    if view.number() >= number || Box::pin(view.reached(number, request.deadline)).await {
        Ok(number)
    } else {
        Err(Problem::new(Code::Unavailable).detail("This server has not seen that version yet."))
    }
}

/// Waits until MySQL has this entry of a concert's log, up to the deadline (then 503).
pub(crate) async fn wait_archive(
    ctx: &Context,
    request: &Request,
    concert: ConcertId,
    number: u64,
) -> Result<(), Problem> {
    let level = ctx.archive.is_level(LogName::Concert(concert), number, request.deadline);
    if history::read(request, level).await? {
        return Ok(());
    }
    Err(Problem::new(Code::Unavailable).detail("MySQL has not got that version yet."))
}

/// The same for a read that is as fresh as the archive: it waits a moment for what its client says that he has seen, of whichever
/// log that is, and then tells what there is.
pub(crate) async fn catch_up(ctx: &Context, request: &Request) -> Result<(), Problem> {
    let seen = asked(request).and_then(|(log_id, number)| Some((ctx.store.seen().named(log_id)?, number)));
    match seen {
        Some((log, number)) => catch_up_to(ctx, request, log, number).await,
        None => Ok(()),
    }
}

/// Waits a moment for this entry.
pub(crate) async fn catch_up_to(
    ctx: &Context,
    request: &Request,
    log: LogName,
    number: u64,
) -> Result<(), Problem> {
    // Who waits asks MySQL again and again: a lagging archive would be asked by everybody at once.
    let Ok(_turn) = ctx.catching_up.try_acquire() else {
        return Ok(());
    };
    let now = Instant::now();
    // Half of its time is for the answer.
    let until = now + ctx.settings.catch_up.min(request.deadline.saturating_duration_since(now) / 2);
    history::read(request, ctx.archive.reached(log, number, until)).await.map(drop)
}

/// The number that the client has seen of this concert's log, if it names one.
pub(crate) fn seen_of(request: &Request, view: &ConcertView) -> Option<u64> {
    asked(request).filter(|&(log_id, _)| log_id == view.log_id()).map(|(_, number)| number)
}

fn asked(request: &Request) -> Option<(Mark, u64)> {
    request.header(&HEADER).ok().flatten().and_then(parse)
}

/// `<log id>.<number>`; whatever else it may be is ignored, as another log's is.
pub(crate) fn parse(text: &str) -> Option<(Mark, u64)> {
    let (log_id, number) = text.split_once('.')?;
    Some((log_id.parse().ok()?, number.parse().ok()?))
}

/// Names the entry that an answer reflects.
pub(crate) fn mark(response: &mut Response, log_id: Mark, number: u64) {
    response::set(response, HEADER, format!("{log_id}.{number}"));
}

/// The same for an answer of the store.
pub(crate) fn mark_answer<T>(response: &mut Response, answer: &Answer<T>) {
    mark(response, answer.log_id, answer.at.number);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_reads_back_and_nonsense_is_ignored() {
        assert_eq!(parse("00000000000000ff.12"), Some((Mark(255), 12)));
        for text in ["", "ff.1", "00000000000000ff", "00000000000000ff.-1"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
