//! `tidy` and `tidy_wallet`: requests are forgotten after their 24 hours, a bounded number a call.

use super::call::{Call, Seen};
use super::sale::{Charge, Hold, Pay, Sale, charge, hold, id, pay};
use super::top_up::{TopUp, begun, said, top_up};

const DAY: i64 = 86_400_000;

/// Nothing has ended that the archive has.
fn tidy() -> Call {
    Call::one("tidy", &["0"])
}

pub(super) fn tidy_wallets(partitions: &[u8]) -> Call {
    Call::one("tidy_wallet", &[]).without_concert().wallets(partitions)
}

#[tokio::test]
async fn a_request_of_a_concert_is_known_for_a_day() {
    let mut sale = Sale::with(&["7:a b"]).await;
    let held = Hold { key: "k", ..Hold::new("7:a b", "1", "r1", "0:10") };
    sale.run(&hold(&[held]));
    sale.fund("7:a b", "100");
    sale.at(1);
    let paid = Pay { key: "k", ..Pay::new("7:a b", "r1", "p1") };
    sale.run(&pay(&[paid]));
    sale.at(DAY - 1);
    sale.run(&tidy()).refuses(&["tidied 0 0"]);
    sale.at(DAY);
    sale.run_aside(&hold(&[held])).refuses(&["replayed r1 12 0:10 10 T T+300000"]);
    let gone = ["idem/5:7:a bhold:k: gone", "idem_end/5:7:a bhold:k: gone", "idem_user/7:a b: 1"];
    sale.run_aside(&tidy()).is(&["tidied 1 0"], &[], &gone);
    sale.run_aside(&tidy()).refuses(&["tidied 0 0"]);
    sale.at(DAY + 1);
    let gone = ["idem/5:7:a bpay:k: gone", "idem_end/5:7:a bpay:k: gone", "idem_user/7:a b: gone"];
    sale.run_aside(&tidy()).is(&["tidied 1 0"], &[], &gone);
    sale.run_aside(&pay(&[Pay { payment: "p2", ..paid }])).refuses(&["invalid_reservation already_paid"]);
}

#[tokio::test]
async fn a_request_of_a_wallet_is_known_for_a_day() {
    let mut sale = Sale::open().await;
    let first = Charge { by: "till 1", ..Charge::new("a", "c1", "100", "k") };
    sale.run(&charge(&[first, Charge { wallet: "w01", user: "b", ..Charge::new("b", "c2", "5", "k") }]));
    sale.at(DAY - 1);
    sale.run(&tidy_wallets(&[0, 1])).refuses(&["tidied 0", "tidied 0"]);
    sale.at(DAY);
    sale.run(&charge(&[first])).refuses(&["replayed c1 100 100"]);
    let level = sale.world.seen("w01");
    let lost = tidy_wallets(&[0, 1]).seen("w01", Seen { number: level.number + 1, ..level });
    let step = sale.run_aside(&lost);
    let gone = [
        "w00:idem/6:till 1charge:1:ak: gone",
        "w00:idem_end/6:till 1charge:1:ak: gone",
        "w00:idem_user/till 1: gone",
    ];
    assert_eq!((step.changes.as_slice(), step.events.len()), (&gone.map(str::to_owned)[..], 0));
    let mut told = step.outcomes;
    told.sort();
    assert_eq!(told, ["tidied 0", "tidied 1"], "partitions come in no order");
    assert_eq!(sale.run_aside(&charge(&[first])).outcome(), "charged c1 100 200");
}

/// His own key counts until it is forgotten, what became of the charge never.
#[tokio::test]
async fn an_end_of_a_top_up_is_forgotten_without_being_counted() {
    let mut sale = begun().await;
    sale.at(2000);
    sale.run(&said("declined"));
    sale.run(&said("voided"));
    assert_eq!(sale.get("w00:idem_user/a"), "2");
    sale.at(DAY + 1000);
    assert_eq!(sale.run_aside(&tidy_wallets(&[0])).outcome(), "tidied 2");
    assert_eq!(sale.get("w00:idem_user/a"), "-");
    sale.run_aside(&top_up(&[TopUp::new("a", "c2", "5", "k")]));
    sale.at(DAY + 2000);
    let gone = ["w00:idem/1:aended:c1: gone", "w00:idem_end/1:aended:c1: gone"];
    sale.run_aside(&tidy_wallets(&[0])).is(&["tidied 1"], &[], &gone);
    assert_eq!(sale.get("w00:idem_user/a"), "1");
}

#[tokio::test]
async fn a_call_forgets_a_hundred_requests_and_the_next_goes_on() {
    let mut sale = Sale::open().await;
    let keys: Vec<_> = (0..101).map(|number| format!("k{number}")).collect();
    let requests: Vec<_> = keys.iter().map(|key| Charge::new("a", "c1", "10", key)).collect();
    sale.run(&charge(&requests));
    sale.at(DAY);
    assert_eq!(sale.run_aside(&tidy_wallets(&[0])).outcome(), "tidied 100");
    assert_eq!(sale.get("w00:idem_user/a"), "1");
    assert_eq!(sale.run_aside(&tidy_wallets(&[0])).outcome(), "tidied 1");
    assert_eq!(sale.get("w00:idem_user/a"), "-");
    for number in 0..101 {
        let (request, reservation) = (format!("1:ahold:k{number}"), id("r1"));
        sale.world.command(&["HSET", "{c7}:idem", &request, &format!("f1 {reservation} 1900000300000")]);
        sale.world.command(&["ZADD", "{c7}:idem_end", "1900000000000", &request]);
    }
    sale.world.command(&["HSET", "{c7}:idem_user", "a", "101"]);
    assert_eq!(sale.run_aside(&tidy()).outcome(), "tidied 100 0");
    assert_eq!(sale.run_aside(&tidy()).outcome(), "tidied 1 0");
    assert_eq!(sale.get("idem_user/a"), "-");
}
