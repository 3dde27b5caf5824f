//! `catalog`: a newer catalog is announced. And, as the smallest verb, what all calls share: the log as it was seen, and time.

use super::call::{CONCERT, Call, Seen};
use super::promise::stops_when_the_log_was_lost;
use super::world::World;

fn catalog(version: &str) -> Call {
    Call::one("catalog", &[version])
}

#[tokio::test]
async fn only_a_newer_one_is_announced() {
    let mut world = World::on_sale(9).await;
    world.run(&catalog("1")).refuses(&["announced"]);
    world.run(&catalog("7")).is(&["announced"], &["catalog 7"], &["meta/catalog: 7"]);
    world.run(&catalog("7")).refuses(&["announced"]);
    world.run(&catalog("6")).refuses(&["announced"]);
}

#[tokio::test]
async fn a_lost_log_stops_it() {
    let mut world = World::on_sale(9).await;
    stops_when_the_log_was_lost(&mut world, &catalog("7"));
}

#[tokio::test]
async fn a_server_that_is_behind_may_go_on() {
    let mut world = World::on_sale(9).await;
    let seen = world.seen(CONCERT);
    let behind = |check| Seen { check, ..seen.clone() };
    world.run(&catalog("2"));
    assert_eq!(world.run(&catalog("3").seen(CONCERT, behind(true))).events, ["catalog 3"]);
    assert_eq!(world.run(&catalog("4").seen(CONCERT, behind(false))).events, ["catalog 4"]);
    // Nothing seen of a log that is known by its id: a server that has just started.
    let nothing = Seen { number: 0, mark: "0000000000000000".to_owned(), ..behind(true) };
    assert_eq!(world.run(&catalog("5").seen(CONCERT, nothing)).events, ["catalog 5"]);
    // An older entry is looked at only when asked for.
    let other = Seen { mark: "00000000deadbeef".to_owned(), ..behind(false) };
    assert_eq!(world.run(&catalog("6").seen(CONCERT, other)).events, ["catalog 6"]);
}

#[tokio::test]
async fn an_entry_that_is_missing_in_the_middle_is_a_lost_log() {
    let mut world = World::on_sale(9).await;
    let seen = world.seen(CONCERT);
    world.run(&catalog("2"));
    world.command(&["XDEL", "{c7}:log", "2-0"]);
    let step = world.run(&catalog("3").seen(CONCERT, seen));
    step.refuses(&["log_lost 00000000000000aa 3 0000000000000003"]);
}

#[tokio::test]
async fn data_of_another_format_is_an_error() {
    let mut world = World::on_sale(9).await;
    world.command(&["HSET", "{c7}:meta", "format", "2"]);
    let call = catalog("7");
    let seen = world.seen(CONCERT);
    let before = world.state();
    let reply = world.eval("catalog", &call.keys(), &call.arguments("00000000000000ff", |_| seen.clone()));
    assert!(reply.unwrap_err().to_string().contains("unknown data format 2"));
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn a_missing_argument_is_an_error_before_anything_is_written() {
    let mut world = World::on_sale(9).await;
    let before = world.state();
    let call = Call::one("catalog", &[]);
    let seen = world.seen(CONCERT);
    let all = Call::one("catalog", &["x"]).arguments("00000000000000ff", |_| seen.clone());
    for count in 0..=all.len() {
        let reply = world.eval("catalog", &call.keys(), &all[..count]);
        assert!(reply.is_err(), "{count}: {reply:?}");
    }
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn time_never_goes_backwards() {
    let mut world = World::on_sale(9).await;
    world.at(5000);
    world.run(&catalog("2"));
    world.at(1000);
    // Compared for every call by the runner: max(clock, last).
    world.run(&catalog("3"));
    assert_eq!(world.state().get("meta/time"), Some("1900000005000"));
}
