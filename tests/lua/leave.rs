//! `leave`: a place is given back, in line or active; one that is gone stays gone.

use super::call::Call;
use super::promise::{a_throw_leaves_no_trace, stops_when_the_log_was_lost};
use super::world::World;

fn leave(requests: &[&[&str]]) -> Call {
    Call::batch("leave", requests)
}

/// Two in, `c` and `d` in line.
async fn a_line() -> World {
    let mut world = World::on_sale(9).await;
    world.run(&Call::batch("join", &[&["a"], &["b"], &["c"], &["d"]]));
    world
}

#[tokio::test]
async fn from_the_line() {
    let mut world = a_line().await;
    world.run(&leave(&[&["c", "3"]])).is(&["left"], &["ended 3 1:c left"], &["queue/c: gone"]);
    world.run(&leave(&[&["c", "3"]])).refuses(&["left"]);
}

#[tokio::test]
async fn a_place_of_another_number_is_not_given_back() {
    let mut world = a_line().await;
    world.run(&leave(&[&["c", "4"], &["a", "2"], &["nobody", "1"]])).refuses(&["left", "left", "left"]);
}

#[tokio::test]
async fn an_active_place_ends_by_the_reason_that_came_first() {
    let mut world = a_line().await;
    let gone = ["active/a: gone", "place/a: gone"];
    let saved = world.save();
    world.at(599_999);
    world.run(&leave(&[&["a", "1"]])).is(&["left"], &["ended 1 1:a left"], &gone);
    world.load(&saved);
    world.at(600_000);
    world.run(&leave(&[&["a", "1"]])).is(&["left"], &["ended 1 1:a lapsed"], &gone);
}

#[tokio::test]
async fn a_place_that_nobody_claimed_in_time_ends_as_unclaimed() {
    let mut world = a_line().await;
    world.run(&leave(&[&["a", "1"]]));
    world.run(&Call::one("admit", &[]));
    let gone = ["active/c: gone", "place/c: gone", "unclaimed/c: gone"];
    let saved = world.save();
    for (ms, reason) in [(59_999, "left"), (60_000, "unclaimed"), (600_000, "lapsed")] {
        world.load(&saved);
        world.at(ms);
        world.run(&leave(&[&["c", "3"]])).is(&["left"], &[&format!("ended 3 1:c {reason}")], &gone);
    }
}

#[tokio::test]
async fn promises() {
    let mut world = a_line().await;
    let call = leave(&[&["a", "1"], &["c", "3"], &["b", "2"], &["nobody", "9"]]);
    stops_when_the_log_was_lost(&mut world, &call);
    a_throw_leaves_no_trace(&mut world, &call);
}
