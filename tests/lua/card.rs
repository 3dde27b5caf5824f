//! `authorise`, `confirm`, `settle`: a card payment ends once, with its seats or without.

use super::sale::{
    Authorise, Hold, Pay, Refund, Sale, authorise, confirm, hold, pay, refund, release, settle,
};

/// `a` holds seats 3 and 1 by r1 for 1,200 until 300,000, and has 50 in `w00`.
async fn held() -> Sale {
    let mut sale = Sale::with(&["a", "b"]).await;
    sale.held("a", "1", "r1", "3:500,1:700");
    sale.fund("a", "50");
    sale
}

/// As [`held`]; r1 is being paid by p1 since 1,000.
pub(super) async fn begun() -> Sale {
    let mut sale = held().await;
    sale.at(1000);
    let step = sale.run(&authorise(&[Authorise::new("a", "r1", "p1")]));
    assert!(step.outcome().starts_with("authorising r1 "), "{step:?}");
    sale
}

#[tokio::test]
async fn all_that_a_card_payment_writes_on_its_way_to_a_ticket() {
    let mut sale = held().await;
    sale.at(1000);
    sale.run(&authorise(&[Authorise { key: "k", ..Authorise::new("a", "r1", "p1") }])).is(
        &["authorising r1 12 p1 3:500,1:700 1200 T+601000 authorising"],
        &[
            "extended r1 12 1:a T+601000",
            "authorising r1 12 1:a p1 1200 8:1:apay:k f5",
            "stretched 1 1:a T+601000",
        ],
        &[
            "active/a: T+601000",
            "cards/p1: authorising r1 12 1200 T+1000 a",
            "expiry/r1: T+601000",
            "idem/1:apay:k: f5 p1 r1",
            "idem_end/1:apay:k: T+86401000",
            "idem_user/a: 1",
            "place/a: 1 T T+601000 0",
            "res/r1: pending 12 1200 T T+601000 1 - 3:500,1:700 card=p1 a",
        ],
    );
    sale.run(&confirm(&[("p1", "w00", "pending")])).refuses(&["pending"]);
    sale.at(2000);
    sale.run(&confirm(&[("p1", "w00", "authorised")])).is(
        &["capture"],
        &[
            "authorised r1 12 1:a p1 1200 50 3:500,1:700 0: -",
            "ended 1 1:a paid",
            "w00 authorised p1 1:a 7 12 r1 1200 50",
        ],
        &[
            "active/a: gone",
            "cards/p1: capture r1 12 1200 T+2000 a",
            "expiry/r1: gone",
            "meta/revenue: 1200",
            "meta/sellable: 18",
            "meta/v:12: 8",
            "pending/a: gone",
            "place/a: gone",
            "res/r1: confirmed 12 1200 T T+601000 1 p1 3:500,1:700 balance=50,card=p1 a",
            "seats:12: 0202000000",
        ],
    );
    sale.run(&confirm(&[("p1", "w00", "authorised")])).refuses(&["capture"]);
    sale.run(&confirm(&[("p1", "w00", "declined")])).refuses(&["capture"]);
    sale.run(&settle(&[("p1", "voided")])).refuses(&["kept"]);
    sale.run(&settle(&[("p1", "captured")])).is(
        &["settled"],
        &["captured r1 12 1:a p1"],
        &["cards/p1: gone"],
    );
    sale.run(&settle(&[("p1", "captured")])).refuses(&["settled"]);
    sale.run(&confirm(&[("p1", "w00", "authorised")])).refuses(&["settled"]);
}

#[tokio::test]
async fn a_declined_payment_is_voided_and_another_may_begin_without_more_time() {
    let mut sale = begun().await;
    sale.at(2000);
    sale.run(&confirm(&[("p1", "w00", "declined")])).is(
        &["void"],
        &["voiding r1 12 1:a p1 declined"],
        &[
            "cards/p1: void r1 12 1200 T+2000 a",
            "res/r1: pending 12 1200 T T+601000 1 - 3:500,1:700 declined=p1 a",
        ],
    );
    sale.run(&confirm(&[("p1", "w00", "authorised")])).refuses(&["void"]);
    sale.run(&settle(&[("p1", "captured")])).refuses(&["kept"]);
    sale.at(500_000);
    let step = sale.run(&authorise(&[Authorise::new("a", "r1", "p2")]));
    assert_eq!(step.outcome(), "authorising r1 12 p2 3:500,1:700 1200 T+601000 authorising");
    sale.run(&settle(&[("p1", "voided")])).is(&["settled"], &["voided r1 12 1:a p1"], &["cards/p1: gone"]);
    assert_eq!(sale.run(&confirm(&[("p2", "w00", "authorised")])).outcome(), "capture");
}

#[tokio::test]
async fn refusals_to_begin_in_order_of_precedence() {
    let mut sale = held().await;
    sale.held("b", "2", "r2", "5:900");
    sale.run(&authorise(&[Authorise { key: "k", ..Authorise::new("a", "r1", "p1") }]));
    let world = &mut sale.world;
    world.command(&["HSET", "{c7}:meta", "stopped", "log_lost"]);
    world.command(&["HSET", "{c7}:idem_user", "a", "1000"]);
    let mut asked = Authorise { key: "k", fingerprint: "f9", ..Authorise::new("a", "r9", "p9") };
    world.run(&authorise(&[asked])).refuses(&["idempotency_key_reused"]);
    asked.key = "k2";
    world.run(&authorise(&[asked])).refuses(&["rate_limited"]);
    world.command(&["HSET", "{c7}:idem_user", "a", "1"]);
    world.run(&authorise(&[asked])).refuses(&["sales_stopped"]);
    world.command(&["HDEL", "{c7}:meta", "stopped"]);
    for (id, show) in [("r9", 12), ("r2", 12), ("r1", 13)] {
        (asked.id, asked.show) = (id, show);
        world.run(&authorise(&[asked])).refuses(&["invalid_reservation not_found"]);
    }
    asked.show = 12;
    world.run(&authorise(&[asked])).refuses(&["request_in_progress"]);
    sale.run(&confirm(&[("p1", "w00", "authorised")]));
    sale.run(&authorise(&[asked])).refuses(&["invalid_reservation already_paid"]);
    sale.run(&release(&[("b", 12, "r2")]));
    sale.run(&authorise(&[Authorise::new("b", "r2", "p2")])).refuses(&["invalid_reservation cancelled"]);
}

#[tokio::test]
async fn a_beginning_sent_again_tells_how_far_it_is() {
    let mut sale = held().await;
    let keyed = Authorise { key: "k", ..Authorise::new("a", "r1", "p1") };
    let told = |state| format!("replayed r1 12 p1 3:500,1:700 1200 T+600000 {state}");
    let again = authorise(&[Authorise { payment: "p9", ..keyed }, keyed]);
    sale.run(&authorise(&[keyed]));
    sale.run(&again).refuses(&[&told("authorising"), &told("authorising")]);
    sale.run(&confirm(&[("p1", "w00", "declined")]));
    sale.run(&again).refuses(&[&told("declined"), &told("declined")]);
    sale.run(&settle(&[("p1", "voided")]));
    sale.run(&again).refuses(&[&told("declined"), &told("declined")]);
    let unkeyed = Authorise::new("a", "r1", "p2");
    let step = sale.run(&authorise(&[unkeyed, unkeyed]));
    assert_eq!(step.outcomes[1], "replayed r1 12 p2 3:500,1:700 1200 T+600000 authorising");
    sale.run(&again).refuses(&[&told("declined"), &told("declined")]);
}

/// Its record may have gone before the server sends it again.
#[tokio::test]
async fn a_beginning_without_a_key_is_known_by_what_it_left_behind() {
    let mut sale = begun().await;
    let saved = sale.world.save();
    let again = authorise(&[Authorise::new("a", "r1", "p1")]);
    for (verdict, done, state) in [("authorised", "captured", "ended"), ("declined", "voided", "declined")] {
        sale.world.load(&saved);
        sale.run(&confirm(&[("p1", "w00", verdict)]));
        sale.run(&settle(&[("p1", done)]));
        sale.run(&again).refuses(&[&format!("replayed r1 12 p1 3:500,1:700 1200 T+601000 {state}")]);
    }
    sale.world.load(&saved);
    sale.run(&release(&[("a", 12, "r1")]));
    sale.run(&confirm(&[("p1", "w00", "authorised")]));
    sale.run(&settle(&[("p1", "voided")]));
    sale.run(&again).refuses(&["replayed r1 12 p1 3:500,1:700 1200 T+601000 ended"]);
}

/// Nobody is thrown out while he holds a seat, and none stays longer than a hold made in the last moment of his place.
#[tokio::test]
async fn the_place_is_stretched_with_the_hold() {
    let mut sale = held().await;
    let saved = sale.world.save();
    let begin = authorise(&[Authorise::new("a", "r1", "p1")]);
    for (at, stop) in [(0, None), (1, Some(600_001)), (299_999, Some(899_999))] {
        sale.world.load(&saved);
        sale.at(at);
        let step = sale.run(&begin);
        let stretched: Vec<_> =
            step.events.iter().filter(|event| event.starts_with("stretched ")).cloned().collect();
        let told = stop.map(|stop| format!("stretched 1 1:a T+{stop}"));
        assert_eq!(stretched, told.into_iter().collect::<Vec<_>>(), "at {at}");
    }
    sale.world.load(&saved);
    sale.world.policy(&[("hold_ms", "100000")]);
    sale.at(250_000);
    let step = sale.run(&begin);
    assert_eq!(step.events[0], "extended r1 12 1:a T+850000");
    assert_eq!(step.events[2], "stretched 1 1:a T+700000");
}

/// The hold's end is a bound that the gateway's word does not move.
#[tokio::test]
async fn an_authorisation_counts_before_the_end_and_not_at_it() {
    let mut sale = begun().await;
    let saved = sale.world.save();
    sale.at(600_999);
    assert_eq!(sale.run(&confirm(&[("p1", "w00", "authorised")])).outcome(), "capture");
    sale.world.load(&saved);
    for verdict in ["authorised", "declined", "pending"] {
        sale.world.load(&saved);
        sale.at(601_000);
        sale.run(&confirm(&[("p1", "w00", verdict)])).is(
            &["void"],
            &["expired r1 12 1:a 3:500,1:700", "voiding r1 12 1:a p1 expired"],
            &[
                "cards/p1: void r1 12 1200 T+601000 a",
                "ended/r1: T+601000",
                "expiry/r1: gone",
                "holder:12/1: gone",
                "holder:12/3: gone",
                "meta/v:12: 8",
                "owned:12/a: gone",
                "pending/a: gone",
                "res/r1: expired 12 1200 T T+601000 1 - 3:500,1:700 card=p1 a",
                "seats:12: 0000000000",
            ],
        );
    }
}

/// Seats that somebody else has by now stay his.
#[tokio::test]
async fn a_late_authorisation_buys_nothing() {
    let mut sale = begun().await;
    sale.run(&release(&[("a", 12, "r1")]));
    let step = sale.run(&hold(&[Hold::new("b", "2", "r2", "3:500")]));
    assert!(step.outcome().starts_with("held r2 "), "{step:?}");
    let step = sale.run(&confirm(&[("p1", "w00", "authorised")]));
    assert_eq!(step.outcome(), "void");
    assert_eq!(step.events, ["voiding r1 12 1:a p1 cancelled"]);
    assert_eq!((sale.get("holder:12/3"), sale.get("seats:12")), ("r2".into(), "0001000000".into()));
    // The reservation may be forgotten before the gateway answers.
    sale.world.command(&[
        "HSET",
        "{c7}:cards",
        &super::sale::id("p5"),
        &format!("authorising {} 12 5 1 a", super::sale::id("r5")),
    ]);
    let step = sale.run_aside(&confirm(&[("p5", "w00", "authorised")]));
    assert_eq!((step.outcome(), step.events[0].as_str()), ("void", "voiding r5 12 1:a p5 expired"));
}

#[tokio::test]
async fn who_pays_from_the_balance_meanwhile_is_not_charged_twice() {
    let mut sale = begun().await;
    sale.fund("a", "5000");
    assert!(sale.run(&pay(&[Pay::new("a", "r1", "p2")])).outcome().starts_with("paid r1 "));
    let step = sale.run(&confirm(&[("p1", "w00", "authorised")]));
    assert_eq!((step.outcome(), step.events[0].as_str()), ("void", "voiding r1 12 1:a p1 paid"));
    assert_eq!(
        sale.run(&refund(&[Refund::new("a", "r1", "f1", "")])).outcome(),
        "refunded f1 r1 12 3:500,1:700 1200 refunded"
    );
}

/// Nothing is decided on a stopped sale or a lost wallet; what the gateway has done is noted all the same.
#[tokio::test]
async fn a_stopped_sale_leaves_it_for_later() {
    let mut sale = begun().await;
    let level = sale.world.seen("w00");
    let beyond = super::call::Seen { number: level.number + 1, ..level.clone() };
    let lost = format!("log_lost w00 {} {}", level.number, level.mark);
    sale.run(&confirm(&[("p1", "w00", "authorised")]).seen("w00", beyond)).refuses(&[&lost]);
    sale.world.command(&["HSET", "{c7}:meta", "stopped", "log_lost"]);
    sale.run(&confirm(&[("p1", "w00", "authorised")])).refuses(&["sales_stopped"]);
    sale.world.command(&["HDEL", "{c7}:meta", "stopped"]);
    sale.run(&confirm(&[("p1", "w00", "authorised")]));
    sale.world.command(&["HSET", "{c7}:meta", "stopped", "log_lost"]);
    assert_eq!(sale.run(&settle(&[("p1", "captured")])).outcome(), "settled");
}

/// Whatever the bank says: nobody comes into a show that does not take place.
#[tokio::test]
async fn a_cancelled_show_takes_no_card() {
    let mut sale = begun().await;
    sale.held("b", "2", "r2", "5:900");
    sale.run(&super::call::Call::one("cancel", &["12", "rain"]).shows(&[12]));
    let step = sale.run(&confirm(&[("p1", "w00", "authorised")]));
    assert_eq!(step.outcome(), "void");
    assert_eq!(step.events[0], "released r1 12 1:a 3:500,1:700 show");
    assert_eq!(step.events[2], "voiding r1 12 1:a p1 cancelled");
    let step = sale.run(&authorise(&[Authorise::new("b", "r2", "p2")]));
    assert_eq!(step.outcome(), "invalid_reservation cancelled");
    assert_eq!(
        (sale.get(&format!("cards/{}", super::sale::id("p2"))), sale.get("seats:12")),
        ("-".into(), "0303030000".into())
    );
}

/// Status, payment and extras of r1.
fn told(sale: &mut Sale) -> String {
    let record = sale.get(&format!("res/{}", super::sale::id("r1")));
    let fields: Vec<_> = record.split(' ').collect();
    [fields[0], fields[6], fields[8]].join(" ")
}

/// How each of them ended stays known, however the reservation is paid.
#[tokio::test]
async fn declined_payments_are_remembered_behind_what_comes_after_them() {
    let mut sale = begun().await;
    sale.run(&confirm(&[("p1", "w00", "declined")]));
    sale.run(&authorise(&[Authorise::new("a", "r1", "p2")]));
    assert_eq!(told(&mut sale), "pending - card=p2,declined=p1");
    sale.run(&authorise(&[Authorise::new("a", "r1", "p3")])).refuses(&["request_in_progress"]);
    let again = sale.run(&authorise(&[Authorise::new("a", "r1", "p1")]));
    assert!(again.outcome().ends_with(" declined"), "{again:?}");
    sale.fund("a", "5000");
    let (saved, debt) = (sale.world.save(), format!("cards/{}", super::sale::id("f1")));
    let back = refund(&[Refund::new("a", "r1", "f1", "3")]);

    sale.run(&confirm(&[("p2", "w00", "authorised")]));
    assert_eq!(told(&mut sale), "confirmed p2 balance=5050,card=p2,declined=p1");
    sale.run(&back);
    assert_eq!(told(&mut sale), "confirmed p2 balance=5050,card=p2,declined=p1,refunded=3");
    assert_ne!(sale.get(&debt), "-", "it goes back to the card");

    sale.world.load(&saved);
    sale.run(&pay(&[Pay::new("a", "r1", "p9")]));
    assert_eq!(told(&mut sale), "confirmed p9 balance=3850,overtaken=p2,declined=p1");
    sale.run(&back);
    assert_eq!(told(&mut sale), "confirmed p9 balance=3850,overtaken=p2,declined=p1,refunded=3");
    assert_eq!(sale.get(&debt), "-", "it goes back to the balance");
}

#[tokio::test]
async fn of_many_declined_payments_the_last_ones_are_remembered() {
    let mut sale = begun().await;
    sale.fund("a", "5000");
    sale.run(&confirm(&[("p1", "w00", "declined")]));
    let mut declined = vec!["declined=p1".to_owned()];
    for payment in ["p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "pa", "pb"] {
        sale.run(&authorise(&[Authorise::new("a", "r1", payment)]));
        sale.run(&confirm(&[(payment, "w00", "declined")]));
        declined.insert(0, format!("declined={payment}"));
        declined.truncate(8);
        assert_eq!(told(&mut sale), format!("pending - {}", declined.join(",")));
    }
    sale.run(&pay(&[Pay::new("a", "r1", "pc")]));
    assert_eq!(told(&mut sale), format!("confirmed pc balance=3850,{}", declined.join(",")));
}
