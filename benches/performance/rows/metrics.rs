//! P15: what counting costs.

use std::time::Duration;

use crate::{
    Result,
    cpu::Meter,
    goal::{Goal, Outcome, Row},
    journey::Holding,
    load::{Fixed, Source, alike, closed},
    plan::Plan,
    rounds::Series,
    sale::Sale,
    site::Part,
};

/// Connections.
const MANY: usize = 512;
/// What stands still meanwhile: it takes its share of the cores at random.
const BEHIND: [Part; 2] = [Part::Worker, Part::Mysql];
/// The difference is small: turns are shorter and more than elsewhere.
const SLICES: usize = 2;
const SLICE: u32 = 2;
/// Answered from memory.
const CATALOG: &str = "/v1/concerts";
const OFF: [(&str, &str); 1] = [("ONSALE__TELEMETRY__METRICS", "false")];

/// Requests a second, and the server's CPU for each, µs.
#[derive(Default)]
struct Rate {
    per_second: Series,
    us: Series,
}

/// One of two installations.
struct Side {
    sale: Sale,
    holding: Vec<Holding>,
    reading: Vec<Fixed>,
    holds: Rate,
    reads: Rate,
    trouble: Option<String>,
}

pub(crate) async fn run(plan: &Plan) -> Result<Outcome> {
    let mut on = Side::open(plan, &[]).await?;
    let mut off = Side::open(plan, &OFF).await?;
    for round in 0..=plan.rounds * SLICES {
        // Who was first is second in the next round. The first one warms up.
        let is_kept = round > 0;
        let sides = if round % 2 == 0 { [&mut on, &mut off] } else { [&mut off, &mut on] };
        for side in sides {
            side.round(plan.time / SLICE, is_kept).await?;
        }
    }
    let broken = on.trouble.take().or(off.trouble.take());
    let broken = broken.or_else(|| on.sale.site.audit()).or_else(|| off.sale.site.audit());
    let note = "512 connections, two installations that take turns, worker and MySQL standing still meanwhile. Off is \
                `telemetry.metrics = false`: there is no recorder, so handles do nothing; the clock is still read.";
    let row = |figure, name: &str, on: &Rate, off: &Rate| {
        Row::new("P15", figure, "ratio", Goal::AtLeast(0.97), on.per_second.over(&off.per_second))
            .part(format!("{name}, metrics on"), "1/s", on.per_second.spread())
            .part(format!("{name}, metrics off"), "1/s", off.per_second.spread())
            .part("server, for each, metrics on", "µs", on.us.spread())
            .part("server, for each, metrics off", "µs", off.us.spread())
            .part("the same, on ÷ off", "ratio", on.us.over(&off.us))
            .note(note)
            .broken_by(broken.clone())
    };
    let rows = vec![
        row("holds/s, metrics on ÷ off", "holds", &on.holds, &off.holds),
        row("reads of the catalog/s, metrics on ÷ off", "reads", &on.reads, &off.reads),
    ];
    Ok(Outcome { rows, plots: Vec::new() })
}

impl Rate {
    fn push(&mut self, (per_second, us): (f64, f64)) {
        self.per_second.push(per_second);
        self.us.push(us);
    }
}

impl Side {
    async fn open(plan: &Plan, settings: &[(&str, &str)]) -> Result<Self> {
        let sale = Sale::open_for(plan, plan.users, settings).await?;
        let holding = sale.holding(MANY, 0);
        let reading = alike(&Fixed::get(CATALOG, 200), MANY);
        let (holds, reads) = (Rate::default(), Rate::default());
        Ok(Self { sale, holding, reading, holds, reads, trouble: None })
    }

    async fn round(&mut self, time: Duration, is_kept: bool) -> Result<()> {
        self.sale.site.pause(&BEHIND)?;
        let holding = std::mem::take(&mut self.holding);
        let (holding, holds) = self.load(holding, time).await?;
        let reading = std::mem::take(&mut self.reading);
        let (reading, reads) = self.load(reading, time / 2).await?;
        self.sale.site.resume(&BEHIND)?;
        self.sale.site.drained().await?;
        (self.holding, self.reading) = (holding, reading);
        if is_kept {
            self.holds.push(holds);
            self.reads.push(reads);
        }
        Ok(())
    }

    /// Loads with these; gives them back, with answers a second and the server's CPU for each, µs.
    async fn load<S: Source>(&mut self, sources: Vec<S>, time: Duration) -> Result<(Vec<S>, (f64, f64))> {
        let meter = Meter::start(&self.sale.site.processes());
        let (sources, report) = closed::run(self.sale.site.address(), sources, time).await?;
        self.trouble = self.trouble.take().or(report.trouble());
        let us = meter.stop().of("server") * 1e6 / report.count_f64();
        Ok((sources, (report.rate(), us)))
    }
}
