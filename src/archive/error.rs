//! What can go wrong in the archive, and whose fault it is.
//!
//! A follower needs to know three things apart: MySQL is away (wait), one log holds what can't be (stop that log,
//! go on with the others), and a row of ours that can't be read (a fault to report).

use std::io;

use sqlx::error::ErrorKind;

use super::import::ImportRefused;
use crate::config::EngineSetting;
use crate::domain::catalog::LayoutError;
use crate::domain::fields::Malformed;
use crate::domain::ids::{Id20, LogName, Offset, ShowId};

/// Seats that a message names.
const NAMED_MAX: usize = 20;

/// A fault of the archive, or of what it was given.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// MySQL is away, refused a statement or broke off.
    #[error("MySQL failed")]
    Database(#[from] sqlx::Error),
    /// A setting of the server that the archive can't do with.
    #[error("{0}")]
    Unfit(EngineSetting),
    /// The schema can't be brought up to date.
    #[error("the schema can't be migrated")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The next entry of a log does not follow the last one applied: the log was lost or is another.
    #[error("log {log}: entry {found} does not follow {} {}", expected.number, expected.mark)]
    Discontinuity {
        /// The log.
        log: LogName,
        /// The entry that the next one had to follow.
        expected: Offset,
        /// The number of the entry found.
        found: u64,
    },
    /// An entry that this version can't read: a bug of the writer, or a newer writer.
    #[error("log {log}: entry {number} can't be read")]
    Entry {
        /// The log.
        log: LogName,
        /// The entry.
        number: u64,
        /// What is wrong with it.
        source: Malformed,
    },
    /// A seat was paid for twice.
    #[error("log {log}: seat {seat} of show {show} is booked by {first} and by {second}")]
    DoubleBooked {
        /// The log that says so.
        log: LogName,
        /// The show.
        show: ShowId,
        /// Index of the seat.
        seat: u32,
        /// The reservation that has it.
        first: Id20,
        /// The one that would have it too.
        second: Id20,
    },
    /// A seat was refunded to a reservation that had not booked it.
    #[error("log {log}: seat {seat} of show {show} is refunded to {reservation}, which has not booked it")]
    NotBooked {
        /// The log that says so.
        log: LogName,
        /// The show.
        show: ShowId,
        /// Index of the seat.
        seat: u32,
        /// The reservation.
        reservation: Id20,
    },
    /// A change of a reservation that no entry before has made.
    #[error("log {log}: a reservation changes that was never made")]
    UnknownReservation {
        /// The log that says so.
        log: LogName,
    },
    /// Sections that make no seat map.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A seating plan that lacks seats of its show: index and label of each.
    #[error("the plan lacks {} seats that the show has; a seat can't be dropped: {}", .0.len(), listed(.0))]
    SeatsDropped(Vec<(u32, String)>),
    /// A catalog file that can't be imported over what is there.
    #[error(transparent)]
    Refused(#[from] ImportRefused),
    /// A row holds what was never written there.
    #[error("{table} holds a row that can't be read: {what}")]
    Stored {
        /// The table.
        table: &'static str,
        /// The value.
        what: String,
    },
}

impl Error {
    /// The log whose own words can't be applied, now or later: it has to stop. `None` when waiting may help.
    pub fn log(&self) -> Option<LogName> {
        match self {
            Self::Discontinuity { log, .. }
            | Self::Entry { log, .. }
            | Self::DoubleBooked { log, .. }
            | Self::NotBooked { log, .. }
            | Self::UnknownReservation { log } => Some(*log),
            _ => None,
        }
    }

    /// Whether MySQL may have done what it was asked, though nobody heard of it: the connection ended in between.
    pub fn is_unknown(&self) -> bool {
        match self {
            // While connecting nothing has been asked.
            Self::Database(sqlx::Error::Io(error)) => {
                !matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
            }
            Self::Database(error) => matches!(error, sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed),
            _ => false,
        }
    }

    /// Whether MySQL refused the values themselves, so that trying again can't help.
    pub fn refuses_values(&self) -> bool {
        let Self::Database(sqlx::Error::Database(error)) = self else {
            return false;
        };
        // 22: a value out of its column's range or length; 23: a constraint. 1205 and 1213 (lock wait, deadlock) are
        // neither: they pass.
        let class = error.code().is_some_and(|code| code.starts_with("22") || code.starts_with("23"));
        class || !matches!(error.kind(), ErrorKind::Other)
    }
}

/// The first of these labels.
pub(super) fn listed(seats: &[(u32, String)]) -> String {
    let named: Vec<&str> = seats.iter().take(NAMED_MAX).map(|(_, label)| label.as_str()).collect();
    let more = if seats.len() > NAMED_MAX { ", …" } else { "" };
    named.join(", ") + more
}

/// The error for a value that can't be what it should.
pub(super) fn stored(table: &'static str, what: impl std::fmt::Display) -> Error {
    Error::Stored { table, what: what.to_string() }
}
