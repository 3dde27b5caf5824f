//! `policy`: it changes as a whole, from the version it was made from.

use super::call::{CONCERT, Call};
use super::promise::stops_when_the_log_was_lost;
use super::world::World;

#[tokio::test]
async fn the_whole_of_it_changes() {
    let mut world = World::on_sale(9).await;
    let fields = ["max_active", "3", "paused", "1", "closes_at", "1900000000700"];
    let arguments = [&["1", "{\"text\": \"두 줄\n\"}"][..], &fields].concat();
    world.run(&Call::one("policy", &arguments)).is(
        &["changed 2"],
        &["policy 2 20:{\"text\": \"두 줄", "\"}"],
        &[
            "meta/policy: 2",
            "policy/active_ms: gone",
            "policy/admit_per_second: gone",
            "policy/claim_ms: gone",
            "policy/closes_at: T+700",
            "policy/end_token_on: gone",
            "policy/gate_reserve: gone",
            "policy/hold_ms: gone",
            "policy/json: {\"text\": \"두 줄\n\"}",
            "policy/max_active: 3",
            "policy/max_seats_per_reservation: gone",
            "policy/max_seats_per_user: gone",
            "policy/paused: 1",
        ],
    );
}

#[tokio::test]
async fn one_made_from_another_version_is_refused() {
    let mut world = World::on_sale(9).await;
    world.policy(&[("paused", "1")]);
    world.run(&Call::one("policy", &["1", "{}", "paused", "0"])).refuses(&["stale_policy 2"]);
    world.run(&Call::one("policy", &["3", "{}", "paused", "0"])).refuses(&["stale_policy 2"]);
    assert_eq!(world.run(&Call::one("policy", &["2", "{}", "paused", "0"])).outcome(), "changed 3");
}

#[tokio::test]
async fn it_applies_from_the_next_call_on() {
    let mut world = World::on_sale(9).await;
    world.policy(&[("opens_at", "1900000000700")]);
    let join = Call::batch("join", &[&["a"]]);
    world.run(&join).refuses(&["sale_not_open T+700"]);
    world.policy(&[("opens_at", "1900000000000")]);
    assert_eq!(world.run(&join).outcome(), "active 1 0 T+600000 1");
}

#[tokio::test]
async fn a_field_without_a_value_is_an_error_before_anything_is_written() {
    let mut world = World::on_sale(9).await;
    let before = world.state();
    let seen = world.seen(CONCERT);
    let call = Call::one("policy", &["1", "{}", "paused", "1", "max_active"]);
    let reply = world.eval("policy", &call.keys(), &call.arguments("00000000000000ff", |_| seen.clone()));
    assert!(reply.is_err(), "{reply:?}");
    assert_eq!(before.changes(&world.state()).into_iter().collect::<Vec<_>>(), []);
}

#[tokio::test]
async fn a_lost_log_stops_it() {
    let mut world = World::on_sale(9).await;
    stops_when_the_log_was_lost(&mut world, &Call::one("policy", &["1", "{}", "paused", "1"]));
}
