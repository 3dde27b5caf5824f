//! Values of labels that no other type spells: what counts them and what is tested of dashboards and rules name them here.

/// Why a request to a script came to no answer of a sale: its call failed, it threw, or it is to be asked again with a
/// newer catalog. Of `result`.
pub const FAILURES: [&str; 7] =
    ["log_lost", "overloaded", "unavailable", "outcome_unknown", "fault", "internal", "stale_catalog"];

/// What happens to reservations, of `event`.
pub const RESERVATION_EVENTS: [&str; 5] = ["held", "released", "expired", "paid", "refunded"];

/// How card payments and refunds to cards end at the gateway, of `end`; a refund that was refused may still end otherwise.
pub const CARD_ENDS: [&str; 4] = ["captured", "voided", "refunded", "refused"];

/// Of which money the gateway was told what it did not do: of `kind` (a payment by card, or a charge of a balance) and `told`.
pub const CONTRADICTED: [[&str; 2]; 5] =
    [["card", "capture"], ["card", "void"], ["card", "refund"], ["top_up", "capture"], ["top_up", "void"]];

/// How far what lies in `cards` is, of `state`.
pub const CARD_STATES: [&str; 5] = ["authorising", "capture", "void", "refund", "refused"];

/// How far what lies in `top_ups` is, of `state`.
pub const TOP_UP_STATES: [&str; 4] = ["authorising", "capture", "declined", "expired"];

/// What seats are, of `status`.
pub const SEAT_STATUSES: [&str; 4] = ["available", "held", "booked", "blocked"];

/// Who follows the logs, of `follower`: MySQL's, in a worker, and the views', in every process; those who tell the world outside,
/// in one worker at a time.
pub const FOLLOWERS: [&str; 4] = [ARCHIVE, LIVE, KAFKA, WEBHOOK];
/// See [`FOLLOWERS`].
pub const ARCHIVE: &str = "archive";
/// See [`FOLLOWERS`].
pub const LIVE: &str = "live";
/// See [`FOLLOWERS`].
pub const KAFKA: &str = "kafka";
/// See [`FOLLOWERS`].
pub const WEBHOOK: &str = "webhook";
