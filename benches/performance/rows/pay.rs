//! P6, P16: payments, and whole cycles of hold and payment.

use crate::{
    Result,
    efficiency::Efficiency,
    goal::{Goal, Outcome, Row},
    hello::Hello,
    journey::{Basket, Cycling, Holding, Paying},
    load::closed,
    plan::Plan,
    rounds::Series,
    sale::Sale,
};

/// Connections.
const FEW: usize = 64;

pub(crate) async fn run(plan: &Plan) -> Result<Outcome> {
    let hello = Hello::start()?;
    let sale = Sale::open_funded(plan).await?;

    let basket = Basket::default();
    let buyers = sale.buyers(FEW, 0);
    let hold = |buyer| Holding { buyer, basket: Some(basket.clone()) };
    let mut holding: Vec<_> = buyers.iter().cloned().map(hold).collect();
    let mut paying: Vec<_> =
        sale.buyers(FEW, FEW).into_iter().map(|buyer| Paying { buyer, basket: basket.clone() }).collect();
    let (mut pays, mut cycles) = (Efficiency::default(), Efficiency::default());
    for _ in 0..plan.rounds {
        let (back, report) = closed::run(sale.site.address(), holding, plan.time / 2).await?;
        holding = back;
        pays.trouble = pays.trouble.take().or(report.trouble());
        sale.site.drained().await?;
        paying = pays.round(&hello, &sale.site, paying, plan.time).await?;
    }
    // Whoever had his turn as a buyer is gone: the others go on behind him.
    let buyers = holding.into_iter().map(|holding| holding.buyer);
    let mut cycling: Vec<_> = buyers.map(|buyer| Cycling { buyer, held: None }).collect();
    for _ in 0..plan.rounds {
        cycling = cycles.round(&hello, &sale.site, cycling, plan.time).await?;
    }
    let broken = pays.trouble.clone().or(cycles.trouble.clone()).or_else(|| sale.site.audit());
    Ok(Outcome { rows: rows(&pays, &cycles, broken.as_deref()), plots: Vec::new() })
}

fn rows(pays: &Efficiency, cycles: &Efficiency, broken: Option<&str>) -> Vec<Row> {
    let broken = || broken.map(str::to_owned);
    let per_cycle: Series = cycles.us_per_request().map(|us| us * 2.0).collect();
    let per_second: Series = cycles.asked_rate.figures().map(|rate| rate / 2.0).collect();
    let cycle = Row::new(
        "P6",
        "hold and pay, all processes but the loader, archive drained",
        "CPU-µs a cycle",
        Goal::AtMost(70.0),
        per_cycle.spread(),
    )
    .part("cycles", "1/s", per_second.spread());
    vec![
        cycles
            .parts(cycle)
            .part("from the last answer to the archive's last row", "s", cycles.behind.spread())
            .note("64 connections; a cycle is two requests. Every answer is fsynced. Each user buys one seat and his token ends.")
            .broken_by(broken()),
        pays.row("P16 pay", "payments per CPU second ÷ hello", Goal::AtLeast(0.12))
            .note("64 connections. Holds were made and archived before; each payment ends its user's token.")
            .broken_by(broken()),
    ]
}
