//! `admit`: the next in line come in, as capacity, rate and policy allow; places that are over end.

use super::call::Call;
use super::promise::{a_throw_leaves_no_trace, stops_when_the_log_was_lost};
use super::step::Step;
use super::world::World;

fn admit(world: &mut World) -> Step {
    world.run(&Call::one("admit", &[]))
}

fn join(world: &mut World, users: &[String]) {
    let requests: Vec<[&str; 1]> = users.iter().map(|user| [user.as_str()]).collect();
    world.run(&Call::batch("join", &requests.iter().map(<[&str; 1]>::as_slice).collect::<Vec<_>>()));
}

fn users(prefix: &str, count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("{prefix}{number}")).collect()
}

/// Nobody in, `u1` to `u<count>` in line, under this policy.
async fn a_line(count: usize, policy: &[(&str, &str)]) -> World {
    let mut world = World::on_sale(9).await;
    world.policy(&[("paused", "1")]);
    join(&mut world, &users("u", count));
    world.policy(&[&[("paused", "0")], policy].concat());
    world
}

/// Who was let in, in order.
fn admitted(step: &Step) -> Vec<&str> {
    let events = step.events.iter().filter(|event| event.starts_with("admitted "));
    events.map(|event| event.split(' ').nth(2).unwrap().split_once(':').unwrap().1).collect()
}

#[tokio::test]
async fn the_next_in_line_come_in_and_have_to_claim() {
    let mut world = a_line(3, &[]).await;
    world.at(7);
    admit(&mut world).is(
        &["admitted 2 0 0"],
        &["admitted 1 2:u1 T+600007 T+60007", "admitted 2 2:u2 T+600007 T+60007"],
        &[
            "active/u1: T+600007",
            "active/u2: T+600007",
            "meta/credit: 98.000000",
            "meta/credit_at: T+7",
            "place/u1: 1 T+7 T+600007 T+60007",
            "place/u2: 2 T+7 T+600007 T+60007",
            "queue/u1: gone",
            "queue/u2: gone",
            "unclaimed/u1: T+60007",
            "unclaimed/u2: T+60007",
        ],
    );
    admit(&mut world).refuses(&["admitted 0 0 0"]);
}

#[tokio::test]
async fn a_policy_may_ask_for_no_claim() {
    let mut world = a_line(1, &[("claim_ms", "0")]).await;
    admit(&mut world).is(
        &["admitted 1 0 0"],
        &["admitted 1 2:u1 T+600000 0"],
        &[
            "active/u1: T+600000",
            "meta/credit: 99.000000",
            "meta/credit_at: T",
            "place/u1: 1 T T+600000 0",
            "queue/u1: gone",
        ],
    );
}

#[tokio::test]
async fn nobody_in_line_changes_nothing() {
    let mut world = a_line(0, &[]).await;
    admit(&mut world).refuses(&["admitted 0 0 0"]);
}

#[tokio::test]
async fn a_gate_that_is_closed_lets_nobody_in_and_still_ends_places() {
    let gates: [&[(&str, &str)]; 5] = [
        &[("paused", "1")],
        &[("opens_at", "1900000600001")],
        &[("closes_at", "1900000600000")],
        &[("admit_per_second", "0")],
        &[("max_active", "0")],
    ];
    let mut world = a_line(4, &[]).await;
    admit(&mut world);
    world.run(&Call::batch("claim", &[&["u1", "1"]]));
    world.at(600_000);
    let saved = world.save();
    let ended = ["ended 1 2:u1 lapsed", "ended 2 2:u2 lapsed"];
    let gone =
        ["active/u1: gone", "active/u2: gone", "place/u1: gone", "place/u2: gone", "unclaimed/u2: gone"];
    for gate in gates {
        world.load(&saved);
        world.policy(gate);
        admit(&mut world).is(&["admitted 0 2 0"], &ended, &gone);
    }
    world.load(&saved);
    world.command(&["HSET", "{c7}:meta", "stopped", "test"]);
    admit(&mut world).is(&["admitted 0 2 0"], &ended, &gone);
}

#[tokio::test]
async fn opens_and_closes_to_the_millisecond() {
    let times = [("opens_at", "1900000000500"), ("closes_at", "1900000000700")];
    let mut world = a_line(4, &times).await;
    let saved = world.save();
    for (ms, count) in [(499, 0), (500, 2), (699, 2), (700, 0)] {
        world.load(&saved);
        world.at(ms);
        assert_eq!(admitted(&admit(&mut world)).len(), count, "{ms}");
    }
}

#[tokio::test]
async fn whoever_is_over_makes_room_in_the_same_call() {
    let mut world = a_line(5, &[]).await;
    admit(&mut world);
    world.run(&Call::batch("claim", &[&["u2", "2"]]));
    world.at(59_999);
    admit(&mut world).refuses(&["admitted 0 0 0"]);
    world.at(60_000);
    admit(&mut world).is(
        &["admitted 1 1 0"],
        &["ended 1 2:u1 unclaimed", "admitted 3 2:u3 T+660000 T+120000"],
        &[
            "active/u1: gone",
            "active/u3: T+660000",
            "meta/credit: 99.000000",
            "meta/credit_at: T+60000",
            "place/u1: gone",
            "place/u3: 3 T+60000 T+660000 T+120000",
            "queue/u3: gone",
            "unclaimed/u1: gone",
            "unclaimed/u3: T+120000",
        ],
    );
    world.run(&Call::batch("claim", &[&["u3", "3"]]));
    world.at(599_999);
    admit(&mut world).refuses(&["admitted 0 0 0"]);
    world.at(600_000);
    let step = admit(&mut world);
    assert_eq!(step.events[0], "ended 2 2:u2 lapsed");
    assert_eq!(admitted(&step), ["u4"]);
}

#[tokio::test]
async fn a_place_is_ended_once_although_both_of_its_times_are_over() {
    let mut world = a_line(1, &[]).await;
    admit(&mut world);
    world.at(600_000);
    let gone = ["active/u1: gone", "place/u1: gone", "unclaimed/u1: gone"];
    admit(&mut world).is(&["admitted 0 1 0"], &["ended 1 2:u1 lapsed"], &gone);
}

#[tokio::test]
async fn a_smaller_room_lets_nobody_in_until_it_has_emptied() {
    let mut world = a_line(5, &[("max_active", "3")]).await;
    assert_eq!(admitted(&admit(&mut world)), ["u1", "u2", "u3"]);
    world.policy(&[("max_active", "2")]);
    world.run(&Call::batch("leave", &[&["u1", "1"]]));
    admit(&mut world).refuses(&["admitted 0 0 0"]);
    world.run(&Call::batch("leave", &[&["u2", "2"]]));
    assert_eq!(admitted(&admit(&mut world)), ["u4"]);
}

#[tokio::test]
async fn the_order_is_that_of_joining_whoever_leaves_and_comes_back() {
    let mut world = a_line(5, &[("max_active", "9")]).await;
    world.run(&Call::batch("leave", &[&["u2", "2"], &["u3", "3"]]));
    // In line again behind u5, in the order of coming back.
    join(&mut world, &["u3".to_owned(), "u2".to_owned()]);
    assert_eq!(admitted(&admit(&mut world)), ["u1", "u4", "u5", "u3", "u2"]);
}

#[tokio::test]
async fn names_have_no_part_in_the_order() {
    let mut world = a_line(0, &[("paused", "1"), ("max_active", "99")]).await;
    join(&mut world, &users("u", 12));
    world.policy(&[("paused", "0")]);
    assert_eq!(admitted(&admit(&mut world)), users("u", 12));
}

/// Runs `admit` at each time and compares how many came in.
fn admits_at(world: &mut World, counts: &[(i64, usize)]) {
    for (ms, count) in counts {
        world.at(*ms);
        assert_eq!(admitted(&admit(world)).len(), *count, "at {ms}");
    }
}

#[tokio::test]
async fn the_rate_is_kept_to_the_millisecond() {
    let mut world = a_line(9, &[("max_active", "9"), ("admit_per_second", "10")]).await;
    admits_at(&mut world, &[(0, 1), (0, 0), (99, 0), (100, 1), (150, 0), (199, 0), (200, 1)]);
}

#[tokio::test]
async fn a_rate_below_one_a_second_gives_one_at_a_time() {
    let mut world = a_line(9, &[("max_active", "9"), ("admit_per_second", "0.5")]).await;
    admits_at(&mut world, &[(0, 1), (1999, 0), (2000, 1), (60_000, 1), (61_999, 0), (62_000, 1)]);
}

#[tokio::test]
async fn a_rate_without_an_exact_fraction_gives_its_whole_places() {
    let mut world = a_line(9, &[("max_active", "9"), ("admit_per_second", "0.333333")]).await;
    admits_at(&mut world, &[(0, 1), (2999, 0), (3000, 1)]);
}

#[tokio::test]
async fn what_100_ms_give_is_saved_up_and_no_more() {
    let mut world = a_line(40, &[("max_active", "99"), ("admit_per_second", "25")]).await;
    // The bucket holds 2.5: a half stays, and 20 ms make it a whole.
    admits_at(&mut world, &[(0, 2), (19, 0), (20, 1), (10_000, 2), (10_019, 0), (10_020, 1), (10_120, 2)]);
}

#[tokio::test]
async fn many_short_steps_give_what_the_rate_gives() {
    let mut world = a_line(80, &[("max_active", "99"), ("admit_per_second", "30")]).await;
    world.at(0);
    admit(&mut world);
    let mut count = 0;
    for ms in (7..=1000).step_by(7) {
        world.at(ms);
        count += admitted(&admit(&mut world)).len();
    }
    assert_eq!(count, 29, "994 ms of 30 a second");
}

#[tokio::test]
async fn a_changed_rate_applies_from_the_next_call_on() {
    let mut world = a_line(400, &[("max_active", "999"), ("admit_per_second", "10")]).await;
    admits_at(&mut world, &[(0, 1), (10, 0)]);
    world.policy(&[("admit_per_second", "1000")]);
    // 1 ms is one place now; nothing beyond 100 ms is saved up.
    admits_at(&mut world, &[(20, 20), (21, 1), (5000, 100)]);
    world.policy(&[("admit_per_second", "2")]);
    admits_at(&mut world, &[(6000, 1), (6499, 0), (6500, 1)]);
}

#[tokio::test]
async fn a_clock_that_goes_back_gives_nothing_twice() {
    let mut world = a_line(9, &[("max_active", "9"), ("admit_per_second", "10")]).await;
    admits_at(&mut world, &[(5000, 1), (0, 0), (5099, 0), (5100, 1)]);
}

#[tokio::test]
async fn at_most_100_come_in_with_a_call_and_it_says_that_more_may() {
    let mut world = a_line(230, &[("max_active", "205"), ("admit_per_second", "10000")]).await;
    assert_eq!(admit(&mut world).outcome(), "admitted 100 0 1");
    assert_eq!(admit(&mut world).outcome(), "admitted 100 0 1");
    assert_eq!(admit(&mut world).outcome(), "admitted 5 0 0");
}

#[tokio::test]
async fn at_most_200_end_with_a_call_and_it_says_that_more_may() {
    let mut world =
        a_line(150, &[("max_active", "400"), ("admit_per_second", "10000"), ("claim_ms", "0")]).await;
    admit(&mut world);
    admit(&mut world);
    world.policy(&[("claim_ms", "30000"), ("paused", "1")]);
    join(&mut world, &users("late", 150));
    world.policy(&[("paused", "0")]);
    world.at(570_000);
    admit(&mut world);
    admit(&mut world);
    // 150 lapse now, 150 others have not claimed.
    world.at(600_000);
    assert_eq!(admit(&mut world).outcome(), "admitted 0 200 1");
    assert_eq!(admit(&mut world).outcome(), "admitted 0 100 0");
    let state = world.state();
    let left = state
        .paths()
        .filter(|path| ["active/", "place/", "unclaimed/"].iter().any(|of| path.starts_with(of)));
    assert_eq!(left.count(), 0);
}

#[tokio::test]
async fn promises() {
    let mut world = a_line(5, &[]).await;
    admit(&mut world);
    world.at(60_000);
    let call = Call::one("admit", &[]);
    stops_when_the_log_was_lost(&mut world, &call);
    a_throw_leaves_no_trace(&mut world, &call);
}
