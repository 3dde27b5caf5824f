//! `block`: seats go out of sale and come back, all of a request or none.

use super::call::Call;
use super::sale::{Block, Hold, Pay, Sale, block, hold, pay};

#[tokio::test]
async fn all_that_it_writes() {
    let mut sale = Sale::with(&["a"]).await;
    sale.at(1000);
    sale.run(&block(&[Block::new("k", "4,2")])).is(
        &["blocked"],
        &["blocked 12 4,2 13:4:bossblock:k f5"],
        &[
            "idem/4:bossblock:k: f5 blocked",
            "idem_end/4:bossblock:k: T+86401000",
            "idem_user/boss: 1",
            "meta/sellable: 18",
            "meta/v:12: 6",
            "seats:12: 0030300000",
        ],
    );
    sale.run(&block(&[Block { by: "", ..Block::back("i", "2") }])).is(
        &["unblocked"],
        &["unblocked 12 2 9:0:block:i f5"],
        &[
            "idem/0:block:i: f5 unblocked",
            "idem_end/0:block:i: T+86401000",
            "idem_user/: 1",
            "meta/sellable: 19",
            "meta/v:12: 7",
            "seats:12: 0000300000",
        ],
    );
    sale.at(86_401_000);
    assert_eq!(sale.run_aside(&Call::one("tidy", &["0"])).outcome(), "tidied 2 0");
    assert!(!sale.world.state().paths().any(|path| path.starts_with("idem")));
}

/// A request that every rule refuses is put right one rule at a time: what it is told is the first that is left.
#[tokio::test]
async fn refusals_in_order_of_precedence() {
    let mut sale = Sale::with(&["a"]).await;
    sale.held("a", "1", "r1", "3:10");
    sale.run(&block(&[Block::new("k", "9")]));
    let world = &mut sale.world;
    world.command(&["HSET", "{c7}:meta", "stopped", "log_lost"]);
    world.command(&["HSET", "{c7}:idem_user", "boss", "1000"]);
    let mut asked = Block { fingerprint: "f9", ..Block::new("k", "3,4,9,10") };
    world.run(&block(&[asked])).refuses(&["idempotency_key_reused"]);
    asked.key = "k2";
    world.run(&block(&[asked])).refuses(&["rate_limited"]);
    world.run(&block(&[Block { by: "", ..asked }])).refuses(&["sales_stopped"]);
    world.command(&["HSET", "{c7}:idem_user", "boss", "1"]);
    world.run(&block(&[asked])).refuses(&["sales_stopped"]);
    world.command(&["HDEL", "{c7}:meta", "stopped"]);
    world.run(&block(&[asked])).refuses(&["seat_unavailable 3 9 10"]);
    world.run(&block(&[Block { word: "unblocked", ..asked }])).refuses(&["seat_unavailable 3 4 10"]);
    asked.seats = "4";
    assert_eq!(sale.run(&block(&[asked])).outcome(), "blocked");
}

#[tokio::test]
async fn sent_again_it_gets_its_first_answer() {
    let mut sale = Sale::with(&["a"]).await;
    let (out, back) = (Block::new("k", "4,2"), Block::back("k2", "2"));
    let both = block(&[out, back, out, back]);
    assert_eq!(sale.run(&both).outcomes, ["blocked", "unblocked", "replayed", "replayed"]);
    sale.held("a", "1", "r1", "2:10");
    sale.world.command(&["HSET", "{c7}:meta", "stopped", "log_lost"]);
    sale.run(&both).refuses(&["replayed"; 4]);
}

/// The millisecond before and at the end of a hold.
#[tokio::test]
async fn seats_of_a_hold_that_is_over_are_free() {
    let mut sale = Sale::with(&["a"]).await;
    sale.held("a", "1", "r1", "2:10,3:10");
    let asked = block(&[Block::new("k", "3,7")]);
    sale.at(299_999);
    sale.run(&asked).refuses(&["seat_unavailable 3"]);
    sale.at(300_000);
    let step = sale.run(&asked);
    assert_eq!(step.outcome(), "blocked");
    assert_eq!(step.events, ["expired r1 12 1:a 2:10,3:10", "blocked 12 3,7 13:4:bossblock:k f5"]);
    assert_eq!((sale.get("seats:12"), sale.get("meta/sellable")), ("0003000300".into(), "18".into()));
}

#[tokio::test]
async fn blocked_seats_are_not_sold_and_a_show_without_others_is_sold_out() {
    let mut sale = Sale::with(&["a"]).await;
    sale.fund("a", "10");
    sale.held("a", "1", "r1", "0:10");
    let rest = "1,2,3,4,5,6,7,8,9";
    let other = Block { show: 13, ..Block::new("k13", "0,1,2,3,4,5,6,7,8,9") };
    assert_eq!(sale.run(&block(&[Block::new("k12", rest), other])).outcomes, ["blocked", "blocked"]);
    sale.run(&hold(&[Hold::new("a", "1", "r2", "5:10,0:10")])).refuses(&["seat_unavailable 5 0"]);
    assert_eq!(sale.get("meta/sellable"), "1");
    sale.run(&pay(&[Pay::new("a", "r1", "p1")]));
    assert_eq!(sale.get("meta/sellable"), "0");
    sale.run(&Call::batch("join", &[&["b"]])).refuses(&["sold_out"]);
    sale.run(&block(&[Block::back("k2", "5")]));
    sale.join(&["b"]);
    assert!(sale.run(&hold(&[Hold::new("b", "2", "r3", "5:10")])).outcome().starts_with("held "));
}
