//! Holds that are over: free in the very call that looks, swept or not, and payable by nobody.

use super::sale::{Block, Hold, Pay, Sale, block, hold, id, pay};

/// `a` holds seats 0 to 3 until 300,000, by r1; `b` and `c` are in.
async fn four_held() -> Sale {
    let mut sale = Sale::with(&["a", "b", "c"]).await;
    sale.held("a", "1", "r1", "2:10,0:10,1:10,3:10");
    sale.fund("a", "1000");
    sale
}

#[tokio::test]
async fn until_its_end_a_hold_keeps_others_out() {
    let mut sale = four_held().await;
    sale.at(299_999);
    sale.run(&hold(&[Hold::new("b", "2", "r2", "4:10,1:10,0:10")])).refuses(&["seat_unavailable 1 0"]);
}

#[tokio::test]
async fn who_wants_one_of_four_seats_ends_the_whole_hold() {
    let mut sale = four_held().await;
    sale.at(300_000);
    let call = hold(&[
        Hold::new("b", "2", "r2", "1:10"),
        Hold::new("c", "3", "r3", "0:10,1:10"),
        Hold::new("c", "3", "r4", "3:10,0:10"),
        Hold::new("a", "1", "r5", "2:10"),
    ]);
    sale.run(&call).is(
        &[
            "held r2 12 1:10 10 T+300000 T+600000",
            "seat_unavailable 1",
            "held r4 12 3:10,0:10 20 T+300000 T+600000",
            "held r5 12 2:10 10 T+300000 T+600000",
        ],
        &[
            "expired r1 12 1:a 2:10,0:10,1:10,3:10",
            "held r2 12 1:b 10 T+600000 1 1:10 0: -",
            "held r4 12 1:c 20 T+600000 1 3:10,0:10 0: -",
            "held r5 12 1:a 10 T+600000 1 2:10 0: -",
        ],
        &[
            "ended/r1: T+300000",
            "expiry/r1: gone",
            "expiry/r2: T+600000",
            "expiry/r4: T+600000",
            "expiry/r5: T+600000",
            "holder:12/0: r4",
            "holder:12/1: r2",
            "holder:12/2: r5",
            "holder:12/3: r4",
            "meta/v:12: 7",
            "owned:12/a: 1",
            "owned:12/b: 1",
            "owned:12/c: 2",
            "pending/a: r5",
            "pending/b: r2",
            "pending/c: r4",
            "res/r1: expired 12 40 T T+300000 1 - 2:10,0:10,1:10,3:10 - a",
            "res/r2: pending 12 10 T+300000 T+600000 1 - 1:10 - b",
            "res/r4: pending 12 20 T+300000 T+600000 1 - 3:10,0:10 - c",
            "res/r5: pending 12 10 T+300000 T+600000 1 - 2:10 - a",
        ],
    );
    sale.run(&pay(&[Pay::new("a", "r1", "p1")])).refuses(&["invalid_reservation expired"]);
}

#[tokio::test]
async fn its_first_owner_cannot_pay_from_its_end_on_although_nobody_looked() {
    let mut sale = four_held().await;
    let saved = sale.world.save();
    for late in [300_000, 300_001] {
        sale.world.load(&saved);
        sale.at(late);
        let ended = format!("ended/r1: T+{late}");
        sale.run(&pay(&[Pay::new("a", "r1", "p1")])).is(
            &["invalid_reservation expired"],
            &["expired r1 12 1:a 2:10,0:10,1:10,3:10"],
            &[
                &ended,
                "expiry/r1: gone",
                "holder:12/0: gone",
                "holder:12/1: gone",
                "holder:12/2: gone",
                "holder:12/3: gone",
                "meta/v:12: 7",
                "owned:12/a: gone",
                "pending/a: gone",
                "res/r1: expired 12 40 T T+300000 1 - 2:10,0:10,1:10,3:10 - a",
                "seats:12: 0000000000",
            ],
        );
    }
    sale.world.load(&saved);
    sale.at(299_999);
    assert!(sale.run(&pay(&[Pay::new("a", "r1", "p1")])).outcome().starts_with("paid "));
}

#[tokio::test]
async fn a_refused_hold_frees_what_it_found_over() {
    let mut sale = four_held().await;
    sale.at(1000);
    sale.held("b", "2", "r2", "5:10");
    sale.at(300_000);
    let step = sale.run(&hold(&[Hold::new("c", "3", "r3", "0:10,5:10")]));
    assert_eq!(step.outcome(), "seat_unavailable 5");
    assert_eq!(step.events, ["expired r1 12 1:a 2:10,0:10,1:10,3:10"]);
    assert_eq!(sale.get("seats:12"), "0000010000");
}

#[tokio::test]
async fn holds_that_are_over_count_for_no_limit() {
    let mut sale = four_held().await;
    sale.at(1000);
    sale.held("a", "1", "r2", "5:10,6:10");
    sale.run(&hold(&[Hold { show: 13, ..Hold::new("a", "1", "r3", "0:10") }]));
    let four = Hold::new("a", "1", "r4", "4:10,7:10,8:10,9:10");
    sale.at(299_999);
    sale.run(&hold(&[four])).refuses(&["purchase_limit 6 6"]);
    sale.at(300_000);
    let saved = sale.world.save();
    let step = sale.run(&hold(&[four]));
    assert_eq!(
        step.events[..2],
        ["expired r1 12 1:a 2:10,0:10,1:10,3:10", "held r4 12 1:a 40 T+600000 1 4:10,7:10,8:10,9:10 0: -"]
    );
    assert_eq!((sale.get("owned:12/a"), sale.get("pending/a")), ("6".to_owned(), "r2 r3 r4".to_owned()));
    sale.world.load(&saved);
    sale.at(301_000);
    let step = sale.run(&hold(&[four]));
    let expired = step.events.iter().filter(|event| event.starts_with("expired ")).count();
    assert_eq!(expired, 2, "both of this show, none of a show whose keys the call lacks: {step:?}");
    assert_eq!((sale.get("owned:12/a"), sale.get("pending/a")), ("4".to_owned(), "r3 r4".to_owned()));
    sale.world.load(&saved);
    sale.world.policy(&[("max_seats_per_user", "4")]);
    let step = sale.run(&hold(&[four]));
    assert_eq!((step.outcome(), step.events.len()), ("purchase_limit 4 2", 1), "told are the live ones");
}

#[tokio::test]
async fn a_hold_within_the_limit_leaves_the_lapsed_ones_to_whoever_looks() {
    let mut sale = four_held().await;
    sale.at(300_000);
    let step = sale.run(&hold(&[Hold::new("a", "1", "r2", "5:10,6:10")]));
    assert_eq!(step.events, ["held r2 12 1:a 20 T+600000 1 5:10,6:10 0: -"]);
}

/// Each log has its own last time: the concert's stands still while the wallet's goes on from where it was.
#[tokio::test]
async fn a_clock_that_goes_back_makes_no_hold_live_again() {
    let mut sale = four_held().await;
    sale.at(1000);
    sale.held("b", "2", "r2", "4:10");
    sale.run(&super::sale::charge(&[super::sale::Charge::new("b", "c1", "10", "k")]));
    sale.at(300_000);
    sale.held("c", "3", "r3", "5:10");
    sale.at(299_000);
    let step = sale.run(&pay(&[Pay::new("a", "r1", "p1"), Pay::new("b", "r2", "p2")]));
    assert_eq!(step.outcomes, ["invalid_reservation expired", "paid r2 12 p2 4:10 10 0"]);
    let balance = sale.get("w00:balances/b");
    assert_eq!(
        (super::state::relative(&balance), sale.get("meta/time")),
        ("0 T+299000".into(), "1900000300000".into())
    );
}

/// Whoever wants seats under three holds of 40, 40 and 10 that are over.
async fn lapsed_under_many() -> Sale {
    let mut sale = Sale::with(&["a", "b"]).await;
    sale.world.open_show(12, 100);
    sale.world.policy(&[("max_seats_per_reservation", "50"), ("max_seats_per_user", "100")]);
    for (reservation, seats) in [("r1", 0..40), ("r2", 40..80), ("r3", 80..90)] {
        let seats = seats.map(|seat| format!("{seat}:10")).collect::<Vec<_>>().join(",");
        sale.held("a", "1", reservation, &seats);
    }
    sale.at(300_000);
    sale
}

#[tokio::test]
async fn a_request_for_seats_of_many_holds_that_are_over_comes_again() {
    let mut sale = lapsed_under_many().await;
    let wanted = hold(&[Hold::new("b", "2", "r4", "1:10,41:10,81:10")]);
    let step = sale.run(&wanted);
    assert_eq!(step.outcomes, ["again"]);
    assert_eq!(step.events.iter().filter(|event| event.starts_with("expired r")).count(), 2, "{step:?}");
    assert_eq!(sale.get(&format!("res/{}", id("r4"))), "-");
    let step = sale.run(&wanted);
    assert_eq!(step.outcomes, ["held r4 12 1:10,41:10,81:10 30 T+300000 T+600000"]);
    assert!(step.events[0].starts_with("expired r3 "), "{step:?}");
}

#[tokio::test]
async fn blocking_seats_of_many_holds_that_are_over_comes_again() {
    let mut sale = lapsed_under_many().await;
    let wanted = block(&[Block::new("k", "1,41,81"), Block::new("k2", "95")]);
    let step = sale.run(&wanted);
    assert_eq!(step.outcomes, ["again", "again"]);
    assert_eq!(step.events.len(), 2, "{step:?}");
    assert_eq!(sale.get("meta/sellable"), "110");
    let step = sale.run(&wanted);
    assert_eq!(step.outcomes, ["blocked", "blocked"]);
    assert_eq!(
        step.events[0],
        format!(
            "expired r3 12 1:a {}",
            (80..90).map(|seat| format!("{seat}:10")).collect::<Vec<_>>().join(",")
        )
    );
    assert_eq!(sale.get("meta/sellable"), "106");
}

/// Two holds of 32 seats and one of a single seat are over; four want a seat under each and a free one.
#[tokio::test]
async fn a_call_that_gave_back_64_seats_has_no_room_for_the_rest() {
    let mut sale = Sale::with(&["a", "b", "c", "d", "e", "f"]).await;
    sale.world.open_show(12, 100);
    sale.world.policy(&[("max_seats_per_reservation", "50"), ("max_seats_per_user", "100")]);
    let seats =
        |first: usize| (first..first + 32).map(|seat| format!("{seat}:10")).collect::<Vec<_>>().join(",");
    sale.held("a", "1", "r1", &seats(0));
    sale.held("a", "1", "r2", &seats(32));
    sale.held("a", "1", "r3", "64:10");
    sale.at(300_000);
    let asked = [
        Hold::new("b", "2", "r4", "0:10"),
        Hold::new("c", "3", "r5", "32:10"),
        Hold::new("d", "4", "r6", "64:10"),
        Hold { key: "k", ..Hold::new("e", "5", "r7", "70:10") },
        Hold { catalog: "0", ..Hold::new("f", "6", "r8", "71:10") },
    ];
    let step = sale.run(&hold(&asked));
    assert_eq!(
        step.outcomes,
        [
            "held r4 12 0:10 10 T+300000 T+600000",
            "held r5 12 32:10 10 T+300000 T+600000",
            "again",
            "again",
            "stale_catalog"
        ]
    );
    assert_eq!(["r6", "r7"].map(|reservation| sale.get(&format!("res/{}", id(reservation)))), ["-", "-"]);
    assert_eq!(sale.get("idem/1:ehold:k:"), "-");
    assert_ne!(sale.get(&format!("expiry/{}", id("r3"))), "-");

    let step = sale.run(&hold(&asked[2..4]));
    assert_eq!(
        step.outcomes,
        ["held r6 12 64:10 10 T+300000 T+600000", "held r7 12 70:10 10 T+300000 T+600000"]
    );
    assert_eq!(step.events[0], "expired r3 12 1:a 64:10");
}
