//! `join`: one place for each user, and never past those who came before.

use super::call::Call;
use super::promise::{a_throw_leaves_no_trace, stops_when_the_log_was_lost};
use super::step::Step;
use super::world::World;

fn join(users: &[&str]) -> Call {
    let requests: Vec<[&str; 1]> = users.iter().map(|user| [*user]).collect();
    Call::batch("join", &requests.iter().map(<[&str; 1]>::as_slice).collect::<Vec<_>>())
}

fn outcomes(step: &Step) -> Vec<&str> {
    step.outcomes.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn an_empty_room_lets_in_at_once_and_needs_no_claim() {
    let mut world = World::on_sale(9).await;
    world.run(&join(&["a"])).is(
        &["active 1 0 T+600000 1"],
        &["joined 1 1:a", "admitted 1 1:a T+600000 0"],
        &[
            "active/a: T+600000",
            "meta/credit: 99.000000",
            "meta/credit_at: T",
            "meta/seq: 1",
            "place/a: 1 T T+600000 0",
        ],
    );
}

#[tokio::test]
async fn a_full_room_makes_a_line_in_the_order_of_the_batch() {
    let mut world = World::on_sale(9).await;
    world.run(&join(&["a", "b"]));
    world.run(&join(&["d", "c", "d"])).is(
        &["waiting 3 0 1 1", "waiting 4 0 2 1", "waiting 3 0 1 0"],
        &["joined 3 1:d", "joined 4 1:c"],
        &["meta/seq: 4", "queue/c: 4", "queue/d: 3"],
    );
}

#[tokio::test]
async fn one_batch_fills_the_room_and_then_the_line() {
    let mut world = World::on_sale(9).await;
    let step = world.run(&join(&["a", "a", "b", "c"]));
    let expected =
        ["active 1 0 T+600000 1", "active 1 0 T+600000 0", "active 2 0 T+600000 1", "waiting 3 0 1 1"];
    assert_eq!(outcomes(&step), expected);
}

#[tokio::test]
async fn the_same_again_is_the_same_answer() {
    let mut world = World::on_sale(9).await;
    world.run(&join(&["a", "b", "c", "d"]));
    world.at(1000);
    let again = ["active 1 0 T+600000 0", "waiting 4 0 2 0", "waiting 3 0 1 0"];
    world.run(&join(&["a", "d", "c"])).refuses(&again);
}

#[tokio::test]
async fn whoever_has_a_place_keeps_it_through_every_gate() {
    let mut world = World::on_sale(9).await;
    world.run(&join(&["a", "b", "c"]));
    world.policy(&[("opens_at", "1900000000500"), ("paused", "1")]);
    world.command(&["HSET", "{c7}:meta", "stopped", "test", "sellable", "0"]);
    world.run(&join(&["a", "c"])).refuses(&["active 1 0 T+600000 0", "waiting 3 0 1 0"]);
}

/// Places of every kind: claimed, not claimed, over, and in line.
#[tokio::test]
async fn from_the_end_on_nobody_has_a_place_to_come_back_to() {
    let mut world = World::on_sale(9).await;
    world.run(&join(&["a", "b", "c", "d"]));
    world.run(&Call::batch("leave", &[&["a", "1"]]));
    world.run(&Call::one("admit", &[]));
    world.policy(&[("closes_at", "1900000600001")]);
    let places = join(&["b", "c", "d"]);
    world.at(600_000);
    let saved = world.save();
    assert_eq!(world.run(&join(&["d"])).outcome(), "waiting 4 0 1 0");
    world.load(&saved);
    world.at(600_001);
    world.run(&places).refuses(&["sale_not_open ''"; 3]);
    world.command(&["HSET", "{c7}:meta", "stopped", "test"]);
    world.run(&places).refuses(&["sales_stopped"; 3]);
    world.command(&["HDEL", "{c7}:meta", "stopped"]);
    // Put off: the line is as it was.
    world.policy(&[("closes_at", "1900000600002")]);
    assert_eq!(world.run(&join(&["d"])).outcome(), "waiting 4 0 1 0");
}

/// From the lowest precedence to the highest, each gate closed in addition to those before.
#[tokio::test]
async fn gates_in_order_of_precedence() {
    let mut world = World::on_sale(9).await;
    world.command(&["HSET", "{c7}:meta", "sellable", "0"]);
    world.run(&join(&["a", "b"])).refuses(&["sold_out", "sold_out"]);
    world.policy(&[("opens_at", "1900000000500")]);
    world.run(&join(&["a"])).refuses(&["sale_not_open T+500"]);
    world.command(&["HSET", "{c7}:meta", "stopped", "test"]);
    world.run(&join(&["a"])).refuses(&["sales_stopped"]);
}

#[tokio::test]
async fn opens_and_closes_to_the_millisecond() {
    let mut world = World::on_sale(9).await;
    world.policy(&[("opens_at", "1900000000500"), ("closes_at", "1900000000700")]);
    world.at(499);
    world.run(&join(&["a"])).refuses(&["sale_not_open T+500"]);
    world.at(500);
    assert_eq!(world.run(&join(&["a"])).outcome(), "active 1 0 T+600500 1");
    world.at(699);
    assert_eq!(world.run(&join(&["b"])).outcome(), "active 2 0 T+600699 1");
    world.at(700);
    world.run(&join(&["c"])).refuses(&["sale_not_open T+500"]);
}

#[tokio::test]
async fn a_sale_without_opening_time_can_close() {
    let mut world = World::on_sale(9).await;
    world.policy(&[("closes_at", "1900000000700")]);
    world.at(700);
    world.run(&join(&["a"])).refuses(&["sale_not_open ''"]);
}

#[tokio::test]
async fn a_concert_without_shows_takes_a_line_and_is_not_sold_out() {
    let mut world = World::born().await;
    assert_eq!(world.run(&join(&["a"])).outcome(), "active 1 0 T+600000 1");
}

#[tokio::test]
async fn nobody_passes_a_line_or_a_pause() {
    let mut world = World::on_sale(9).await;
    world.policy(&[("paused", "1")]);
    let waits: &[&str] = &["waiting 1 0 1 1"];
    world.run(&join(&["a"])).is(waits, &["joined 1 1:a"], &["meta/seq: 1", "queue/a: 1"]);
    world.policy(&[("paused", "0")]);
    assert_eq!(world.run(&join(&["b"])).outcome(), "waiting 2 0 2 1");
}

#[tokio::test]
async fn the_rate_holds_for_an_empty_room_too() {
    let mut world = World::on_sale(9).await;
    world.policy(&[("admit_per_second", "10"), ("max_active", "9")]);
    assert_eq!(outcomes(&world.run(&join(&["a", "b"]))), ["active 1 0 T+600000 1", "waiting 2 0 1 1"]);
    world.run(&Call::batch("leave", &[&["b", "2"]]));
    world.at(99);
    assert_eq!(world.run(&join(&["c"])).outcome(), "waiting 3 0 1 1");
    world.run(&Call::batch("leave", &[&["c", "3"]]));
    world.at(100);
    assert_eq!(world.run(&join(&["d"])).outcome(), "active 4 0 T+600100 1");
}

#[tokio::test]
async fn joining_claims_a_place_that_admission_gave() {
    let mut world = World::on_sale(9).await;
    world.run(&join(&["a", "b", "c"]));
    world.run(&Call::batch("leave", &[&["a", "1"]]));
    world.run(&Call::one("admit", &[]));
    let saved = world.save();
    world.at(59_999);
    world.run(&join(&["c"])).is(
        &["active 3 0 T+600000 0"],
        &["claimed 3 1:c"],
        &["place/c: 3 T T+600000 0", "unclaimed/c: gone"],
    );
    world.load(&saved);
    world.at(60_000);
    world.run(&join(&["c"])).is(
        &["active 4 0 T+660000 1"],
        &["ended 3 1:c unclaimed", "joined 4 1:c", "admitted 4 1:c T+660000 0"],
        &[
            "active/c: T+660000",
            "meta/credit: 99.000000",
            "meta/credit_at: T+60000",
            "meta/seq: 4",
            "place/c: 4 T+60000 T+660000 0",
            "unclaimed/c: gone",
        ],
    );
}

#[tokio::test]
async fn a_place_that_is_over_makes_way_for_a_new_one_behind_the_others() {
    let mut world = World::on_sale(9).await;
    world.run(&join(&["a", "b", "c"]));
    world.at(599_999);
    world.run(&join(&["a"])).refuses(&["active 1 0 T+600000 0"]);
    world.at(600_000);
    world.run(&join(&["a"])).is(
        &["waiting 4 0 2 1"],
        &["ended 1 1:a lapsed", "joined 4 1:a"],
        &["active/a: gone", "meta/seq: 4", "place/a: gone", "queue/a: 4"],
    );
}

#[tokio::test]
async fn any_user_id_is_one_user() {
    let mut world = World::on_sale(9).await;
    world.run(&join(&["1|a b", "콘서트"])).is(
        &["active 1 0 T+600000 1", "active 2 0 T+600000 1"],
        &[
            "joined 1 5:1|a b",
            "admitted 1 5:1|a b T+600000 0",
            "joined 2 9:콘서트",
            "admitted 2 9:콘서트 T+600000 0",
        ],
        &[
            "active/1|a b: T+600000",
            "active/콘서트: T+600000",
            "meta/credit: 98.000000",
            "meta/credit_at: T",
            "meta/seq: 2",
            "place/1|a b: 1 T T+600000 0",
            "place/콘서트: 2 T T+600000 0",
        ],
    );
}

#[tokio::test]
async fn promises() {
    let mut world = World::on_sale(9).await;
    world.run(&join(&["a"]));
    world.run(&join(&["b", "c"]));
    world.at(600_000);
    // Over and again in line; new; known; new.
    let call = join(&["a", "d", "c", "e"]);
    stops_when_the_log_was_lost(&mut world, &call);
    a_throw_leaves_no_trace(&mut world, &call);
    // Over and let in again at once: one decision writes the same fields twice, and its last place counts.
    for gone in [["b", "2"], ["c", "3"]] {
        world.run(&Call::batch("leave", &[&gone]));
    }
    a_throw_leaves_no_trace(&mut world, &join(&["a", "d", "e"]));
    // In an empty room a place is given within the batch, and the next one counts it.
    let mut world = World::on_sale(9).await;
    a_throw_leaves_no_trace(&mut world, &join(&["a"]));
    a_throw_leaves_no_trace(&mut world, &join(&["b", "a", "a"]));
}
