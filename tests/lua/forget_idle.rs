//! `forget` and `forget_wallet` in the mode `idle`: only of one of whom nothing is live (decision 0015).

use super::call::Call;
use super::forget::{forget, forget_top_ups, forget_wallet};
use super::promise::a_throw_leaves_no_trace;
use super::requests::tidy_wallets;
use super::sale::{Charge, Pay, Refund, Sale, charge, id, pay, refund};
use super::top_up::{TopUp, top_up};

const DAY: i64 = 24 * 3600 * 1000;

/// Requests are forgotten.
fn a_day_later(sale: &mut Sale) {
    sale.at(DAY);
    sale.run_aside(&tidy_wallets(&[0]));
}

/// `a` has paid seats 3 and 4 by r1 with all that he had, and has left the line.
async fn bought() -> Sale {
    let mut sale = Sale::with(&["a", "b"]).await;
    sale.world.policy(&[("end_token_on", "payment")]);
    sale.fund("a", "800");
    sale.held("a", "1", "r1", "3:500,4:300");
    sale.run(&pay(&[Pay::new("a", "r1", "p1")]));
    sale
}

#[tokio::test]
async fn a_buyer_of_whom_nothing_is_live_gets_the_name() {
    let mut sale = bought().await;
    let idle = forget("idle", "0", &["r1"], &[]);
    sale.run(&forget("idle", "0", &[], &[])).refuses(&["incomplete"]);
    sale.at(1000);
    sale.run(&idle).is(
        &["forgotten 1 0 2 0 0 0"],
        &["forgotten 1:a 4:anon"],
        &[
            "owned:12/a: gone",
            "owned:12/anon: 2",
            "res/r1: confirmed 12 800 T T+300000 1 p1 3:500,4:300 balance=0 anon",
        ],
    );
    // The last entry names him still: the same again, whose answer was lost, only pushes it on.
    sale.run(&idle).is(&["forgotten 0 0 2 0 0 0"], &["forgotten 4:anon 4:anon"], &[]);
}

#[tokio::test]
async fn a_place_or_a_hold_keeps_a_buyer_his_name() {
    let mut sale = bought().await;
    let idle = forget("idle", "0", &["r1"], &[]);
    sale.join(&["a"]);
    sale.run(&idle).refuses(&["found 1 0 3 0 1 0"]);
    sale.held("a", "3", "r2", "5:10");
    sale.run(&idle).refuses(&["found 2 0 3 1 1 0"]);
    // Both are over by then, and are told of as such.
    sale.at(700_000);
    let step = sale.run(&idle);
    assert_eq!(step.outcome(), "forgotten 2 0 3 0 0 0");
    assert_eq!(
        step.events,
        ["expired r2 12 1:a 5:10", "ended 3 1:a lapsed", "forgotten 1:a 4:anon"],
        "{step:?}"
    );
}

#[tokio::test]
async fn a_balance_of_nothing_gets_the_name_once_it_has_not_moved_for_long() {
    let mut sale = bought().await;
    sale.run(&forget_wallet("idle", "1900000000000", &[])).refuses(&["found 1 0 0 0"]);
    a_day_later(&mut sale);
    sale.run_aside(&forget_wallet("idle", "1899999999999", &[])).refuses(&["found 1 0 0 0"]);
    sale.run_aside(&forget_wallet("idle", "1900000000000", &[])).is(
        &["forgotten 1 0 0 0"],
        &["w00 forgotten 1:a 4:anon"],
        &["w00:balances/a: gone", "w00:balances/anon: 0 T"],
    );
    // Whoever comes under the old name is somebody else, and stays him: there is a balance of the new name.
    sale.run_aside(&forget_wallet("idle", "1900000000000", &[])).refuses(&["found 0 0 0 0"]);
    sale.run_aside(&charge(&[Charge::new("a", "c9", "7", "again")]));
    sale.run_aside(&forget_wallet("idle", "1900000000000", &[])).refuses(&["found 0 0 0 0"]);
}

#[tokio::test]
async fn money_a_charge_under_way_and_being_forgotten_keep_the_name() {
    let mut sale = bought().await;
    sale.run(&charge(&[Charge::new("b", "c9", "7", "k")]));
    a_day_later(&mut sale);
    let of_b = |words: &[&str]| {
        let mut all = vec!["b", "anon"];
        all.extend_from_slice(words);
        Call::one("forget_wallet", &all).without_concert().wallets(&[0]).top_ups()
    };
    sale.run_aside(&of_b(&["idle", "1999999999999", "0", "0"])).refuses(&["found 1 0 7 0"]);
    sale.run_aside(&top_up(&[TopUp::new("a", "c1", "10000", "k")]));
    sale.world.command(&["HDEL", "{w00}:idem_user", "a"]);
    let charges = forget_top_ups("idle", "1999999999999", &[], &["c1"]);
    sale.run_aside(&charges).refuses(&["found 1 0 0 1"]);
    let mut sale = bought().await;
    a_day_later(&mut sale);
    sale.run_aside(&forget_wallet("freeze", "0", &[]));
    sale.run_aside(&forget_wallet("idle", "1999999999999", &[])).refuses(&["found 1 0 0 0"]);
}

/// Paid by card, or charged in vain: there are entries of his and no balance.
#[tokio::test]
async fn one_without_a_balance_gets_the_name_in_the_log() {
    let mut sale = Sale::with(&["a"]).await;
    sale.run(&forget_wallet("idle", "0", &[])).is(&["forgotten 0 0 0 0"], &["w00 forgotten 1:a 4:anon"], &[]);
}

/// Nobody knows any more whose balance paid it; a card knows its owner.
#[tokio::test]
async fn a_refund_to_a_balance_that_nobody_knows_is_refused() {
    let mut sale = bought().await;
    let name = format!("anonymous-{}", id("xx"));
    let record = |how: &str| format!("confirmed 12 800 0 0 1 p 3:500,4:300 balance=0{how} {name}");
    sale.world.command(&["HSET", "{c7}:res", &id("r1"), &record("")]);
    let back = refund(&[Refund::new(&name, "r1", "f1", "3")]);
    let step = sale.run_aside(&back);
    assert_eq!((step.outcome(), step.events.len()), ("invalid_reservation anonymous", 0));
    sale.world.command(&["HSET", "{c7}:res", &id("r1"), &record(",card=p")]);
    let step = sale.run_aside(&back);
    assert!(step.outcome().starts_with("refunded f1 "), "{step:?}");
}

#[tokio::test]
async fn a_throw_anywhere_leaves_no_trace() {
    let mut sale = bought().await;
    a_throw_leaves_no_trace(&mut sale.world, &forget("idle", "0", &["r1"], &[]));
    let mut sale = bought().await;
    a_day_later(&mut sale);
    a_throw_leaves_no_trace(&mut sale.world, &forget_wallet("idle", "1900000000000", &[]));
}
