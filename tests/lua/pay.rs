//! `pay`: a PENDING reservation is paid whole and once, before its end, from its owner's balance.

use super::sale::{Hold, Pay, Sale, hold, pay, release};

/// `a` has 5,000 and holds seats 1 and 3 by r1, seat 5 by r2, until 300,000.
async fn two_held() -> Sale {
    let mut sale = Sale::with(&["a", "b"]).await;
    sale.held("a", "1", "r1", "3:500,1:700");
    sale.held("a", "1", "r2", "5:900");
    sale.fund("a", "5000");
    sale
}

#[tokio::test]
async fn all_that_a_payment_writes() {
    let mut sale = two_held().await;
    sale.at(1000);
    sale.run(&pay(&[Pay { key: "k", ..Pay::new("a", "r1", "p1") }])).is(
        &["paid r1 12 p1 3:500,1:700 1200 3800"],
        &["paid r1 12 1:a p1 1200 3800 3:500,1:700 8:1:apay:k f2", "w00 paid p1 1:a 7 12 r1 1200 3800"],
        &[
            "expiry/r1: gone",
            "idem/1:apay:k: f2 p1 r1",
            "idem_end/1:apay:k: T+86401000",
            "idem_user/a: 1",
            "meta/revenue: 1200",
            "meta/sellable: 18",
            "meta/v:12: 8",
            "pending/a: r2",
            "res/r1: confirmed 12 1200 T T+300000 1 p1 3:500,1:700 balance=3800 a",
            "seats:12: 0202010000",
            "w00:balances/a: 3800 T+1000",
        ],
    );
    sale.run(&pay(&[Pay::new("a", "r2", "p2")])).is(
        &["paid r2 12 p2 5:900 900 2900"],
        &["paid r2 12 1:a p2 900 2900 5:900 0: -", "ended 1 1:a paid", "w00 paid p2 1:a 7 12 r2 900 2900"],
        &[
            "active/a: gone",
            "expiry/r2: gone",
            "meta/revenue: 2100",
            "meta/sellable: 17",
            "meta/v:12: 9",
            "pending/a: gone",
            "place/a: gone",
            "res/r2: confirmed 12 900 T T+300000 1 p2 5:900 balance=2900 a",
            "seats:12: 0202020000",
            "w00:balances/a: 2900 T+1000",
        ],
    );
}

/// A request that every rule refuses is put right one rule at a time: what it is told is the first that is left.
#[tokio::test]
async fn refusals_in_order_of_precedence() {
    let mut sale = two_held().await;
    sale.run(&pay(&[Pay { key: "k", ..Pay::new("a", "r2", "p2") }]));
    sale.held("b", "2", "r5", "9:5000");
    let world = &mut sale.world;
    world.command(&["HSET", "{c7}:meta", "stopped", "log_lost"]);
    world.command(&["HSET", "{c7}:idem_user", "a", "1000"]);
    let mut asked = Pay { key: "k", fingerprint: "f9", ..Pay::new("a", "r9", "p9") };

    let level = world.seen("w00");
    let beyond = super::call::Seen { number: level.number + 1, ..level.clone() };
    let lost = format!("log_lost w00 {} {}", level.number, level.mark);
    world.run(&pay(&[asked]).seen("w00", beyond.clone())).refuses(&["idempotency_key_reused"]);
    asked.key = "k2";
    world.run(&pay(&[asked]).seen("w00", beyond)).refuses(&[&lost]);
    world.run(&pay(&[asked])).refuses(&["rate_limited"]);
    world.command(&["HSET", "{c7}:idem_user", "a", "1"]);
    world.run(&pay(&[asked])).refuses(&["sales_stopped"]);
    world.command(&["HDEL", "{c7}:meta", "stopped"]);
    world.run(&pay(&[asked])).refuses(&["invalid_reservation not_found"]);
    asked.id = "r5";
    world.run(&pay(&[asked])).refuses(&["invalid_reservation not_found"]);
    (asked.id, asked.show) = ("r1", 13);
    world.run(&pay(&[asked])).refuses(&["invalid_reservation not_found"]);
    (asked.id, asked.show) = ("r2", 12);
    world.run(&pay(&[asked])).refuses(&["invalid_reservation already_paid"]);
    let other = Pay { id: "r5", key: "", ..Pay::new("b", "r5", "p5") };
    world.run(&pay(&[other])).refuses(&["insufficient_balance 0 5000"]);
    asked.id = "r1";
    assert!(sale.run(&pay(&[asked])).outcome().starts_with("paid r1 "));
}

#[tokio::test]
async fn a_reservation_that_has_ended_says_how() {
    let mut sale = two_held().await;
    sale.run(&release(&[("a", 12, "r2")]));
    sale.run(&pay(&[Pay::new("a", "r2", "p1")])).refuses(&["invalid_reservation cancelled"]);
    sale.at(300_000);
    sale.run(&super::sale::reservations("expire", &["r1"]));
    sale.run(&pay(&[Pay::new("a", "r1", "p1")])).refuses(&["invalid_reservation expired"]);
    let refunded = sale.world.state().get("res/r1000000000000000000").unwrap().replace("expired", "refunded");
    sale.world.command(&["HSET", "{c7}:res", "r1000000000000000000", &refunded]);
    sale.run_aside(&pay(&[Pay::new("a", "r1", "p1")])).refuses(&["invalid_reservation refunded"]);
}

#[tokio::test]
async fn a_payment_sent_again_gets_its_first_answer_whatever_has_happened_since() {
    let mut sale = two_held().await;
    let keyed = Pay { key: "k", ..Pay::new("a", "r1", "p1") };
    let unkeyed = Pay::new("a", "r2", "p2");
    sale.run(&pay(&[keyed, unkeyed]));
    sale.fund("a", "77");
    let again = pay(&[Pay { payment: "p9", ..keyed }, unkeyed]);
    let answers = ["replayed r1 12 p1 3:500,1:700 1200 3800", "replayed r2 12 p2 5:900 900 2900"];
    sale.run(&again).refuses(&answers);
    sale.world.command(&["HSET", "{c7}:meta", "stopped", "log_lost"]);
    sale.at(700_000);
    sale.run(&again).refuses(&answers);
    sale.world.command(&["HSET", "{c7}:idem_user", "a", "1000"]);
    sale.run_aside(&again).refuses(&answers);
    sale.world.command(&["HSET", "{c7}:idem_user", "a", "1"]);
    sale.world.command(&["HDEL", "{c7}:meta", "stopped"]);
    let other_id = Pay { payment: "p3", ..unkeyed };
    sale.run(&pay(&[other_id])).refuses(&["invalid_reservation already_paid"]);
}

#[tokio::test]
async fn requests_of_one_batch_are_decided_in_order() {
    let mut sale = two_held().await;
    sale.held("a", "1", "r3", "6:3000");
    sale.run(&hold(&[Hold { show: 13, ..Hold::new("b", "2", "r4", "0:50") }]));
    let from_w01 = Pay { wallet: "w01", show: 13, ..Pay::new("b", "r4", "p4") };
    let call = pay(&[
        Pay { key: "k", ..Pay::new("a", "r1", "p1") },
        Pay { key: "k", ..Pay::new("a", "r1", "p2") },
        Pay { key: "k", fingerprint: "f9", ..Pay::new("a", "r2", "p3") },
        from_w01,
        Pay::new("a", "r3", "p5"),
        Pay::new("a", "r2", "p6"),
        Pay::new("a", "r2", "p7"),
    ]);
    sale.run(&super::sale::charge(&[super::sale::Charge {
        wallet: "w01",
        ..super::sale::Charge::new("b", "c9", "60", "x")
    }]));
    sale.run(&call).is(
        &[
            "paid r1 12 p1 3:500,1:700 1200 3800",
            "replayed r1 12 p1 3:500,1:700 1200 3800",
            "idempotency_key_reused",
            "paid r4 13 p4 0:50 50 10",
            "paid r3 12 p5 6:3000 3000 800",
            "insufficient_balance 800 900",
            "insufficient_balance 800 900",
        ],
        &[
            "paid r1 12 1:a p1 1200 3800 3:500,1:700 8:1:apay:k f2",
            "paid r4 13 1:b p4 50 10 0:50 0: -",
            "ended 2 1:b paid",
            "paid r3 12 1:a p5 3000 800 6:3000 0: -",
            "w00 paid p1 1:a 7 12 r1 1200 3800",
            "w00 paid p5 1:a 7 12 r3 3000 800",
            "w01 paid p4 1:b 7 13 r4 50 10",
        ],
        &[
            "active/b: gone",
            "expiry/r1: gone",
            "expiry/r3: gone",
            "expiry/r4: gone",
            "idem/1:apay:k: f2 p1 r1",
            "idem_end/1:apay:k: T+86400000",
            "idem_user/a: 1",
            "meta/revenue: 4250",
            "meta/sellable: 16",
            "meta/v:12: 10",
            "meta/v:13: 10",
            "pending/a: r2",
            "pending/b: gone",
            "place/b: gone",
            "res/r1: confirmed 12 1200 T T+300000 1 p1 3:500,1:700 balance=3800 a",
            "res/r3: confirmed 12 3000 T T+300000 1 p5 6:3000 balance=800 a",
            "res/r4: confirmed 13 50 T T+300000 1 p4 0:50 balance=10 b",
            "seats:12: 0202012000",
            "seats:13: 2000000000",
            "w00:balances/a: 800 T",
            "w01:balances/b: 10 T",
        ],
    );
}

/// Two payments of one reservation in one batch: one is made.
#[tokio::test]
async fn a_reservation_is_paid_once() {
    let mut sale = two_held().await;
    let step = sale.run(&pay(&[Pay::new("a", "r2", "p6"), Pay::new("a", "r2", "p7")]));
    assert_eq!(step.outcomes, ["paid r2 12 p6 5:900 900 4100", "invalid_reservation already_paid"]);
    sale.at(300_000);
    sale.run(&pay(&[Pay::new("a", "r2", "p8")])).refuses(&["invalid_reservation already_paid"]);
    assert_eq!(sale.get("seats:12"), "0101020000");
}

#[tokio::test]
async fn paying_goes_on_when_the_sale_has_closed() {
    let mut sale = two_held().await;
    sale.world.policy(&[("closes_at", "1900000000001")]);
    sale.at(299_999);
    assert!(sale.run(&pay(&[Pay::new("a", "r1", "p1")])).outcome().starts_with("paid "));
}

#[tokio::test]
async fn booked_seats_count_for_the_limit_and_are_nobody_elses() {
    let mut sale = two_held().await;
    sale.run(&pay(&[Pay::new("a", "r1", "p1")]));
    sale.at(300_000);
    let step = sale.run(&hold(&[
        Hold::new("b", "2", "r3", "1:1,5:1"),
        Hold::new("a", "1", "r4", "6:1,7:1,8:1,9:1"),
        Hold::new("a", "1", "r5", "5:1"),
    ]));
    assert_eq!(step.outcomes[0], "seat_unavailable 1");
    assert!(step.outcomes[1].starts_with("held "), "{step:?}");
    assert_eq!(step.outcomes[2], "purchase_limit 6 6");
}
