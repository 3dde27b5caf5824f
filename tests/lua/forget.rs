//! `forget` and `forget_wallet`: another name in all that there is of a user, and only there.

use super::call::Call;
use super::promise::{a_throw_leaves_no_trace, stops_when_the_log_was_lost};
use super::sale::{
    Authorise, Charge, Hold, Pay, Refund, Sale, authorise, charge, confirm, hold, id, pay, refund,
    reservations, settle,
};

/// `a` is forgotten as `anon`; `reservations` and `requests` are what was read of him.
pub(super) fn forget(mode: &str, before: &str, reservations: &[&str], requests: &[&str]) -> Call {
    forget_cards(mode, before, (reservations, requests), &[])
}

/// The same, of one who has paid with these cards, or has been given back to them.
fn forget_cards(
    mode: &str,
    before: &str,
    (reservations, requests): (&[&str], &[&str]),
    cards: &[&str],
) -> Call {
    let mut words: Vec<String> = ["a", "anon", mode, before].map(str::to_owned).into();
    words.push(reservations.len().to_string());
    words.extend(reservations.iter().map(|short| id(short)));
    words.push(requests.len().to_string());
    words.extend(requests.iter().map(|request| (*request).to_owned()));
    words.push(cards.len().to_string());
    words.extend(cards.iter().map(|short| id(short)));
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    Call::one("forget", &words).shows(&[12, 13])
}

pub(super) fn forget_wallet(mode: &str, before: &str, requests: &[&str]) -> Call {
    forget_top_ups(mode, before, requests, &[])
}

/// The same, of one who has begun these charges through the gateway.
pub(super) fn forget_top_ups(mode: &str, before: &str, requests: &[&str], charges: &[&str]) -> Call {
    let mut words: Vec<String> = ["a", "anon", mode, before].map(str::to_owned).into();
    words.push(requests.len().to_string());
    words.extend(requests.iter().map(|request| (*request).to_owned()));
    words.push(charges.len().to_string());
    words.extend(charges.iter().map(|short| id(short)));
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    Call::one("forget_wallet", &words).without_concert().wallets(&[0]).top_ups()
}

const PAY: &str = "1:apay:k";

/// `a`, who has 4,200, has paid seats 3 and 4 by r1, and holds 5 by r2 until 300,000; `b` holds 6 by r3.
async fn lived() -> Sale {
    let mut sale = Sale::with(&["a", "b"]).await;
    sale.world.policy(&[("end_token_on", "never")]);
    sale.fund("a", "5000");
    sale.held("a", "1", "r1", "3:500,4:300");
    sale.run(&pay(&[Pay { key: "k", ..Pay::new("a", "r1", "p1") }]));
    sale.held("a", "1", "r2", "5:10");
    sale.held("b", "2", "r3", "6:10");
    sale
}

#[tokio::test]
async fn all_that_a_concert_has_of_him_gets_the_name() {
    let mut sale = lived().await;
    sale.run(&forget("look", "0", &["r1"], &[PAY])).refuses(&["found 2 1 2 1 1 0"]);
    sale.run(&forget("look", "0", &[], &[])).refuses(&["found 1 0 2 1 1 0"]);
    sale.run(&forget("forget", "0", &[], &[PAY])).refuses(&["incomplete"]);
    sale.at(1000);
    sale.run(&forget("forget", "0", &["r1", "r2", "r3"], &[PAY, PAY, "1:bpay:k"])).is(
        &["forgotten 2 1 2 1 1 0"],
        &["released r2 12 1:a 5:10 user", "ended 1 1:a left", "forgotten 1:a 4:anon"],
        &[
            "active/a: gone",
            "ended/r2: T+1000",
            "expiry/r2: gone",
            "holder:12/5: gone",
            "idem/1:apay:k: gone",
            "idem/4:anonpay:k: f2 p1 r1",
            "idem_end/1:apay:k: gone",
            "idem_end/4:anonpay:k: T+86400000",
            "idem_user/a: gone",
            "idem_user/anon: 1",
            "meta/v:12: 11",
            "owned:12/a: gone",
            "owned:12/anon: 2",
            "pending/a: gone",
            "place/a: gone",
            "res/r1: confirmed 12 800 T T+300000 1 p1 3:500,4:300 balance=4200 anon",
            "res/r2: cancelled 12 10 T T+300000 1 - 5:10 - anon",
            "seats:12: 0002201000",
        ],
    );
    // The last entry names him; then it does not, and there is nothing left to do.
    let sweep = forget("sweep", "1900000001000", &["r1", "r2"], &[]);
    sale.run(&sweep).is(&["forgotten 0 0 2 0 0 0"], &["forgotten 4:anon 4:anon"], &[]);
    sale.run(&sweep).refuses(&["forgotten 0 0 2 0 0 0"]);
    sale.run(&forget("forget", "0", &["r1", "r2"], &[PAY])).refuses(&["forgotten 0 0 2 0 0 0"]);
}

#[tokio::test]
async fn what_is_over_ends_as_such_and_a_place_in_line_is_left() {
    let mut sale = lived().await;
    sale.world.policy(&[("max_active", "1")]);
    sale.at(700_000);
    let step = sale.run(&forget("forget", "0", &["r1"], &[PAY]));
    assert_eq!(step.outcomes, ["forgotten 2 1 2 0 0 0"]);
    assert_eq!(
        step.events,
        ["expired r2 12 1:a 5:10", "ended 1 1:a lapsed", "forgotten 1:a 4:anon"],
        "{step:?}"
    );
    sale.world.policy(&[("max_active", "0")]);
    let step = sale.run(&Call::batch("join", &[&["a"]]));
    assert!(step.outcome().starts_with("waiting 3 "), "{step:?}");
    sale.run(&forget("forget", "0", &["r1"], &[])).is(
        &["forgotten 0 0 3 0 1 0"],
        // Nothing has his name; the entry before this one had.
        &["ended 3 1:a left", "forgotten 4:anon 4:anon"],
        &["queue/a: gone"],
    );
}

/// Ended ones and requests that nobody knew of when he was forgotten; what he has begun since is not touched.
#[tokio::test]
async fn a_sweep_takes_what_was_not_known_and_nothing_of_a_new_user() {
    let mut sale = lived().await;
    sale.run_aside(&forget("forget", "0", &["r1"], &[]));
    sale.world.command(&["HSET", "{c7}:res", &id("r2"), "cancelled 12 10 0 0 1 - 5:10 - a"]);
    sale.at(5);
    sale.run_aside(&Call::batch("join", &[&["a"]]));
    let held = hold(&[Hold { key: "new", ..Hold::new("a", "3", "r5", "7:10") }]);
    assert!(sale.run_aside(&held).outcome().starts_with("held r5 "));
    let sweep = forget("sweep", "1900000000000", &["r1", "r2"], &[PAY, "1:ahold:new"]);
    let step = sale.run_aside(&sweep);
    assert_eq!(step.outcomes, ["forgotten 1 1 3 0 1 0"], "{step:?}");
    assert_eq!((sale.get("idem_user/a"), sale.get("idem_user/anon")), ("1".into(), "1".into()));
    assert_eq!(sale.get(&format!("res/{}", id("r2"))), "cancelled 12 10 0 0 1 - 5:10 - anon");
    assert_eq!((sale.get("owned:12/a"), sale.get("owned:12/anon")), ("1".into(), "2".into()));
}

/// He comes again between two calls of a run that is given again, and uses a key that he had used before.
#[tokio::test]
async fn a_key_used_again_is_one_request_of_the_name() {
    let mut sale = lived().await;
    let again = |seq, id, seats| hold(&[Hold { key: "h", ..Hold::new("a", seq, id, seats) }]);
    sale.run(&again("1", "r4", "7:10"));
    let requests = [PAY, "1:ahold:h"];
    sale.run(&forget("forget", "0", &["r1"], &requests));
    assert_eq!(sale.get("idem_user/anon"), "2");
    sale.run(&Call::batch("join", &[&["a"]]));
    let step = sale.run(&again("3", "r5", "8:10"));
    assert!(step.outcome().starts_with("held r5 "), "{step:?}");
    let step = sale.run_aside(&forget("forget", "0", &["r1"], &requests));
    assert_eq!(step.outcome(), "forgotten 1 1 3 1 1 0", "{step:?}");
    assert_eq!((sale.get("idem_user/anon"), sale.get("idem_user/a")), ("2".into(), "-".into()));
    assert!(sale.get("idem/4:anonhold:h").contains("r5 "), "the later one");
}

#[tokio::test]
async fn a_card_payment_goes_on_under_the_name() {
    let mut sale = Sale::with(&["a"]).await;
    sale.held("a", "1", "r1", "3:500");
    sale.run(&authorise(&[Authorise::new("a", "r1", "p1")]));
    sale.at(1000);
    sale.run(&forget("look", "0", &[], &[])).refuses(&["found 1 0 1 1 1 1"]);
    let step = sale.run(&forget("forget", "0", &[], &[]));
    assert_eq!(step.outcomes, ["forgotten 1 0 1 1 1 1"], "{step:?}");
    assert_eq!(sale.get(&format!("cards/{}", id("p1"))), "authorising r1 12 500 1900000000000 anon");
    // Its hold has ended, so it buys nothing.
    let step = sale.run(&confirm(&[("p1", "w00", "authorised")]));
    assert_eq!(
        (step.outcome(), step.events.as_slice()),
        ("void", &["voiding r1 12 4:anon p1 cancelled".to_owned()][..])
    );
}

/// `a` has paid seats 3, 4 and 5 by r1 with the card of p1, which is captured, and is owed 3 by f1 and 4 by f2; f2 is refused.
async fn owed() -> Sale {
    let mut sale = Sale::with(&["a", "b"]).await;
    sale.held("a", "1", "r1", "3:500,4:300,5:10");
    sale.run(&authorise(&[Authorise::new("a", "r1", "p1")]));
    sale.run(&confirm(&[("p1", "w00", "authorised")]));
    sale.run(&settle(&[("p1", "captured")]));
    sale.run(&refund(&[Refund::new("a", "r1", "f1", "3"), Refund::new("a", "r1", "f2", "4")]));
    sale.run(&settle(&[("f2", "refused")]));
    sale
}

#[tokio::test]
async fn what_is_owed_to_his_card_goes_back_under_the_name() {
    let mut sale = owed().await;
    let call = |mode| forget_cards(mode, "0", (&["r1"], &[]), &["f1", "f2", "f1", "f3"]);
    sale.at(1000);
    sale.run(&call("look")).refuses(&["found 1 0 2 0 0 2"]);
    sale.run(&call("forget")).is(
        &["forgotten 1 0 2 0 0 2"],
        &["forgotten 1:a 4:anon"],
        &[
            "cards/f1: refund r1 12 500 T p1 810 anon",
            "cards/f2: refused r1 12 300 T p1 810 anon",
            "owned:12/a: gone",
            "owned:12/anon: 1",
            "res/r1: confirmed 12 810 T T+600000 1 p1 3:500,4:300,5:10 balance=0,card=p1,refunded=3;4 anon",
        ],
    );
    sale.run(&call("forget")).is(&["forgotten 0 0 2 0 0 0"], &["forgotten 4:anon 4:anon"], &[]);
    sale.run(&settle(&[("f1", "returned"), ("f2", "returned")])).is(
        &["settled", "settled"],
        &["returned r1 12 4:anon p1 f1 500", "returned r1 12 4:anon p1 f2 300"],
        &["cards/f1: gone", "cards/f2: gone"],
    );
}

/// Its reservation may have been over for days; nothing else is his.
#[tokio::test]
async fn a_debt_alone_gets_the_name_and_only_his() {
    let mut sale = owed().await;
    sale.held("b", "2", "r2", "6:10");
    sale.run(&authorise(&[Authorise::new("b", "r2", "p2")]));
    for key in ["res", "ended"] {
        sale.world.command(&["DEL", &format!("{{c7}}:{key}")]);
    }
    sale.world.command(&["HDEL", "{c7}:owned:12", "a"]);
    let before = sale.get(&format!("cards/{}", id("p2")));
    let step = sale.run_aside(&forget_cards("forget", "0", (&["r1"], &[]), &["f2", "p2"]));
    assert_eq!(
        (step.outcome(), step.events.as_slice()),
        ("forgotten 0 0 2 0 0 1", &["forgotten 1:a 4:anon".to_owned()][..])
    );
    let step = sale.run_aside(&forget_cards("sweep", "1900000000000", (&[], &[]), &["f1", "f2", "p2"]));
    assert_eq!(step.outcome(), "forgotten 0 0 2 0 0 1");
    for name in ["f1", "f2"] {
        assert!(sale.get(&format!("cards/{}", id(name))).ends_with(" 810 anon"));
    }
    assert_eq!(sale.get(&format!("cards/{}", id("p2"))), before);
}

/// He has paid from his balance instead: the reservation names that payment, and the card's is still to be voided.
#[tokio::test]
async fn a_void_that_his_reservation_does_not_tell_of_gets_the_name() {
    let mut sale = Sale::with(&["a"]).await;
    sale.fund("a", "500");
    sale.held("a", "1", "r1", "3:500");
    sale.run(&authorise(&[Authorise::new("a", "r1", "p1")]));
    sale.run(&pay(&[Pay::new("a", "r1", "p2")]));
    sale.run(&confirm(&[("p1", "w00", "authorised")]));
    let step = sale.run(&forget_cards("forget", "0", (&["r1"], &[]), &["p1"]));
    assert_eq!(step.outcome(), "forgotten 1 0 1 0 0 1");
    let step = sale.run(&settle(&[("p1", "voided")]));
    assert_eq!(step.events, ["voided r1 12 4:anon p1"]);
}

/// Between the mark on his balance and its new name no debt arises that nobody has named.
#[tokio::test]
async fn a_refund_to_the_card_of_one_who_leaves_waits() {
    let mut sale = owed().await;
    let back = |user| refund(&[Refund::new(user, "r1", "f3", "5")]);
    sale.run(&forget_wallet("freeze", "0", &[]));
    sale.run(&back("a")).refuses(&["request_in_progress"]);
    sale.run(&forget_cards("forget", "0", (&["r1"], &[]), &["f1", "f2"]));
    sale.run_aside(&forget_wallet("forget", "0", &[]));
    let step = sale.run_aside(&back("anon"));
    assert!(step.outcome().starts_with("refunded f3 "), "{step:?}");
    assert_eq!(sale.get(&format!("cards/{}", id("f3"))), "refund r1 12 10 1900000000000 p1 810 anon");
}

/// As long as the balance has not got the name there is nothing that the ledger could tell of.
#[tokio::test]
async fn a_refund_to_the_card_of_a_pseudonym_waits_for_its_balance() {
    let mut sale = owed().await;
    let name = format!("forgotten-{}", id("xx"));
    sale.world.command(&[
        "HSET",
        "{c7}:res",
        &id("r1"),
        &format!("confirmed 12 810 0 0 1 p 5:10 balance=0,card=p {name}"),
    ]);
    let step = sale.run_aside(&refund(&[Refund::new(&name, "r1", "f3", "5")]));
    assert_eq!(step.outcome(), "request_in_progress");
}

#[tokio::test]
async fn money_moves_to_the_name_once_and_pays_nothing_before() {
    let mut sale = lived().await;
    let by_cashier = Charge { by: "desk", ..Charge::new("a", "c1", "10", "till") };
    sale.run(&charge(&[by_cashier]));
    let requests = ["1:acharge:1:afund 5000", &by_cashier.request(), "1:bcharge:1:bx"];
    sale.run(&forget_wallet("look", "0", &requests)).refuses(&["found 1 2 4210 0"]);
    sale.at(1000);
    sale.run(&forget_wallet("freeze", "0", &[])).is(
        &["found 1 0 4210 0"],
        &["w00 leaving 1:a"],
        &["w00:balances/a: 4210 T leaving"],
    );
    sale.run(&forget_wallet("freeze", "0", &[])).refuses(&["found 1 0 4210 0"]);
    sale.run(&pay(&[Pay::new("a", "r2", "p2")])).refuses(&["request_in_progress"]);
    sale.run(&charge(&[Charge::new("a", "c2", "5", "more")]));
    assert_eq!(sale.get("w00:balances/a"), "4215 1900000001000 leaving");
    sale.run(&forget("forget", "0", &["r1"], &[PAY]));
    sale.run(&refund(&[Refund::new("anon", "r1", "f1", "")])).refuses(&["request_in_progress"]);
    sale.run_aside(&forget_wallet("forget", "0", &requests)).is(
        &["forgotten 1 2 4215 0"],
        &["w00 forgotten 1:a 4:anon"],
        &[
            "w00:balances/a: gone",
            "w00:balances/anon: 4215 T+1000",
            "w00:idem/1:acharge:1:afund 5000: gone",
            "w00:idem/4:anoncharge:4:anonfund 5000: f3 c0 5000 5000",
            "w00:idem/4:deskcharge:1:atill: gone",
            "w00:idem/4:deskcharge:4:anontill: f3 c1 10 4210",
            "w00:idem_end/1:acharge:1:afund 5000: gone",
            "w00:idem_end/4:anoncharge:4:anonfund 5000: T+86400000",
            "w00:idem_end/4:deskcharge:1:atill: gone",
            "w00:idem_end/4:deskcharge:4:anontill: T+86400000",
            "w00:idem_user/a: 1",
            "w00:idem_user/anon: 1",
        ],
    );
    let sweep = forget_wallet("sweep", "1900000001000", &["1:acharge:1:amore"]);
    let step = sale.run_aside(&sweep);
    assert_eq!((step.outcome(), step.events.len()), ("forgotten 0 1 0 0", 1), "{step:?}");
    // A new user of that id has a balance of his own, and a second run leaves it to him.
    sale.run_aside(&charge(&[Charge::new("a", "c3", "7", "again")]));
    sale.run_aside(&forget_wallet("freeze", "0", &[])).refuses(&["found 0 0 0 0"]);
    let again = forget_wallet("forget", "0", &["1:acharge:1:aagain"]);
    sale.run_aside(&again).refuses(&["found 0 1 0 0"]);
    let step = sale.run_aside(&refund(&[Refund::new("anon", "r1", "f1", "")]));
    assert!(step.outcome().starts_with("refunded f1 "), "{step:?}");
    assert_eq!(sale.get("w00:balances/anon"), "5015 1900000001000");
}

/// Whoever has no balance gets one, to carry the mark; a card buys nothing meanwhile either.
#[tokio::test]
async fn one_without_a_balance_is_frozen_too() {
    let mut sale = Sale::with(&["a"]).await;
    sale.held("a", "1", "r1", "3:500");
    sale.run(&authorise(&[Authorise::new("a", "r1", "p1")]));
    sale.run(&forget_wallet("freeze", "0", &[])).is(
        &["found 0 0 0 0"],
        &["w00 leaving 1:a"],
        &["w00:balances/a: 0 T leaving"],
    );
    sale.run(&confirm(&[("p1", "w00", "authorised")])).refuses(&["pending"]);
    sale.run(&forget_wallet("forget", "0", &[])).is(
        &["forgotten 1 0 0 0"],
        &["w00 forgotten 1:a 4:anon"],
        &["w00:balances/a: gone", "w00:balances/anon: 0 T"],
    );
}

#[tokio::test]
async fn a_stopped_or_lost_log_and_a_throw_change_nothing() {
    let mut sale = lived().await;
    let call = forget("forget", "0", &["r1"], &[PAY]);
    a_throw_leaves_no_trace(&mut sale.world, &call);
    stops_when_the_log_was_lost(&mut sale.world, &call);
    a_throw_leaves_no_trace(&mut sale.world, &forget_wallet("forget", "0", &["1:acharge:1:afund 5000"]));
    let level = sale.world.seen("w00");
    let beyond = super::call::Seen { number: level.number + 1, ..level };
    let step = sale.run(&forget_wallet("forget", "0", &[]).seen("w00", beyond));
    assert!(step.outcome().starts_with("log_lost w00 "), "{step:?}");
    sale.world.command(&["HSET", "{c7}:meta", "stopped", "log_lost"]);
    sale.run_aside(&call).refuses(&["sales_stopped"]);
    sale.world.command(&["HDEL", "{c7}:meta", "stopped"]);
    sale.run(&reservations("expire", &["r2"])).refuses(&["kept"]);
}
