//! Where the live follower is with one concert, and how it judges what Redis says of the log.

use std::sync::Arc;

use tokio::time::Instant;

use crate::domain::event::Entry;
use crate::domain::ids::{Mark, Offset};
use crate::live::snapshot::Filling;
use crate::live::{Applied, ApplyError, ConcertView};
use crate::store::log::LogBounds;

/// Where the follower is with one concert.
pub(super) enum Stage {
    /// It needs a snapshot, from then on.
    Due(Instant),
    /// A snapshot is being made.
    Asked,
    /// A snapshot is catching up with its last page.
    CatchingUp(Box<Filling>),
    /// The view applies entries as they come.
    Following,
    /// Nothing is read: the log is lost, or speaks a newer format.
    Stopped,
}

pub(super) struct Track {
    pub(super) view: Arc<ConcertView>,
    pub(super) stage: Stage,
}

impl Track {
    /// Applies an entry to the view, or to the snapshot that is to become its state.
    pub(super) fn apply(&mut self, number: u64, entry: &Entry<'_>) -> Result<Applied, ApplyError> {
        let Stage::CatchingUp(filling) = &mut self.stage else {
            return self.view.apply(number, entry);
        };
        let applied = filling.apply(number, entry)?;
        self.install_if_complete();
        Ok(applied)
    }

    /// Shows the snapshot once it has caught up.
    pub(super) fn install_if_complete(&mut self) {
        if !matches!(&self.stage, Stage::CatchingUp(filling) if filling.is_complete()) {
            return;
        }
        if let Stage::CatchingUp(filling) = std::mem::replace(&mut self.stage, Stage::Following) {
            self.view.install(*filling);
        }
    }

    /// Whether the view shows all that was read. One that is recovering says so itself and keeps no other from being level.
    pub(super) fn is_level(&self) -> bool {
        matches!(self.stage, Stage::Following) || self.view.recovering()
    }

    /// The last entry applied, while entries are.
    pub(super) fn offset(&self) -> Option<Offset> {
        self.place().map(|(offset, _)| offset)
    }

    /// The last entry applied and its log, while entries are.
    pub(super) fn place(&self) -> Option<(Offset, Mark)> {
        match &self.stage {
            Stage::CatchingUp(filling) => Some((filling.offset(), filling.log_id())),
            Stage::Following => Some((self.view.offset(), self.view.log_id())),
            Stage::Due(_) | Stage::Asked | Stage::Stopped => None,
        }
    }
}

/// What a read over all logs may have left in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Every log was read to its end.
    Nothing,
    /// Some log filled its share, and may go on behind it.
    More,
}

impl Left {
    /// Judges by how many entries each log gave, of at most `share`.
    pub(super) fn of(mut counts: impl Iterator<Item = usize>, share: usize) -> Self {
        if counts.any(|count| count >= share) { Self::More } else { Self::Nothing }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Redis holds what was applied.
    Sound,
    /// What comes next may be gone: the view starts anew.
    Trimmed,
    /// Redis lacks what was applied.
    Lost,
}

/// Judges the bounds of a log by the last entry applied of it.
pub(super) fn judge(ours: Offset, log_id: Mark, bounds: &LogBounds) -> Verdict {
    let end = bounds.last;
    let behind = end.number < ours.number || (end.number == ours.number && end.mark != ours.mark);
    if bounds.log_id != Some(log_id) || behind {
        Verdict::Lost
    } else if bounds.trim > ours.number {
        Verdict::Trimmed
    } else {
        Verdict::Sound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_fills_its_share_may_have_left_something() {
        for (counts, left) in
            [(&[][..], Left::Nothing), (&[7, 0], Left::Nothing), (&[0, 8], Left::More), (&[9], Left::More)]
        {
            assert_eq!(Left::of(counts.iter().copied(), 8), left, "{counts:?}");
        }
    }

    #[test]
    fn a_log_is_judged_by_what_was_applied_of_it() {
        let at = |number, mark| Offset { number, mark: Mark(mark) };
        let bounds = |id, last, trim| LogBounds { log_id: id, last, trim };
        let (ours, id) = (at(7, 70), Mark(1));
        let judged = |bounds| judge(ours, id, &bounds);
        assert_eq!(judged(bounds(Some(id), at(7, 70), 0)), Verdict::Sound);
        assert_eq!(judged(bounds(Some(id), at(9, 90), 7)), Verdict::Sound);
        assert_eq!(judged(bounds(Some(id), at(9, 90), 8)), Verdict::Trimmed);
        assert_eq!(judged(bounds(Some(id), at(7, 71), 0)), Verdict::Lost);
        assert_eq!(judged(bounds(Some(id), at(6, 60), 0)), Verdict::Lost);
        assert_eq!(judged(bounds(Some(Mark(2)), at(9, 90), 0)), Verdict::Lost);
        assert_eq!(judged(bounds(None, at(0, 0), 0)), Verdict::Lost);
    }
}
