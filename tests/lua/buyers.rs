//! Users and amounts of every kind, through a whole sale: what a script writes, it reads again.

use super::call::Call;
use super::sale::{Charge, Hold, Pay, Sale, charge, hold, pay, release, reservations};

/// The most that an amount can be: 2^53 - 1.
const MOST: &str = "9007199254740991";

/// Whatever a record, an entry or a request separates its fields with; some are the beginning of another.
const USERS: [&str; 9] =
    ["a|b", "7:a b", "7", "한글 이름", "1:2:3 4", "pending 12 5", "-", "x,y=z;0:5", "{c7}:log/1-0 {w00}"];

#[tokio::test]
async fn user_ids_may_hold_every_separator() {
    let mut sale = Sale::with(&USERS).await;
    sale.world.policy(&[("hold_ms", "10000")]);
    let seqs: Vec<_> = (1..=USERS.len()).map(|seq| seq.to_string()).collect();
    let shorts: Vec<_> = (1..=USERS.len()).map(|number| format!("r{number}")).collect();
    let seats: Vec<_> = (0..USERS.len()).map(|index| format!("{index}:10")).collect();
    let holds: Vec<_> = (0..USERS.len())
        .map(|at| Hold { key: "k", ..Hold::new(USERS[at], &seqs[at], &shorts[at], &seats[at]) })
        .collect();
    let every = |step: super::step::Step, name: &str| {
        assert!(step.outcomes.iter().all(|outcome| outcome.starts_with(name)), "{name}: {step:?}");
    };
    every(sale.run(&hold(&holds)), "held ");
    every(sale.run(&hold(&holds)), "replayed ");
    let charges: Vec<_> = USERS.iter().map(|user| Charge::new(user, "c1", "10", "k")).collect();
    every(sale.run(&charge(&charges)), "charged ");
    every(sale.run(&charge(&charges)), "replayed ");
    let payments: Vec<_> =
        (0..4).map(|at| Pay { key: "k", ..Pay::new(USERS[at], &shorts[at], "p1") }).collect();
    every(sale.run(&pay(&payments)), "paid ");
    every(sale.run(&pay(&payments)), "replayed ");
    every(sale.run(&release(&[(USERS[4], 12, &shorts[4])])), "released");
    sale.at(10_000);
    let left: Vec<_> = shorts[5..].iter().map(String::as_str).collect();
    every(sale.run(&reservations("expire", &left)), "expired");
    assert_eq!(sale.get("seats:12"), "2222000000");
    sale.at(86_400_000);
    assert_eq!(sale.run_aside(&Call::one("tidy", &["0"])).outcome(), "tidied 13 0");
    assert!(!sale.world.state().paths().any(|path| path.starts_with("idem")));
}

/// A key that runs on where another user's id ends is another request.
#[tokio::test]
async fn requests_of_two_users_never_meet() {
    let mut sale = Sale::with(&["a", "ahold:k"]).await;
    let step = sale.run(&hold(&[
        Hold { key: "khold:k", ..Hold::new("a", "1", "r1", "0:10") },
        Hold { key: "k", ..Hold::new("ahold:k", "2", "r2", "1:10") },
        Hold { key: "hold:k", ..Hold::new("a", "1", "r3", "2:10") },
    ]));
    assert!(step.outcomes.iter().all(|outcome| outcome.starts_with("held ")), "{step:?}");
}

#[tokio::test]
async fn amounts_up_to_two_to_the_53_keep_every_unit() {
    let mut sale = Sale::with(&["a"]).await;
    let step = sale.run(&hold(&[Hold::new("a", "1", "r1", "0:9007199254740990,1:1")]));
    assert_eq!(step.outcome(), "held r1 12 0:9007199254740990,1:1 9007199254740991 T T+300000");
    sale.fund("a", "9007199254740990");
    let asked = pay(&[Pay::new("a", "r1", "p1")]);
    sale.run(&asked).refuses(&["insufficient_balance 9007199254740990 9007199254740991"]);
    sale.fund("a", "1");
    let seats = "0:9007199254740990,1:1";
    assert_eq!(sale.run(&asked).outcome(), format!("paid r1 12 p1 {seats} {MOST} 0"));
    sale.run(&asked).refuses(&[&format!("replayed r1 12 p1 {seats} {MOST} 0")]);
    assert_eq!(
        (sale.get("meta/revenue"), sale.get("w00:balances/a")),
        (MOST.into(), "0 1900000000000".into())
    );
}

#[tokio::test]
async fn of_the_most_one_unit_is_taken_exactly() {
    let mut sale = Sale::with(&["a"]).await;
    sale.fund("a", MOST);
    sale.held("a", "1", "r1", "0:1");
    assert_eq!(
        sale.run(&pay(&[Pay::new("a", "r1", "p1")])).outcome(),
        "paid r1 12 p1 0:1 1 9007199254740990"
    );
}

#[tokio::test]
async fn a_free_seat_is_paid_with_nothing() {
    let mut sale = Sale::with(&["a"]).await;
    sale.held("a", "1", "r1", "0:0");
    assert_eq!(sale.run(&pay(&[Pay::new("a", "r1", "p1")])).outcome(), "paid r1 12 p1 0:0 0 0");
}
