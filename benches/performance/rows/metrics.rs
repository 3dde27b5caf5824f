//! P15: what counting costs.

use std::time::Duration;

use crate::{
    Result,
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
/// Answered from memory.
const CATALOG: &str = "/v1/concerts";
const OFF: [(&str, &str); 1] = [("ONSALE__TELEMETRY__METRICS", "false")];

/// One of two installations.
struct Side {
    sale: Sale,
    holding: Vec<Holding>,
    reading: Vec<Fixed>,
    holds: Series,
    reads: Series,
    trouble: Option<String>,
}

pub(crate) async fn run(plan: &Plan) -> Result<Outcome> {
    let mut on = Side::open(plan, &[]).await?;
    let mut off = Side::open(plan, &OFF).await?;
    for round in 0..=plan.rounds {
        // Who was first is second in the next round. The first one warms up.
        let is_kept = round > 0;
        let sides = if round % 2 == 0 { [&mut on, &mut off] } else { [&mut off, &mut on] };
        for side in sides {
            side.round(plan.time, is_kept).await?;
        }
    }
    let broken = on.trouble.take().or(off.trouble.take());
    let broken = broken.or_else(|| on.sale.site.audit()).or_else(|| off.sale.site.audit());
    let note = "512 connections, two installations that take turns, worker and MySQL standing still meanwhile. Off is \
                `telemetry.metrics = false`: there is no recorder, so handles do nothing; the clock is still read.";
    let row = |figure, name: &str, on: &Series, off: &Series| {
        Row::new("P15", figure, "ratio", Goal::AtLeast(0.97), on.over(off))
            .part(format!("{name}, metrics on"), "1/s", on.spread())
            .part(format!("{name}, metrics off"), "1/s", off.spread())
            .note(note)
            .broken_by(broken.clone())
    };
    let rows = vec![
        row("holds/s, metrics on ÷ off", "holds", &on.holds, &off.holds),
        row("reads of the catalog/s, metrics on ÷ off", "reads", &on.reads, &off.reads),
    ];
    Ok(Outcome { rows, plots: Vec::new() })
}

impl Side {
    async fn open(plan: &Plan, settings: &[(&str, &str)]) -> Result<Self> {
        let sale = Sale::open_for(plan, plan.users, settings).await?;
        let holding = sale.holding(MANY, 0);
        let reading = alike(&Fixed::get(CATALOG, 200), MANY);
        let (holds, reads) = (Series::default(), Series::default());
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

    /// Loads with these; gives them back, and answers a second.
    async fn load<S: Source>(&mut self, sources: Vec<S>, time: Duration) -> Result<(Vec<S>, f64)> {
        let (sources, report) = closed::run(self.sale.site.address(), sources, time).await?;
        self.trouble = self.trouble.take().or(report.trouble());
        Ok((sources, report.rate()))
    }
}
