//! Which process tells for a follower: a row of MySQL, taken for a few seconds and renewed while it lives.
//!
//! It spares repetitions, nothing rests on it: offsets never go back, and consumers know a repeated event by its id.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::archive::Archive;
use crate::domain::ids::Mark;

/// How long a killed process keeps others from going on.
const LENGTH: Duration = Duration::from_secs(6);

/// Between two renewals, and between two tries to get it.
const RENEW: Duration = Duration::from_secs(1);

/// For giving it back when the process stops.
const END: Duration = Duration::from_secs(1);

/// One process's claim to be the follower of this name.
pub(super) struct Lease {
    archive: Archive,
    follower: &'static str,
    holder: Mark,
    /// Until when it is certainly ours, by the clock of this machine.
    until: Instant,
}

impl Lease {
    pub(super) fn new(archive: Archive, follower: &'static str) -> Self {
        Self { archive, follower, holder: Mark(rand::random()), until: Instant::now() }
    }

    /// Waits until it is ours.
    pub(super) async fn taken(&mut self) {
        while !self.renew().await {
            sleep(RENEW).await;
        }
    }

    /// Keeps it; ends when it is no longer certain that it is ours.
    pub(super) async fn lost(&mut self) {
        loop {
            sleep(RENEW).await;
            if !self.renew().await && Instant::now() >= self.until {
                return;
            }
        }
    }

    /// Gives it back, so that another process goes on at once.
    pub(super) async fn end(&self) {
        let ended = timeout(END, self.archive.end_lease(self.follower, self.holder)).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::debug!(follower = self.follower, "the lease was not given back; it runs out");
        }
    }

    async fn renew(&mut self) -> bool {
        let asked = Instant::now();
        let taken = timeout(LENGTH, self.archive.lease(self.follower, self.holder, LENGTH)).await;
        let is_ours = matches!(taken, Ok(Ok(true)));
        match taken {
            Ok(Ok(true)) => self.until = asked + LENGTH,
            Ok(Ok(false)) => self.until = asked,
            // MySQL away: ours until it has run out.
            Ok(Err(_)) | Err(_) => {}
        }
        is_ours
    }
}
