//! What grows: halls and concerts. A seat is held and given back, in ever larger halls, in ever more concerts.

use std::sync::Arc;

use crate::{
    Result,
    catalog::{Seat, concerts},
    cpu::Meter,
    goal::{Axis, Goal, Outcome, Plot, Row, Spread},
    load::closed,
    people::{Person, Signer, Turn, users},
    plan::Plan,
    site::Site,
    turnover::{Turnover, UNGATED},
};

/// Connections: fewer than the smallest hall has seats.
const FEW: usize = 32;
/// Seats of a show, one show each.
const SEATS: [u64; 5] = [50, 500, 5_000, 50_000, 100_000];
/// Seats of the only show of each of many concerts.
const SMALL: u64 = 1_000;
/// Concerts at once; those that the plan has time for.
const CONCERTS: [usize; 4] = [1, 10, 100, 1_000];

/// CPU by size, µs a request.
#[derive(Default)]
struct Curve {
    all: Vec<(f64, f64)>,
    server: Vec<(f64, f64)>,
    redis: Vec<(f64, f64)>,
    broken: Option<String>,
}

pub(crate) async fn run(plan: &Plan) -> Result<Outcome> {
    let seats = seats(plan).await?;
    let concerts = many(plan).await?;
    let rows = vec![
        row(
            "growth seats",
            "CPU of a request at 100,000 seats ÷ at 50",
            &seats,
            "A show of each size, one after the other.",
        ),
        row(
            "growth concerts",
            "CPU of a request over 1,000 concerts ÷ over one",
            &concerts,
            "Connections go from concert to concert: the more there are, the fewer share a batch.",
        ),
    ];
    let plots = vec![
        plot("seats.svg", "CPU of a hold or release by seats of the show", "seats", seats),
        plot("concerts.svg", "CPU of a hold or release by number of concerts", "concerts", concerts),
    ];
    Ok(Outcome { rows, plots })
}

async fn seats(plan: &Plan) -> Result<Curve> {
    let site = Site::open(&concerts(&[UNGATED], &SEATS)).await?;
    let people = Signer::new(&site.config()?)?.strangers(&users(plan.users))?;
    let mut curve = Curve::default();
    for (show, size) in (1..).zip(SEATS) {
        // Each connection has seats of its own, spread over the hall.
        let own = |number: u64| (0..size).skip(usize::try_from(number).unwrap_or(0)).step_by(FEW);
        let sources = turnover(&people, |number| own(number).map(|index| seat(show, index)).collect());
        measure(plan, &site, sources, size, &mut curve).await?;
    }
    curve.broken = curve.broken.take().or_else(|| site.audit());
    Ok(curve)
}

async fn many(plan: &Plan) -> Result<Curve> {
    let mut curve = Curve::default();
    for count in CONCERTS.into_iter().filter(|count| *count <= plan.most_concerts) {
        let site = Site::open(&concerts(&vec![UNGATED; count], &[SMALL])).await?;
        let people = Signer::new(&site.config()?)?.strangers(&users(plan.users))?;
        let shows = u32::try_from(count)?;
        // One seat of each concert, each connection beginning elsewhere.
        let own = |number: u64| {
            let first = u32::try_from(number).unwrap_or(0) * shows / 32;
            (0..shows).map(move |at| seat((first + at) % shows + 1, number)).collect()
        };
        measure(plan, &site, turnover(&people, own), u64::from(shows), &mut curve).await?;
        curve.broken = curve.broken.take().or_else(|| site.audit());
    }
    Ok(curve)
}

fn seat(show: u32, index: u64) -> Seat {
    Seat { show, index: u32::try_from(index).expect("a hall has fewer than 2^32 seats") }
}

fn turnover(people: &Arc<[Person]>, own: impl Fn(u64) -> Vec<Seat>) -> Vec<Turnover> {
    let turns = (0..).zip(Turn::split(people, FEW));
    turns.map(|(number, turn)| Turnover::new(turn, own(number))).collect()
}

async fn measure(
    plan: &Plan,
    site: &Site,
    sources: Vec<Turnover>,
    count: u64,
    curve: &mut Curve,
) -> Result<()> {
    let (sources, warm) = closed::run(site.address(), sources, plan.time / 3).await?;
    site.drained().await?;
    let meter = Meter::start(&site.processes());
    let (_, report) = closed::run(site.address(), sources, plan.time).await?;
    site.drained().await?;
    let usage = meter.stop();
    let at = f64::from(u32::try_from(count)?);
    let us = |seconds: f64| (at, seconds * 1e6 / report.count_f64());
    curve.all.push(us(usage.total()));
    curve.server.push(us(usage.of("server")));
    curve.redis.push(us(usage.of("redis")));
    curve.broken = curve.broken.take().or(warm.trouble()).or(report.trouble());
    Ok(())
}

fn row(id: &'static str, figure: &'static str, curve: &Curve, note: &str) -> Row {
    let ratio = |points: &[(f64, f64)]| match (points.first(), points.last()) {
        (Some(first), Some(last)) => last.1 / first.1,
        _ => f64::NAN,
    };
    let mut row = Row::new(id, figure, "ratio", Goal::None, Spread::once(ratio(&curve.all)));
    for ((at, all), (_, redis)) in curve.all.iter().zip(&curve.redis) {
        row = row.part(format!("{at}: all processes"), "µs", Spread::once(*all)).part(
            format!("{at}: Redis"),
            "µs",
            Spread::once(*redis),
        );
    }
    row.note(format!(
        "{FEW} connections hold a seat and give it back, no queue token asked for. CPU of server, worker, Redis and MySQL until the archive \
         has drained, per request. {note}"
    ))
    .broken_by(curve.broken.clone())
}

fn plot(file: &str, title: &str, x: &str, curve: Curve) -> Plot {
    Plot {
        file: file.into(),
        title: title.to_owned(),
        x: Axis { name: x.to_owned(), logarithmic: true },
        y: Axis { name: "µs a request".to_owned(), logarithmic: false },
        lines: vec![
            ("all processes".to_owned(), curve.all),
            ("server".to_owned(), curve.server),
            ("Redis".to_owned(), curve.redis),
        ],
    }
}
