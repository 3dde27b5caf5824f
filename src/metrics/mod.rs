//! What the process counts and measures: one table of metrics, the recorder, and bounded labels.
//!
//! Every metric is a row of the table; a handle is got from its row, so no name is spelled twice and no label can be
//! forgotten. Handles are made once and kept: on the way of a request nothing is looked up by name. Only this module
//! names the crates of metrics.

mod concerts;
mod process;
mod recorder;
mod table;
mod values;

pub use metrics::{Counter, Gauge, Histogram};

pub use self::concerts::{concert_label, concert_over, known_concert, show_label};
pub use self::recorder::{Exposition, InstallError, install, uncounted};
pub use self::table::*;
pub use self::values::*;

/// A whole number as gauges hold it: exact up to 2^53, beyond that to one part in 10^15.
pub fn float(value: u64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "entries, people and seats stay far below 2^53; bytes need no more"
    )]
    let value = value as f64;
    value
}
