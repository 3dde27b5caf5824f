//! `claim`: what a place is now; the asking claims it.

use super::call::Call;
use super::promise::{a_throw_leaves_no_trace, stops_when_the_log_was_lost};
use super::world::World;

fn claim(requests: &[&[&str]]) -> Call {
    Call::batch("claim", requests)
}

/// `b` was let in by joining, `c` by admission and has not claimed, `d` and `e` are in line.
async fn a_line() -> World {
    let mut world = World::on_sale(9).await;
    world.run(&Call::batch("join", &[&["a"], &["b"], &["c"], &["d"], &["e"]]));
    world.run(&Call::batch("leave", &[&["a", "1"]]));
    assert_eq!(world.run(&Call::one("admit", &[])).outcome(), "admitted 1 0 0");
    world
}

#[tokio::test]
async fn an_admitted_place_is_claimed_once() {
    let mut world = a_line().await;
    world.at(1000);
    world.run(&claim(&[&["c", "3"], &["c", "3"]])).is(
        &["active T+600000", "active T+600000"],
        &["claimed 3 1:c"],
        &["place/c: 3 T T+600000 0", "unclaimed/c: gone"],
    );
    world.at(599_999);
    world.run(&claim(&[&["c", "3"]])).refuses(&["active T+600000"]);
}

#[tokio::test]
async fn a_place_in_line_tells_its_position() {
    let mut world = a_line().await;
    world.run(&claim(&[&["e", "5"], &["d", "4"]])).refuses(&["waiting 2", "waiting 1"]);
}

#[tokio::test]
async fn a_place_of_another_number_has_ended() {
    let mut world = a_line().await;
    let expired = ["queue_token_expired"; 4];
    world.run(&claim(&[&["c", "2"], &["d", "5"], &["a", "1"], &["nobody", "1"]])).refuses(&expired);
}

#[tokio::test]
async fn claim_by_and_end_to_the_millisecond() {
    let mut world = a_line().await;
    let gone = &["active/c: gone", "place/c: gone", "unclaimed/c: gone"];
    let saved = world.save();
    world.at(59_999);
    let in_time = world.run(&claim(&[&["c", "3"]]));
    in_time.is(&["active T+600000"], &["claimed 3 1:c"], &["place/c: 3 T T+600000 0", "unclaimed/c: gone"]);
    world.load(&saved);
    world.at(60_000);
    let late = world.run(&claim(&[&["c", "3"], &["c", "3"]]));
    late.is(&["queue_token_expired"; 2], &["ended 3 1:c unclaimed"], gone);
    world.load(&saved);
    world.at(600_000);
    let lapsed = world.run(&claim(&[&["b", "2"], &["c", "3"]]));
    let both = &["active/b: gone", "active/c: gone", "place/b: gone", "place/c: gone", "unclaimed/c: gone"];
    lapsed.is(&["queue_token_expired"; 2], &["ended 2 1:b lapsed", "ended 3 1:c lapsed"], both);
}

#[tokio::test]
async fn a_closed_or_stopped_sale_keeps_its_places() {
    let mut world = a_line().await;
    world.policy(&[("paused", "1"), ("closes_at", "1900000000001")]);
    world.command(&["HSET", "{c7}:meta", "stopped", "test"]);
    world.at(5000);
    world.run(&claim(&[&["b", "2"], &["d", "4"]])).refuses(&["active T+600000", "waiting 1"]);
}

#[tokio::test]
async fn promises() {
    let mut world = a_line().await;
    let call = claim(&[&["c", "3"], &["b", "2"], &["d", "4"], &["a", "1"]]);
    stops_when_the_log_was_lost(&mut world, &call);
    a_throw_leaves_no_trace(&mut world, &call);
    world.at(60_000);
    a_throw_leaves_no_trace(&mut world, &call);
}
