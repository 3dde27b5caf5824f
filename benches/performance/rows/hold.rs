//! P1, P2, P3, P16: one seat held, over HTTP, beside the same script driven straight.

use std::time::Duration;

use onsale::store::HoldRequest;

use crate::{
    Result,
    cpu::Meter,
    direct::Driven,
    efficiency::{Efficiency, greet},
    goal::{Goal, Outcome, Row},
    hello::Hello,
    journey::Holding,
    load::closed,
    plan::Plan,
    rounds::Series,
    sale::Sale,
    site::Part,
    stats,
};

/// Connections of P1 to P3.
const MANY: usize = 512;
/// Connections of P16.
const FEW: usize = 64;
/// What stands still while P1 to P3 are measured.
const BEHIND: [Part; 2] = [Part::Worker, Part::Mysql];
/// All but Redis.
const OTHERS: [Part; 3] = [Part::Server, Part::Worker, Part::Mysql];

/// What the rounds of P1 to P3 gave.
#[derive(Default)]
struct Sides {
    hello_rate: Series,
    hello_us: Series,
    hold_rate: Series,
    server_us: Series,
    redis_us: Series,
    batch: Series,
    single_us: Series,
    single_rate: Series,
    together_us: Series,
    together_rate: Series,
    trouble: Option<String>,
}

pub(crate) async fn run(plan: &Plan) -> Result<Outcome> {
    let hello = Hello::start()?;
    let mut bare = Sale::open(plan).await?;
    // Nobody follows what the reference writes: it pays for the script and the fsync alone.
    bare.site.pause(&OTHERS)?;
    let sale = Sale::open(plan).await?;
    let mut sides = many(plan, &hello, &mut bare, &sale).await?;
    bare.site.resume(&OTHERS)?;
    bare.site.drained().await?;
    let few = few(plan, &hello, &sale).await?;
    let broken = sides.trouble.take().or(few.trouble.clone());
    let broken = broken.or_else(|| sale.site.audit()).or_else(|| bare.site.audit());
    Ok(Outcome { rows: rows(&sides, &few, broken.as_deref()), plots: Vec::new() })
}

async fn many(plan: &Plan, hello: &Hello, bare: &mut Sale, sale: &Sale) -> Result<Sides> {
    let mut sides = Sides::default();
    let mut sources = sale.holding(MANY, 0);
    let mut requests = bare.requests().await?;
    for round in 0..=plan.rounds {
        // The first one warms up.
        let (mut warming, is_kept) = (Sides::default(), round > 0);
        let kept = if is_kept { &mut sides } else { &mut warming };
        sale.site.pause(&BEHIND)?;
        let greeted = greet(hello, MANY, plan.time).await?;
        kept.hello_rate.push(greeted.rate);
        kept.hello_us.push(greeted.us);
        kept.trouble = kept.trouble.take().or(greeted.trouble);
        drive(bare, &mut requests, plan.time, kept).await?;
        sources = hold(sale, sources, plan.time, kept).await?;
        sale.site.resume(&BEHIND)?;
        sale.site.drained().await?;
    }
    Ok(sides)
}

async fn few(plan: &Plan, hello: &Hello, sale: &Sale) -> Result<Efficiency> {
    let mut few = Efficiency::default();
    let mut sources = sale.holding(FEW, MANY);
    for _ in 0..plan.rounds {
        sources = few.round(hello, &sale.site, sources, plan.time).await?;
    }
    Ok(few)
}

async fn drive(
    bare: &mut Sale,
    requests: &mut impl Iterator<Item = HoldRequest>,
    time: Duration,
    sides: &mut Sides,
) -> Result<()> {
    let processes = bare.site.processes();
    let meter = Meter::start(&processes);
    let singly = bare.direct.hold_singly(requests, time).await?;
    let (rate, us) = per_hold(singly, meter.stop().of("redis"));
    sides.single_rate.push(rate);
    sides.single_us.push(us);
    let meter = Meter::start(&processes);
    let together = bare.direct.hold_together(requests, time / 2).await?;
    let (rate, us) = per_hold(together, meter.stop().of("redis"));
    sides.together_rate.push(rate);
    sides.together_us.push(us);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "no drive has 2^52 holds")]
fn per_hold(driven: Driven, redis: f64) -> (f64, f64) {
    let done = driven.done as f64;
    (done / driven.wall.as_secs_f64(), redis * 1e6 / done)
}

async fn hold(sale: &Sale, sources: Vec<Holding>, time: Duration, sides: &mut Sides) -> Result<Vec<Holding>> {
    let before = stats::calls(&sale.site, "evalsha").await?;
    let meter = Meter::start(&sale.site.processes());
    let (sources, report) = closed::run(sale.site.address(), sources, time).await?;
    let usage = meter.stop();
    let calls = stats::calls(&sale.site, "evalsha").await? - before;
    sides.hold_rate.push(report.rate());
    sides.server_us.push(usage.of("server") * 1e6 / report.count_f64());
    sides.redis_us.push(usage.of("redis") * 1e6 / report.count_f64());
    sides.batch.push(report.count_f64() / calls);
    sides.trouble = sides.trouble.take().or(report.trouble());
    Ok(sources)
}

fn rows(sides: &Sides, few: &Efficiency, broken: Option<&str>) -> Vec<Row> {
    let broken = || broken.map(str::to_owned);
    let many = "512 connections, one seat a hold, every seat free (win rate 1), `Idempotency-Key` on each, fsync before \
                each answer; worker and MySQL stand still meanwhile and are drained after.";
    vec![
        Row::new(
            "P1",
            "Redis CPU per hold over HTTP ÷ one EVALSHA a hold, 64 in a pipeline",
            "ratio",
            Goal::AtMost(0.5),
            sides.redis_us.over(&sides.single_us),
        )
        .part("Redis, per hold over HTTP", "µs", sides.redis_us.spread())
        .part("Redis, per hold straight, one a call, 64 calls deep", "µs", sides.single_us.spread())
        .part("Redis, per hold straight, 64 a call", "µs", sides.together_us.spread())
        .part("holds straight, one a call", "1/s", sides.single_rate.spread())
        .part("holds straight, 64 a call", "1/s", sides.together_rate.spread())
        .part("holds in a batch, over HTTP", "holds", sides.batch.spread())
        .note(format!("{many} The reference has a Redis of its own that nobody follows."))
        .broken_by(broken()),
        Row::new(
            "P2",
            "server CPU per hold ÷ hello",
            "ratio",
            Goal::AtMost(1.8),
            sides.server_us.over(&sides.hello_us),
        )
        .part("server, per hold", "µs", sides.server_us.spread())
        .part("hello, per request", "µs", sides.hello_us.spread())
        .note(many)
        .broken_by(broken()),
        Row::new(
            "P3",
            "holds/s ÷ hello requests/s",
            "ratio",
            Goal::AtLeast(0.4),
            sides.hold_rate.over(&sides.hello_rate),
        )
        .part("holds over HTTP", "1/s", sides.hold_rate.spread())
        .part("hello", "1/s", sides.hello_rate.spread())
        .note(many)
        .broken_by(broken()),
        few.row("P16 hold", "holds per CPU second ÷ hello", Goal::AtLeast(0.2)).broken_by(broken()),
    ]
}
