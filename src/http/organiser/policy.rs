//! Changing a policy: the fields that are given change, the others stay.

use serde::Deserialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::domain::policy::{EndTokenOn, Gate, Order, Policy, PolicyState};
use crate::domain::time::Millis;
use crate::http::context::Context;
use crate::http::problem::{Code, Problem};
use crate::live::ConcertView;

/// A policy as a body gives it.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PolicyForm {
    #[schema(minimum = 0, maximum = 10_000_000)]
    max_active: Option<u32>,
    #[schema(minimum = 0.0, maximum = 100_000.0)]
    admit_per_second: Option<f64>,
    #[schema(minimum = 1, maximum = 86_400)]
    active_seconds: Option<u32>,
    /// 0, or 3 and more.
    #[schema(minimum = 0, maximum = 86_400)]
    claim_seconds: Option<u32>,
    #[schema(minimum = 1, maximum = 86_400)]
    hold_seconds: Option<u32>,
    #[schema(minimum = 1, maximum = 50)]
    max_seats_per_reservation: Option<u32>,
    #[schema(minimum = 1, maximum = 10_000)]
    max_seats_per_user: Option<u32>,
    gated: Option<Vec<Gate>>,
    end_token_on: Option<EndTokenOn>,
    order: Option<Order>,
    prequeue_opens_at: Option<Millis>,
}

impl PolicyForm {
    /// The policy with this form's fields. A pre-queue is known and not built: 501.
    pub(super) fn apply(&self, to: &Policy) -> Result<Policy, Problem> {
        if self.order == Some(Order::Lottery) || self.prequeue_opens_at.is_some() {
            return Err(Problem::new(Code::NotImplemented).detail("A pre-queue is not built yet."));
        }
        let policy = Policy {
            max_active: self.max_active.unwrap_or(to.max_active),
            admit_per_second: self.admit_per_second.unwrap_or(to.admit_per_second),
            active_seconds: self.active_seconds.unwrap_or(to.active_seconds),
            claim_seconds: self.claim_seconds.unwrap_or(to.claim_seconds),
            hold_seconds: self.hold_seconds.unwrap_or(to.hold_seconds),
            max_seats_per_reservation: self.max_seats_per_reservation.unwrap_or(to.max_seats_per_reservation),
            max_seats_per_user: self.max_seats_per_user.unwrap_or(to.max_seats_per_user),
            gated: self.gated.as_deref().map_or_else(|| to.gated.clone(), each_once),
            end_token_on: self.end_token_on.unwrap_or(to.end_token_on),
            order: to.order,
        };
        match policy.invalid_field() {
            Some(field) => Err(Problem::field(format!("policy.{field}"), "Out of range.")),
            None => Ok(policy),
        }
    }
}

/// A gate that is named again is no other: what is kept, and told to everybody, stays small.
fn each_once(named: &[Gate]) -> Vec<Gate> {
    let mut gates = Vec::new();
    for gate in named {
        if !gates.contains(gate) {
            gates.push(*gate);
        }
    }
    gates
}

/// A sale that closes before it opens is a mistake.
pub(super) fn check_times(state: &PolicyState) -> Result<(), Problem> {
    match (state.opens_at, state.closes_at) {
        (Some(opens), Some(closes)) if closes <= opens => {
            Err(Problem::field("closesAt", "Expected a time after opensAt."))
        }
        _ => Ok(()),
    }
}

/// Changes the policy that stands, by compare-and-set on its version: two organisers never undo each other's
/// fields. Ends once this server's view shows it.
pub(super) async fn change(
    ctx: &Context,
    view: &ConcertView,
    deadline: Instant,
    change: impl Fn(&PolicyState) -> Result<PolicyState, Problem>,
) -> Result<(), Problem> {
    let concert = view.concert().concert;
    loop {
        // The version first: with a policy newer than it the store says no, and we read again.
        let version = view.policy_version();
        let next = change(&view.policy())?;
        check_times(&next)?;
        if let Some(at) = ctx.store.set_policy(concert, version, &next, deadline).await? {
            view.reached(at.number, deadline).await;
            return Ok(());
        }
        // Somebody else was first: his entry is on its way to this view.
        if !view.reached(view.number() + 1, deadline).await {
            return Err(
                Problem::new(Code::Unavailable).detail("Somebody else is changing this policy as well.")
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(json: &str) -> Result<Policy, Problem> {
        let form: PolicyForm = serde_json::from_str(json).unwrap();
        form.apply(&Policy { hold_seconds: 180, ..Policy::default() })
    }

    #[test]
    fn given_fields_change_and_the_others_stay() {
        let policy = apply(r#"{"maxActive": 7, "gated": []}"#).unwrap();
        assert_eq!((policy.max_active, policy.hold_seconds, policy.gated.len()), (7, 180, 0));
    }

    #[test]
    fn a_gate_is_kept_once_however_often_it_is_named() {
        let many = format!(r#"{{"gated": ["pay"{}]}}"#, r#", "seats", "pay""#.repeat(1000));
        assert_eq!(apply(&many).unwrap().gated, [Gate::Pay, Gate::Seats]);
    }

    #[test]
    fn what_is_out_of_range_or_not_built_is_refused() {
        let code = |json| apply(json).unwrap_err().code;
        assert_eq!(code(r#"{"claimSeconds": 2}"#), Code::InvalidRequest);
        assert_eq!(code(r#"{"order": "lottery"}"#), Code::NotImplemented);
        assert_eq!(code(r#"{"prequeueOpensAt": "2026-01-01T00:00:00Z"}"#), Code::NotImplemented);
        assert!(apply(r#"{"order": "fifo"}"#).is_ok());
    }

    #[test]
    fn a_sale_opens_before_it_closes() {
        let state = |opens, closes| PolicyState {
            opens_at: Some(Millis(opens)),
            closes_at: Some(Millis(closes)),
            ..PolicyState::default()
        };
        assert!(check_times(&state(1, 2)).is_ok());
        assert!(check_times(&state(2, 2)).is_err());
        assert!(check_times(&PolicyState::default()).is_ok());
    }
}
