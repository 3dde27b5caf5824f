//! What a payment does to the active place of its user, by the policy's `end_token_on`.

use super::call::Call;
use super::sale::{Hold, Pay, Sale, hold, pay, release};

/// `a` is active until 600,000, has 5,000 and holds seat 3 by r1 and, in the other show, seat 0 by r2, until 300,000.
async fn two_shows() -> Sale {
    let mut sale = Sale::with(&["a"]).await;
    sale.held("a", "1", "r1", "3:500");
    sale.run(&hold(&[Hold { show: 13, ..Hold::new("a", "1", "r2", "0:500") }]));
    sale.fund("a", "5000");
    sale
}

/// What a payment of r1 says of places.
#[track_caller]
fn pays(sale: &mut Sale, places: &[&str]) {
    let step = sale.run(&pay(&[Pay::new("a", "r1", "p1")]));
    assert!(step.outcome().starts_with("paid "), "{step:?}");
    let of_places =
        |event: &&String| ["claimed", "stretched", "ended"].iter().any(|word| event.starts_with(word));
    let told: Vec<_> = step.events.iter().filter(of_places).collect();
    assert_eq!(told, places);
}

const PAID: &str = "ended 1 1:a paid";

#[tokio::test]
async fn the_place_lives_while_a_reservation_of_any_show_is_pending() {
    let mut sale = two_shows().await;
    pays(&mut sale, &[]);
    let step = sale.run(&pay(&[Pay { show: 13, ..Pay::new("a", "r2", "p2") }]));
    assert_eq!(step.events[1], PAID);
}

#[tokio::test]
async fn in_one_batch_too_the_last_payment_ends_it() {
    let mut sale = two_shows().await;
    let step = sale.run(&pay(&[Pay::new("a", "r1", "p1"), Pay { show: 13, ..Pay::new("a", "r2", "p2") }]));
    let concert: Vec<_> = step.events.iter().map(|event| event.split(' ').next().unwrap()).collect();
    assert_eq!(concert, ["paid", "paid", "ended", "w00", "w00"]);
}

#[tokio::test]
async fn a_reservation_given_back_or_over_keeps_no_place() {
    let mut sale = two_shows().await;
    let saved = sale.world.save();
    sale.run(&release(&[("a", 13, "r2")]));
    pays(&mut sale, &[PAID]);

    sale.world.load(&saved);
    sale.run(&release(&[("a", 12, "r1")]));
    sale.at(100_000);
    sale.held("a", "1", "r3", "3:500");
    for (time, ends) in [(299_999, false), (300_000, true)] {
        let saved = sale.world.save();
        sale.at(time);
        let step = sale.run(&pay(&[Pay::new("a", "r3", "p1")]));
        assert_eq!(step.events.iter().any(|event| event == PAID), ends, "at {time}: {step:?}");
        sale.world.load(&saved);
    }
}

#[tokio::test]
async fn under_never_and_reservation_a_payment_ends_no_place() {
    for policy in ["never", "reservation"] {
        let mut sale = two_shows().await;
        sale.run(&release(&[("a", 13, "r2")]));
        sale.world.policy(&[("end_token_on", policy)]);
        pays(&mut sale, &[]);
        assert_ne!(sale.get("place/a"), "-", "{policy}");
    }
}

#[tokio::test]
async fn a_payment_needs_no_place_and_ends_one_that_is_over_as_what_it_is() {
    let mut sale = two_shows().await;
    sale.run(&release(&[("a", 13, "r2")]));
    let saved = sale.world.save();
    sale.run(&Call::batch("leave", &[&["a", "1"]]));
    pays(&mut sale, &[]);
    sale.world.load(&saved);
    sale.world.policy(&[("hold_ms", "700000"), ("active_ms", "600000")]);
    sale.run(&release(&[("a", 12, "r1")]));
    sale.at(599_999);
    sale.run(&hold(&[Hold::new("a", "1", "r3", "3:500")]));
    sale.at(1_299_998);
    let saved = sale.world.save();
    let step = sale.run(&pay(&[Pay::new("a", "r3", "p1")]));
    assert_eq!(step.events[1], PAID, "the hold has stretched it");
    sale.world.load(&saved);
    sale.world.command(&["ZADD", "{c7}:active", "1900000600000", "a"]);
    sale.world.command(&["HSET", "{c7}:place", "a", "1 1900000000000 1900001299998 0"]);
    let step = sale.run_aside(&pay(&[Pay::new("a", "r3", "p1")]));
    assert_eq!(step.events[1], "ended 1 1:a lapsed");
}

#[tokio::test]
async fn a_payment_claims_the_place_that_stays() {
    let mut sale = two_shows().await;
    sale.run(&Call::batch("leave", &[&["a", "1"]]));
    sale.world.policy(&[("max_active", "0")]);
    sale.run(&Call::batch("join", &[&["a"]]));
    sale.world.policy(&[("max_active", "9")]);
    sale.run(&Call::one("admit", &[]));
    let saved = sale.world.save();
    sale.at(59_999);
    pays(&mut sale, &["claimed 2 1:a"]);
    assert_eq!(sale.get("unclaimed/a"), "-");
    sale.world.load(&saved);
    sale.at(60_000);
    pays(&mut sale, &["ended 2 1:a unclaimed"]);
}

/// As `two_shows`, and `a` waits with number 2 before `b`.
async fn waiting() -> Sale {
    let mut sale = two_shows().await;
    sale.run(&Call::batch("leave", &[&["a", "1"]]));
    sale.world.policy(&[("max_active", "0"), ("gate_reserve", "0")]);
    sale.run(&Call::batch("join", &[&["a"], &["b"]]));
    sale
}

#[tokio::test]
async fn who_waits_leaves_the_line_with_his_last_payment() {
    let mut sale = waiting().await;
    pays(&mut sale, &[]);
    assert_eq!(sale.get("queue/a"), "2", "he still holds in the other show");
    let step = sale.run(&pay(&[Pay { show: 13, ..Pay::new("a", "r2", "p2") }]));
    assert_eq!(step.events[1], "ended 2 1:a paid");
    assert_eq!((sale.get("queue/a"), sale.get("queue/b")), ("-".to_owned(), "3".to_owned()));
    assert_eq!(sale.run(&Call::batch("join", &[&["b"]])).outcome(), "waiting 3 0 1 0");
}

#[tokio::test]
async fn under_never_and_reservation_or_for_another_hold_who_waits_stays_in_line() {
    for policy in [("end_token_on", "never"), ("end_token_on", "reservation"), ("gate_reserve", "1")] {
        let mut sale = waiting().await;
        sale.run(&release(&[("a", 13, "r2")]));
        sale.world.policy(&[policy]);
        pays(&mut sale, &[]);
        assert_eq!(sale.get("queue/a"), "2", "{policy:?}");
    }
}
