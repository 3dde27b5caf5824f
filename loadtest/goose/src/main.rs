//! The journey of `loadtest/k6/journey.js` once more, in Rust with goose: a closed model, where so many buyers go the whole way again and
//! again, each as fast as the server lets them. What k6's open model shows as latency shows here as throughput.
//!
//! Goose's own options say how many and how long (`--users`, `--run-time`, `--threshold`); the environment says what is sold.

mod buyer;
mod client;
mod journey;
mod sale;

use std::process::ExitCode;
use std::sync::Arc;

use goose::prelude::*;

use crate::sale::Sale;

#[tokio::main]
async fn main() -> ExitCode {
    let sale = match Sale::from_environment() {
        Ok(sale) => Arc::new(sale),
        Err(error) => return failed(&error),
    };
    match attack(&sale).await {
        Ok(metrics) => verdict(&metrics, &sale),
        Err(error) => failed(&error),
    }
}

/// Reads the map once, then lets the buyers come. Prints goose's own summary; fails when one of its thresholds does.
async fn attack(sale: &Arc<Sale>) -> Result<GooseMetrics, GooseError> {
    let read_map = {
        let sale = Arc::clone(sale);
        Transaction::new(Arc::new(move |user| {
            let sale = Arc::clone(&sale);
            Box::pin(async move { sale.read_seats(user).await })
        }))
    };
    let buy = {
        let sale = Arc::clone(sale);
        Transaction::new(Arc::new(move |user| {
            let sale = Arc::clone(&sale);
            Box::pin(async move { journey::buy(user, &sale).await })
        }))
    };
    let attack = GooseAttack::initialize()?
        .test_start(read_map.set_name("read the map"))
        .register_scenario(scenario!("journey").register_transaction(buy.set_name("buy")));
    // Goose's future is 22 kB.
    Box::pin(attack.execute()).await
}

/// Requests are judged by goose's thresholds; here, whether each journey that began came to its end, and any did.
fn verdict(metrics: &GooseMetrics, sale: &Sale) -> ExitCode {
    let broken: usize = metrics.transactions.iter().flatten().map(|transaction| transaction.fail_count).sum();
    let tickets = sale.tickets();
    eprintln!("goose journey: {tickets} tickets, {broken} journeys broken off");
    if broken == 0 && tickets > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("onsale-loadtest: {error}");
    ExitCode::FAILURE
}
