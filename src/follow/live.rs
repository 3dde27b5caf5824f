//! Keeps the live views true: a snapshot of each published concert, then its log, all logs in one blocking read.
//!
//! A view whose log goes on as it should is at most one read behind. A log that Redis lost, or another history under the
//! same numbers, stops the concert in this process; a view that fell behind what was trimmed takes a new snapshot; while
//! Redis cannot be asked the views stay as they are. An entry of a newer format stops its view: none is passed over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout_at};

use super::Backoff;
use super::snapshot::{FillError, Filled, fill_wanted};
use super::tally::Tallies;
use super::track::{Left, Stage, Track, Verdict, judge};
use crate::domain::event::{Entry, LogKind};
use crate::domain::ids::{ConcertId, LogName};
use crate::live::{Applied, ApplyError, Live};
use crate::store::log::{RawEntry, ReadError, Tail};
use crate::store::{Failure, Store};

/// Entries of one read over all logs, shared out evenly between the bounds of one log's share.
const ENTRIES_OF_READ: usize = 4096;
const SHARE: (usize, usize) = (8, 500);

/// How long a read waits for the first entry: bounds how late a publication is taken up.
const BLOCK: Duration = Duration::from_millis(50);

/// While snapshots are under way the loop waits for them, and reads the logs this often.
const READ_BESIDE: Duration = Duration::from_millis(5);

/// Between two looks at where the logs end, some of them each time.
const CHECK_EVERY: Duration = Duration::from_secs(1);
const CHECKED_AT_ONCE: usize = 16;

/// Before a snapshot is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// Snapshots asked for and not yet begun.
const WANTED_MAX: usize = 64;

/// Follows for all views of this process.
pub struct LiveFollower {
    live: Live,
    store: Store,
    tail: Tail,
    /// Concerts whose catalog is to be read from MySQL again.
    catalog_changed: mpsc::Sender<ConcertId>,
}

impl LiveFollower {
    /// A follower. `store` and `tail` are its own; `catalog_changed` gets each concert of which the log names a newer
    /// catalog version than the view has.
    pub fn new(live: Live, store: Store, tail: Tail, catalog_changed: mpsc::Sender<ConcertId>) -> Self {
        Self { live, store, tail, catalog_changed }
    }

    /// Runs until `shutdown` holds `true` or its sender is gone.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let (want, wanted) = mpsc::channel(WANTED_MAX);
        let (filled_in, filled) = mpsc::channel(1);
        let store = self.store.clone();
        let tracks = BTreeMap::new();
        let mut round = Round {
            follower: self,
            want,
            filled,
            tracks,
            stale: BTreeSet::new(),
            checked: ConcertId(0),
            tallies: Tallies::new(),
        };
        tokio::select! {
            _ = shutdown.wait_for(|stop| *stop) => {}
            () = fill_wanted(&store, wanted, filled_in) => {}
            () = round.follow() => {}
        }
    }
}

/// The state of the loop.
struct Round {
    follower: LiveFollower,
    want: mpsc::Sender<ConcertId>,
    filled: mpsc::Receiver<Filled>,
    tracks: BTreeMap<ConcertId, Track>,
    /// Concerts whose catalog is stale and that nobody has been told of yet.
    stale: BTreeSet<ConcertId>,
    /// The last concert whose bounds were checked.
    checked: ConcertId,
    tallies: Tallies,
}

impl Round {
    async fn follow(&mut self) {
        let mut publications = self.follower.live.publications();
        publications.mark_changed();
        let mut backoff = Backoff::default();
        let mut next_check = Instant::now() + CHECK_EVERY;
        loop {
            if publications.has_changed().unwrap_or(false) {
                publications.mark_unchanged();
                self.take_publications();
            }
            self.take_filled();
            self.ask_for_snapshots();
            self.tell_of_stale();
            let mut result = self.read().await;
            if result.is_ok() && Instant::now() >= next_check {
                next_check = Instant::now() + CHECK_EVERY;
                result = self.check_bounds(CHECKED_AT_ONCE).await.and(result);
            }
            match result {
                Ok(left) => {
                    backoff.worked();
                    if left == Left::Nothing && self.tracks.values().all(Track::is_level) {
                        self.follower.live.note_level();
                    }
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the logs cannot be read");
                    self.wait_for_redis(&mut backoff).await;
                }
            }
        }
    }

    /// Redis may be replaced by one that knows less: all logs are checked before the next entry is applied.
    async fn wait_for_redis(&mut self, backoff: &mut Backoff) {
        loop {
            sleep(backoff.failed()).await;
            if self.check_bounds(usize::MAX).await.is_ok() {
                return;
            }
        }
    }

    fn take_publications(&mut self) {
        for view in self.follower.live.concerts().iter() {
            let id = view.concert().concert;
            let track = self
                .tracks
                .entry(id)
                .or_insert_with(|| Track { view: Arc::clone(view), stage: Stage::Due(Instant::now()) });
            // Published with another log id, or said to be selling again.
            let renewed = match track.stage {
                Stage::Following => !view.warm(),
                Stage::Stopped => !view.warm() && !view.recovering(),
                Stage::Due(_) | Stage::Asked | Stage::CatchingUp(_) => false,
            };
            if renewed {
                track.stage = Stage::Due(Instant::now());
            }
        }
    }

    fn ask_for_snapshots(&mut self) {
        let now = Instant::now();
        for (id, track) in &mut self.tracks {
            if matches!(track.stage, Stage::Due(at) if at <= now) {
                if self.want.try_send(*id).is_err() {
                    return;
                }
                track.stage = Stage::Asked;
            }
        }
    }

    fn tell_of_stale(&mut self) {
        let told = |id: &ConcertId| self.follower.catalog_changed.try_send(*id).is_ok();
        self.stale.retain(|id| !told(id));
    }

    fn take_filled(&mut self) {
        while let Ok(filled) = self.filled.try_recv() {
            self.take(filled);
        }
    }

    /// Takes snapshots as they come, for [`READ_BESIDE`] or until none is under way.
    async fn wait_for_filled(&mut self) {
        let until = Instant::now() + READ_BESIDE;
        while let Ok(Some(filled)) = timeout_at(until, self.filled.recv()).await {
            self.take(filled);
            if !self.fills() {
                return;
            }
        }
    }

    /// Whether snapshots are under way.
    fn fills(&self) -> bool {
        self.tracks.values().any(|track| matches!(track.stage, Stage::Asked))
    }

    fn take(&mut self, filled: Filled) {
        let Some(track) = self.tracks.get_mut(&filled.concert) else {
            return;
        };
        match filled.result {
            Ok((filling, _)) if filling.log_id() != track.view.published_log_id() => {
                self.stale.insert(filled.concert);
                track.stage = Stage::Due(Instant::now() + RETRY_AFTER);
            }
            Ok((filling, catalog)) => {
                if catalog > track.view.concert().version {
                    self.stale.insert(filled.concert);
                }
                track.stage = Stage::CatchingUp(Box::new(filling));
                track.install_if_complete();
            }
            Err(FillError::Read(Failure::Stopped(_))) => self.stop_lost(filled.concert),
            // Redis away, or the log not born yet: every concert says so several times a second.
            Err(FillError::Read(Failure::Unavailable(_))) => {
                track.stage = Stage::Due(Instant::now() + RETRY_AFTER);
            }
            Err(error) => {
                track.stage = Stage::Due(Instant::now() + RETRY_AFTER);
                let error = &error as &dyn std::error::Error;
                tracing::warn!(concert = filled.concert.0, error, "a live view has no snapshot yet");
            }
        }
    }

    async fn read(&mut self) -> Result<Left, ReadError> {
        let places = self.tracks.iter().filter_map(|(id, track)| {
            let number = track.offset()?.number;
            Some((LogName::Concert(*id), number))
        });
        let from: Vec<_> = places.collect();
        if from.is_empty() {
            self.wait_for_filled().await;
            return Ok(Left::Nothing);
        }
        let share = (ENTRIES_OF_READ / from.len()).clamp(SHARE.0, SHARE.1);
        // A read that blocks keeps every snapshot waiting, and the next ones with it: a hundred views took eleven seconds.
        let block = if self.fills() { Duration::ZERO } else { BLOCK };
        let read = self.follower.tail.read(&from, share, block).await?;
        if block.is_zero() && read.is_empty() {
            self.wait_for_filled().await;
            return Ok(Left::More);
        }
        let left = Left::of(read.iter().map(|(_, entries)| entries.len()), share);
        for (log, entries) in read {
            let LogName::Concert(id) = log else {
                continue;
            };
            self.apply(id, &entries).await?;
        }
        Ok(left)
    }

    async fn apply(&mut self, id: ConcertId, entries: &[RawEntry]) -> Result<(), ReadError> {
        let Some(track) = self.tracks.get_mut(&id) else {
            return Ok(());
        };
        for raw in entries {
            let entry = match Entry::decode(LogKind::Concert, &raw.text) {
                Ok(entry) => entry,
                Err(error) => {
                    tracing::error!(concert = id.0, number = raw.number, %error, "an entry cannot be read: its view stops");
                    track.view.go_cold();
                    track.stage = Stage::Stopped;
                    return Ok(());
                }
            };
            match track.apply(raw.number, &entry) {
                Ok(Applied::Known) => {}
                Ok(Applied::Moved { catalog }) => {
                    self.tallies.note(id, &entry);
                    if catalog.is_some_and(|catalog| catalog > track.view.concert().version) {
                        self.stale.insert(id);
                    }
                }
                Err(ApplyError::Discontinuity { ours, found }) => {
                    tracing::warn!(concert = id.0, ours = ours.number, found, "a log does not go on");
                    return self.check(id, true).await;
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(
                        concert = id.0,
                        number = raw.number,
                        error,
                        "an entry does not fit its view"
                    );
                    track.view.go_cold();
                    track.stage = Stage::Due(Instant::now() + RETRY_AFTER);
                    return Ok(());
                }
            }
        }
        if let (Some(seen), Some(offset)) =
            (self.follower.store.seen().get(LogName::Concert(id)), track.offset())
        {
            seen.advance(offset);
        }
        Ok(())
    }

    async fn check_bounds(&mut self, most: usize) -> Result<(), ReadError> {
        let after = self.tracks.range((std::ops::Bound::Excluded(self.checked), std::ops::Bound::Unbounded));
        let ids: Vec<_> = after.chain(self.tracks.range(..=self.checked)).map(|(id, _)| *id).collect();
        for id in ids.into_iter().take(most) {
            self.check(id, false).await?;
            self.checked = id;
        }
        Ok(())
    }

    /// Looks whether Redis still holds what was applied. `broken`: an entry did not continue it, so it must be either
    /// trimmed or lost.
    async fn check(&mut self, id: ConcertId, broken: bool) -> Result<(), ReadError> {
        let log = LogName::Concert(id);
        let Some((ours, log_id)) = self.tracks.get(&id).and_then(Track::place) else {
            return Ok(());
        };
        let bounds = self.follower.tail.bounds(log).await?;
        let stopped = self.follower.store.seen().get(log).is_some_and(|seen| seen.is_lost());
        match judge(ours, log_id, &bounds) {
            Verdict::Lost => self.stop_lost(id),
            Verdict::Sound if broken || stopped => self.stop_lost(id),
            Verdict::Sound => {}
            Verdict::Trimmed => {
                tracing::warn!(
                    concert = id.0,
                    ours = ours.number,
                    trim = bounds.trim,
                    "a view fell behind its log"
                );
                if let Some(track) = self.tracks.get_mut(&id) {
                    track.stage = Stage::Due(Instant::now());
                }
            }
        }
        Ok(())
    }

    fn stop_lost(&mut self, id: ConcertId) {
        if let Some(seen) = self.follower.store.seen().get(LogName::Concert(id)) {
            seen.stop();
        }
        if let Some(track) = self.tracks.get_mut(&id) {
            track.view.mark_recovering();
            track.stage = Stage::Stopped;
        }
    }
}
