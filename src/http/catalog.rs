//! Concerts, shows and rankings: read from memory, open to all unless a policy gates a concert's shows.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::context::Context;
use super::freshness;
use super::gate;
use super::known;
use super::openapi::params::{Available, ConcertPath, Paging, Span, Version};
use super::openapi::refusals::refusals;
use super::page::{self, List};
use super::problem::Problem;
use super::query;
use super::request::Request;
use super::response::{self, Response};
use crate::domain::ids::{ConcertId, ShowId};
use crate::domain::policy::{Gate, Policy};
use crate::domain::time::Millis;
use crate::live::{ConcertView, Ranked, SaleState, ShowView};

/// A concert as lists show it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConcertItem {
    concert_id: ConcertId,
    title: String,
    artist: String,
    venue: String,
    #[schema(required = true)]
    opens_at: Option<Millis>,
    #[schema(required = true)]
    closes_at: Option<Millis>,
    state: SaleState,
}

/// A concert alone: with its policy.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConcertBody {
    #[serde(flatten)]
    concert: ConcertItem,
    policy: Policy,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ShowItem {
    show_id: ShowId,
    concert_id: ConcertId,
    starts_at: Millis,
    currency: String,
    seats_total: u64,
    seats_available: u64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RankingItem {
    rank: u64,
    concert_id: ConcertId,
    title: String,
    booked: u64,
    #[schema(required = true)]
    sold_out_in_seconds: Option<u64>,
}

/// Orders of the list of concerts.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "describes a parameter that is read as a word")]
enum Sort {
    Popular,
}

/// What the ranking goes by.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
#[expect(dead_code, reason = "describes a parameter that is read as a word")]
enum RankedBy {
    Booked,
    SoldOut,
}

refusals!(ConcertsRefusals: JSON, FORM, FRESH);

/// `GET /v1/concerts`
#[utoipa::path(
    get, path = "/v1/concerts", operation_id = "listConcerts", tag = "catalog", summary = "All concerts",
    params(
        Paging, Version,
        ("sort" = inline(Option<Sort>), Query, description = "The ranking's order; else that of the ids."),
    ),
    responses((status = 200, description = "A page.", body = List<ConcertItem>), ConcertsRefusals),
)]
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

refusals!(ConcertRefusals: JSON, PATH, FRESH);

/// `GET /v1/concerts/{concertId}`
#[utoipa::path(
    get, path = "/v1/concerts/{concertId}", operation_id = "getConcert", tag = "catalog",
    summary = "One concert with its policy",
    params(ConcertPath, Version),
    responses((status = 200, description = "The concert.", body = ConcertBody), ConcertRefusals),
)]
pub(crate) async fn concert(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let view = of_path(ctx, request).await?;
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
async fn of_path(ctx: &Context, request: &Request) -> Result<Arc<ConcertView>, Problem> {
    known::concert(ctx, request, ConcertId(request.path_id()?)).await
}

refusals!(ConcertShowsRefusals: JSON, PATH, FORM, FRESH, GATED);

/// `GET /v1/concerts/{concertId}/shows`
#[utoipa::path(
    get, path = "/v1/concerts/{concertId}/shows", operation_id = "listConcertShows", tag = "catalog",
    summary = "The shows of a concert",
    params(ConcertPath, Available, Paging, Version),
    responses((status = 200, description = "A page.", body = List<ShowItem>), ConcertShowsRefusals),
    security((), ("identity" = [], "queueToken" = [])),
)]
pub(crate) async fn concert_shows(ctx: &Context, request: &Request) -> Result<Response, Problem> {
    let asked = page::asked(request)?;
    let only_available = query::flag(request, "available")?;
    let view = of_path(ctx, request).await?;
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

refusals!(ShowsRefusals: JSON, FORM, FRESH);

/// `GET /v1/shows`: those of gated concerts are left out, they need a place in that concert's line.
#[utoipa::path(
    get, path = "/v1/shows", operation_id = "listShows", tag = "catalog",
    summary = "The shows of all concerts that gate none",
    params(Available, Span, Paging, Version),
    responses((status = 200, description = "A page.", body = List<ShowItem>), ShowsRefusals),
)]
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

refusals!(RankingRefusals: JSON, FORM, FRESH);

/// `GET /v1/rankings/concerts`
#[utoipa::path(
    get, path = "/v1/rankings/concerts", operation_id = "rankConcerts", tag = "catalog",
    summary = "Concerts by what they sold",
    params(
        Paging, Version,
        ("by" = inline(Option<RankedBy>), Query, description = "Seats booked, or how soon it was sold out."),
    ),
    responses((status = 200, description = "A page.", body = List<RankingItem>), RankingRefusals),
)]
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
