//! P7: how fast the archive drains, and how far it is behind while payments come.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::{
    Result,
    client::{Commits, Watch, now_ms, raw},
    duplicate::{self, Duplicate},
    goal::{Goal, Outcome, Row},
    journey::{Buyer, Cycling},
    load::{closed, open},
    plan::Plan,
    rounds::Series,
    sale::Sale,
    site::{Part, Site},
    stock::Stock,
};

/// Connections.
const MANY: usize = 512;
/// Payments a second, before there is a figure.
const GUESS: f64 = 15_000.0;
/// Of the peak of payments.
const LOAD: f64 = 0.8;
/// Less than this of what should have come: the loader had run out of holds.
const LEAST: f64 = 0.9;
/// Lags above are counted as this, ms.
const LAG_MAX_MS: u64 = 600_000;

/// What the rounds of draining gave.
#[derive(Default)]
struct Drains {
    archive: Series,
    client: Series,
    events: Series,
    transactions: Series,
    rows: Series,
    bytes: Series,
    trouble: Option<String>,
}

/// What the rounds of paying gave.
struct Lags {
    peak: Series,
    p50: Series,
    p99: Series,
    all: Histogram<u64>,
    trouble: Option<String>,
}

pub(crate) async fn run(plan: &Plan) -> Result<Outcome> {
    let sale = Sale::open_funded(plan).await?;
    let (mut drains, buyers) = drains(plan, &sale).await?;
    // Whoever had his turn is gone: the others go on behind him.
    let mut lags = lags(plan, &sale, &mut Stock::new(buyers)).await?;
    let broken = drains.trouble.take().or(lags.trouble.take()).or_else(|| sale.site.audit());
    let rows = rows(&drains, &lags).into_iter().map(|row| row.broken_by(broken.clone())).collect();
    Ok(Outcome { rows, plots: Vec::new() })
}

/// The worker stands still while people buy, then catches up alone; then the client writes the same rows. Gives the buyers
/// back.
async fn drains(plan: &Plan, sale: &Sale) -> Result<(Drains, Vec<Buyer>)> {
    let site = &sale.site;
    duplicate::prepare(site)?;
    let mut drains = Drains::default();
    let buyers = sale.buyers(MANY, 0).into_iter();
    let mut cycling: Vec<_> = buyers.map(|buyer| Cycling { buyer, held: None }).collect();
    for round in 0..=plan.rounds {
        site.pause(&[Part::Worker])?;
        let after = last_entry(site)?;
        let (back, report) = closed::run(site.address(), cycling, plan.time).await?;
        cycling = back;
        drains.trouble = drains.trouble.take().or(report.trouble());
        let commits = commits(site)?;
        let watch = Watch::start(site)?;
        let resumed = now_ms()?;
        site.resume(&[Part::Worker])?;
        site.drained().await?;
        let end = watch.stop()?.last().ok_or("nothing was drained")?;
        let transactions = self::commits(site)? - commits;
        let events = events(site, after)?;

        let duplicate = Duplicate::take(site, after, transactions)?;
        let begun = Instant::now();
        duplicate.write(site)?;
        let written = begun.elapsed().as_secs_f64();
        // The first one warms up.
        if round > 0 {
            drains.archive.push(events / seconds(end - resumed));
            drains.client.push(events / written);
            drains.events.push(events);
            drains.transactions.push(float(transactions));
            drains.rows.push(float(duplicate.rows));
            drains.bytes.push(float(duplicate.bytes));
        }
    }
    Ok((drains, cycling.into_iter().map(|cycling| cycling.buyer).collect()))
}

/// People pay at a part of the peak just measured; everything runs.
async fn lags(plan: &Plan, sale: &Sale, stock: &mut Stock) -> Result<Lags> {
    let site = &sale.site;
    let mut paying = stock.paying(sale.buyers(MANY, MANY));
    let mut lags = Lags::new();
    let mut peak = GUESS;
    for _ in 0..plan.rounds {
        stock.fill(sale, peak, plan.time / 2).await?;
        let (back, report) = closed::run(site.address(), paying, plan.time / 2).await?;
        lags.trouble = lags.trouble.take().or(report.trouble());
        peak = report.rate();
        lags.peak.push(peak);
        site.drained().await?;
        stock.fill(sale, LOAD * peak, plan.time).await?;
        let after = last_entry(site)?;
        let watch = Watch::start(site)?;
        let (back, report) = open::run(site.address(), back, LOAD * peak, plan.time).await?;
        paying = back;
        let (came, due) = (report.count_f64(), LOAD * peak * plan.time.as_secs_f64());
        let few = (came < LEAST * due).then(|| format!("{came} of {due:.0} requests were sent"));
        lags.trouble = lags.trouble.take().or(report.trouble()).or(few);
        site.drained().await?;
        let entries = raw(site, &format!("select log, number, at from events where at > {after}"))?;
        lags.take(&watch.stop()?, &entries)?;
    }
    Ok(lags)
}

impl Lags {
    fn new() -> Self {
        let all = Histogram::new_with_bounds(1, LAG_MAX_MS, 3).expect("bounds and digits are fine");
        Self { peak: Series::default(), p50: Series::default(), p99: Series::default(), all, trouble: None }
    }

    /// The lag of each of these entries: lines of log, number and time.
    fn take(&mut self, commits: &Commits, entries: &str) -> Result<()> {
        let mut round = self.all.clone();
        round.reset();
        for line in entries.lines() {
            let mut fields = line.split('\t');
            let (Some(log), Some(number), Some(at)) = (fields.next(), fields.next(), fields.next()) else {
                return Err("an entry without fields".into());
            };
            let committed = commits.of(log, number.parse()?).ok_or("an entry whose commit was not seen")?;
            round.saturating_record(committed.saturating_sub(at.parse()?).max(1));
        }
        self.p50.push(float(usize::try_from(round.value_at_quantile(0.5))?) / 1e3);
        self.p99.push(float(usize::try_from(round.value_at_quantile(0.99))?) / 1e3);
        self.all.add(&round)?;
        Ok(())
    }
}

fn rows(drains: &Drains, lags: &Lags) -> Vec<Row> {
    vec![
        Row::new(
            "P7",
            "events/s while draining ÷ the same rows from the `mariadb` client",
            "ratio",
            Goal::AtLeast(0.5),
            drains.archive.over(&drains.client),
        )
        .part("the archive", "events/s", drains.archive.spread())
        .part("the client", "events/s", drains.client.spread())
        .part("events of a round", "events", drains.events.spread())
        .part("their transactions", "commits", drains.transactions.spread())
        .part("their rows", "rows", drains.rows.spread())
        .part("the client's statements", "bytes", drains.bytes.spread())
        .note(
            "Whole cycles of hold and payment, made while the worker stood still; it drains them from Redis while nothing else goes on. \
             The client then writes the rows that came of it, in the order of their time, into the same tables of a database of its own on the same \
             server (`innodb_flush_log_at_trx_commit = 1`): as many transactions as the archive took, one statement a table in each, the file made \
             beforehand. It only inserts, also where the archive changed a row (the end of a place).",
        ),
        Row::new("P7", "from log entry to commit at 80 % of the peak of payments, p99", "s", Goal::AtMost(1.0), lags.p99.spread())
            .part("the same, p50", "s", lags.p50.spread())
            .part("peak of payments, closed loop", "1/s", lags.peak.spread())
            .note(
                "Open loop, 512 connections. The entry's own time to the moment when a client sees the archive's offset at or beyond it, \
                 looked at every 5 ms.",
            ),
    ]
}

/// The time of the archive's last log entry, ms since 1970.
fn last_entry(site: &Site) -> Result<u64> {
    Ok(raw(site, "select max(at) from events")?.trim().parse()?)
}

/// Events in the entries after this time: a line each, behind the line of the head.
fn events(site: &Site, after: u64) -> Result<f64> {
    let breaks = "length(body) - length(replace(body, '\\n', '')) - (right(body, 1) = '\\n')";
    let text = raw(site, &format!("select sum({breaks}) from events where at > {after}"))?;
    Ok(text.trim().parse()?)
}

/// Transactions since the server's start.
fn commits(site: &Site) -> Result<usize> {
    let text = raw(site, "show global status like 'Com_commit'")?;
    Ok(text.trim().rsplit('\t').next().unwrap_or_default().parse()?)
}

fn seconds(ms: u64) -> f64 {
    Duration::from_millis(ms).as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "nothing here comes near 2^52")]
fn float(count: usize) -> f64 {
    count as f64
}
