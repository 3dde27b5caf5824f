//! P5, P16: seat maps, unchanged and changing.

use crate::{
    Result,
    catalog::{Hall, SMALL_SHOW, WIDE_OPEN},
    efficiency::Efficiency,
    goal::{Goal, Outcome, Row, Spread},
    hello::Hello,
    load::{Fixed, alike, closed},
    plan::Plan,
    sale::Sale,
    site::{Site, get},
    watch::{Seen, Visitor},
};

/// Connections.
const FEW: usize = 64;
/// Those that read the changing map meanwhile.
const READERS: usize = 8;
/// Those who buy meanwhile; each may hold many.
const PEOPLE: usize = 1000;
const LARGE: &str = "/v1/shows/1/seats";
const SMALL: &str = "/v1/shows/1000/seats";

pub(crate) async fn run(plan: &Plan) -> Result<Outcome> {
    let hello = Hello::start()?;
    let mut rows = unchanged(plan, &hello).await?;
    rows.extend(changing(plan).await?);
    Ok(Outcome { rows, plots: Vec::new() })
}

/// Nobody buys: 304s of the large map, and the small one whole.
async fn unchanged(plan: &Plan, hello: &Hello) -> Result<Vec<Row>> {
    let hall = Hall { shows: 1, rows: plan.rows };
    let site = Site::open(&(hall.yaml(WIDE_OPEN) + SMALL_SHOW)).await?;
    let head = get(site.address(), LARGE)?;
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).ok_or("a map without a tag")?;
    let mut same = alike(&Fixed::get_with(LARGE, &format!("If-None-Match: {}", tag.trim()), 304), FEW);
    let mut small = alike(&Fixed::get(SMALL, 200), FEW);
    let (mut same_figures, mut small_figures) = (Efficiency::default(), Efficiency::default());
    for _ in 0..plan.rounds {
        same = same_figures.round(hello, &site, same, plan.time).await?;
        small = small_figures.round(hello, &site, small, plan.time).await?;
    }
    let broken = same_figures.trouble.clone().or(small_figures.trouble.clone()).or_else(|| site.audit());
    let ratio = same_figures.asked_rate.over(&same_figures.hello_rate);
    Ok(vec![
        Row::new(
            "P5",
            "304s of a seat map of 50,000 ÷ hello requests/s",
            "ratio",
            Goal::AtLeast(0.85),
            ratio,
        )
        .part("304s", "1/s", same_figures.asked_rate.spread())
        .part("hello", "1/s", same_figures.hello_rate.spread())
        .note("64 connections.")
        .broken_by(broken.clone()),
        same_figures
            .row("P16 304", "304s of a seat map per CPU second ÷ hello", Goal::AtLeast(0.8))
            .broken_by(broken.clone()),
        small_figures
            .row("P16 map", "full maps of 50 seats per CPU second ÷ hello", Goal::AtLeast(0.45))
            .broken_by(broken),
    ])
}

/// Somebody buys all the time.
async fn changing(plan: &Plan) -> Result<Vec<Row>> {
    let sale = Sale::open_for(&Plan { shows: 1, ..*plan }, PEOPLE, &[]).await?;
    let seen = Seen::default();
    let mut buyers = sale.buyers(2, 0).into_iter();
    let mut visitors: Vec<_> = (0..READERS).map(|_| Visitor::reader(LARGE, &seen)).collect();
    visitors.extend(buyers.next().map(Visitor::holder));
    visitors.extend(buyers.next().map(|buyer| Visitor::prober(LARGE, buyer, &seen)));
    let rounds = u32::try_from(plan.rounds)?;
    let (_, report) = closed::run(sale.site.address(), visitors, plan.time * rounds).await?;
    sale.site.drained().await?;
    let broken = report.trouble().or_else(|| sale.site.audit());
    let sights = seen.sum();
    let (p99, delays) = (percentile(&sights.delays_ms, 99), Spread::of(&sights.delays_ms));
    let seconds = report.wall.as_secs_f64();
    let versions = u32::try_from(sights.versions.len())?;
    let maps = u32::try_from(sights.maps)?;
    Ok(vec![
        Row::new("P5", "a hold's answer to the first full map that shows it, p99", "ms", Goal::AtMost(200.0), Spread::once(p99))
            .part("all of them, median", "ms", delays)
            .note(format!(
                "{} holds looked for in plain maps of 50,000 seats, while eight clients read each packed map and one buys without a \
                 pause.",
                sights.delays_ms.len()
            ))
            .broken_by(broken.clone()),
        Row::new(
            "P5",
            "versions of a changing map that were handed out",
            "1/s",
            Goal::AtMost(10.0),
            Spread::once(f64::from(versions.saturating_sub(1)) / seconds),
        )
        .part("full maps handed out", "1/s", Spread::once(f64::from(maps) / seconds))
        .note("Each version is encoded once, which the tests of `src/live` count; here, that a map that never rests is not encoded more often.")
        .broken_by(broken),
    ])
}

/// The least value that so many of a hundred don't exceed.
fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(rank).copied().unwrap_or(f64::NAN)
}
