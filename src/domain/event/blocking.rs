//! Seats that go out of sale, and those that come back.

use crate::domain::fields::{Fields, Malformed};
use crate::domain::ids::ShowId;

/// Seats, as `blocked` and `unblocked` tell of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocking<'a> {
    /// Their show.
    pub show: ShowId,
    /// Their indexes, at least one.
    pub seats: Vec<u32>,
    /// The request that asked for it; empty if nobody did.
    pub request: &'a str,
    /// Fingerprint of that request; `-` without one.
    pub fingerprint: &'a str,
}

pub(super) fn decode<'a>(fields: &mut Fields<'a>) -> Result<Blocking<'a>, Malformed> {
    let show = ShowId(fields.parse("show")?);
    let start = *fields;
    let seats = fields.word("seats")?.split(',').map(str::parse).collect::<Result<_, _>>();
    Ok(Blocking {
        show,
        seats: seats.map_err(|_| start.malformed("seats"))?,
        request: fields.text("request")?,
        fingerprint: fields.word("fingerprint")?,
    })
}
