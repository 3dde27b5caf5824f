//! `cancel` and `clear`: a show whose sale ends for good, and what becomes of its seats.

use super::call::Call;
use super::promise::a_throw_leaves_no_trace;
use super::sale::{Block, Hold, Pay, Refund, Sale, block, hold, pay, refund, release, reservations};

fn cancel(show: &str, reason: &str) -> Call {
    Call::one("cancel", &[show, reason]).shows(&[show.parse().unwrap()])
}

fn clear(first: &str) -> Call {
    Call::batch("clear", &[&["12", first]]).shows(&[12])
}

/// `a` has paid seats 0 and 9 by r1 and 3 by r2; `b` holds 4 and 5 by r3 until 300,000 and 6 by r4 until 400,000; 8 is blocked.
async fn sold() -> Sale {
    let mut sale = Sale::with(&["a", "b"]).await;
    sale.world.policy(&[("end_token_on", "never")]);
    sale.fund("a", "1000");
    sale.fund("b", "1000");
    sale.held("a", "1", "r1", "0:100,9:200");
    sale.held("a", "1", "r2", "3:300");
    sale.run(&pay(&[Pay::new("a", "r1", "p1"), Pay::new("a", "r2", "p2")]));
    sale.held("b", "2", "r3", "4:10,5:10");
    sale.run(&block(&[Block::new("k", "8")]));
    sale.at(100_000);
    sale.held("b", "2", "r4", "6:10");
    sale
}

#[tokio::test]
async fn all_that_a_cancelled_show_leaves() {
    let mut sale = sold().await;
    sale.run(&cancel("12", "비")).is(
        &["cancelled"],
        &["cancelled 12 3:비"],
        &["meta/cancelled:  12 ", "meta/x:12: T+100000 비"],
    );
    sale.run(&cancel("12", "another")).refuses(&["cancelled"]);
    sale.at(300_000);
    sale.run(&clear("0")).is(
        &["cleared 10 10 r1 a r2 a"],
        &[
            "expired r3 12 1:b 4:10,5:10",
            "blocked 12 4,5 0: -",
            "released r4 12 1:b 6:10 show",
            "blocked 12 6 0: -",
            "blocked 12 1,2,7 0: -",
        ],
        &[
            "ended/r3: T+300000",
            "ended/r4: T+300000",
            "expiry/r3: gone",
            "expiry/r4: gone",
            "holder:12/4: gone",
            "holder:12/5: gone",
            "holder:12/6: gone",
            "meta/sellable: 10",
            "meta/v:12: 14",
            "owned:12/b: gone",
            "pending/b: gone",
            "res/r3: expired 12 20 T T+300000 1 - 4:10,5:10 - b",
            "res/r4: cancelled 12 10 T+100000 T+400000 1 - 6:10 - b",
            "seats:12: 2332333332",
        ],
    );
    sale.run(&clear("0")).refuses(&["cleared 10 10 r1 a r2 a"]);
    sale.run(&clear("4")).refuses(&["cleared 10 10 r1 a"]);
    sale.run(&clear("10")).refuses(&["cleared 10 10"]);
    let step = sale.run(&refund(&[Refund::new("a", "r1", "f1", ""), Refund::new("a", "r2", "f2", "")]));
    assert_eq!(
        step.outcomes,
        ["refunded f1 r1 12 0:100,9:200 300 refunded", "refunded f2 r2 12 3:300 300 refunded"]
    );
    assert_eq!((sale.get("seats:12"), sale.get("meta/sellable")), ("3333333333".into(), "10".into()));
    assert_eq!(
        (sale.get("meta/revenue"), sale.get("w00:balances/a")),
        ("0".into(), "1000 1900000300000".into())
    );
    sale.run(&clear("0")).refuses(&["cleared 10 10"]);
}

/// Holds of 40, 40 and 1 seats, and a paid seat at the end.
#[tokio::test]
async fn a_page_of_many_held_seats_ends_where_64_were_given_back() {
    let mut sale = Sale::with(&["a", "b"]).await;
    sale.world.open_show(12, 100);
    sale.world.policy(&[("max_seats_per_reservation", "50"), ("max_seats_per_user", "100")]);
    sale.fund("b", "10");
    sale.held("b", "2", "r4", "85:10");
    sale.run(&pay(&[Pay::new("b", "r4", "p4")]));
    for (reservation, seats) in [("r1", 0..40), ("r2", 40..80), ("r3", 81..82)] {
        let seats = seats.map(|seat| format!("{seat}:10")).collect::<Vec<_>>().join(",");
        sale.held("a", "1", reservation, &seats);
    }
    sale.run(&cancel("12", "x"));
    let step = sale.run(&clear("0"));
    assert_eq!(step.outcomes, ["cleared 81 100"]);
    assert_eq!(step.events.iter().filter(|event| event.starts_with("released r")).count(), 2, "{step:?}");
    assert_eq!(sale.run(&clear("81")).outcomes, ["cleared 100 100 r4 b"]);
    assert_eq!(sale.get("seats:12"), format!("{}2{}", "3".repeat(85), "3".repeat(14)));
}

/// The other show goes on.
#[tokio::test]
async fn nothing_of_it_is_held_or_paid_from_then_on() {
    let mut sale = sold().await;
    let first = Hold { key: "k", ..Hold::new("b", "2", "r5", "7:10") };
    sale.run(&hold(&[first]));
    sale.run(&cancel("12", ""));
    let other = Hold { show: 13, ..Hold::new("a", "1", "r6", "1:10") };
    let step = sale.run(&hold(&[first, Hold::new("a", "1", "r7", "1:10"), other]));
    assert!(step.outcomes[0].starts_with("replayed r5 "), "{step:?}");
    assert_eq!(step.outcomes[1], "sale_not_open ''");
    assert!(step.outcomes[2].starts_with("held r6 13 "), "{step:?}");
    let step = sale.run(&pay(&[
        Pay::new("b", "r3", "p3"),
        Pay { show: 13, ..Pay::new("a", "r6", "p6") },
        Pay::new("a", "r1", "p1"),
    ]));
    assert_eq!(step.outcomes[0], "invalid_reservation cancelled");
    assert!(
        step.outcomes[1].starts_with("paid r6 ") && step.outcomes[2].starts_with("replayed "),
        "{step:?}"
    );
    assert_eq!(step.events[..2], ["released r3 12 1:b 4:10,5:10 show", "blocked 12 4,5 0: -"]);
    sale.run(&release(&[("b", 12, "r4")]));
    sale.at(400_000);
    sale.run(&reservations("expire", &["r5"]));
    assert_eq!((sale.get("seats:12"), sale.get("meta/sellable")), ("2002333332".into(), "11".into()));
    let unblock = Block::back("k9", "8");
    sale.run(&block(&[unblock, Block::new("k8", "1")])).refuses(&["sale_not_open ''", "sale_not_open ''"]);
}

#[tokio::test]
async fn what_is_refused() {
    let mut sale = sold().await;
    sale.run(&clear("0")).refuses(&["not_cancelled"]);
    sale.world.command(&["HSET", "{c7}:meta", "stopped", "log_lost"]);
    sale.run(&cancel("12", "x")).refuses(&["sales_stopped"]);
    sale.run(&clear("0")).refuses(&["sales_stopped"]);
    sale.world.command(&["HDEL", "{c7}:meta", "stopped"]);
    sale.run(&cancel("13", "y"));
    sale.run(&clear("0")).refuses(&["not_cancelled"]);
    sale.run(&cancel("12", "x"));
    assert_eq!(sale.get("meta/cancelled"), " 13 12 ");
}

#[tokio::test]
async fn a_step_that_throws_leaves_no_trace() {
    let mut sale = sold().await;
    sale.run(&cancel("12", "x"));
    sale.at(300_000);
    a_throw_leaves_no_trace(&mut sale.world, &clear("0"));
}
