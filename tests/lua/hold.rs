//! `hold`: all seats or none, each refusal in its order, the first answer again.

use super::call::Call;
use super::sale::{Hold, Sale, hold};

#[tokio::test]
async fn all_that_a_hold_writes() {
    let mut sale = Sale::with(&["a"]).await;
    sale.at(1000);
    let asked = Hold { key: "k", ..Hold::new("a", "1", "r1", "3:500,1:700") };
    sale.run(&hold(&[asked])).is(
        &["held r1 12 3:500,1:700 1200 T+1000 T+301000"],
        &["held r1 12 1:a 1200 T+301000 1 3:500,1:700 9:1:ahold:k f1"],
        &[
            "expiry/r1: T+301000",
            "holder:12/1: r1",
            "holder:12/3: r1",
            "idem/1:ahold:k: f1 r1 T+301000",
            "idem_end/1:ahold:k: T+86401000",
            "idem_user/a: 1",
            "meta/v:12: 6",
            "owned:12/a: 2",
            "pending/a: r1",
            "res/r1: pending 12 1200 T+1000 T+301000 1 - 3:500,1:700 - a",
            "seats:12: 0101000000",
        ],
    );
    sale.run(&hold(&[Hold { show: 13, ..Hold::new("a", "1", "r2", "9:5") }])).is(
        &["held r2 13 9:5 5 T+1000 T+301000"],
        &["held r2 13 1:a 5 T+301000 1 9:5 0: -"],
        &[
            "expiry/r2: T+301000",
            "holder:13/9: r2",
            "meta/v:13: 7",
            "owned:13/a: 1",
            "pending/a: r1 r2",
            "res/r2: pending 13 5 T+1000 T+301000 1 - 9:5 - a",
            "seats:13: 0000000001",
        ],
    );
}

/// A request that every rule refuses is put right one rule at a time: what it is told is the first that is left.
#[tokio::test]
async fn refusals_in_order_of_precedence() {
    let mut sale = Sale::with(&["a", "b"]).await;
    sale.run(&hold(&[Hold { key: "k", ..Hold::new("a", "1", "r1", "9:1") }]));
    sale.held("b", "2", "r0", "0:1,2:1");
    let world = &mut sale.world;
    world.run(&Call::batch("leave", &[&["a", "1"]]));
    world.policy(&[("max_active", "0")]);
    world.run(&Call::batch("join", &[&["c"], &["a"]]));
    world.policy(&[("opens_at", "1900000010000"), ("max_seats_per_user", "4")]);
    world.command(&["HSET", "{c7}:meta", "stopped", "log_lost"]);
    world.command(&["HSET", "{c7}:idem_user", "a", "1000"]);
    let mut asked =
        Hold { catalog: "0", key: "k", fingerprint: "f9", ..Hold::new("a", "", "r2", "2:1,0:1,3:1,1:1,4:1") };

    world.run(&hold(&[asked])).refuses(&["idempotency_key_reused"]);
    asked.key = "k2";
    world.run(&hold(&[asked])).refuses(&["rate_limited"]);
    world.command(&["HSET", "{c7}:idem_user", "a", "1"]);
    world.run(&hold(&[asked])).refuses(&["sales_stopped"]);
    world.command(&["HDEL", "{c7}:meta", "stopped"]);
    world.run(&hold(&[asked])).refuses(&["sale_not_open T+10000"]);
    world.at(10_000);
    world.run(&hold(&[asked])).refuses(&["queue_token_invalid"]);
    asked.seq = "4";
    world.run(&hold(&[asked])).refuses(&["queue_token_not_active 2"]);
    asked.seq = "1";
    world.run(&hold(&[asked])).refuses(&["queue_token_expired"]);
    world.policy(&[("max_active", "1000")]);
    assert_eq!(world.run(&Call::one("admit", &[])).outcome(), "admitted 2 0 0");
    world.run(&hold(&[asked])).refuses(&["queue_token_expired"]);
    asked.seq = "4";
    world.run(&hold(&[asked])).refuses(&["stale_catalog"]);
    asked.catalog = "1";
    world.run(&hold(&[asked])).refuses(&["too_many_seats 4"]);
    asked.seats = "2:1,0:1,3:1,1:1";
    world.run(&hold(&[asked])).refuses(&["purchase_limit 4 1"]);
    world.policy(&[("max_seats_per_user", "5")]);
    world.run(&hold(&[asked])).refuses(&["seat_unavailable 2 0"]);
    asked.seats = "5:1,4:1,3:1,1:1";
    assert_eq!(sale.run(&hold(&[asked])).outcome(), "held r2 12 5:1,4:1,3:1,1:1 4 T+10000 T+310000");
}

#[tokio::test]
async fn a_hold_sent_again_gets_its_first_answer_whatever_has_happened_since() {
    let mut sale = Sale::with(&["a"]).await;
    let asked = Hold { key: "k", ..Hold::new("a", "1", "r1", "3:500") };
    sale.run(&hold(&[asked]));
    let without_key = Hold::new("a", "1", "r2", "4:500");
    sale.run(&hold(&[without_key]));
    let again = hold(&[Hold { id: "r9", seq: "", catalog: "0", ..asked }, Hold { seq: "7", ..without_key }]);
    let answers = ["replayed r1 12 3:500 500 T T+300000", "replayed r2 12 4:500 500 T T+300000"];
    sale.run(&again).refuses(&answers);
    sale.world.policy(&[("closes_at", "1900000000001"), ("gate_reserve", "1"), ("max_seats_per_user", "1")]);
    sale.world.command(&["HSET", "{c7}:meta", "stopped", "log_lost"]);
    sale.at(700_000);
    sale.run(&again).refuses(&answers);
    sale.run(&super::sale::reservations("expire", &["r1", "r2"]));
    sale.run(&again).refuses(&answers);
    sale.world.command(&["HSET", "{c7}:idem_user", "a", "1000"]);
    let step = sale.run_aside(&again);
    assert!(step.outcomes.iter().all(|outcome| outcome.starts_with("replayed ")), "{step:?}");
}

#[tokio::test]
async fn a_user_has_a_thousand_live_keys_and_no_more() {
    let mut sale = Sale::with(&["a", "b"]).await;
    sale.world.command(&["HSET", "{c7}:idem_user", "a", "999"]);
    let keyed = |id, key, seats| Hold { key, ..Hold::new("a", "1", id, seats) };
    let call = hold(&[
        keyed("r1", "k1", "0:1"),
        keyed("r2", "k2", "1:1"),
        keyed("r3", "k1", "2:1"),
        keyed("r4", "", "3:1"),
        Hold { key: "k1", ..Hold::new("b", "2", "r5", "4:1") },
    ]);
    let step = sale.run_aside(&call);
    let names: Vec<_> = step.outcomes.iter().map(|outcome| outcome.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["held", "rate_limited", "replayed", "held", "held"]);
    assert_eq!((sale.get("idem_user/a"), sale.get("idem_user/b")), ("1000".to_owned(), "1".to_owned()));
}

/// Names of the outcomes of a hold of one free seat at each of these times, the world the same each time.
#[track_caller]
fn at_each(sale: &mut Sale, asked: Hold<'_>, expected: &[(i64, &str)]) {
    let saved = sale.world.save();
    for (time, outcome) in expected {
        sale.world.load(&saved);
        sale.at(*time);
        let step = sale.run(&hold(&[asked]));
        assert!(step.outcome().starts_with(outcome), "at {time}: {step:?}");
    }
    sale.world.load(&saved);
}

#[tokio::test]
async fn a_sale_opens_and_closes_at_its_millisecond() {
    let mut sale = Sale::with(&["a"]).await;
    let asked = Hold::new("a", "1", "r1", "3:500");
    sale.world.policy(&[("opens_at", "1900000010000")]);
    at_each(&mut sale, asked, &[(9_999, "sale_not_open T+10000"), (10_000, "held"), (10_001, "held")]);
    sale.world.policy(&[("closes_at", "1900000020000")]);
    at_each(
        &mut sale,
        asked,
        &[(19_999, "held"), (20_000, "sale_not_open ''"), (20_001, "sale_not_open ''")],
    );
}

#[tokio::test]
async fn requests_of_one_batch_are_decided_in_order() {
    let mut sale = Sale::with(&["a", "b"]).await;
    let keyed = |id, fingerprint| Hold { key: "k", fingerprint, ..Hold::new("a", "1", id, "0:1,1:1") };
    let call = hold(&[
        keyed("r1", "f1"),
        keyed("r2", "f1"),
        keyed("r3", "f2"),
        Hold::new("b", "2", "r4", "1:1,2:1"),
        Hold::new("b", "2", "r5", "2:1"),
        Hold::new("b", "2", "r5", "2:1"),
        Hold { show: 13, ..Hold::new("b", "2", "r6", "1:1,2:1") },
        Hold::new("a", "1", "r7", "9:1,8:1,7:1"),
        Hold::new("a", "1", "r8", "6:1,5:1"),
        Hold::new("a", "1", "r9", "5:1"),
    ]);
    sale.run(&call).is(
        &[
            "held r1 12 0:1,1:1 2 T T+300000",
            "replayed r1 12 0:1,1:1 2 T T+300000",
            "idempotency_key_reused",
            "seat_unavailable 1",
            "held r5 12 2:1 1 T T+300000",
            "replayed r5 12 2:1 1 T T+300000",
            "held r6 13 1:1,2:1 2 T T+300000",
            "held r7 12 9:1,8:1,7:1 3 T T+300000",
            "purchase_limit 6 5",
            "held r9 12 5:1 1 T T+300000",
        ],
        &[
            "held r1 12 1:a 2 T+300000 1 0:1,1:1 9:1:ahold:k f1",
            "held r5 12 1:b 1 T+300000 1 2:1 0: -",
            "held r6 13 1:b 2 T+300000 1 1:1,2:1 0: -",
            "held r7 12 1:a 3 T+300000 1 9:1,8:1,7:1 0: -",
            "held r9 12 1:a 1 T+300000 1 5:1 0: -",
        ],
        &[
            "expiry/r1: T+300000",
            "expiry/r5: T+300000",
            "expiry/r6: T+300000",
            "expiry/r7: T+300000",
            "expiry/r9: T+300000",
            "holder:12/0: r1",
            "holder:12/1: r1",
            "holder:12/2: r5",
            "holder:12/5: r9",
            "holder:12/7: r7",
            "holder:12/8: r7",
            "holder:12/9: r7",
            "holder:13/1: r6",
            "holder:13/2: r6",
            "idem/1:ahold:k: f1 r1 T+300000",
            "idem_end/1:ahold:k: T+86400000",
            "idem_user/a: 1",
            "meta/v:12: 6",
            "meta/v:13: 6",
            "owned:12/a: 6",
            "owned:12/b: 1",
            "owned:13/b: 2",
            "pending/a: r1 r7 r9",
            "pending/b: r5 r6",
            "res/r1: pending 12 2 T T+300000 1 - 0:1,1:1 - a",
            "res/r5: pending 12 1 T T+300000 1 - 2:1 - b",
            "res/r6: pending 13 2 T T+300000 1 - 1:1,2:1 - b",
            "res/r7: pending 12 3 T T+300000 1 - 9:1,8:1,7:1 - a",
            "res/r9: pending 12 1 T T+300000 1 - 5:1 - a",
            "seats:12: 1110010111",
            "seats:13: 0110000000",
        ],
    );
}

#[tokio::test]
async fn blocked_seats_and_indexes_beyond_the_show_are_not_available() {
    let mut sale = Sale::with(&["a"]).await;
    sale.world.command(&["SETRANGE", "{c7}:seats:12", "4", "3"]);
    let step = sale.run_aside(&hold(&[Hold::new("a", "1", "r1", "3:1,4:1,10:1")]));
    step.refuses(&["seat_unavailable 4 10"]);
}
