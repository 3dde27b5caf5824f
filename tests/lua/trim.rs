//! `trim`: entries that the archive has are forgotten, and that they may be is remembered.

use super::call::{CONCERT, Call, Seen};
use super::promise::stops_when_the_log_was_lost;
use super::world::World;

fn trim(upto: &str) -> Call {
    Call::one("trim", &[upto])
}

/// A log of this many entries.
async fn a_log(entries: u64) -> World {
    let mut world = World::born().await;
    for version in 1..entries {
        world.run(&Call::one("catalog", &[&version.to_string()]));
    }
    world
}

#[tokio::test]
async fn entries_up_to_the_number_go() {
    let mut world = a_log(5).await;
    world.run(&trim("2")).is(&["trimmed 2 5"], &[], &["log/1-0: gone", "log/2-0: gone", "meta/trim: 2"]);
    world.run(&trim("2")).refuses(&["trimmed 2 5"]);
    world.run(&trim("1")).refuses(&["trimmed 2 5"]);
    world.run(&trim("0")).refuses(&["trimmed 2 5"]);
}

#[tokio::test]
async fn the_last_entry_stays() {
    for upto in ["4", "5", "6", "1000000"] {
        let mut world = a_log(5).await;
        let gone = ["log/1-0: gone", "log/2-0: gone", "log/3-0: gone", "log/4-0: gone", "meta/trim: 4"];
        world.run(&trim(upto)).is(&["trimmed 4 5"], &[], &gone);
    }
    let mut world = a_log(1).await;
    world.run(&trim("1")).refuses(&["trimmed 0 1"]);
}

#[tokio::test]
async fn a_trimmed_log_goes_on_with_the_next_number() {
    let mut world = a_log(3).await;
    world.run(&trim("2"));
    let step = world.run(&Call::one("catalog", &["9"]));
    step.is(&["announced"], &["catalog 9"], &["meta/catalog: 9"]);
    world.run(&trim("3")).is(&["trimmed 3 4"], &[], &["log/3-0: gone", "meta/trim: 3"]);
}

#[tokio::test]
async fn what_was_trimmed_is_not_lost() {
    let mut world = a_log(5).await;
    world.run(&trim("3"));
    let level = world.seen(CONCERT);
    let seen = |number| Seen { number, mark: "00000000deadbeef".to_owned(), ..level.clone() };
    for number in [0, 1, 2, 3] {
        world.run(&trim("3").seen(CONCERT, seen(number))).refuses(&["trimmed 3 5"]);
    }
    let lost = ["log_lost 00000000000000aa 5 0000000000000005"];
    world.run(&trim("3").seen(CONCERT, seen(4))).refuses(&lost);
}

#[tokio::test]
async fn at_most_1000_go_with_a_call() {
    let mut world = a_log(1).await;
    // 2,500 entries at once, as their script would write them one by one.
    let grow = "for n = 2, 2500 do redis.call('XADD', KEYS[2], n .. '-0', 'e', '1 0 0 0') end
        redis.call('HSET', KEYS[1], 'number', 2500)";
    world.command(&["EVAL", grow, "2", "{c7}:meta", "{c7}:log"]);
    for (answer, left) in [("trimmed 1000 2500", 1500), ("trimmed 2000 2500", 500), ("trimmed 2499 2500", 1)]
    {
        assert_eq!(world.run(&trim("2500")).outcome(), answer);
        assert_eq!(world.state().paths().filter(|path| path.starts_with("log/")).count(), left);
    }
}

#[tokio::test]
async fn a_lost_log_stops_it() {
    let mut world = a_log(5).await;
    stops_when_the_log_was_lost(&mut world, &trim("4"));
}
