//! From an entry's text to what the world outside is told of it.

use crate::domain::cloud_event::{CloudEvent, UnknownSeat, told};
use crate::domain::event::{Entry, LogKind};
use crate::domain::fields::Malformed;
use crate::domain::ids::{LogName, Mark};
use crate::live::Live;

/// Why an entry can't be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TellError {
    /// Not now: this process has yet to hear of one of its seats, which takes a second at most.
    #[error(transparent)]
    Catalog(#[from] UnknownSeat),
    /// Never: a bug of the writer, or a newer writer.
    #[error("an entry can't be read")]
    Entry(#[from] Malformed),
}

/// What an entry has to tell, in order, with the labels of seats that the views of this process know and the names that users have
/// outside.
pub fn cloud_events(
    live: &Live,
    log: LogName,
    log_id: Mark,
    number: u64,
    text: &str,
) -> Result<Vec<CloudEvent>, TellError> {
    let entry = Entry::decode(LogKind::of(log), text)?;
    let mut events = told(log, log_id, number, &entry, &|show, seat| live.label(show, seat))?;
    if let Some(key) = live.export_key() {
        for event in &mut events {
            key.hide(event);
        }
    }
    Ok(events)
}
