//! `forget_wallet` of one who charges his balance through the gateway.

use super::forget::forget_top_ups;
use super::promise::a_throw_leaves_no_trace;
use super::sale::id;
use super::top_up::{TopUp, begun, credit, said, top_up};

const REQUESTS: [&str; 2] = ["1:acharge:1:afund 500", "1:atopup:k"];

#[tokio::test]
async fn an_open_charge_gets_the_name_and_the_money_comes_to_it() {
    let mut sale = begun().await;
    sale.run(&top_up(&[TopUp::new("b", "c2", "7", "k")]));
    sale.run(&said("authorised"));
    let call = |mode| forget_top_ups(mode, "0", &REQUESTS, &["c1", "c2", "c1", "c3"]);
    sale.run(&call("look")).refuses(&["found 1 2 500 1"]);
    sale.at(2000);
    sale.run(&call("forget")).is(
        &["forgotten 1 2 500 1"],
        &["w00 forgotten 1:a 4:anon"],
        &[
            "w00:balances/a: gone",
            "w00:balances/anon: 500 T",
            "w00:idem/1:acharge:1:afund 500: gone",
            "w00:idem/1:atopup:k: gone",
            "w00:idem/4:anoncharge:4:anonfund 500: f3 c0 500 500",
            "w00:idem/4:anontopup:k: f6 c1",
            "w00:idem_end/1:acharge:1:afund 500: gone",
            "w00:idem_end/1:atopup:k: gone",
            "w00:idem_end/4:anoncharge:4:anonfund 500: T+86400000",
            "w00:idem_end/4:anontopup:k: T+86401000",
            "w00:idem_user/a: gone",
            "w00:idem_user/anon: 2",
            "w00:top_ups/c1: capture 10000 KRW T+61000 T+1000 anon",
        ],
    );
    sale.run(&said("captured")).refuses(&["not_found"]);
    let by_the_name = credit(&[("w00", "anon", "c1", "captured")]);
    let step = sale.run(&by_the_name);
    assert_eq!(step.outcome(), "credited credited 10000 10500");
    assert_eq!(step.events, ["w00 credited c1 4:anon 10000 10500"]);
    assert_eq!(sale.get("w00:balances/anon"), "10500 1900000002000");
}

/// The server has read the record before he was forgotten, and tells the script after.
#[tokio::test]
async fn what_the_gateway_says_meanwhile_counts_for_a_pseudonym() {
    let mut sale = begun().await;
    let name = format!("forgotten-{}", id("xx"));
    let record = format!("capture 10000 KRW 1900000061000 1900000001000 {name}");
    sale.world.command(&["HSET", "{w00}:top_ups", &id("c1"), &record]);
    let step = sale.run_aside(&said("captured"));
    assert_eq!(step.outcome(), "credited credited 10000 10000");
    assert_eq!(sale.get("w00:balances/a"), "500 1900000000000");
    assert_eq!(sale.get(&format!("w00:balances/{name}")), "10000 1900000001000");
    assert_eq!(sale.get(&format!("w00:idem/30:{name}ended:{}", id("c1"))), "- credited 10000 10000");
}

#[tokio::test]
async fn one_who_leaves_begins_none_and_is_credited_still() {
    let mut sale = begun().await;
    sale.run(&forget_top_ups("freeze", "0", &[], &[]));
    sale.run(&top_up(&[TopUp::new("a", "c2", "5", "more")])).refuses(&["request_in_progress"]);
    let step = sale.run(&top_up(&[TopUp::new("a", "c2", "10000", "k")]));
    assert!(step.outcome().starts_with("replayed c1 "), "{step:?}");
    sale.run(&said("captured"));
    assert_eq!(sale.get("w00:balances/a"), "10500 1900000001000 leaving");
    let ended = format!("1:aended:{}", id("c1"));
    let step = sale.run(&forget_top_ups("forget", "0", &[REQUESTS[0], REQUESTS[1], &ended], &["c1"]));
    assert_eq!(step.outcome(), "forgotten 1 3 10500 0");
    assert_eq!(sale.get("w00:balances/anon"), "10500 1900000001000");
    assert_eq!(sale.get(&format!("w00:idem/4:anonended:{}", id("c1"))), "- credited 10000 10500");
    let counts = ["a", "anon"].map(|user| sale.get(&format!("w00:idem_user/{user}")));
    assert_eq!(counts, ["-", "2"], "his own keys count, what became of them does not");
}

/// What a run that is given again finds under the old id belongs to somebody else.
#[tokio::test]
async fn a_new_user_of_that_id_keeps_his() {
    let mut sale = begun().await;
    sale.run(&forget_top_ups("forget", "0", &REQUESTS, &["c1"]));
    sale.run(&top_up(&[TopUp::new("a", "c2", "5", "k")]));
    let step = sale.run(&forget_top_ups("forget", "0", &[], &["c1", "c2"]));
    assert_eq!(step.outcome(), "found 0 0 0 0");
    assert!(sale.get(&format!("w00:top_ups/{}", id("c2"))).ends_with(" a"));
}

#[tokio::test]
async fn a_charge_alone_is_renamed_and_a_throw_changes_nothing() {
    let mut sale = begun().await;
    a_throw_leaves_no_trace(&mut sale.world, &forget_top_ups("forget", "0", &REQUESTS, &["c1"]));
    sale.world.command(&["HDEL", "{w00}:balances", "a"]);
    let step = sale.run_aside(&forget_top_ups("forget", "0", &[], &["c1"]));
    assert_eq!((step.outcome(), step.events.len()), ("forgotten 0 0 0 1", 1), "{step:?}");
    assert!(sale.get(&format!("w00:top_ups/{}", id("c1"))).ends_with(" anon"));
}
