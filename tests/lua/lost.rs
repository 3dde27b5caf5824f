//! A lost log stops a sale: the concert's all of it, a wallet partition's only its own users.

use super::call::{Call, Seen};
use super::promise::stops_when_the_log_was_lost;
use super::sale::{
    Authorise, Block, Charge, Hold, Pay, Refund, Sale, authorise, block, charge, confirm, hold, pay, refund,
    release, settle,
};

/// `a` and `b` hold a seat each by r1 and r2, and have 1,000 each in `w00` and `w01`, by two charges.
async fn two_partitions() -> Sale {
    let mut sale = Sale::with(&["a", "b"]).await;
    sale.held("a", "1", "r1", "3:500");
    sale.held("b", "2", "r2", "4:500");
    for key in ["k1", "k2"] {
        let in_w01 = Charge { wallet: "w01", ..Charge::new("b", "c2", "500", key) };
        sale.run(&charge(&[Charge::new("a", "c1", "500", key), in_w01]));
    }
    sale
}

fn pay_both() -> Call {
    pay(&[Pay { key: "k", ..Pay::new("a", "r1", "p1") }, Pay { wallet: "w01", ..Pay::new("b", "r2", "p2") }])
}

fn refund_both() -> Call {
    refund(&[
        Refund { key: "k", ..Refund::new("a", "r1", "f1", "") },
        Refund { wallet: "w01", ..Refund::new("b", "r2", "f2", "") },
    ])
}

fn charge_both() -> Call {
    let in_w01 = Charge { wallet: "w01", ..Charge::new("b", "c2", "5", "k3") };
    charge(&[Charge::new("a", "c1", "5", "k1"), Charge::new("a", "c1", "5", "k3"), in_w01])
}

#[tokio::test]
async fn of_the_concert() {
    let mut sale = two_partitions().await;
    let calls = [
        hold(&[Hold::new("a", "1", "r3", "5:500"), Hold::new("a", "1", "r1", "3:500")]),
        release(&[("a", 12, "r1")]),
        pay_both(),
        refund_both(),
        authorise(&[Authorise::new("a", "r1", "p1")]),
        confirm(&[("p1", "w00", "authorised")]),
        settle(&[("p1", "captured")]),
        Call::one("cancel", &["12", "rain"]).shows(&[12]),
        Call::batch("clear", &[&["12", "0"]]).shows(&[12]),
        block(&[Block::new("k", "7"), Block::back("k2", "8")]),
    ];
    for call in calls {
        stops_when_the_log_was_lost(&mut sale.world, &call);
    }
}

/// Each way in which a wallet's log can be lost, as what the server has seen of it.
fn ways(level: &Seen) -> [(&'static str, Seen); 7] {
    let other = || "00000000deadbeef".to_owned();
    let unchecked = Seen { check: false, ..level.clone() };
    let another_log = Seen { log_id: other(), ..level.clone() };
    let beyond = Seen { number: level.number + 1, ..level.clone() };
    let another_mark = Seen { mark: other(), ..level.clone() };
    [
        ("another log, unchecked", Seen { log_id: other(), ..unchecked.clone() }),
        ("a number beyond, unchecked", Seen { number: level.number + 1, ..unchecked.clone() }),
        ("another mark, unchecked", Seen { mark: other(), ..unchecked }),
        ("another log", another_log),
        ("a number beyond", beyond),
        ("another mark", another_mark),
        ("another mark before", Seen { number: level.number - 1, mark: other(), ..level.clone() }),
    ]
}

#[tokio::test]
async fn of_a_wallet_partition() {
    let mut sale = two_partitions().await;
    let saved = sale.world.save();
    let level = sale.world.seen("w00");
    let lost = format!("log_lost w00 {} {}", level.number, level.mark);
    for (way, seen) in ways(&level) {
        for call in [pay_both(), charge_both()] {
            sale.world.load(&saved);
            let step = sale.run(&call.clone().seen("w00", seen.clone()));
            others_are_served(&step, &lost, way);
        }
    }
    for call in [pay_both(), charge_both()] {
        sale.world.load(&saved);
        sale.world.command(&["DEL", "{w00}:meta"]);
        let step = sale.run_aside(&call.seen("w00", level.clone()));
        others_are_served(&step, "log_lost w00 0 ''", "no meta");
    }
}

#[tokio::test]
async fn of_a_wallet_partition_whose_users_are_to_be_refunded() {
    let mut sale = two_partitions().await;
    sale.run(&pay_both());
    let saved = sale.world.save();
    let level = sale.world.seen("w00");
    let lost = format!("log_lost w00 {} {}", level.number, level.mark);
    for (way, seen) in ways(&level) {
        sale.world.load(&saved);
        let step = sale.run(&refund_both().seen("w00", seen));
        others_are_served(&step, &lost, way);
    }
}

#[track_caller]
fn others_are_served(step: &super::step::Step, lost: &str, way: &str) {
    let (other, first) = step.outcomes.split_last().unwrap();
    assert!(first.iter().all(|outcome| outcome == lost), "{way}: {step:?}");
    assert!(
        ["paid ", "charged ", "refunded "].iter().any(|served| other.starts_with(served)),
        "{way}: {step:?}"
    );
    let touched: Vec<_> = step.events.iter().chain(&step.changes).filter(|line| of_the_lost(line)).collect();
    assert!(touched.is_empty(), "{way}: {touched:?}");
}

/// Whether a line is about `w00` or its user `a`.
fn of_the_lost(line: &str) -> bool {
    line.starts_with("w00") || line.contains("1:a ") || line.contains("/a: ")
}

#[tokio::test]
async fn an_older_entry_is_looked_up_only_when_asked_and_only_above_the_trim_mark() {
    let mut sale = two_partitions().await;
    let saved = sale.world.save();
    let level = sale.world.seen("w00");
    let other = Seen { number: level.number - 1, mark: "00000000deadbeef".to_owned(), ..level.clone() };
    let call = charge_both();
    let served = |step: &super::step::Step| step.outcomes[1] == "charged c1 5 1005";
    assert!(served(&sale.run(&call.clone().seen("w00", Seen { check: false, ..other.clone() }))));
    sale.world.load(&saved);
    sale.world.command(&["HSET", "{w00}:meta", "trim", &other.number.to_string()]);
    assert!(served(&sale.run_aside(&call.clone().seen("w00", other))));
    sale.world.load(&saved);
    let nothing_seen = Seen { number: 0, mark: "0".repeat(16), ..level };
    assert!(served(&sale.run(&call.seen("w00", nothing_seen))));
}
