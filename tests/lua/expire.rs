//! `due` names what is over, `expire` ends it, `reservation` reads what there is.

use super::call::Call;
use super::promise::stops_when_the_log_was_lost;
use super::sale::{Hold, Pay, Sale, hold, pay, release, reservations};

/// `a` holds seat 0 by r1 until 300,000 and seat 1 by r2 until 300,001; `b` seat 0 of show 13 by r3 until 300,001.
async fn three_held() -> Sale {
    let mut sale = Sale::with(&["a", "b"]).await;
    sale.held("a", "1", "r1", "0:10");
    sale.at(1);
    sale.run(&hold(&[
        Hold::new("a", "1", "r2", "1:10"),
        Hold { show: 13, ..Hold::new("b", "2", "r3", "0:10") },
    ]));
    sale
}

fn due(limit: &str) -> Call {
    Call::one("due", &[limit])
}

#[tokio::test]
async fn due_are_those_past_their_end_the_oldest_first() {
    let mut sale = three_held().await;
    sale.at(299_999);
    sale.run(&due("9")).refuses(&[]);
    sale.at(300_000);
    sale.run(&due("9")).refuses(&["due r1 12"]);
    sale.at(300_001);
    sale.run(&due("9")).refuses(&["due r1 12", "due r2 12", "due r3 13"]);
    sale.run(&due("2")).refuses(&["due r1 12", "due r2 12"]);
    sale.run(&reservations("expire", &["r1", "r2"]));
    sale.run(&due("9")).refuses(&["due r3 13"]);
}

#[tokio::test]
async fn all_that_an_expiry_writes() {
    let mut sale = three_held().await;
    sale.at(299_999);
    sale.run(&reservations("expire", &["r1", "r2", "r3"])).refuses(&["kept", "kept", "kept"]);
    sale.at(300_000);
    sale.run(&reservations("expire", &["r9", "r1", "r1", "r2"])).is(
        &["kept", "expired", "kept", "kept"],
        &["expired r1 12 1:a 0:10"],
        &[
            "ended/r1: T+300000",
            "expiry/r1: gone",
            "holder:12/0: gone",
            "meta/v:12: 8",
            "owned:12/a: 1",
            "pending/a: r2",
            "res/r1: expired 12 10 T T+300000 1 - 0:10 - a",
            "seats:12: 0100000000",
        ],
    );
    sale.at(300_001);
    let step = sale.run(&reservations("expire", &["r3", "r2"]));
    assert_eq!(step.outcomes, ["expired", "expired"]);
    assert_eq!(step.events, ["expired r3 13 1:b 0:10", "expired r2 12 1:a 1:10"]);
}

/// More fields of a key than one command takes.
#[tokio::test]
async fn a_hundred_reservations_of_fifty_seats_end_in_one_call() {
    let mut sale = Sale::with(&["a"]).await;
    sale.world.open_show(12, 5000);
    sale.world.policy(&[("max_seats_per_reservation", "50"), ("max_seats_per_user", "5000")]);
    let shorts: Vec<_> = (0..100).map(|number| format!("{number:02}")).collect();
    let seats = |number: usize| (0..50).map(move |seat| format!("{}:10", 50 * number + seat));
    let seats: Vec<_> = (0..100).map(|number| seats(number).collect::<Vec<_>>().join(",")).collect();
    let asked: Vec<_> = (0..100).map(|at| Hold::new("a", "1", &shorts[at], &seats[at])).collect();
    for batch in asked.chunks(20) {
        sale.world.run(&hold(batch));
    }
    assert_eq!(sale.world.state().get("seats:12"), Some("1".repeat(5000).as_str()));
    sale.at(300_000);
    let all: Vec<_> = shorts.iter().map(String::as_str).collect();
    let step = sale.run(&reservations("expire", &all));
    assert!(step.outcomes.iter().all(|outcome| outcome == "expired"), "{step:?}");
    assert_eq!(sale.world.state().get("seats:12"), Some("0".repeat(5000).as_str()));
}

#[tokio::test]
async fn what_was_paid_or_given_back_meanwhile_is_kept() {
    let mut sale = three_held().await;
    sale.fund("a", "100");
    sale.run(&pay(&[Pay::new("a", "r1", "p1")]));
    sale.run(&release(&[("a", 12, "r2")]));
    sale.at(400_000);
    sale.run(&reservations("expire", &["r1", "r2"])).refuses(&["kept", "kept"]);
    sale.run(&due("9")).refuses(&["due r3 13"]);
}

#[tokio::test]
async fn a_reservation_is_read_as_its_record_is() {
    let mut sale = three_held().await;
    let read = reservations("reservation", &["r1", "r9", "r3"]);
    sale.at(300_000);
    sale.run(&read).refuses(&[
        "found pending 12 10 T T+300000 1 - 0:10 - a",
        "not_found",
        "found pending 13 10 T+1 T+300001 1 - 0:10 - b",
    ]);
    sale.run(&reservations("expire", &["r1"]));
    sale.fund("b", "100");
    sale.run(&pay(&[Pay { show: 13, ..Pay::new("b", "r3", "p3") }]));
    sale.run(&read).refuses(&[
        "found expired 12 10 T T+300000 1 - 0:10 - a",
        "not_found",
        "found confirmed 13 10 T+1 T+300001 1 p3 0:10 balance=90 b",
    ]);
}

#[tokio::test]
async fn a_lost_log_stops_them() {
    let mut sale = three_held().await;
    sale.at(400_000);
    for call in [due("9"), reservations("expire", &["r1"]), reservations("reservation", &["r1"])] {
        stops_when_the_log_was_lost(&mut sale.world, &call);
    }
}
