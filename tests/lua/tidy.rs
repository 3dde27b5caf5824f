//! `tidy`: requests are forgotten after 24 hours, ended reservations 24 hours after the archive has them.

use super::call::Call;
use super::promise::stops_when_the_log_was_lost;
use super::state::T;
use super::world::World;

const DAY: i64 = 24 * 3600 * 1000;

/// The archive has all that ended before `T` + `archived`.
fn tidy(archived: i64) -> Call {
    Call::one("tidy", &[&(T + archived).to_string()])
}

/// Seat `seat` of show 12 is held for `user`, who has number `seq`, as reservation `id` under the key `key`.
fn hold(user: &str, seq: &str, seat: &str, id: &str, key: &str) -> Call {
    let request = format!("{}:{user}hold:{key}", user.len());
    let request = if key.is_empty() { "" } else { &request };
    let fields = [user, seq, "12", "1", id, request, "00000000000000f1", "1", seat, "50000"];
    Call::batch("hold", &[&fields]).shows(&[12])
}

/// `a` and `b` are active.
async fn a_sale() -> World {
    let mut world = World::on_sale(9).await;
    world.run(&Call::batch("join", &[&["a"], &["b"]]));
    world
}

#[tokio::test]
async fn a_request_is_kept_for_24_hours() {
    let mut world = a_sale().await;
    world.run(&hold("a", "1", "1", "r1", "k:1"));
    world.at(10);
    world.run(&hold("a", "1", "2", "r2", "k2"));
    world.run(&hold("b", "2", "3", "r3", "k"));
    world.at(DAY - 1);
    world.run(&tidy(0)).refuses(&["tidied 0 0"]);
    world.at(DAY);
    let first = ["idem/1:ahold:k:1: gone", "idem_end/1:ahold:k:1: gone", "idem_user/a: 1"];
    world.run(&tidy(0)).is(&["tidied 1 0"], &[], &first);
    world.run(&tidy(0)).refuses(&["tidied 0 0"]);
    world.at(DAY + 10);
    world.run(&tidy(0)).is(
        &["tidied 2 0"],
        &[],
        &[
            "idem/1:ahold:k2: gone",
            "idem/1:bhold:k: gone",
            "idem_end/1:ahold:k2: gone",
            "idem_end/1:bhold:k: gone",
            "idem_user/a: gone",
            "idem_user/b: gone",
        ],
    );
}

#[tokio::test]
async fn an_ended_reservation_is_kept_for_24_hours_behind_the_archive() {
    let mut world = a_sale().await;
    world.run(&hold("a", "1", "1", "r1", ""));
    world.run(&hold("a", "1", "2", "r2", ""));
    world.at(5000);
    let released = world.run(&Call::batch("release", &[&["a", "12", "r1"]]).shows(&[12]));
    assert_eq!(released.outcome(), "released");
    let saved = world.save();
    let gone = ["ended/r1: gone", "res/r1: gone"];
    let rows: [(i64, i64, bool); 6] = [
        // Time, what the archive has, whether it goes.
        (5000 + DAY, 5000 + DAY, true),
        (5000 + DAY - 1, 5000 + DAY, false),
        (5000 + DAY, 5000 + DAY - 1, false),
        (5000 + 2 * DAY, 5000 + DAY, true),
        (5000 + 2 * DAY, 5000 + DAY - 1, false),
        (5000 + 2 * DAY, -T, false),
    ];
    for (now, archived, goes) in rows {
        world.load(&saved);
        world.at(now);
        let step = world.run(&tidy(archived));
        if goes {
            step.is(&["tidied 0 1"], &[], &gone);
        } else {
            step.refuses(&["tidied 0 0"]);
        }
    }
}

#[tokio::test]
async fn a_reservation_that_holds_its_seats_stays() {
    let mut world = a_sale().await;
    world.run(&hold("a", "1", "1", "r1", ""));
    world.at(3 * DAY);
    world.run(&tidy(3 * DAY)).refuses(&["tidied 0 0"]);
}

#[tokio::test]
async fn the_latest_of_one_users_keys_decides_nothing_for_the_others() {
    let mut world = a_sale().await;
    // A user id that holds what separates: the length in front tells where it ends.
    world.command(&["HSET", "{c7}:idem", "5:1:ahohold:k", "f r"]);
    world.command(&["ZADD", "{c7}:idem_end", &T.to_string(), "5:1:ahohold:k"]);
    world.command(&["HSET", "{c7}:idem_user", "1:aho", "2", "1:ah", "7"]);
    let changes = ["idem/5:1:ahohold:k: gone", "idem_end/5:1:ahohold:k: gone", "idem_user/1:aho: 1"];
    world.run(&tidy(0)).is(&["tidied 1 0"], &[], &changes);
}

#[tokio::test]
async fn a_reservation_stays_for_as_long_as_a_request_names_it() {
    let mut world = a_sale().await;
    let fill = "for i = 1, 100 do
        redis.call('HSET', KEYS[1], '1:bhold:' .. i, 'f r')
        redis.call('ZADD', KEYS[2], ARGV[1], '1:bhold:' .. i)
      end";
    let older = (T - 1).to_string();
    world.command(&["EVAL", fill, "2", "{c7}:idem", "{c7}:idem_end", &older]);
    let request = hold("a", "1", "1", "r1", "k");
    world.run(&request);
    world.run(&Call::batch("release", &[&["a", "12", "r1"]]).shows(&[12]));
    world.at(DAY);
    assert_eq!(world.run(&tidy(DAY)).outcome(), "tidied 100 0");
    world.run(&request).refuses(&["replayed r1 12 1:50000 50000 T T+300000"]);
    assert_eq!(world.run(&tidy(DAY)).outcome(), "tidied 1 1");
}

#[tokio::test]
async fn at_most_100_of_each_go_with_a_call() {
    let mut world = a_sale().await;
    let fill = "for i = 1, 250 do
        local request = '1:ahold:' .. i
        redis.call('HSET', KEYS[1], request, 'f r')
        redis.call('ZADD', KEYS[2], ARGV[1], request)
        redis.call('HINCRBY', KEYS[3], 'a', 1)
        if i <= 120 then
          redis.call('HSET', KEYS[4], 'r' .. i, 'cancelled')
          redis.call('ZADD', KEYS[5], ARGV[1], 'r' .. i)
        end
      end";
    let keys = ["{c7}:idem", "{c7}:idem_end", "{c7}:idem_user", "{c7}:res", "{c7}:ended"];
    world.command(&[&["EVAL", fill, "5"][..], &keys, &[&T.to_string()]].concat());
    world.at(DAY);
    for (answer, left) in [
        ("tidied 100 0", Some("150")),
        ("tidied 100 0", Some("50")),
        ("tidied 50 100", None),
        ("tidied 0 20", None),
        ("tidied 0 0", None),
    ] {
        assert_eq!(world.run(&tidy(DAY)).outcome(), answer);
        assert_eq!(world.state().get("idem_user/a"), left);
    }
    let state = world.state();
    let kept = |path: &&str| ["idem", "res", "ended"].iter().any(|key| path.starts_with(key));
    assert_eq!(state.paths().filter(kept).count(), 0);
}

#[tokio::test]
async fn a_lost_log_stops_it() {
    let mut world = a_sale().await;
    world.run(&hold("a", "1", "1", "r1", "k"));
    world.at(DAY);
    stops_when_the_log_was_lost(&mut world, &tidy(DAY));
}
