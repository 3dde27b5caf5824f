//! Batches of sixteen in which each request throws in its turn, at every assignment it makes: the other fifteen are served as
//! if it were absent, and the logs tell all that they did.

use super::call::Call;
use super::promise::a_throw_leaves_no_trace;
use super::sale::{
    Authorise, Block, Charge, Hold, Pay, Refund, Sale, authorise, block, charge, confirm, hold, pay, refund,
    release, settle,
};

const USERS: [&str; 8] = ["a|b", "7:a b", "7", "한글 이름", "e", "f", "g", "h"];

/// Eight users in, at the beginning of the clock.
async fn eight() -> Sale {
    let mut sale = Sale::with(&USERS).await;
    for (user, amount) in [("a|b", "1000"), ("7", "1000"), ("e", "30"), ("한글 이름", "100")] {
        sale.fund(user, amount);
    }
    sale
}

#[track_caller]
fn each_may_throw(sale: &mut Sale, call: &Call) {
    assert_eq!(call.len(), 16);
    let saved = sale.world.save();
    for absent in 0..call.len() {
        sale.run(&call.without(absent));
        sale.world.load(&saved);
    }
    a_throw_leaves_no_trace(&mut sale.world, call);
}

#[tokio::test]
async fn in_hold() {
    let mut sale = eight().await;
    sale.held(USERS[0], "1", "r1", "0:10,1:10,2:10,3:10");
    sale.run(&hold(&[Hold { key: "k", ..Hold::new(USERS[1], "2", "r2", "4:10") }]));
    sale.at(100_000);
    sale.held(USERS[2], "3", "r3", "5:10");
    sale.run(&Call::batch("leave", &[&["h", "8"]]));
    sale.world.policy(&[("max_active", "0"), ("max_seats_per_user", "5")]);
    sale.run(&Call::batch("join", &[&["h"]]));
    sale.at(350_000);
    let in_13 = |seats, id, user, seq| Hold { show: 13, ..Hold::new(user, seq, id, seats) };
    let keyed = |id, seats| Hold { key: "k1", ..Hold::new("e", "5", id, seats) };
    let call = hold(&[
        Hold::new("f", "6", "r4", "2:10"),
        Hold::new("g", "7", "r5", "2:10,3:10"),
        Hold { key: "k", ..Hold::new(USERS[1], "2", "s1", "4:10") },
        Hold { key: "k", fingerprint: "f9", ..Hold::new(USERS[1], "2", "s2", "4:10") },
        keyed("r6", "0:10,4:10"),
        keyed("r7", "0:10,4:10"),
        in_13("0:10,1:10,2:10,3:10", "r8", USERS[0], "1"),
        in_13("4:10", "r9", USERS[0], "1"),
        in_13("5:10", "s3", USERS[0], "1"),
        Hold::new("h", "8", "s4", "6:10"),
        Hold::new("h", "9", "s5", "6:10"),
        Hold { catalog: "0", ..Hold::new("g", "7", "s6", "6:10") },
        Hold::new("g", "7", "s7", "5:10,3:10"),
        Hold::new(USERS[3], "4", "s8", "6:10,7:10"),
        Hold::new(USERS[3], "4", "s9", "7:10,8:10"),
        in_13("3:10,6:10", "t1", "f", "6"),
    ]);
    each_may_throw(&mut sale, &call);
}

#[tokio::test]
async fn in_release() {
    let mut sale = eight().await;
    sale.held(USERS[0], "1", "r1", "0:10,1:10");
    sale.held(USERS[0], "1", "r2", "2:10");
    sale.held(USERS[1], "2", "r3", "3:10");
    sale.held(USERS[2], "3", "r4", "4:10,5:10");
    sale.run(&pay(&[Pay::new(USERS[2], "r4", "p4")]));
    sale.at(100_000);
    sale.held(USERS[0], "1", "r5", "6:10");
    sale.held(USERS[3], "4", "r6", "7:10");
    sale.run(&hold(&[Hold { show: 13, ..Hold::new("e", "5", "r7", "0:10,9:10") }]));
    sale.run(&hold(&[Hold { show: 13, ..Hold::new("e", "5", "r8", "1:10") }]));
    sale.held("f", "6", "r9", "8:10,9:10");
    sale.at(300_000);
    let call = release(&[
        (USERS[0], 12, "r1"),
        (USERS[0], 12, "r1"),
        (USERS[0], 12, "r5"),
        (USERS[0], 12, "r2"),
        (USERS[1], 12, "r3"),
        (USERS[2], 12, "r4"),
        (USERS[2], 12, "r6"),
        (USERS[3], 12, "r6"),
        (USERS[3], 13, "r6"),
        (USERS[3], 12, "r6"),
        ("e", 13, "r8"),
        ("e", 13, "r7"),
        ("e", 12, "r7"),
        ("nobody", 12, "s1"),
        ("f", 12, "r9"),
        ("f", 12, "r9"),
    ]);
    each_may_throw(&mut sale, &call);
}

#[tokio::test]
async fn in_pay() {
    let mut sale = eight().await;
    sale.held(USERS[0], "1", "r1", "0:10,1:10");
    sale.at(100_000);
    sale.held(USERS[0], "1", "r2", "2:10");
    sale.held(USERS[0], "1", "r3", "3:10");
    sale.held(USERS[2], "3", "r4", "4:10,5:10");
    sale.held("e", "5", "r5", "6:10");
    sale.held("e", "5", "r6", "7:25");
    sale.run(&hold(&[Hold { show: 13, ..Hold::new("g", "7", "r7", "0:10,9:10") }]));
    sale.run(&hold(&[Hold { show: 13, ..Hold::new(USERS[3], "4", "r8", "1:10") }]));
    sale.run(&charge(&[Charge { wallet: "w01", ..Charge::new("g", "c1", "20", "k") }]));
    sale.run(&Call::batch("leave", &[&["e", "5"]]));
    sale.at(300_000);
    let keyed = |payment| Pay { key: "k", ..Pay::new(USERS[2], "r4", payment) };
    let in_13 = |user, id, payment| Pay { show: 13, ..Pay::new(user, id, payment) };
    let call = pay(&[
        Pay::new(USERS[0], "r1", "p1"),
        Pay::new(USERS[0], "r2", "p2"),
        Pay::new(USERS[0], "r3", "p3"),
        Pay::new(USERS[0], "r3", "p3"),
        keyed("p4"),
        keyed("p5"),
        Pay { fingerprint: "f9", ..keyed("p6") },
        Pay::new("e", "r5", "p7"),
        Pay::new("e", "r6", "p8"),
        Pay::new("e", "r5", "p9"),
        Pay { wallet: "w01", ..in_13("g", "r7", "q1") },
        Pay { wallet: "w01", ..in_13("g", "r7", "q2") },
        in_13(USERS[3], "r8", "q3"),
        in_13(USERS[3], "r7", "q4"),
        Pay::new("nobody", "r9", "q5"),
        Pay::new("e", "r6", "q6"),
    ]);
    each_may_throw(&mut sale, &call);
}

#[tokio::test]
async fn in_refund() {
    let mut sale = eight().await;
    sale.held(USERS[0], "1", "r1", "0:10,1:20,2:30");
    sale.held(USERS[0], "1", "r2", "3:10");
    sale.held(USERS[2], "3", "r3", "4:10,5:0");
    sale.held("e", "5", "r4", "6:10");
    sale.run(&hold(&[Hold { show: 13, ..Hold::new("g", "7", "r5", "0:5,9:5") }]));
    sale.run(&charge(&[Charge { wallet: "w01", ..Charge::new("g", "c1", "20", "k") }]));
    let in_w01 = Pay { wallet: "w01", show: 13, ..Pay::new("g", "r5", "p5") };
    let [one, two, three] =
        [(USERS[0], "r1"), (USERS[0], "r2"), (USERS[2], "r3")].map(|(user, id)| Pay::new(user, id, "p1"));
    sale.run(&pay(&[one, two, three, in_w01]));
    sale.at(1000);
    let whole = |user, id, name| Refund::new(user, id, name, "");
    let keyed = |name, seats| Refund { key: "k", ..Refund::new(USERS[0], "r1", name, seats) };
    let of_g = |name, seats| Refund { wallet: "w01", show: 13, ..Refund::new("g", "r5", name, seats) };
    let call = refund(&[
        keyed("f1", "1"),
        keyed("f2", "1"),
        Refund { fingerprint: "f9", ..keyed("f3", "1") },
        Refund { key: "k2", ..keyed("f4", "2,0") },
        Refund { key: "k3", ..keyed("f5", "") },
        whole(USERS[0], "r2", "f6"),
        whole(USERS[0], "r2", "f7"),
        Refund::new(USERS[2], "r3", "f8", "5"),
        Refund { by: USERS[1], key: "k", ..Refund::new(USERS[2], "r3", "f9", "4") },
        whole("e", "r4", "g1"),
        whole("nobody", "r9", "g2"),
        of_g("g3", "9"),
        of_g("g4", "9"),
        Refund { key: "k4", ..of_g("g5", "") },
        Refund { show: 12, ..of_g("g6", "") },
        whole("f", "r3", "g7"),
    ]);
    each_may_throw(&mut sale, &call);
}

/// Each of the eight holds a seat of show 12 by r1 to r8; the cards of all but the last are under way as p1 to p7.
async fn cards() -> Sale {
    let mut sale = eight().await;
    let ids = ["r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8"];
    let seats = ["0:10", "1:10", "2:10", "3:10", "4:10", "5:10", "6:10", "7:10"];
    let seqs = ["1", "2", "3", "4", "5", "6", "7", "8"];
    for at in 0..8 {
        sale.held(USERS[at], seqs[at], ids[at], seats[at]);
    }
    sale.at(1000);
    let payments = ["p1", "p2", "p3", "p4", "p5", "p6", "p7"];
    let begin = |at: usize| Authorise { key: "k", ..Authorise::new(USERS[at], ids[at], payments[at]) };
    sale.run(&authorise(&(0..7).map(begin).collect::<Vec<_>>()));
    sale.run(&release(&[(USERS[5], 12, "r6")]));
    sale.run(&confirm(&[("p7", "w00", "declined"), ("p1", "w00", "authorised")]));
    sale
}

#[tokio::test]
async fn in_authorise() {
    let mut sale = cards().await;
    let new = Authorise::new;
    let keyed = |at: usize, id, payment| Authorise { key: "k", ..new(USERS[at], id, payment) };
    let call = authorise(&[
        keyed(0, "r1", "q1"),
        new(USERS[0], "r1", "q2"),
        new(USERS[1], "r2", "q3"),
        Authorise { fingerprint: "f9", ..keyed(1, "r2", "q4") },
        new(USERS[5], "r6", "q5"),
        new(USERS[6], "r7", "q6"),
        new(USERS[6], "r7", "q6"),
        new(USERS[6], "r7", "q7"),
        keyed(7, "r8", "q8"),
        keyed(7, "r8", "q9"),
        Authorise { fingerprint: "f9", ..keyed(7, "r8", "s1") },
        new(USERS[7], "r8", "s2"),
        new("nobody", "r9", "s3"),
        new(USERS[3], "r2", "s4"),
        Authorise { show: 13, ..new(USERS[3], "r4", "s5") },
        keyed(6, "r7", "s6"),
    ]);
    each_may_throw(&mut sale, &call);
}

#[tokio::test]
async fn in_confirm_and_settle() {
    let mut sale = cards().await;
    sale.at(2000);
    let call = confirm(&[
        ("p1", "w00", "authorised"),
        ("p2", "w00", "authorised"),
        ("p2", "w00", "authorised"),
        ("p3", "w01", "authorised"),
        ("p3", "w01", "declined"),
        ("p4", "w00", "declined"),
        ("p4", "w00", "authorised"),
        ("p5", "w00", "pending"),
        ("p5", "w00", "authorised"),
        ("p6", "w01", "authorised"),
        ("p6", "w01", "pending"),
        ("p7", "w00", "declined"),
        ("p7", "w00", "pending"),
        ("p9", "w00", "authorised"),
        ("p9", "w01", "declined"),
        ("p1", "w00", "pending"),
    ]);
    each_may_throw(&mut sale, &call);
    sale.run(&call);
    let call = settle(&[
        ("p1", "captured"),
        ("p1", "captured"),
        ("p2", "voided"),
        ("p2", "captured"),
        ("p3", "captured"),
        ("p3", "voided"),
        ("p4", "voided"),
        ("p4", "voided"),
        ("p5", "voided"),
        ("p6", "captured"),
        ("p6", "voided"),
        ("p7", "voided"),
        ("p9", "voided"),
        ("p9", "captured"),
        ("p5", "captured"),
        ("p7", "captured"),
    ]);
    each_may_throw(&mut sale, &call);
}

#[tokio::test]
async fn in_block() {
    let mut sale = eight().await;
    sale.held(USERS[0], "1", "r1", "0:10,1:10");
    sale.run(&pay(&[Pay::new(USERS[0], "r1", "p1")]));
    sale.held(USERS[1], "2", "r2", "2:10,3:10");
    sale.run(&block(&[Block::new("old", "8,9")]));
    sale.at(100_000);
    sale.held("e", "5", "r3", "4:10");
    sale.at(300_000);
    let in_13 = |block: Block<'static>| Block { show: 13, ..block };
    let call = block(&[
        Block::new("k1", "2"),
        Block::new("k1", "2"),
        Block { fingerprint: "f9", ..Block::new("k1", "2") },
        Block::new("k2", "3,2"),
        Block::new("k3", "3,5"),
        Block::new("k4", "4"),
        Block::new("k5", "0,6"),
        Block::back("k6", "8,7"),
        Block::back("k7", "9"),
        Block { by: USERS[3], ..Block::new("k1", "9") },
        Block { by: "", ..Block::new("k8", "6,7") },
        Block { by: "", ..Block::back("k9", "6") },
        in_13(Block::new("k10", "0,1,2")),
        in_13(Block::back("k11", "1")),
        in_13(Block::new("k12", "1,99")),
        Block::new("k13", "6,7"),
    ]);
    each_may_throw(&mut sale, &call);
}

#[tokio::test]
async fn in_charge() {
    let mut sale = eight().await;
    sale.at(1000);
    let new = Charge::new;
    let in_w01 = |user, id, amount, key| Charge { wallet: "w01", ..Charge::new(user, id, amount, key) };
    let call = charge(&[
        new(USERS[0], "c1", "10", "k"),
        new(USERS[0], "c2", "10", "k"),
        Charge { fingerprint: "f9", ..new(USERS[0], "c3", "10", "k") },
        new(USERS[0], "c4", "20", "k2"),
        new(USERS[0], "c5", "9007199254740000", "k3"),
        new("f", "c6", "9007199254740991", "k"),
        new("f", "c7", "1", "k2"),
        in_w01("g", "c8", "5", "k"),
        in_w01("g", "c9", "6", "k2"),
        in_w01("g", "d1", "6", "k2"),
        Charge { by: "till|7", ..new(USERS[3], "d2", "7", "k") },
        Charge { by: "till|7", ..in_w01("h", "d3", "7", "k") },
        Charge { by: "till|7", ..new(USERS[2], "d4", "7", "k") },
        new(USERS[2], "d5", "8", "k"),
        new(USERS[1], "d6", "9", "k"),
        in_w01("h", "d7", "1", "k"),
    ]);
    each_may_throw(&mut sale, &call);
}

/// `a` to `d` are in, `a` and `b` claimed, all overdue but `b`; `x` and `y` wait, there is room for two more.
async fn a_line() -> Sale {
    let mut sale = Sale::open().await;
    sale.world.policy(&[("max_active", "0")]);
    sale.run(&Call::batch("join", &[&["a"], &["b"], &["c"], &["d"]]));
    sale.world.policy(&[("max_active", "4"), ("active_ms", "50000"), ("claim_ms", "40000")]);
    sale.run(&Call::one("admit", &[]));
    sale.at(10_000);
    sale.run(&Call::batch("claim", &[&["a", "1"], &["b", "2"]]));
    sale.world.policy(&[("hold_ms", "90000")]);
    sale.held("b", "2", "r1", "0:10");
    sale.run(&Call::batch("join", &[&["x"], &["y"]]));
    sale.at(50_000);
    sale
}

#[tokio::test]
async fn in_join() {
    let mut sale = a_line().await;
    let users = ["a", "b", "c", "d", "x", "m", "n", "m", "a", "y", "o p|q", "7:r", "b", "o p|q", "z", "c"];
    let requests: Vec<_> = users.iter().map(std::slice::from_ref).collect();
    each_may_throw(&mut sale, &Call::batch("join", &requests));
    sale.run(&Call::batch("leave", &[&["x", "5"], &["y", "6"], &["d", "4"]]));
    sale.world.policy(&[("max_active", "6")]);
    each_may_throw(&mut sale, &Call::batch("join", &requests));
}

const ASKED: [&[&str]; 16] = [
    &["a", "1"],
    &["a", "1"],
    &["b", "2"],
    &["b", "9"],
    &["x", "5"],
    &["y", "5"],
    &["c", "4"],
    &["c", "3"],
    &["d", "4"],
    &["y", "6"],
    &["nobody", "7"],
    &["e", "7"],
    &["f|g", "8"],
    &["f|g", "7"],
    &["x", "5"],
    &["b", "2"],
];

#[tokio::test]
async fn in_claim() {
    let mut sale = a_line().await;
    each_may_throw(&mut sale, &Call::batch("claim", &ASKED));
    some_unclaimed(&mut sale);
    each_may_throw(&mut sale, &Call::batch("claim", &ASKED));
}

#[tokio::test]
async fn in_leave() {
    let mut sale = a_line().await;
    each_may_throw(&mut sale, &Call::batch("leave", &ASKED));
    some_unclaimed(&mut sale);
    each_may_throw(&mut sale, &Call::batch("leave", &ASKED));
}

/// `e`, `f|g` and those who waited are let in and have yet to claim.
fn some_unclaimed(sale: &mut Sale) {
    sale.run(&Call::batch("join", &[&["e"], &["f|g"]]));
    sale.world.policy(&[("max_active", "9")]);
    sale.run(&Call::one("admit", &[]));
    assert_ne!(sale.get("unclaimed/f|g"), "-");
}
