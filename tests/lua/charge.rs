//! `charge`: money comes into a balance once for each request, each partition by itself.

use super::call::Seen;
use super::sale::{Charge, Sale, charge};

/// 2^53 - 1: the most that a balance can be.
const MOST: &str = "9007199254740991";

#[tokio::test]
async fn all_that_a_charge_writes() {
    let mut sale = Sale::open().await;
    sale.at(1000);
    let own = Charge::new("a", "c1", "10000", "k");
    sale.run(&charge(&[own])).is(
        &["charged c1 10000 10000"],
        &["w00 charged c1 1:a 10000 10000 14:1:acharge:1:ak f3"],
        &[
            "w00:balances/a: 10000 T+1000",
            "w00:idem/1:acharge:1:ak: f3 c1 10000 10000",
            "w00:idem_end/1:acharge:1:ak: T+86401000",
            "w00:idem_user/a: 1",
        ],
    );
    sale.at(2000);
    sale.run(&charge(&[Charge { by: "till 7", ..Charge::new("a", "c2", "500", "k") }])).is(
        &["charged c2 500 10500"],
        &["w00 charged c2 1:a 500 10500 19:6:till 7charge:1:ak f3"],
        &[
            "w00:balances/a: 10500 T+2000",
            "w00:idem/6:till 7charge:1:ak: f3 c2 500 10500",
            "w00:idem_end/6:till 7charge:1:ak: T+86402000",
            "w00:idem_user/till 7: 1",
        ],
    );
}

#[tokio::test]
async fn refusals_in_order_of_precedence() {
    let mut sale = Sale::open().await;
    sale.run(&charge(&[Charge::new("a", "c1", "10000", "k")]));
    let world = &mut sale.world;
    world.command(&["HSET", "{w00}:idem_user", "a", "1000"]);
    let mut asked = Charge { fingerprint: "f9", ..Charge::new("a", "c2", MOST, "k") };
    let level = world.seen("w00");
    let lost = format!("log_lost w00 {} {}", level.number, level.mark);
    let beyond = Seen { number: level.number + 1, ..level };
    world.run(&charge(&[asked]).seen("w00", beyond)).refuses(&[&lost]);
    world.run(&charge(&[asked])).refuses(&["idempotency_key_reused"]);
    asked.key = "k2";
    world.run(&charge(&[asked])).refuses(&["rate_limited"]);
    world.command(&["HSET", "{w00}:idem_user", "a", "1"]);
    for refusal in
        ["queue_token_not_active 12", "queue_token_expired", "queue_token_invalid", "sales_stopped"]
    {
        world.run(&charge(&[Charge { refusal, ..asked }])).refuses(&[refusal]);
    }
    world.run(&charge(&[asked])).refuses(&["amount_out_of_range"]);
    asked.amount = "1";
    assert_eq!(sale.run(&charge(&[asked])).outcome(), "charged c2 1 10001");
}

#[tokio::test]
async fn a_replay_comes_before_what_the_server_would_refuse() {
    let mut sale = Sale::open().await;
    let first = Charge::new("a", "c1", "10000", "k");
    sale.run(&charge(&[first]));
    let again = Charge { refusal: "queue_token_expired", id: "c2", ..first };
    sale.run(&charge(&[again])).refuses(&["replayed c1 10000 10000"]);
}

#[tokio::test]
async fn a_balance_ends_below_two_to_the_53() {
    let mut sale = Sale::open().await;
    let step = sale.run(&charge(&[
        Charge::new("a", "c1", "9007199254740990", "k1"),
        Charge::new("a", "c2", "2", "k2"),
        Charge::new("a", "c3", "1", "k3"),
        Charge::new("a", "c4", "1", "k4"),
        Charge::new("a", "c5", MOST, "k5"),
        Charge::new("b", "c6", "9007199254740992", "k1"),
        Charge::new("b", "c7", MOST, "k2"),
    ]));
    let refused = "amount_out_of_range";
    assert_eq!(
        step.outcomes,
        [
            "charged c1 9007199254740990 9007199254740990",
            refused,
            "charged c3 1 9007199254740991",
            refused,
            refused,
            refused,
            "charged c7 9007199254740991 9007199254740991",
        ]
    );
    assert_eq!(sale.get("w00:balances/a"), format!("{MOST} 1900000000000"));
    sale.run(&charge(&[Charge::new("a", "c9", "1", "k3")])).refuses(&["replayed c3 1 9007199254740991"]);
}

#[tokio::test]
async fn a_charge_sent_again_gets_its_first_answer() {
    let mut sale = Sale::open().await;
    let first = Charge::new("a", "c1", "10000", "k");
    let step = sale.run(&charge(&[
        first,
        Charge { id: "c2", ..first },
        Charge { id: "c3", amount: "5", fingerprint: "f4", ..first },
        Charge { id: "c4", by: "b", ..first },
        Charge { id: "c5", user: "b", ..first },
    ]));
    assert_eq!(
        step.outcomes,
        [
            "charged c1 10000 10000",
            "replayed c1 10000 10000",
            "idempotency_key_reused",
            "charged c4 10000 20000",
            "charged c5 10000 10000",
        ]
    );
    sale.at(80_000_000);
    sale.run(&charge(&[Charge { id: "c6", ..first }])).refuses(&["replayed c1 10000 10000"]);
}

#[tokio::test]
async fn a_user_has_a_thousand_live_keys_and_no_more() {
    let mut sale = Sale::open().await;
    let keys: Vec<_> = (1..=1001).map(|number| format!("k{number}")).collect();
    let ids: Vec<_> = (0..100).map(|number| format!("{number:02}")).collect();
    let one = |at: usize| Charge::new("a", &ids[at % 100], "10", &keys[at]);
    for hundred in 0..10 {
        let requests: Vec<_> = (0..100).map(|at| one(100 * hundred + at)).collect();
        let step = sale.run(&charge(&requests));
        assert!(step.outcomes.iter().all(|outcome| outcome.starts_with("charged ")), "{step:?}");
    }
    sale.run(&charge(&[one(1000), one(999)])).refuses(&["rate_limited", "replayed 99 10 10000"]);
    assert_eq!(sale.get("w00:idem_user/a"), "1000");
    let by_another = charge(&[Charge { by: "b", ..one(1000) }]);
    assert_eq!(sale.run(&by_another).outcome(), "charged 00 10 10010");
    let elsewhere = charge(&[Charge { wallet: "w01", user: "z", ..one(1000) }]);
    assert_eq!(sale.run(&elsewhere).outcome(), "charged 00 10 10", "counted in each partition");
}
