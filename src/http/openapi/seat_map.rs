//! The forms of a seat map, which `live` writes piece by piece: types for the document only.

#![expect(dead_code, reason = "these describe what `live::body` writes, nobody makes one")]

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::ids::ShowId;
use crate::http::seats::Changes;

/// A seat map in one of its forms; `?since=` gives changes where it can.
#[derive(ToSchema, Serialize)]
#[serde(untagged)]
pub(crate) enum SeatMap {
    Full(FullSeatMap),
    Status(SeatStatuses),
    Layout(SeatLayout),
    Changes(Changes<'static>),
}

/// `?view=full`
#[derive(ToSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FullSeatMap {
    show_id: ShowId,
    /// Opaque; the same on all servers.
    version: String,
    seats: Vec<SeatWithStatus>,
}

/// `?view=status`
#[derive(ToSchema, Serialize)]
pub(crate) struct SeatStatuses {
    version: String,
    /// By the seat's index: 0 available, 1 held, 2 booked, 3 blocked.
    #[schema(pattern = "^[0-3]*$")]
    status: String,
}

/// `?view=layout`
#[derive(ToSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SeatLayout {
    show_id: ShowId,
    version: String,
    currency: String,
    seats: Vec<SeatOfLayout>,
}

/// A seat of a layout.
#[derive(ToSchema, Serialize)]
pub(crate) struct SeatOfLayout {
    /// Its label, unique within the show.
    seat: String,
    section: String,
    /// Null where the section named its labels.
    #[schema(required = true)]
    row: Option<u32>,
    /// Null where the section named its labels.
    #[schema(required = true)]
    number: Option<u32>,
    /// Minor units.
    price: i64,
}

/// A seat of a full map.
#[derive(ToSchema, Serialize)]
pub(crate) struct SeatWithStatus {
    #[serde(flatten)]
    seat: SeatOfLayout,
    status: SeatStatus,
}

/// Whether a seat can be had.
#[derive(ToSchema, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum SeatStatus {
    Available,
    Held,
    Booked,
    Blocked,
}
