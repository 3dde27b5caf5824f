//! P16: requests for each CPU second of all processes but the loader, beside hello.

use std::time::{Duration, Instant};

use crate::{
    Result,
    cpu::Meter,
    goal::{Goal, Row},
    hello::Hello,
    load::{Fixed, Source, alike, closed},
    rounds::Series,
    site::Site,
};

/// The processes of an installation that a figure is split by.
const PARTS: [&str; 4] = ["server", "worker", "redis", "mysql"];

/// Rounds of hello and something else.
#[derive(Debug, Default)]
pub(crate) struct Efficiency {
    /// Requests per CPU second.
    pub(crate) hello: Series,
    /// The same of the other side.
    pub(crate) asked: Series,
    /// Requests a second.
    pub(crate) hello_rate: Series,
    /// The same of the other side.
    pub(crate) asked_rate: Series,
    /// Seconds from the last answer until the archive had it.
    pub(crate) behind: Series,
    /// CPU of each part, µs a request.
    us: [Series; 4],
    /// Answers of the last round.
    count: f64,
    /// The first answer that was not expected.
    pub(crate) trouble: Option<String>,
}

/// What hello did once.
#[derive(Debug)]
pub(crate) struct Greeted {
    /// Requests a second.
    pub(crate) rate: f64,
    /// Its CPU for each, µs.
    pub(crate) us: f64,
    pub(crate) trouble: Option<String>,
}

/// Loads hello over so many connections.
pub(crate) async fn greet(hello: &Hello, connections: usize, time: Duration) -> Result<Greeted> {
    let meter = Meter::start(&hello.processes());
    let asked = alike(&Fixed::get("/hello", 200), connections);
    let (_, report) = closed::run(hello.address(), asked, time).await?;
    let us = meter.stop().total() * 1e6 / report.count_f64();
    Ok(Greeted { rate: report.rate(), us, trouble: report.trouble() })
}

impl Efficiency {
    /// One round: hello, then these sources until the archive has all that they did.
    pub(crate) async fn round<S: Source>(
        &mut self,
        hello: &Hello,
        site: &Site,
        sources: Vec<S>,
        time: Duration,
    ) -> Result<Vec<S>> {
        let greeted = greet(hello, sources.len(), time).await?;
        self.trouble = self.trouble.take().or(greeted.trouble);
        let sources = self.ask(site, sources, time).await?;
        self.hello.push(1e6 / greeted.us);
        self.hello_rate.push(greeted.rate);
        Ok(sources)
    }

    /// A side without hello.
    pub(crate) async fn ask<S: Source>(
        &mut self,
        site: &Site,
        sources: Vec<S>,
        time: Duration,
    ) -> Result<Vec<S>> {
        let meter = Meter::start(&site.processes());
        let (sources, report) = closed::run(site.address(), sources, time).await?;
        let answered = Instant::now();
        site.drained().await?;
        self.behind.push(answered.elapsed().as_secs_f64());
        let usage = meter.stop();
        self.asked.push(report.count_f64() / usage.total());
        self.asked_rate.push(report.rate());
        for (part, us) in PARTS.iter().zip(&mut self.us) {
            us.push(usage.of(part) * 1e6 / report.count_f64());
        }
        self.trouble = self.trouble.take().or_else(|| report.trouble());
        self.count = report.count_f64();
        Ok(sources)
    }

    /// Answers of the last round.
    pub(crate) fn last_count(&self) -> f64 {
        self.count
    }

    /// The row of it.
    pub(crate) fn row(&self, id: &'static str, figure: &'static str, goal: Goal) -> Row {
        let row = Row::new(id, figure, "ratio", goal, self.asked.over(&self.hello))
            .part("requests per CPU second", "1/s", self.asked.spread())
            .part("hello, per CPU second", "1/s", self.hello.spread());
        self.parts(row)
            .note("64 connections. CPU of server, worker, Redis and MySQL, until the archive has drained.")
    }

    /// CPU of all processes for each request, µs, round by round.
    pub(crate) fn us_per_request(&self) -> impl Iterator<Item = f64> + '_ {
        self.asked.figures().map(|per_second| 1e6 / per_second)
    }

    /// Adds which process spent how much.
    pub(crate) fn parts(&self, row: Row) -> Row {
        let parts = PARTS.iter().zip(&self.us);
        parts.fold(row, |row, (part, us)| row.part(format!("{part}, per request"), "µs", us.spread()))
    }
}
