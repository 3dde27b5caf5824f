//! Shows on this process what MySQL has of a concert, beside the log that it is sold by.
//!
//! Only what is born is shown: MySQL has an entry of its log, so it can be sold.

use std::sync::Arc;

use crate::archive::{self, Archive};
use crate::domain::catalog::Show;
use crate::domain::ids::{ConcertId, Mark};
use crate::live::Live;

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
