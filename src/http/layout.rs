//! Layouts new enough for an answer: labels of seats, and waiting for a catalog that is being read again.
//!
//! Redis may know a catalog version that this server's view has not read from MySQL yet. That lasts for
//! the time of one reload, so waiting is cheaper than refusing.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::context::Context;
use super::problem::{Code, Problem};
use crate::domain::catalog::Show;
use crate::domain::ids::ShowId;
use crate::domain::reservation::Seats;
use crate::live::ConcertView;

/// Between two looks at the view: a reload takes some of them.
const LOOK: Duration = Duration::from_millis(20);

/// The labels of these seats, in their order, if the layout has them all.
pub(crate) fn labels<'a>(layout: &'a Show, seats: &Seats) -> Option<Vec<&'a str>> {
    let label = |index: u32| layout.seats.get(index as usize).map(|seat| seat.label.as_str());
    seats.indexes().map(label).collect()
}

/// 400 unless the field names a seat, and none twice.
pub(crate) fn check_named(field: &'static str, labels: &[String]) -> Result<(), Problem> {
    match labels {
        [] => return Err(Problem::field(field, "Expected at least one seat.")),
        [_] => return Ok(()),
        _ => {}
    }
    let mut seen = HashSet::with_capacity(labels.len());
    let repeated = labels.iter().find(|label| !seen.insert(label.as_str()));
    repeated.map_or(Ok(()), |label| Err(Problem::field(field, format!("{label:?} appears twice."))))
}

/// 409 `seat_unavailable` that names these seats by their labels.
pub(crate) fn unavailable(layout: &Show, indexes: &[u32]) -> Problem {
    let label = |index: &u32| layout.seats.get(*index as usize).map(|seat| seat.label.clone());
    let labels: Vec<String> = indexes.iter().filter_map(label).collect();
    Problem::new(Code::SeatUnavailable).with("seats", labels)
}

/// The layout that has these seats, waiting for it up to the deadline.
pub(crate) async fn with_seats(
    ctx: &Context,
    show: ShowId,
    seats: &Seats,
    deadline: Instant,
) -> Result<Arc<Show>, Problem> {
    loop {
        if let Some((_, view)) = ctx.live.show(show) {
            let layout = view.layout();
            if labels(&layout, seats).is_some() {
                return Ok(layout);
            }
        }
        if Instant::now() + LOOK > deadline {
            return Err(Problem::new(Code::Unavailable).detail("The catalog is being read again."));
        }
        sleep(LOOK).await;
    }
}

/// Waits for a catalog other than `version`, up to the deadline.
pub(crate) async fn other_than(view: &ConcertView, version: u64, deadline: Instant) {
    while view.catalog_version() == version && Instant::now() < deadline {
        sleep(LOOK).await;
    }
}
