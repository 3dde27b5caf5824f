//! P12: how long a hold and a payment take while others come, whoever still waits: the open loop.

use std::{path::PathBuf, time::Duration};

use hdrhistogram::Histogram;

use crate::{
    Result,
    goal::{Axis, Goal, Outcome, Plot, Row, Spread},
    load::{Source, closed, open},
    machine::sync_times,
    plan::Plan,
    rounds::Series,
    sale::Sale,
    stock::Stock,
};

/// Connections.
const MANY: usize = 512;
/// Payments a second, before there is a figure.
const GUESS: f64 = 15_000.0;
/// Of the disk.
const WRITES: usize = 1000;
/// Less than this of what should have come: the loader had run out of something.
const LEAST: f64 = 0.9;
/// Parts of the peak; the goals are for the last.
const PARTS: [(f64, &str); 2] = [(0.5, "50 %"), (0.7, "70 %")];

/// Parts of all requests that take longer than what is plotted.
const BEYOND: [f64; 10] = [0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005];

/// One load, at several parts of its peak.
struct Verb {
    peak: Series,
    levels: [Level; PARTS.len()],
    trouble: Option<String>,
}

/// One part of the peak. Milliseconds.
#[derive(Default)]
struct Level {
    p50: Series,
    p99: Series,
    p999: Series,
    /// Of all rounds, microseconds.
    all: Option<Histogram<u64>>,
}

pub(crate) async fn run(plan: &Plan) -> Result<Outcome> {
    let sale = Sale::open_funded(plan).await?;
    let disk: Vec<_> = sync_times(&sale.site.folder(), WRITES)?.iter().map(|time| ms(*time)).collect();
    let mut stock = Stock::new(sale.buyers(MANY, 0));
    let mut holds = Verb::new();
    for _ in 0..plan.rounds {
        let holding = holds.peak(&sale, stock.lend(), plan.time / 2).await?;
        let holding = holds.levels(&sale, holding, plan.time).await?;
        stock.give_back(holding);
    }
    let mut paying = stock.paying(sale.buyers(MANY, MANY));
    let mut pays = Verb::new();
    for _ in 0..plan.rounds {
        stock.fill(&sale, pays.last_peak().unwrap_or(GUESS), plan.time / 2).await?;
        paying = pays.peak(&sale, paying, plan.time / 2).await?;
        let together = PARTS.iter().map(|(part, _)| part).sum::<f64>();
        stock.fill(&sale, pays.last_peak().unwrap_or(GUESS) * together, plan.time).await?;
        paying = pays.levels(&sale, paying, plan.time).await?;
    }
    let broken = holds.trouble.take().or(pays.trouble.take()).or_else(|| sale.site.audit());
    let mut rows = rows(&holds, &disk, ["hold at 70 % of its peak, p99", "hold at 70 % of its peak, p99.9"]);
    rows.extend(self::rows(
        &pays,
        &disk,
        ["payment at 70 % of its peak, p99", "payment at 70 % of its peak, p99.9"],
    ));
    let rows = rows.into_iter().map(|row| row.broken_by(broken.clone())).collect();
    let plots = vec![
        plot(&holds, "latency_hold.svg", "Holds, open loop"),
        plot(&pays, "latency_pay.svg", "Payments, open loop"),
    ];
    Ok(Outcome { rows, plots })
}

impl Verb {
    fn new() -> Self {
        Self { peak: Series::default(), levels: Default::default(), trouble: None }
    }

    /// As many as can be; gives the sources back.
    async fn peak<S: Source>(&mut self, sale: &Sale, sources: Vec<S>, time: Duration) -> Result<Vec<S>> {
        let (sources, report) = closed::run(sale.site.address(), sources, time).await?;
        self.trouble = self.trouble.take().or(report.trouble());
        self.peak.push(report.rate());
        sale.site.drained().await?;
        Ok(sources)
    }

    fn last_peak(&self) -> Option<f64> {
        self.peak.figures().last()
    }

    /// What comes by itself, at parts of the peak just measured.
    async fn levels<S: Source>(
        &mut self,
        sale: &Sale,
        mut sources: Vec<S>,
        time: Duration,
    ) -> Result<Vec<S>> {
        let peak = self.last_peak().ok_or("no peak was measured")?;
        for (level, (part, _)) in self.levels.iter_mut().zip(PARTS) {
            let rate = part * peak;
            let (back, report) = open::run(sale.site.address(), sources, rate, time).await?;
            sources = back;
            level.push(&report.latency);
            let (came, due) = (report.count_f64(), rate * time.as_secs_f64());
            let few = (came < LEAST * due).then(|| format!("{came} of {due:.0} requests were sent"));
            self.trouble = self.trouble.take().or(report.trouble()).or(few);
            sale.site.drained().await?;
        }
        Ok(sources)
    }
}

impl Level {
    fn push(&mut self, latency: &Histogram<u64>) {
        let at = |quantile| ms(Duration::from_micros(latency.value_at_quantile(quantile)));
        self.p50.push(at(0.5));
        self.p99.push(at(0.99));
        self.p999.push(at(0.999));
        match &mut self.all {
            Some(all) => all.add(latency).expect("all have the same bounds"),
            None => self.all = Some(latency.clone()),
        }
    }
}

/// What is beyond one fsync of the disk, `disk` being its times in order, ms.
fn rows(verb: &Verb, disk: &[f64], figures: [&'static str; 2]) -> Vec<Row> {
    let fsync = disk[disk.len() / 2];
    let [.., busy] = &verb.levels;
    let goals = [(&busy.p99, 5.0), (&busy.p999, 20.0)];
    let row = |(figure, (measured, goal)): (&'static str, (&Series, f64))| {
        let beyond: Series = measured.figures().map(|time| time - fsync).collect();
        let mut row = Row::new("P12", figure, "ms", Goal::AtMost(goal), beyond.spread()).part(
            "peak, closed loop",
            "1/s",
            verb.peak.spread(),
        );
        for (level, (_, part)) in verb.levels.iter().zip(PARTS) {
            row = row
                .part(format!("{part} of it, p50"), "ms", level.p50.spread())
                .part(format!("{part} of it, p99"), "ms", level.p99.spread())
                .part(format!("{part} of it, p99.9"), "ms", level.p999.spread());
        }
        row.part("fsync of the idle disk, p50", "ms", Spread::once(fsync))
            .part("fsync of the idle disk, p99", "ms", Spread::once(disk[disk.len() * 99 / 100]))
            .note(
                "By intended send time, Poisson arrivals over 512 connections, the worker and MySQL at work; the peak is measured anew in \
                 each round. The parts are whole times; the figure is less one fsync, at its median on the idle disk, though a request \
                 that comes while one is under way waits for two.",
            )
    };
    figures.into_iter().zip(goals).map(row).collect()
}

fn plot(verb: &Verb, file: &str, title: &str) -> Plot {
    let axis = |name: &str| Axis { name: name.to_owned(), logarithmic: true };
    let line = |(level, (_, part)): (&Level, (f64, &str))| {
        let quantile = |beyond: f64| {
            let us = level.all.as_ref().map_or(0, |all| all.value_at_quantile(1.0 - beyond));
            (1.0 / beyond, ms(Duration::from_micros(us)))
        };
        (format!("at {part} of the peak"), BEYOND.map(quantile).to_vec())
    };
    Plot {
        file: PathBuf::from(file),
        title: title.to_owned(),
        x: axis("one request in so many takes longer"),
        y: axis("ms"),
        lines: verb.levels.iter().zip(PARTS).map(line).collect(),
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
