//! `refund`: the same request has one answer, and a batch is decided in order.

use super::call::Call;
use super::refund::paid;
use super::sale::{Charge, Hold, Pay, Refund, charge, hold, pay, refund};

#[tokio::test]
async fn a_refund_sent_again_gets_its_first_answer_whatever_has_happened_since() {
    let mut sale = paid().await;
    let some = Refund { key: "k", ..Refund::new("a", "r1", "f1", "3,4") };
    let rest = Refund { key: "k2", ..Refund::new("a", "r1", "f2", "") };
    sale.run(&refund(&[some, rest]));
    let again = refund(&[Refund { name: "f8", ..some }, Refund { name: "f9", ..rest }]);
    let answers = ["replayed f1 r1 12 3:500,4:300 800 confirmed", "replayed f2 r1 12 1:700 700 refunded"];
    sale.run(&again).refuses(&answers);
    sale.world.command(&["HSET", "{c7}:meta", "stopped", "log_lost"]);
    sale.world.command(&["HSET", "{c7}:idem_user", "boss", "1000"]);
    let level = sale.world.seen("w00");
    let beyond = super::call::Seen { number: level.number + 1, ..level };
    sale.run_aside(&again.clone().seen("w00", beyond)).refuses(&answers);
    sale.world.command(&["HDEL", "{c7}:meta", "stopped"]);
    sale.world.command(&["HSET", "{c7}:idem_user", "boss", "2"]);
    sale.at(86_399_999);
    sale.run(&again).refuses(&answers);
    // Forgotten after a day, with the reservation: what was given back once is not given back again.
    sale.at(86_400_000);
    let day = "1900086400000";
    assert_eq!(sale.run_aside(&Call::one("tidy", &[day])).outcome(), "tidied 3 1");
    sale.run_aside(&again).refuses(&["invalid_reservation not_found", "invalid_reservation not_found"]);
}

/// A day later the key is forgotten and the reservation, paid for the rest, is not.
#[tokio::test]
async fn a_key_that_is_forgotten_gives_nothing_back_twice() {
    let mut sale = paid().await;
    let some = refund(&[Refund { key: "k", ..Refund::new("a", "r1", "f1", "3,4") }]);
    sale.run(&some);
    sale.at(86_400_000);
    sale.run_aside(&Call::one("tidy", &["0"]));
    sale.run_aside(&some).refuses(&["invalid_reservation refunded"]);
    assert_eq!(sale.get("w00:balances/a"), "4300 1900000000000");
}

/// What was told of a hold and a payment stays told: their answers come from the same record.
#[tokio::test]
async fn first_answers_of_hold_and_pay_outlive_a_refund() {
    let mut sale = paid().await;
    let held = hold(&[Hold::new("a", "1", "r1", "3:500,1:700,4:300")]);
    let bought = pay(&[Pay { key: "k", ..Pay::new("a", "r1", "p7") }]);
    for seats in ["3", ""] {
        sale.run(&refund(&[Refund::new("a", "r1", "f1", seats)]));
        sale.run(&held).refuses(&["replayed r1 12 3:500,1:700,4:300 1500 T T+300000"]);
        sale.run(&bought).refuses(&["replayed r1 12 p1 3:500,1:700,4:300 1500 3500"]);
    }
}

#[tokio::test]
async fn requests_of_one_batch_are_decided_in_order() {
    let mut sale = paid().await;
    sale.run(&hold(&[Hold { show: 13, ..Hold::new("b", "2", "r4", "0:50") }]));
    let in_w01 = Charge { wallet: "w01", ..Charge::new("b", "c9", "60", "x") };
    sale.run(&charge(&[in_w01]));
    sale.run(&pay(&[Pay { wallet: "w01", show: 13, ..Pay::new("b", "r4", "p4") }]));
    let keyed = |refund, seats| Refund { key: "k", ..Refund::new("a", "r1", refund, seats) };
    sale.run(&refund(&[
        keyed("f1", "1"),
        keyed("f2", "1"),
        Refund { fingerprint: "f9", ..keyed("f3", "1") },
        Refund::new("a", "r1", "f4", "4,1"),
        Refund { wallet: "w01", show: 13, ..Refund::new("b", "r4", "f5", "") },
        Refund::new("a", "r1", "f6", ""),
        Refund::new("a", "r1", "f7", ""),
    ]))
    .is(
        &[
            "refunded f1 r1 12 1:700 700 confirmed",
            "replayed f1 r1 12 1:700 700 confirmed",
            "idempotency_key_reused",
            "invalid_reservation refunded",
            "refunded f5 r4 13 0:50 50 refunded",
            "refunded f6 r1 12 3:500,4:300 800 refunded",
            "invalid_reservation refunded",
        ],
        &[
            "refunded r1 12 1:a f1 700 4200 1:700 1:700 confirmed 14:4:bossrefund:k f4",
            "refunded r4 13 1:b f5 50 60 0:50 0:50 refunded 0: -",
            "refunded r1 12 1:a f6 800 5000 3:500,4:300 3:500,1:700,4:300 refunded 0: -",
            "w00 refunded f1 1:a 7 12 r1 700 4200",
            "w00 refunded f6 1:a 7 12 r1 800 5000",
            "w01 refunded f5 1:b 7 13 r4 50 60",
        ],
        &[
            "ended/r1: T",
            "ended/r4: T",
            "holder:12/1: gone",
            "holder:12/3: gone",
            "holder:12/4: gone",
            "holder:13/0: gone",
            "idem/4:bossrefund:k: f4 f1 r1 12 1:700 700 confirmed",
            "idem_end/4:bossrefund:k: T+86400000",
            "idem_user/boss: 1",
            "meta/revenue: 0",
            "meta/sellable: 20",
            "meta/v:12: 11",
            "meta/v:13: 11",
            "owned:12/a: 1",
            "owned:13/b: gone",
            "res/r1: refunded 12 1500 T T+300000 1 p1 3:500,1:700,4:300 balance=3500,refunded=3;1;4 a",
            "res/r4: refunded 13 50 T T+300000 1 p4 0:50 balance=10,refunded=0 b",
            "seats:12: 0000010000",
            "seats:13: 0000000000",
            "w00:balances/a: 5000 T",
            "w01:balances/b: 60 T",
        ],
    );
}
