//! `release`: a PENDING reservation is given back at once; one that has ended stays ended.

use super::sale::{Hold, Pay, Sale, hold, pay, release};

/// `a` holds seats 3 and 1 of show 12 by r1 and seat 0 of show 13 by r2, until 300,000.
async fn two_held() -> Sale {
    let mut sale = Sale::with(&["a", "b"]).await;
    sale.held("a", "1", "r1", "3:500,1:700");
    sale.run(&hold(&[Hold { show: 13, ..Hold::new("a", "1", "r2", "0:50") }]));
    sale
}

#[tokio::test]
async fn all_that_a_release_writes() {
    let mut sale = two_held().await;
    sale.at(299_999);
    sale.run(&release(&[("a", 12, "r1")])).is(
        &["released"],
        &["released r1 12 1:a 3:500,1:700 user"],
        &[
            "ended/r1: T+299999",
            "expiry/r1: gone",
            "holder:12/1: gone",
            "holder:12/3: gone",
            "meta/v:12: 8",
            "owned:12/a: gone",
            "pending/a: r2",
            "res/r1: cancelled 12 1200 T T+300000 1 - 3:500,1:700 - a",
            "seats:12: 0000000000",
        ],
    );
    sale.at(300_000);
    sale.run(&release(&[("a", 12, "r1")])).refuses(&["released"]);
    let step = sale.run(&hold(&[Hold::new("b", "2", "r3", "1:700")]));
    assert!(step.outcome().starts_with("held "));
}

#[tokio::test]
async fn one_that_is_over_ends_as_expired() {
    for late in [300_000, 300_001] {
        let mut sale = two_held().await;
        sale.at(late);
        let ended = format!("ended/r2: T+{late}");
        sale.run(&release(&[("a", 13, "r2")])).is(
            &["released"],
            &["expired r2 13 1:a 0:50"],
            &[
                &ended,
                "expiry/r2: gone",
                "holder:13/0: gone",
                "meta/v:13: 8",
                "owned:13/a: gone",
                "pending/a: r1",
                "res/r2: expired 13 50 T T+300000 1 - 0:50 - a",
                "seats:13: 0000000000",
            ],
        );
    }
}

#[tokio::test]
async fn refusals_in_order_of_precedence() {
    let mut sale = two_held().await;
    sale.fund("a", "5000");
    sale.run(&pay(&[Pay::new("a", "r1", "p1")]));
    let nothing = ["not_found", "not_found", "not_found", "reservation_not_pending"];
    sale.at(700_000);
    sale.run(&release(&[("a", 12, "r9"), ("b", 12, "r1"), ("a", 13, "r1"), ("a", 12, "r1")]))
        .refuses(&nothing);
    let refunded =
        sale.world.state().get("res/r1000000000000000000").unwrap().replace("confirmed", "refunded");
    sale.world.command(&["HSET", "{c7}:res", "r1000000000000000000", &refunded]);
    sale.run_aside(&release(&[("a", 12, "r1")])).refuses(&["released"]);
}

#[tokio::test]
async fn in_one_batch_a_reservation_is_given_back_once() {
    let mut sale = two_held().await;
    let call = release(&[("b", 12, "r1"), ("a", 12, "r1"), ("a", 12, "r1"), ("a", 13, "r2")]);
    sale.run(&call).is(
        &["not_found", "released", "released", "released"],
        &["released r1 12 1:a 3:500,1:700 user", "released r2 13 1:a 0:50 user"],
        &[
            "ended/r1: T",
            "ended/r2: T",
            "expiry/r1: gone",
            "expiry/r2: gone",
            "holder:12/1: gone",
            "holder:12/3: gone",
            "holder:13/0: gone",
            "meta/v:12: 8",
            "meta/v:13: 8",
            "owned:12/a: gone",
            "owned:13/a: gone",
            "pending/a: gone",
            "res/r1: cancelled 12 1200 T T+300000 1 - 3:500,1:700 - a",
            "res/r2: cancelled 13 50 T T+300000 1 - 0:50 - a",
            "seats:12: 0000000000",
            "seats:13: 0000000000",
        ],
    );
}

#[tokio::test]
async fn a_stopped_or_closed_sale_takes_seats_back_too() {
    let mut sale = two_held().await;
    sale.world.policy(&[("closes_at", "1900000000001")]);
    sale.world.command(&["HSET", "{c7}:meta", "stopped", "log_lost"]);
    sale.at(10);
    assert_eq!(sale.run(&release(&[("a", 12, "r1")])).outcome(), "released");
}
