//! Concerts, shows and rankings: read from memory, open to all unless a policy gates a concert's shows.

use serde::Serialize;

use super::context::Context;
use super::freshness;
use super::gate;
use super::page::{self, List};
use super::problem::{Code, Problem};
use super::query;
use super::request::Request;
use super::response::{self, Response};
use crate::domain::ids::{ConcertId, ShowId};
use crate::domain::policy::{Gate, Policy};
use crate::domain::time::Millis;
use crate::live::{ConcertView, Ranked, SaleState, ShowView};

/// A concert as lists show it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConcertItem {
    concert_id: ConcertId,
    title: String,
    artist: String,
    venue: String,
    opens_at: Option<Millis>,
    closes_at: Option<Millis>,
    state: SaleState,
}

/// A concert alone: with its policy.
#[derive(Serialize)]
struct ConcertBody {
    #[serde(flatten)]
    concert: ConcertItem,
    policy: Policy,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShowItem {
    show_id: ShowId,
    concert_id: ConcertId,
    starts_at: Millis,
    currency: String,
    seats_total: u64,
    seats_available: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RankingItem {
    rank: u64,
    concert_id: ConcertId,
    title: String,
    booked: u64,
    sold_out_in_seconds: Option<u64>,
}

/// `GET /v1/concerts`
pub(crate) async fn concerts(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let asked = page::asked(request)?;
    let popular = match query::parameter(request, "sort")?.as_deref() {
        None => false,
        Some("popular") => true,
        Some(_) => return Err(Problem::field("sort", "Expected popular.")),
    };
    freshness::wait_any(ctx, request).await?;
    let list = if popular {
        let ranking = ctx.live.ranking_by_booked();
        page::cut(ranking.iter().map(|ranked| concert_item(&ranked.concert)), &asked)?
    } else {
        let all = ctx.live.concerts();
        page::cut(all.iter().map(|view| concert_item(view)), &asked)?
    };
    response::ok(&list)
}

/// `GET /v1/concerts/{concertId}`
pub(crate) async fn concert(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let view = find(ctx, request)?;
    freshness::wait(request, &view).await?;
    concert_response(&view, hyper::StatusCode::OK)
}

/// One concert, as it is answered wherever one is.
pub(crate) fn concert_response(view: &ConcertView, status: hyper::StatusCode) -> Result<Response, Problem> {
    let (log_id, number) = (view.log_id(), view.number());
    let body = ConcertBody { concert: concert_item(view), policy: view.policy().policy.clone() };
    let mut response = response::json(status, &body)?;
    freshness::mark(&mut response, log_id, number);
    Ok(response)
}

/// The concert that the path names, else 404.
pub(crate) fn find(ctx: &Context, request: &Request) -> Result<std::sync::Arc<ConcertView>, Problem> {
    let concert = ConcertId(request.path_id()?);
    let view = ctx.live.concert(concert);
    view.ok_or_else(|| Problem::new(Code::NotFound))
}

/// `GET /v1/concerts/{concertId}/shows`
pub(crate) async fn concert_shows(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let asked = page::asked(request)?;
    let only_available = query::flag(request, "available")?;
    let view = find(ctx, request)?;
    freshness::wait(request, &view).await?;
    gate::pass(ctx, request, &view, Gate::Shows).await?;
    let (log_id, number) = (view.log_id(), view.number());
    let shows = view.shows();
    let items = shows.iter().map(|show| show_item(show));
    let wanted = items.filter(|item| !only_available || item.seats_available > 0);
    let mut response = response::ok(&page::cut(wanted, &asked)?)?;
    freshness::mark(&mut response, log_id, number);
    Ok(response)
}

/// `GET /v1/shows`: those of gated concerts are left out, they need a place in that concert's line.
pub(crate) async fn shows(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let asked = page::asked(request)?;
    let only_available = query::flag(request, "available")?;
    let from = query::time(request, "from")?;
    let to = query::time(request, "to")?;
    freshness::wait_any(ctx, request).await?;
    let concerts = ctx.live.concerts();
    let open = concerts.iter().filter(|view| !view.policy().policy.gates(Gate::Shows));
    let shows: Vec<_> = open.flat_map(|view| view.shows().to_vec()).collect();
    let wanted = shows.iter().map(|show| show_item(show)).filter(|item| {
        from.is_none_or(|from| from <= item.starts_at)
            && to.is_none_or(|to| item.starts_at < to)
            && (!only_available || item.seats_available > 0)
    });
    response::ok(&page::cut(wanted, &asked)?)
}

/// `GET /v1/rankings/concerts`
pub(crate) async fn ranking(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let asked = page::asked(request)?;
    freshness::wait_any(ctx, request).await?;
    let ranking = match query::parameter(request, "by")?.as_deref() {
        None | Some("booked") => ctx.live.ranking_by_booked(),
        Some("sold-out") => ctx.live.ranking_by_sold_out(),
        Some(_) => return Err(Problem::field("by", "Expected booked or sold-out.")),
    };
    let list: List<_> = page::cut(ranking.iter().map(ranking_item), &asked)?;
    response::ok(&list)
}

fn concert_item(view: &ConcertView) -> ConcertItem {
    let concert = view.concert();
    let policy = view.policy();
    ConcertItem {
        concert_id: concert.concert,
        title: concert.title.clone(),
        artist: concert.artist.clone(),
        venue: concert.venue.clone(),
        opens_at: policy.opens_at,
        closes_at: policy.closes_at,
        state: view.state(Context::now()),
    }
}

fn show_item(view: &ShowView) -> ShowItem {
    let layout = view.layout();
    ShowItem {
        show_id: layout.show,
        concert_id: layout.concert,
        starts_at: layout.starts_at,
        currency: layout.currency.clone(),
        seats_total: layout.seats.len() as u64,
        seats_available: view.counts().available,
    }
}

fn ranking_item(ranked: &Ranked) -> RankingItem {
    let concert = ranked.concert.concert();
    RankingItem {
        rank: ranked.rank,
        concert_id: concert.concert,
        title: concert.title.clone(),
        booked: ranked.booked,
        sold_out_in_seconds: ranked.sold_out_in_seconds,
    }
}
