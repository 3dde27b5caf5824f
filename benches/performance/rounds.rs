//! A-B-A-B: two or more sides take turns, so that whatever else the machine does falls on all of them.

use crate::goal::Spread;

/// Figures by round: one column a side.
#[derive(Debug, Default)]
pub(crate) struct Series(Vec<f64>);

impl Series {
    pub(crate) fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// Round by round.
    pub(crate) fn figures(&self) -> impl Iterator<Item = f64> + '_ {
        self.0.iter().copied()
    }

    pub(crate) fn spread(&self) -> Spread {
        Spread::of(&self.0)
    }

    /// This side over the other, round by round: what both met in one round cancels out.
    pub(crate) fn over(&self, other: &Self) -> Spread {
        let ratios: Vec<_> = self.0.iter().zip(&other.0).map(|(one, other)| one / other).collect();
        Spread::of(&ratios)
    }
}

impl FromIterator<f64> for Series {
    fn from_iter<I: IntoIterator<Item = f64>>(figures: I) -> Self {
        Self(figures.into_iter().collect())
    }
}
