//! What a run of the model has met of forgetting, counted: a call that finds nothing to rename tries nothing, and of reasons that
//! keep somebody his name each has to be met by itself.

use std::collections::BTreeMap;

use super::batch::Batch;
use super::forget::{Forget, is_anonymous, is_pseudonym};

/// What stands behind the name of an outcome of `forget`, and of `forget_wallet`; empty: nothing of interest.
const CONCERT: [&str; 6] = ["reservations", "requests", "", "holds", "places", "cards"];
const WALLET: [&str; 4] = ["balances", "requests", "balance", "top-ups"];

/// Whatever a batch has met, as many times as it has.
pub(super) fn met(batch: &Batch, outcomes: &[String], reasons: &[&str]) -> Vec<String> {
    match batch {
        Batch::Forget(request) => met_of(request, ("forget", &CONCERT), &outcomes[0], reasons),
        Batch::ForgetWallet(request) => met_of(request, ("forget_wallet", &WALLET), &outcomes[0], reasons),
        Batch::Refund(refunds) => {
            let told = refunds.iter().zip(outcomes).filter_map(|(refund, outcome)| {
                let whose = match refund.user.as_str() {
                    user if is_pseudonym(user) => "a pseudonym",
                    user if is_anonymous(user) => "an anonymous buyer",
                    _ => return None,
                };
                let reason = outcome.starts_with("invalid_").then_some(outcome.as_str());
                Some(format!("refund of {whose}: {}", reason.unwrap_or(name(outcome))))
            });
            told.collect()
        }
        Batch::Credit(all) => {
            let of_pseudonyms = all.iter().zip(outcomes).filter(|(credit, _)| is_pseudonym(&credit.user));
            of_pseudonyms
                .flat_map(|(_, outcome)| {
                    let told = format!("credit of a pseudonym: {}", name(outcome));
                    ["credit of a pseudonym".to_owned(), told]
                })
                .collect()
        }
        _ => Vec::new(),
    }
}

fn met_of(request: &Forget, (verb, fields): (&str, &[&str]), outcome: &str, reasons: &[&str]) -> Vec<String> {
    let head = format!("{verb} {}: {}", request.mode.name(), name(outcome));
    let numbers = outcome.split(' ').skip(1);
    let some = fields.iter().zip(numbers).filter(|(field, number)| !field.is_empty() && *number != "0");
    let mut met: Vec<_> = some.map(|(field, _)| format!("{head}, with {field}")).collect();
    if verb == "forget" && outcome.starts_with("forgotten 0 0 ") && !outcome.ends_with(" 0") {
        met.push(format!("{head}, cards alone"));
    }
    if let [reason] = reasons {
        met.push(format!("{head} for {reason} alone"));
    }
    if outcome.starts_with("forgotten 0 0 0") || verb == "forget" && outcome.starts_with("forgotten 0 0 ") {
        met.push(format!("{head}, with nothing"));
    }
    met.push(head);
    met
}

fn name(outcome: &str) -> &str {
    outcome.split(' ').next().unwrap()
}

/// Panics unless all that matters was met.
pub(super) fn check(told: &BTreeMap<String, u64>) {
    for met in MET {
        assert!(told.contains_key(met), "never {met}: {told:#?}");
    }
}

/// Each is met between 7 and 400 times in a run of the test on the average; in 20 runs the fewest were 4.
const MET: [&str; 45] = [
    "forget look: found, with reservations",
    "forget look: found, with requests",
    "forget look: found, with holds",
    "forget look: found, with places",
    "forget look: found, with cards",
    "forget forget: incomplete",
    "forget forget: forgotten, with reservations",
    "forget forget: forgotten, with requests",
    "forget forget: forgotten, with holds",
    "forget forget: forgotten, with places",
    "forget forget: forgotten, with cards",
    "forget sweep: forgotten, with reservations",
    "forget sweep: forgotten, with requests",
    "forget_wallet freeze: found, with top-ups",
    "forget_wallet forget: forgotten, with balances",
    "forget_wallet forget: forgotten, with requests",
    "forget_wallet forget: forgotten, with top-ups",
    // The pseudonym has it already.
    "forget_wallet forget: found",
    "forget_wallet sweep: forgotten, with requests",
    "pay request_in_progress",
    "refund request_in_progress",
    "refund of a pseudonym: refunded",
    "top_up request_in_progress",
    "credit of a pseudonym",
    "forget idle: incomplete",
    "forget idle: found, with holds",
    "forget idle: found, with places",
    "forget idle: found, with cards",
    "forget idle: found for a hold alone",
    "forget idle: found for a place alone",
    "forget idle: found for a later reservation alone",
    "forget idle: found for a request alone",
    "forget idle: found for a card alone",
    "forget idle: forgotten, with reservations",
    "forget idle: forgotten, with nothing",
    "forget_wallet idle: found for money alone",
    "forget_wallet idle: found for a movement alone",
    "forget_wallet idle: found for a mark alone",
    "forget_wallet idle: found for a charge alone",
    "forget_wallet idle: found for a request alone",
    "forget_wallet idle: found for the name itself alone",
    "forget_wallet idle: forgotten, with balances",
    "forget_wallet idle: forgotten, with nothing",
    "refund of an anonymous buyer: invalid_reservation anonymous",
    "refund of an anonymous buyer: refunded",
];
