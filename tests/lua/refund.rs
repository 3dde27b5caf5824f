//! `refund`: seats of a CONFIRMED reservation are free again and their price is back, each seat once.

use super::sale::{Charge, Hold, Pay, Refund, Sale, charge, hold, pay, refund, release};

/// `a` had 5,000 and has paid seats 3, 1 and 4 by r1 for 1,500; he holds seat 5 by r2 until 300,000.
pub(super) async fn paid() -> Sale {
    let mut sale = Sale::with(&["a", "b"]).await;
    sale.held("a", "1", "r1", "3:500,1:700,4:300");
    sale.held("a", "1", "r2", "5:900");
    sale.fund("a", "5000");
    sale.run(&pay(&[Pay { key: "k", ..Pay::new("a", "r1", "p1") }]));
    sale
}

#[tokio::test]
async fn all_that_a_refund_of_some_seats_writes_and_of_the_rest() {
    let mut sale = paid().await;
    sale.at(1000);
    sale.run(&refund(&[Refund { key: "k", ..Refund::new("a", "r1", "f1", "4,3") }])).is(
        &["refunded f1 r1 12 3:500,4:300 800 confirmed"],
        &[
            "refunded r1 12 1:a f1 800 4300 3:500,4:300 3:500,4:300 confirmed 14:4:bossrefund:k f4",
            "w00 refunded f1 1:a 7 12 r1 800 4300",
        ],
        &[
            "holder:12/3: gone",
            "holder:12/4: gone",
            "idem/4:bossrefund:k: f4 f1 r1 12 3:500,4:300 800 confirmed",
            "idem_end/4:bossrefund:k: T+86401000",
            "idem_user/boss: 1",
            "meta/revenue: 700",
            "meta/sellable: 19",
            "meta/v:12: 9",
            "owned:12/a: 2",
            "res/r1: confirmed 12 1500 T T+300000 1 p1 3:500,1:700,4:300 balance=3500,refunded=3;4 a",
            "seats:12: 0200010000",
            "w00:balances/a: 4300 T+1000",
        ],
    );
    sale.run(&refund(&[Refund::new("a", "r1", "f2", "")])).is(
        &["refunded f2 r1 12 1:700 700 refunded"],
        &[
            "refunded r1 12 1:a f2 700 5000 1:700 3:500,1:700,4:300 refunded 0: -",
            "w00 refunded f2 1:a 7 12 r1 700 5000",
        ],
        &[
            "ended/r1: T+1000",
            "holder:12/1: gone",
            "meta/revenue: 0",
            "meta/sellable: 20",
            "meta/v:12: 10",
            "owned:12/a: 1",
            "res/r1: refunded 12 1500 T T+300000 1 p1 3:500,1:700,4:300 balance=3500,refunded=3;1;4 a",
            "seats:12: 0000010000",
            "w00:balances/a: 5000 T+1000",
        ],
    );
}

/// A request that every rule refuses is put right one rule at a time: what it is told is the first that is left.
#[tokio::test]
async fn refusals_in_order_of_precedence() {
    let mut sale = paid().await;
    let most = "9007199254740991";
    sale.run(&refund(&[Refund { key: "k", ..Refund::new("a", "r1", "f1", "3") }]));
    sale.run(&charge(&[Charge::new("b", "c9", most, "x")]));
    sale.held("b", "2", "r5", "9:1");
    sale.run(&pay(&[Pay::new("b", "r5", "p5")]));
    sale.run(&charge(&[Charge::new("b", "c8", "1", "y")]));
    let world = &mut sale.world;
    world.command(&["HSET", "{c7}:meta", "stopped", "log_lost"]);
    world.command(&["HSET", "{c7}:idem_user", "boss", "1000"]);
    let mut asked = Refund { key: "k", fingerprint: "f9", ..Refund::new("b", "r9", "f2", "3,1") };

    let level = world.seen("w00");
    let beyond = super::call::Seen { number: level.number + 1, ..level.clone() };
    let lost = format!("log_lost w00 {} {}", level.number, level.mark);
    world.run(&refund(&[asked]).seen("w00", beyond.clone())).refuses(&["idempotency_key_reused"]);
    asked.key = "k2";
    world.run(&refund(&[asked]).seen("w00", beyond)).refuses(&[&lost]);
    world.run(&refund(&[asked])).refuses(&["rate_limited"]);
    world.command(&["HSET", "{c7}:idem_user", "boss", "1"]);
    world.run(&refund(&[asked])).refuses(&["sales_stopped"]);
    world.command(&["HDEL", "{c7}:meta", "stopped"]);
    world.run(&refund(&[asked])).refuses(&["invalid_reservation not_found"]);
    asked.id = "r1";
    world.run(&refund(&[asked])).refuses(&["invalid_reservation not_found"]);
    (asked.user, asked.show) = ("a", 13);
    world.run(&refund(&[asked])).refuses(&["invalid_reservation not_found"]);
    asked.show = 12;
    world.run(&refund(&[asked])).refuses(&["invalid_reservation refunded"]);
    asked.seats = "1,7";
    world.run(&refund(&[asked])).refuses(&["invalid_reservation refunded"]);
    let too_rich = Refund { key: "", ..Refund::new("b", "r5", "f5", "") };
    world.run(&refund(&[too_rich])).refuses(&["amount_out_of_range"]);
    asked.seats = "1";
    assert!(sale.run(&refund(&[asked])).outcome().starts_with("refunded f2 r1 "));
}

#[tokio::test]
async fn only_what_was_paid_is_refunded() {
    let mut sale = paid().await;
    let asked = refund(&[Refund::new("a", "r2", "f1", "")]);
    sale.run(&asked).refuses(&["invalid_reservation not_found"]);
    sale.at(299_999);
    sale.run(&asked).refuses(&["invalid_reservation not_found"]);
    sale.at(300_000);
    sale.run(&asked).refuses(&["invalid_reservation expired"]);
    sale.run(&super::sale::reservations("expire", &["r2"]));
    sale.run(&asked).refuses(&["invalid_reservation expired"]);
    sale.held("b", "2", "r3", "5:900");
    sale.run(&release(&[("b", 12, "r3")]));
    sale.run(&refund(&[Refund::new("b", "r3", "f1", "")])).refuses(&["invalid_reservation cancelled"]);
    sale.run(&refund(&[Refund::new("a", "r1", "f1", "")]));
    sale.run(&refund(&[Refund::new("a", "r1", "f2", "")])).refuses(&["invalid_reservation refunded"]);
    sale.run(&pay(&[Pay::new("a", "r1", "p9")])).refuses(&["invalid_reservation refunded"]);
    sale.run(&release(&[("a", 12, "r1")])).refuses(&["released"]);
}

/// It pays back long after the sale has closed.
#[tokio::test]
async fn refunding_goes_on_when_the_sale_has_closed() {
    let mut sale = paid().await;
    sale.world.policy(&[("closes_at", "1900000000001")]);
    sale.at(90_000_000);
    let step = sale.run(&refund(&[Refund::new("a", "r1", "f1", "1")]));
    assert_eq!(step.outcome(), "refunded f1 r1 12 1:700 700 confirmed");
}

#[tokio::test]
async fn refunded_seats_are_sold_again() {
    let mut sale = paid().await;
    sale.run(&refund(&[Refund::new("a", "r1", "f1", "3")]));
    let step =
        sale.run(&hold(&[Hold::new("b", "2", "r3", "3:800"), Hold::new("b", "2", "r4", "3:800,1:700")]));
    assert_eq!(step.outcomes[0], "held r3 12 3:800 800 T T+300000");
    assert_eq!(step.outcomes[1], "seat_unavailable 3 1");
    sale.fund("b", "800");
    sale.run(&pay(&[Pay::new("b", "r3", "p3")]));
    sale.run(&refund(&[Refund::new("a", "r1", "f2", "3")])).refuses(&["invalid_reservation refunded"]);
    sale.run(&refund(&[Refund::new("a", "r1", "f2", "")]));
    assert_eq!((sale.get("holder:12/3"), sale.get("seats:12")), ("r3".into(), "0002010000".into()));
    assert_eq!((sale.get("meta/revenue"), sale.get("owned:12/b")), ("800".into(), "1".into()));
}

/// Whoever has given seats back may have others.
#[tokio::test]
async fn refunded_seats_do_not_count_for_the_limit() {
    let mut sale = Sale::with(&["a"]).await;
    sale.world.policy(&[("end_token_on", "never")]);
    sale.fund("a", "100");
    sale.held("a", "1", "r1", "0:10,1:10,2:10,3:10");
    sale.run(&pay(&[Pay::new("a", "r1", "p1")]));
    let wanted = hold(&[Hold::new("a", "1", "r2", "5:1,6:1,7:1")]);
    sale.run(&wanted).refuses(&["purchase_limit 6 4"]);
    sale.run(&refund(&[Refund::new("a", "r1", "f1", "2")]));
    assert!(sale.run(&wanted).outcome().starts_with("held r2 "));
}
