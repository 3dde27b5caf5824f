//! P13: three times as many as the server can take, for a minute.

use std::time::{Duration, Instant};

use crate::{
    Result,
    catalog::Seat,
    cpu::Meter,
    efficiency::greet,
    goal::{Goal, Outcome, Row, Spread},
    hello::Hello,
    journey::Buyer,
    load::{
        Answer, Report, Source, closed,
        open::{self, Arrivals},
    },
    plan::Plan,
    rounds::Series,
    sale::Sale,
};

/// Connections of the peak, and of those who come before and after.
const MANY: usize = 512;
/// Connections of the crowd: more than may wait in the server.
const CROWD: usize = 4096;
/// Who waits longer is gone; an answer after that is of no use.
const PATIENCE: Duration = Duration::from_secs(1);
const TIMES: f64 = 3.0;
/// What comes before and after, of the peak.
const NORMAL: f64 = 0.5;
/// A look at how fast answers come.
const LOOK: Duration = Duration::from_millis(250);
/// Looks before: their median is what is normal.
const LOOKS: usize = 8;
/// It should be well by then.
const WELL: Duration = Duration::from_secs(20);
/// Requests that may wait before a lane, so that there is a bound to be met: more than the connections of the peak, of which none is to
/// be refused, and fewer than those of the crowd. The default is 20,000.
const BOUND: [(&str, &str); 1] = [("ONSALE__COALESCE__QUEUE_REQUESTS", "1000")];

/// Holds, and takes a no for an answer.
struct Insisting {
    buyer: Buyer,
    /// Refused: it is still to be had.
    again: Option<Seat>,
    asked: Option<(Seat, Instant)>,
    sold: u64,
    late: u64,
}

/// What was measured.
struct Seen {
    peak: f64,
    hold_us: f64,
    hello_us: f64,
    normal_ms: f64,
    flood: Flood,
    well_after: f64,
    archived_after: f64,
}

struct Flood {
    report: Report,
    sold: f64,
    late: f64,
    refused: f64,
    server_us: f64,
}

impl Source for Insisting {
    fn next(&mut self, request: &mut Vec<u8>) -> bool {
        let Some(seat) = self.again.take().or_else(|| self.buyer.seats.take()) else {
            return false;
        };
        self.asked = Some((seat, Instant::now()));
        self.buyer.hold_seat(seat, request);
        true
    }

    fn answered(&mut self, answer: &Answer<'_>) -> bool {
        let Some((seat, since)) = self.asked.take() else {
            return false;
        };
        match answer.status {
            201 if since.elapsed() <= PATIENCE => self.sold += 1,
            201 => self.late += 1,
            503 => self.again = Some(seat),
            // Its outcome is unknown: the seat may be gone.
            504 => {}
            _ => return false,
        }
        true
    }
}

pub(crate) async fn run(plan: &Plan) -> Result<Outcome> {
    let hello = Hello::start()?;
    let hall = Plan { shows: plan.shows * 2, ..*plan };
    let sale = Sale::open_for(&hall, plan.users, &BOUND).await?;
    let address = sale.site.address();
    let greeted = greet(&hello, MANY, plan.time).await?;
    // The first one warms up.
    let (holding, _) = closed::run(address, sale.holding(MANY, 0), plan.time / 2).await?;
    sale.site.drained().await?;
    let meter = Meter::start(&sale.site.processes());
    let (mut holding, report) = closed::run(address, holding, plan.time).await?;
    let hold_us = meter.stop().of("server") * 1e6 / report.count_f64();
    let peak = report.rate();
    let mut trouble = greeted.trouble.or(report.trouble());
    sale.site.drained().await?;

    let mut looks = Series::default();
    for _ in 0..LOOKS {
        let (back, report) = open::run(address, holding, NORMAL * peak, LOOK).await?;
        holding = back;
        trouble = trouble.or(report.trouble());
        looks.push(p99_ms(&report));
    }
    let normal_ms = looks.spread().median;
    let flood = flood(&sale, peak * TIMES, plan.overload).await?;
    let end = Instant::now();
    let well_after = loop {
        let (back, report) = open::run(address, holding, NORMAL * peak, LOOK).await?;
        holding = back;
        let is_well = report.unexpected == 0 && p99_ms(&report) <= 2.0 * normal_ms;
        if is_well || end.elapsed() > WELL {
            break end.elapsed().as_secs_f64();
        }
    };
    sale.site.drained().await?;
    let archived_after = end.elapsed().as_secs_f64();
    let broken = trouble.or(flood.report.trouble()).or_else(|| sale.site.audit());
    let hello_us = greeted.us;
    let seen = Seen { peak, hold_us, hello_us, normal_ms, flood, well_after, archived_after };
    let rows = rows(&seen).into_iter().map(|row| row.broken_by(broken.clone())).collect();
    Ok(Outcome { rows, plots: Vec::new() })
}

async fn flood(sale: &Sale, rate: f64, time: Duration) -> Result<Flood> {
    let buyers = sale.buyers(CROWD, MANY).into_iter();
    let crowd = buyers.map(|buyer| Insisting { buyer, again: None, asked: None, sold: 0, late: 0 }).collect();
    let meter = Meter::start(&sale.site.processes());
    let arrivals = Arrivals { rate, time, patience: PATIENCE };
    let (crowd, report) = open::run_impatient(sale.site.address(), crowd, arrivals).await?;
    let server_us = meter.stop().of("server") * 1e6;
    let sold = float(crowd.iter().map(|one| one.sold).sum());
    let late = float(crowd.iter().map(|one| one.late).sum());
    let refused = float(report.by_status.get(&503).copied().unwrap_or(0));
    Ok(Flood { report, sold, late, refused, server_us })
}

fn rows(seen: &Seen) -> Vec<Row> {
    let Seen { peak, hold_us, hello_us, normal_ms, flood, well_after, archived_after } = seen;
    let Flood { report, sold, late, refused, server_us } = flood;
    let seconds = report.wall.as_secs_f64();
    let unknown = float(report.by_status.get(&504).copied().unwrap_or(0));
    let given_up = float(report.given_up);
    // What an answer that is no refusal costs is known from the peak.
    let refusal_us = (server_us - (sold + late + unknown) * hold_us) / refused;
    let per_second = |count: f64| Spread::once(count / seconds);
    vec![
        Row::new("P13", "useful answers at three times the free peak ÷ peak", "ratio", Goal::AtLeast(0.85), Spread::once(sold / seconds / peak))
            .part("peak, 512 connections, closed loop", "1/s", Spread::once(*peak))
            .part("held within a second", "1/s", per_second(*sold))
            .part("held later", "1/s", per_second(*late))
            .part("refused at once, 503", "1/s", per_second(*refused))
            .part("outcome unknown, 504", "1/s", per_second(unknown))
            .part("given up before a connection was free", "1/s", per_second(given_up))
            .note(format!(
                "Measured now, before there is an overload control: Poisson arrivals over {CROWD} connections, the loader on the same \
                 cores; refusals come from `coalesce.queue_requests`, here 1,000. A cap on the peak can't be configured yet, so the \
                 second half, ten times a peak of 5,000/s, is not measured."
            )),
        Row::new("P13", "server CPU per refusal ÷ hello", "ratio", Goal::AtMost(1.1), Spread::once(refusal_us / hello_us))
            .part("server, per refusal", "µs", Spread::once(refusal_us))
            .part("server, per hold at the peak", "µs", Spread::once(*hold_us))
            .part("hello, per request", "µs", Spread::once(*hello_us))
            .note("The server's CPU during the overload, less that of as many holds at the peak; what is left is shared by the refusals."),
        Row::new("P13", "until answers are as fast as before", "s", Goal::AtMost(5.0), Spread::once(*well_after))
            .part("p99 before, at half of the peak", "ms", Spread::once(*normal_ms))
            .part("until the archive has all", "s", Spread::once(*archived_after))
            .note(
                "From the last answer of the overload, with half of the peak coming: the end of the first quarter of a second in which \
                 nothing is refused and whose p99 is no more than twice what it was before.",
            ),
    ]
}

fn p99_ms(report: &Report) -> f64 {
    Duration::from_micros(report.latency.value_at_quantile(0.99)).as_secs_f64() * 1e3
}

#[expect(clippy::cast_precision_loss, reason = "no load has 2^52 requests")]
fn float(count: u64) -> f64 {
    count as f64
}
