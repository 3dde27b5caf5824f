//! Watches whether MySQL answers: operators learn of it within seconds, whatever else waits for MySQL meanwhile.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::every;
use crate::archive::Archive;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// A connection that swallows everything counts as no answer.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Tells `well` whether MySQL answers, until shut down. `archive` is its own: behind the calls of others it would wait for
/// a connection, not for MySQL.
pub async fn mysql(archive: Archive, well: watch::Sender<bool>, shutdown: watch::Receiver<bool>) {
    every(LOOK, shutdown, || async {
        let answered = timeout(ANSWER_MAX, archive.ping()).await;
        well.send_replace(matches!(answered, Ok(Ok(()))));
    })
    .await;
}
