//! What keeps a log's retention from its end. The next round looks again.

use crate::archive::{self, LogState};
use crate::forgetting::ForgettingError;
use crate::store::{Failure, scan::Index};

/// Why it waits.
#[derive(Debug, thiserror::Error)]
pub enum Waiting {
    /// The concert is not over any more.
    #[error("a show lies ahead")]
    ShowAhead,
    /// Seats of a cancelled show are CONFIRMED still.
    #[error("not all buyers of a cancelled show are paid back")]
    Unpaid,
    /// Something is in this key of the concert.
    #[error("something is live: {}", key.name())]
    Live {
        /// The key.
        key: Index,
        /// How many elements it has.
        left: u64,
    },
    /// An entry came while it was looked whether something is live.
    #[error("something happens just now")]
    Moving,
    /// Something of a buyer is live or remembered, he has held something since, or a card of his is owed something.
    #[error("a buyer has come back, or is owed something")]
    Buyer,
    /// Nothing can be decided on it.
    #[error("the log is {}", .0.as_str())]
    Unusable(LogState),
    /// A step failed.
    #[error(transparent)]
    Failed(#[from] ForgettingError),
}

impl Waiting {
    /// How much is live.
    pub fn left(&self) -> Option<u64> {
        if let Self::Live { left, .. } = self { Some(*left) } else { None }
    }
}

impl From<archive::Error> for Waiting {
    fn from(error: archive::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Failure> for Waiting {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure.into())
    }
}
