//! What a hold does to the active place of its user: claimed, stretched, ended.

use super::call::Call;
use super::sale::{Hold, Sale, hold};

/// `a` was admitted at the beginning of the clock and has not claimed: until 60,000 he may.
async fn unclaimed() -> Sale {
    let mut sale = Sale::open().await;
    sale.world.policy(&[("max_active", "0")]);
    sale.run(&Call::batch("join", &[&["a"]]));
    sale.world.policy(&[("max_active", "1000")]);
    let step = sale.run(&Call::one("admit", &[]));
    assert_eq!(step.events, ["admitted 1 1:a T+600000 T+60000"]);
    sale
}

const ASKED: [(&str, &str); 3] = [("r1", "3:500"), ("r2", "4:500"), ("r3", "5:500")];

fn asked(number: usize) -> Hold<'static> {
    let (id, seats) = ASKED[number];
    Hold::new("a", "1", id, seats)
}

#[track_caller]
fn place_is(sale: &mut Sale, place: &str, active: &str) {
    let told = |record: String| super::state::relative(&record);
    assert_eq!(told(sale.get("place/a")), place);
    assert_eq!(told(sale.get("active/a")), active);
    assert_eq!(sale.get("unclaimed/a"), "-");
}

#[tokio::test]
async fn a_hold_claims_the_place_until_the_claim_is_due() {
    let mut sale = unclaimed().await;
    let saved = sale.world.save();
    sale.at(59_999);
    let step = sale.run(&hold(&[asked(0)]));
    assert_eq!(step.events, ["held r1 12 1:a 500 T+359999 1 3:500 0: -", "claimed 1 1:a"]);
    place_is(&mut sale, "1 T T+600000 0", "T+600000");
    for late in [60_000, 60_001] {
        sale.world.load(&saved);
        sale.at(late);
        sale.run(&hold(&[asked(0)])).is(
            &["queue_token_expired"],
            &["ended 1 1:a unclaimed"],
            &["active/a: gone", "place/a: gone", "unclaimed/a: gone"],
        );
    }
}

#[tokio::test]
async fn a_refused_hold_is_no_claim() {
    let mut sale = unclaimed().await;
    sale.join(&["b"]);
    sale.held("b", "2", "r9", "3:500");
    sale.run(&hold(&[asked(0)])).refuses(&["seat_unavailable 3"]);
}

#[tokio::test]
async fn a_place_is_good_until_its_end() {
    let mut sale = Sale::with(&["a"]).await;
    let saved = sale.world.save();
    for late in [600_000, 600_001] {
        sale.world.load(&saved);
        sale.at(late);
        sale.run(&hold(&[asked(0)])).is(
            &["queue_token_expired"],
            &["ended 1 1:a lapsed"],
            &["active/a: gone", "place/a: gone"],
        );
    }
    sale.world.load(&saved);
    sale.at(599_999);
    let step = sale.run(&hold(&[asked(0)]));
    assert_eq!(step.events, ["held r1 12 1:a 500 T+899999 1 3:500 0: -", "stretched 1 1:a T+899999"]);
    place_is(&mut sale, "1 T T+899999 0", "T+899999");
}

#[tokio::test]
async fn a_hold_stretches_the_place_to_its_own_end_and_once_only_by_its_length() {
    let mut sale = Sale::with(&["a"]).await;
    sale.at(300_000);
    assert_eq!(sale.run(&hold(&[asked(0)])).events.len(), 1, "both end together");
    sale.at(300_001);
    let step = sale.run(&hold(&[asked(1)]));
    assert_eq!(step.events[1..], ["stretched 1 1:a T+600001"]);
    sale.at(600_000);
    let step = sale.run(&hold(&[asked(2)]));
    assert_eq!(step.events[1..], ["stretched 1 1:a T+900000"]);
    sale.at(899_999);
    let step = sale.run(&hold(&[Hold { show: 13, ..Hold::new("a", "1", "r4", "0:1") }]));
    assert_eq!(step.events, ["held r4 13 1:a 1 T+1199999 1 0:1 0: -"]);
    place_is(&mut sale, "1 T T+900000 0", "T+900000");
    sale.at(900_000);
    let step = sale.run(&hold(&[Hold::new("a", "1", "r5", "0:1")]));
    assert_eq!(
        (step.outcome(), &step.events[..]),
        ("queue_token_expired", &["ended 1 1:a lapsed".to_owned()][..])
    );
}

#[tokio::test]
async fn with_end_token_on_reservation_one_hold_ends_the_place() {
    let mut sale = unclaimed().await;
    sale.world.policy(&[("end_token_on", "reservation")]);
    let step = sale.run(&hold(&[asked(0), asked(1)]));
    assert_eq!(step.outcomes[1], "queue_token_expired");
    assert_eq!(step.events, ["held r1 12 1:a 500 T+300000 1 3:500 0: -", "ended 1 1:a reserved"]);
    place_is(&mut sale, "-", "-");
}

#[tokio::test]
async fn with_end_token_on_never_the_place_stays() {
    let mut sale = unclaimed().await;
    sale.world.policy(&[("end_token_on", "never")]);
    let step = sale.run(&hold(&[asked(0), asked(1)]));
    assert_eq!(step.events[1], "claimed 1 1:a");
    place_is(&mut sale, "1 T T+600000 0", "T+600000");
}

#[tokio::test]
async fn a_policy_without_the_gate_asks_for_no_place_but_takes_one_as_a_sign_of_life() {
    let mut sale = unclaimed().await;
    sale.world.policy(&[("gate_reserve", "0")]);
    let step = sale.run(&hold(&[
        Hold::new("stranger", "", "r8", "0:1"),
        Hold::new("stranger", "77", "r9", "1:1"),
        Hold { seq: "77", ..asked(0) },
        Hold { seq: "", ..asked(1) },
    ]));
    assert!(step.outcomes.iter().all(|outcome| outcome.starts_with("held ")), "{step:?}");
    assert_eq!(step.events.len(), 4, "none of them shows the number of his place: {step:?}");
    let step = sale.run(&hold(&[asked(2)]));
    assert_eq!(step.events[1..], ["claimed 1 1:a"]);
    sale.at(600_000);
    let step = sale.run(&hold(&[Hold { show: 13, ..Hold::new("a", "1", "r4", "0:1") }]));
    assert_eq!(step.events, ["ended 1 1:a lapsed", "held r4 13 1:a 1 T+900000 1 0:1 0: -"]);
}

#[tokio::test]
async fn a_number_of_an_earlier_place_is_over_even_while_a_later_one_lives() {
    let mut sale = Sale::with(&["a"]).await;
    sale.run(&Call::batch("leave", &[&["a", "1"]]));
    sale.join(&["a"]);
    sale.run(&hold(&[asked(0)])).refuses(&["queue_token_expired"]);
    assert!(sale.run(&hold(&[Hold { seq: "2", ..asked(0) }])).outcome().starts_with("held "));
}

/// Where holding needs no place, the one in line that the token proves ends as an active one would.
#[tokio::test]
async fn under_reservation_who_waits_leaves_the_line_when_he_holds() {
    let mut sale = Sale::open().await;
    sale.world.policy(&[("max_active", "0"), ("gate_reserve", "0"), ("end_token_on", "reservation")]);
    sale.run(&Call::batch("join", &[&["a"], &["b"]]));
    let saved = sale.world.save();
    let step = sale.run(&hold(&[asked(0)]));
    assert_eq!(step.events[1..], ["ended 1 1:a reserved"]);
    assert_eq!((sale.get("queue/a"), sale.get("queue/b")), ("-".to_owned(), "2".to_owned()));
    // Without a token of this place it is not known to be his turn that he used.
    for seq in ["", "2"] {
        sale.world.load(&saved);
        let step = sale.run(&hold(&[Hold { seq, ..asked(0) }]));
        assert_eq!((step.events.len(), sale.get("queue/a")), (1, "1".to_owned()), "{seq:?}");
    }
    sale.world.load(&saved);
    sale.world.policy(&[("end_token_on", "payment")]);
    let step = sale.run(&hold(&[asked(0)]));
    assert_eq!((step.events.len(), sale.get("queue/a")), (1, "1".to_owned()));
}
