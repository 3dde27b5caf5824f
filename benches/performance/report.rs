//! Writes the figures down: Markdown for docs/performance.md and for the terminal.

use std::fmt::{Error, Write};

use crate::{
    goal::{Goal, Outcome, Row, Spread, Verdict},
    machine::Machine,
    plan::Plan,
};

const HEAD: &str = "# How fast it is

Written by `make bench`; every line comes from one run on one machine. That machine carries the load generator, the server, Redis and
MySQL together, so look at the ratios and at the CPU time per request, not at requests a second.

*hello* is bare hyper with the server's runtime layout and a fixed answer of 55 bytes. A figure is the median of its rounds, with the least and the
largest; rounds of things compared take turns. A load with an answer that it did not expect, or behind which `onsale audit` finds
a broken invariant, counts as 0.
";

const TAIL: &str = "
## Where the time goes
What profiles say of the goals that are missed (perf on Redis and server, INFO commandstats; no row measures it again).

- *Redis, a hold in a batch of 64*: some 27 µs, of which 8 are its commands (8 fields read, 13 written) and 19 are Lua: arguments, tables of what was read and decided, the journal that undoes a request that throws, records and events as
  text. A quarter of Lua's part allocates and frees. A payment writes to two logs and takes half as much again. This is most of P6 and of P16 hold and pay, and all of P10: half of the weight would bring the hold below 1 ms in the mean and cost every buyer more.
- *Server, a hold*: hello's 6 µs are the kernel's reading and writing, which a hold pays too; the rest is HTTP with eight headers each way, two tokens, JSON both ways, arguments and replies of Redis (6 %), the live view that reads each entry back (10 %), wake-ups from the lane.
- *P12 and P7's lag*: loader, server, Redis, worker and MySQL share two cores. At 70 % of the closed loop's peak the archive's transactions of up to 4,000 lines still run beside the sale, and what they take shows in the tail; the median is 3 ms.
- *P13*: a refusal is a whole request with a problem in JSON; the overload control that answers before all that is a later issue.

## By hand
`make bench` writes this page anew. `cargo bench --bench performance -- --only P4,P16` measures some of it and prints it. The sources are in `benches/performance`.
";

/// The whole page.
pub(crate) fn page(machine: &Machine, plan: &Plan, outcome: &Outcome) -> Result<String, Error> {
    let mut text = format!("{HEAD}\n## Where\n| | |\n| --- | --- |\n");
    for (name, value) in &machine.0 {
        writeln!(text, "| {name} | {value} |")?;
    }
    let Plan { rounds, time, users, .. } = plan;
    writeln!(text, "| rounds | {rounds} of {} s a side, {users} users |", time.as_secs_f64())?;
    text += &tables(&outcome.rows)?;
    if !outcome.plots.is_empty() {
        text += "\n## Growth and latency\n";
    }
    for plot in &outcome.plots {
        write!(text, "![{}](performance/{})\n\n", plot.title, plot.file.display())?;
    }
    Ok(text + TAIL)
}

/// The goals, and below them what is behind each.
pub(crate) fn tables(rows: &[Row]) -> Result<String, Error> {
    let mut text = "\n## Goals\n| | figure | goal | measured | least – largest | |\n| --- | --- | --- | --- | --- | --- |\n".to_owned();
    for row in rows {
        let Row { id, figure, unit, measured, .. } = row;
        let (goal, verdict) = (goal(row.goal), verdict(row));
        let Spread { median, min, max } =
            if row.verdict() == Verdict::Broken { Spread::once(0.0) } else { *measured };
        let (median, min, max) = (number(median), number(min), number(max));
        writeln!(text, "| {id} | {figure}, {unit} | {goal} | **{median}** | {min} – {max} | {verdict} |")?;
    }
    text += "\n## Behind the goals\n";
    for row in rows {
        write!(text, "\n**{}: {}.** {}\n", row.id, row.figure, row.note)?;
        if let Some(broken) = &row.broken {
            write!(text, "\nCounts as 0:\n```\n{broken}\n```\n")?;
        }
        if !row.parts.is_empty() {
            text += "\n| | | least – largest |\n| --- | --- | --- |\n";
        }
        for part in &row.parts {
            let Spread { median, min, max } = part.measured;
            let (median, min, max) = (number(median), number(min), number(max));
            writeln!(text, "| {} | {median} {} | {min} – {max} |", part.name, part.unit)?;
        }
    }
    Ok(text)
}

fn goal(goal: Goal) -> String {
    match goal {
        Goal::AtLeast(goal) => format!("≥ {}", number(goal)),
        Goal::AtMost(goal) => format!("≤ {}", number(goal)),
        Goal::None => String::new(),
    }
}

fn verdict(row: &Row) -> &'static str {
    match row.verdict() {
        Verdict::Met => "met",
        Verdict::Missed => "missed",
        Verdict::Broken => "broken: counts as 0",
        Verdict::Shown => "",
    }
}

/// Three digits that matter; thousands are set apart.
fn number(figure: f64) -> String {
    let decimals = match figure.abs() {
        0.0 => 0,
        small if small < 0.1 => 4,
        small if small < 1.0 => 3,
        small if small < 10.0 => 2,
        small if small < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{figure:.decimals$}");
    if decimals > 0 || !figure.is_finite() {
        return text;
    }
    let digits = text.trim_start_matches('-');
    let mut grouped = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if text.starts_with('-') { format!("-{grouped}") } else { grouped }
}
