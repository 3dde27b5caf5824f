//! `refund` and `settle` of what a card paid: owed to the card from the step on that frees the seats, and given back once.

use super::card::begun;
use super::promise::a_throw_leaves_no_trace;
use super::sale::{Charge, Refund, Sale, charge, confirm, id, refund, settle};

/// `a` has paid seats 3 and 1 by r1 with the card of p1 for 1,200 at 2,000, and has 50; the gateway has captured it if `captured`.
async fn paid(captured: bool) -> Sale {
    let mut sale = begun().await;
    sale.at(2000);
    assert_eq!(sale.run(&confirm(&[("p1", "w00", "authorised")])).outcome(), "capture");
    if captured {
        assert_eq!(sale.run(&settle(&[("p1", "captured")])).outcome(), "settled");
    }
    sale
}

#[tokio::test]
async fn all_that_a_refund_to_a_card_writes_of_a_seat_and_of_the_rest() {
    let mut sale = paid(true).await;
    sale.at(3000);
    sale.run(&refund(&[Refund { key: "k", ..Refund::new("a", "r1", "f1", "3") }])).is(
        &["refunded f1 r1 12 3:500 500 confirmed"],
        &[
            "refunding r1 12 1:a f1 500 50 3:500 3:500 confirmed 14:4:bossrefund:k f4 p1 1200",
            "w00 refunding f1 1:a 7 12 r1 500 50",
        ],
        &[
            "cards/f1: refund r1 12 500 T+3000 p1 1200 a",
            "holder:12/3: gone",
            "idem/4:bossrefund:k: f4 f1 r1 12 3:500 500 confirmed",
            "idem_end/4:bossrefund:k: T+86403000",
            "idem_user/boss: 1",
            "meta/revenue: 700",
            "meta/sellable: 19",
            "meta/v:12: 10",
            "owned:12/a: 1",
            "res/r1: confirmed 12 1200 T T+601000 1 p1 3:500,1:700 balance=50,card=p1,refunded=3 a",
            "seats:12: 0200000000",
        ],
    );
    let again = Refund { key: "k", ..Refund::new("a", "r1", "f9", "3") };
    sale.run(&refund(&[again])).refuses(&["replayed f1 r1 12 3:500 500 confirmed"]);
    sale.run(&refund(&[Refund::new("a", "r1", "f9", "3")])).refuses(&["invalid_reservation refunded"]);
    sale.at(4000);
    sale.run(&refund(&[Refund::new("a", "r1", "f2", "")])).is(
        &["refunded f2 r1 12 1:700 700 refunded"],
        &[
            "refunding r1 12 1:a f2 700 50 1:700 3:500,1:700 refunded 0: - p1 1200",
            "w00 refunding f2 1:a 7 12 r1 700 50",
        ],
        &[
            "cards/f2: refund r1 12 700 T+4000 p1 1200 a",
            "ended/r1: T+4000",
            "holder:12/1: gone",
            "meta/revenue: 0",
            "meta/sellable: 20",
            "meta/v:12: 11",
            "owned:12/a: gone",
            "res/r1: refunded 12 1200 T T+601000 1 p1 3:500,1:700 balance=50,card=p1,refunded=3;1 a",
            "seats:12: 0000000000",
        ],
    );
    sale.run(&settle(&[("f1", "returned"), ("f2", "returned")])).is(
        &["settled", "settled"],
        &["returned r1 12 1:a p1 f1 500", "returned r1 12 1:a p1 f2 700"],
        &["cards/f1: gone", "cards/f2: gone"],
    );
    sale.run(&settle(&[("f1", "returned")])).refuses(&["settled"]);
    sale.run(&settle(&[("f1", "refused")])).refuses(&["settled"]);
}

/// What the gateway refuses stays, is told once, and may still end well.
#[tokio::test]
async fn a_refund_that_the_gateway_refuses_waits_for_people() {
    let mut sale = paid(true).await;
    sale.run(&refund(&[Refund::new("a", "r1", "f1", "")]));
    sale.at(5000);
    sale.run(&settle(&[("f1", "refused")])).is(
        &["settled"],
        &["refused r1 12 1:a p1 f1 1200"],
        &["cards/f1: refused r1 12 1200 T+5000 p1 1200 a"],
    );
    sale.at(6000);
    sale.run(&settle(&[("f1", "refused")])).refuses(&["settled"]);
    for done in ["captured", "voided"] {
        sale.run(&settle(&[("f1", done)])).refuses(&["kept"]);
    }
    sale.run(&settle(&[("f1", "returned")])).is(
        &["settled"],
        &["returned r1 12 1:a p1 f1 1200"],
        &["cards/f1: gone"],
    );
}

/// The payment has a record of its own until it is captured, and neither is taken for the other.
#[tokio::test]
async fn a_refund_before_the_capture_leaves_both_to_be_told() {
    let mut sale = paid(false).await;
    sale.run(&refund(&[Refund::new("a", "r1", "f1", "1")]));
    assert_eq!(sale.get(&format!("cards/{}", id("p1"))), "capture r1 12 1200 1900000002000 a");
    assert_eq!(sale.get(&format!("cards/{}", id("f1"))), "refund r1 12 700 1900000002000 p1 1200 a");
    for (name, done) in [("p1", "returned"), ("p1", "refused"), ("f1", "captured"), ("f1", "voided")] {
        sale.run(&settle(&[(name, done)])).refuses(&["kept"]);
    }
    sale.run(&confirm(&[("f1", "w00", "authorised")])).refuses(&["settled"]);
    sale.run(&confirm(&[("p1", "w00", "authorised")])).refuses(&["capture"]);
    sale.run(&settle(&[("p1", "captured"), ("f1", "returned")])).is(
        &["settled", "settled"],
        &["captured r1 12 1:a p1", "returned r1 12 1:a p1 f1 700"],
        &["cards/f1: gone", "cards/p1: gone"],
    );
}

/// Where a balance would be too large a card's money still goes back.
#[tokio::test]
async fn a_full_balance_does_not_keep_money_from_a_card() {
    let mut sale = paid(true).await;
    sale.run(&charge(&[Charge::new("a", "c9", "9007199254740941", "x")]));
    let step = sale.run(&refund(&[Refund::new("a", "r1", "f1", "")]));
    assert_eq!(step.outcome(), "refunded f1 r1 12 3:500,1:700 1200 refunded");
    assert_eq!(sale.get("w00:balances/a").split(' ').next(), Some("9007199254740991"));
}

/// The step decides nothing on a stopped sale; what the gateway has done is noted all the same.
#[tokio::test]
async fn a_stopped_sale_gives_nothing_back_to_a_card() {
    let mut sale = paid(true).await;
    sale.run(&refund(&[Refund::new("a", "r1", "f1", "3")]));
    sale.world.command(&["HSET", "{c7}:meta", "stopped", "log_lost"]);
    sale.run(&refund(&[Refund::new("a", "r1", "f2", "")])).refuses(&["sales_stopped"]);
    assert_eq!(sale.run(&settle(&[("f1", "returned")])).outcome(), "settled");
}

#[tokio::test]
async fn a_step_that_throws_leaves_no_trace() {
    let mut sale = paid(true).await;
    let keyed = |name, seats| Refund { key: "k", ..Refund::new("a", "r1", name, seats) };
    let call = refund(&[keyed("f1", "3"), keyed("f2", "3"), Refund::new("a", "r1", "f3", "")]);
    a_throw_leaves_no_trace(&mut sale.world, &call);
    sale.run(&call);
    let call = settle(&[("f1", "refused"), ("f1", "refused"), ("f3", "returned"), ("f3", "refused")]);
    a_throw_leaves_no_trace(&mut sale.world, &call);
}
