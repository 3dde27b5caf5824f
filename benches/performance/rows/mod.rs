//! The figures: one file for each thing that is measured.

use std::{future::Future, pin::Pin};

use crate::{
    Result,
    goal::{Goal, Outcome, Row, Spread},
    plan::Plan,
};

mod archive;
mod growth;
mod hold;
mod idle;
mod join;
mod lapse;
mod latency;
mod line;
mod metrics;
mod overload;
mod pay;
mod poll;
mod script;
mod seats;
mod start;
mod token;

/// What a group measures, once it is started.
type Measuring<'p> = Pin<Box<dyn Future<Output = Result<Outcome>> + 'p>>;

/// Figures that are measured together.
pub(crate) struct Group {
    /// The ids of its rows.
    pub(crate) ids: &'static [&'static str],
    pub(crate) run: for<'p> fn(&'p Plan) -> Measuring<'p>,
}

/// All of them, in the order in which they run.
pub(crate) const GROUPS: &[Group] = &[
    Group { ids: &["P1", "P2", "P3", "P16 hold"], run: |plan| Box::pin(hold::run(plan)) },
    Group { ids: &["token"], run: |plan| Box::pin(token::run(plan)) },
    Group { ids: &["P6", "P16 pay"], run: |plan| Box::pin(pay::run(plan)) },
    Group { ids: &["P5", "P16 304", "P16 map"], run: |plan| Box::pin(seats::run(plan)) },
    Group { ids: &["P16 join"], run: |plan| Box::pin(join::run(plan)) },
    Group { ids: &["P4", "P16 poll"], run: |plan| Box::pin(poll::run(plan)) },
    Group { ids: &["P7"], run: |plan| Box::pin(archive::run(plan)) },
    Group { ids: &["P12"], run: |plan| Box::pin(latency::run(plan)) },
    Group { ids: &["P13"], run: |plan| Box::pin(overload::run(plan)) },
    Group { ids: &["P15"], run: |plan| Box::pin(metrics::run(plan)) },
    Group { ids: &["P8", "P9", "P10 line", "P14 line"], run: |plan| Box::pin(line::run(plan)) },
    Group { ids: &["P10 sale"], run: |plan| Box::pin(script::run(plan)) },
    Group { ids: &["P11"], run: |plan| Box::pin(lapse::run(plan)) },
    Group { ids: &["P14 idle"], run: |plan| Box::pin(idle::run(plan)) },
    Group { ids: &["P17"], run: |plan| Box::pin(start::run(plan)) },
    Group { ids: &["growth seats", "growth concerts"], run: |plan| Box::pin(growth::run(plan)) },
];

impl Group {
    /// Its rows, each of which counts as 0.
    pub(crate) fn broken_by(&self, error: &str) -> Outcome {
        let row = |id| {
            let nothing = Row::new(id, "not measured", "ratio", Goal::None, Spread::once(0.0));
            nothing.broken_by(Some(error.to_owned()))
        };
        Outcome { rows: self.ids.iter().copied().map(row).collect(), plots: Vec::new() }
    }

    /// Whether it has a row that was asked for: `P16` asks for `P16 hold`, too. Nothing asked for is everything.
    pub(crate) fn is_wanted(&self, only: &[String]) -> bool {
        let asked = |id: &str| only.iter().any(|word| id.split(' ').next() == Some(word) || id == word);
        only.is_empty() || self.ids.iter().any(|id| asked(id))
    }
}
