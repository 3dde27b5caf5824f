//! A figure beside its goal, and what is said about it.

use std::path::PathBuf;

/// What rows give: figures for the tables, plots for the page.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// In the order of the tables.
    pub(crate) rows: Vec<Row>,
    /// Beside them.
    pub(crate) plots: Vec<Plot>,
}

/// One line of the table of goals.
#[derive(Debug)]
pub(crate) struct Row {
    /// As in the list of goals: `P1`, `P16 hold`.
    pub(crate) id: &'static str,
    /// What is measured.
    pub(crate) figure: &'static str,
    /// `ratio`, `µs`, `ms`, …
    pub(crate) unit: &'static str,
    pub(crate) goal: Goal,
    pub(crate) measured: Spread,
    /// Figures behind it.
    pub(crate) parts: Vec<Part>,
    /// What was chosen where the goal leaves a choice, and where the time goes.
    pub(crate) note: String,
    /// Why it counts as 0: a broken invariant, an unexpected answer.
    pub(crate) broken: Option<String>,
}

/// A figure that a row is made from.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) measured: Spread,
}

/// What is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// Shown for its own sake.
    None,
}

/// Whether it was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Met,
    Missed,
    /// It counts as 0.
    Broken,
    /// There is no goal.
    Shown,
}

/// Rounds of one figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// A picture of one or more lines.
#[derive(Debug)]
pub(crate) struct Plot {
    /// Its file, without a folder.
    pub(crate) file: PathBuf,
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    /// Name and points of each line.
    pub(crate) lines: Vec<(String, Vec<(f64, f64)>)>,
}

/// One axis of a plot.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    pub(crate) name: String,
    /// By powers of ten; values must be above 0.
    pub(crate) logarithmic: bool,
}

impl Spread {
    /// Of at least one round.
    pub(crate) fn of(rounds: &[f64]) -> Self {
        let mut sorted = rounds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (Some(&min), Some(&max)) = (sorted.first(), sorted.last()) else {
            return Self { median: f64::NAN, min: f64::NAN, max: f64::NAN };
        };
        let half = sorted.len() / 2;
        let median =
            if sorted.len() % 2 == 1 { sorted[half] } else { f64::midpoint(sorted[half - 1], sorted[half]) };
        Self { median, min, max }
    }

    /// Of something measured once.
    pub(crate) fn once(figure: f64) -> Self {
        Self::of(&[figure])
    }
}

impl Row {
    /// A row without parts, note or trouble.
    pub(crate) fn new(
        id: &'static str,
        figure: &'static str,
        unit: &'static str,
        goal: Goal,
        measured: Spread,
    ) -> Self {
        Self { id, figure, unit, goal, measured, parts: Vec::new(), note: String::new(), broken: None }
    }

    /// With a figure that it is made from.
    pub(crate) fn part(mut self, name: impl Into<String>, unit: &'static str, measured: Spread) -> Self {
        self.parts.push(Part { name: name.into(), unit, measured });
        self
    }

    /// With a note.
    pub(crate) fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    /// Counts as 0 if there is a reason.
    pub(crate) fn broken_by(self, broken: Option<String>) -> Self {
        Self { broken, ..self }
    }

    pub(crate) fn verdict(&self) -> Verdict {
        let median = self.measured.median;
        match self.goal {
            _ if self.broken.is_some() => Verdict::Broken,
            Goal::None => Verdict::Shown,
            Goal::AtLeast(goal) if median >= goal => Verdict::Met,
            Goal::AtMost(goal) if median <= goal => Verdict::Met,
            Goal::AtLeast(_) | Goal::AtMost(_) => Verdict::Missed,
        }
    }
}
