//! P10: how long one script call keeps Redis from everybody else, at the batch weight limit.
//!
//! Each verb is driven straight with the largest batch that the server would send, and with the states that cost it most; server,
//! worker and MySQL stand still meanwhile.

mod line;
mod sale;

pub(crate) use line::verbs as line_verbs;

use std::fmt::Write;

use redis::Cmd;

use crate::{
    Result,
    direct::Direct,
    goal::{Goal, Outcome, Row, Spread},
    plan::Plan,
    site::Site,
    slow::{self, Timed},
};

/// Stands before the outcomes of scripts that touch wallets: what is said of their logs.
const WALLET: &str = "wallet";

/// Makes these calls one after the other; each answers outcomes of this name only.
async fn timed(
    site: &Site,
    direct: &mut Direct,
    what: &str,
    name: &str,
    calls: &[Cmd],
) -> Result<(Timed, Vec<Vec<Vec<String>>>)> {
    let mut answers = Vec::with_capacity(calls.len());
    let timing = slow::begin(site).await?;
    for call in calls {
        let outcomes = direct.call(call).await?;
        let is_wanted =
            |outcome: &Vec<String>| outcome.first().is_some_and(|word| word == name || word == WALLET);
        if let Some(outcome) = outcomes.iter().find(|outcome| !is_wanted(outcome)) {
            return Err(format!("{what}: {outcome:?}").into());
        }
        answers.push(outcomes);
    }
    Ok((slow::end(site, timing, what).await?, answers))
}

/// The verbs of a sale.
pub(crate) async fn run(plan: &Plan) -> Result<Outcome> {
    let (timed, broken) = sale::verbs(plan).await?;
    let sizes = format!("Shows of {} seats.", plan.rows * 200);
    Ok(Outcome { rows: vec![row("P10 sale", &sizes, &timed, broken)], plots: Vec::new() })
}

/// The row of all of them: the worst counts.
pub(crate) fn row(id: &'static str, sizes: &str, timed: &[Timed], broken: Option<String>) -> Row {
    let worst = timed.iter().max_by(|one, other| one.p999.total_cmp(&other.p999));
    let (measured, name) = worst
        .map_or((Spread::once(f64::NAN), "nothing"), |worst| (Spread::once(worst.p999), worst.what.as_str()));
    let mut note = format!(
        "From Redis's slow log, so without the fsync that follows; worst: {name}. {sizes} Server, worker and MySQL stand still. Behind each p99.9 the mean and the longest; the mean of Redis's CPU has the fsync in it. Calls: "
    );
    let row = Row::new(
        id,
        "one script call at the batch weight limit, p99.9, worst verb",
        "ms",
        Goal::AtMost(1.0),
        measured,
    );
    let row = timed.iter().fold(row, |row, Timed { what, mean, p999, longest, calls, cpu }| {
        let _ = write!(note, "{what} {calls}; ");
        row.part(
            format!("{what} (Redis's CPU: {cpu:.2} ms)"),
            "ms",
            Spread { median: *p999, min: *mean, max: *longest },
        )
    });
    row.note(note.trim_end_matches("; ").to_owned() + ".").broken_by(broken)
}
