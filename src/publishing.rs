//! Shows on this process what MySQL has of a concert, beside the log that it is sold by.
//!
//! Only what is born is shown: MySQL has an entry of its log, so it can be sold.

use std::sync::Arc;

use crate::archive::{self, Archive, LogOffset, LogState};
use crate::domain::catalog::Show;
use crate::domain::ids::{ConcertId, LogName, Mark};
use crate::live::Live;
use crate::store::SeenLogs;

/// Reads a concert with its shows and shows them; `None`: MySQL has no such concert.
pub async fn publish(
    archive: &Archive,
    live: &Live,
    concert: ConcertId,
    log_id: Mark,
) -> Result<Option<Vec<Arc<Show>>>, archive::Error> {
    let Some(record) = archive.concert(concert).await? else {
        return Ok(None);
    };
    let shows: Vec<_> = archive.shows(concert).await?.into_iter().map(Arc::new).collect();
    live.publish(Arc::new(record), shows.clone(), log_id);
    Ok(Some(shows))
}

/// Makes a log known that MySQL has an entry of, and that it stopped, if it has.
pub fn register(seen: &SeenLogs, live: &Live, known: &LogOffset) {
    let log = seen.register(known.log, known.log_id, known.offset);
    if known.state == LogState::Recovering {
        log.stop();
        mark(live, known.log);
    }
}

/// Shows that the log of a concert has stopped.
pub fn mark(live: &Live, log: LogName) {
    if let LogName::Concert(concert) = log
        && let Some(view) = live.concert(concert)
    {
        view.mark_recovering();
    }
}
