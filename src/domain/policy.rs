//! The policy of a concert: what organisers set, checked (`api.md`, "Policy of a concert").

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time::Millis;

/// A call that a policy can put behind the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Gate {
    /// The shows of the concert.
    Shows,
    /// The seats of its shows.
    Seats,
    /// Holding.
    Reserve,
    /// Paying: a token, not an ACTIVE one.
    Pay,
}

/// When a place ends because its owner is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EndTokenOn {
    /// When his last PENDING reservation of the concert is paid.
    Payment,
    /// When he holds.
    Reservation,
    /// Only by time or leaving.
    Never,
}

impl EndTokenOn {
    /// The word in Redis.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Reservation => "reservation",
            Self::Never => "never",
        }
    }
}

/// The order of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// As they came.
    Fifo,
    /// The pre-queue is drawn.
    Lottery,
}

/// The policy. Every field has a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Policy {
    /// Active places at once; 0: closed.
    pub max_active: u32,
    /// Highest admission rate, places a second.
    pub admit_per_second: f64,
    /// Life of an active place.
    pub active_seconds: u32,
    /// A place without a sign of life ends then; 0: never.
    pub claim_seconds: u32,
    /// Life of a hold.
    pub hold_seconds: u32,
    /// Seats of one reservation.
    pub max_seats_per_reservation: u32,
    /// Seats of one user in one show, held and booked.
    pub max_seats_per_user: u32,
    /// What needs a queue token.
    pub gated: Vec<Gate>,
    /// When the token ends.
    pub end_token_on: EndTokenOn,
    /// `lottery` is not built yet.
    pub order: Order,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_active: 500,
            admit_per_second: 100.0,
            active_seconds: 600,
            claim_seconds: 60,
            hold_seconds: 300,
            max_seats_per_reservation: 4,
            max_seats_per_user: 8,
            gated: vec![Gate::Reserve, Gate::Pay],
            end_token_on: EndTokenOn::Payment,
            order: Order::Fifo,
        }
    }
}

/// What the log and MySQL say of a concert's policy: the policy with the sale's times and whether admission is paused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyState {
    /// The policy.
    pub policy: Policy,
    /// Nobody is admitted before.
    #[serde(default)]
    pub opens_at: Option<Millis>,
    /// Nobody joins or holds from then on.
    #[serde(default)]
    pub closes_at: Option<Millis>,
    /// Whether an organiser stopped admission.
    #[serde(default)]
    pub paused: bool,
    /// Why, for those who wait.
    #[serde(default)]
    pub pause_reason: Option<String>,
}

impl PolicyState {
    /// Whether the end of the sale has come at `now`: nobody joins or holds any more, and its queue tokens are over.
    pub fn has_closed(&self, now: Millis) -> bool {
        self.closes_at.is_some_and(|closes| now >= closes)
    }
}

/// The largest of each length, seconds: a day. Longer ones are mistakes of unit.
const SECONDS_MAX: u32 = 86_400;

/// The most seats of one reservation: bounds the weight of one request.
pub const SEATS_PER_RESERVATION_MAX: u32 = 50;

impl Policy {
    /// The name of the first field out of its range, if any.
    pub fn invalid_field(&self) -> Option<&'static str> {
        let rate_fits =
            self.admit_per_second.is_finite() && (0.0..=100_000.0).contains(&self.admit_per_second);
        let checks = [
            ("maxActive", self.max_active <= 10_000_000),
            ("admitPerSecond", rate_fits),
            ("activeSeconds", (1..=SECONDS_MAX).contains(&self.active_seconds)),
            ("claimSeconds", self.claim_seconds == 0 || (3..=SECONDS_MAX).contains(&self.claim_seconds)),
            ("holdSeconds", (1..=SECONDS_MAX).contains(&self.hold_seconds)),
            (
                "maxSeatsPerReservation",
                (1..=SEATS_PER_RESERVATION_MAX).contains(&self.max_seats_per_reservation),
            ),
            ("maxSeatsPerUser", (1..=10_000).contains(&self.max_seats_per_user)),
        ];
        checks.into_iter().find(|(_, fits)| !fits).map(|(field, _)| field)
    }

    /// Whether this call needs a queue token.
    pub fn gates(&self, gate: Gate) -> bool {
        self.gated.contains(&gate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_optional_and_unknown_ones_are_refused() {
        let policy: Policy =
            serde_json::from_str(r#"{"holdSeconds": 180, "gated": ["shows", "reserve"]}"#).unwrap();
        assert_eq!(policy.hold_seconds, 180);
        assert!(policy.gates(Gate::Shows) && !policy.gates(Gate::Pay));
        assert_eq!(policy.max_active, 500);
        assert!(serde_json::from_str::<Policy>(r#"{"holdSecond": 180}"#).is_err());
    }

    #[test]
    fn a_sale_ends_at_its_millisecond_if_at_all() {
        let ends = PolicyState { closes_at: Some(Millis(1950)), ..PolicyState::default() };
        assert!(!ends.has_closed(Millis(1949)) && ends.has_closed(Millis(1950)));
        assert!(!PolicyState::default().has_closed(Millis(i64::MAX)));
    }

    #[test]
    fn ranges_are_named_by_field() {
        assert_eq!(Policy::default().invalid_field(), None);
        assert_eq!(Policy { claim_seconds: 2, ..Policy::default() }.invalid_field(), Some("claimSeconds"));
        assert_eq!(
            Policy { admit_per_second: f64::NAN, ..Policy::default() }.invalid_field(),
            Some("admitPerSecond")
        );
    }
}
