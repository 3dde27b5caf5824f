//! What each event leaves in the tables, and that it does not matter how a log is cut into transactions.

use onsale::domain::fields::prefixed;
use onsale::domain::ids::LogName;

use super::{Fresh, LOG_ID, Log, fresh, held, id, paid};

/// A user who would break every separator and quote.
const ODD: &str = "o'b|c \"🎫\" \\ 한";

/// A concert's log with every word of format 1.
fn concert() -> Log {
    let (ann, odd) = (prefixed("ann"), prefixed(ODD));
    let policy = prefixed(r#"{"policy":{"maxActive":7},"opensAt":null,"closesAt":null,"paused":true}"#);
    Log::concert(7)
        .and(&["show 12 100 3".to_owned(), format!("policy 2 {policy}"), "catalog 4".to_owned()])
        .and(&[
            format!("joined 1 {ann}"),
            format!("joined 2 {odd}"),
            format!("admitted 1 {ann} 601000 61000"),
        ])
        .and(&[format!("claimed 1 {ann}"), held(1, "ann", 5), format!("stretched 1 {ann} 700000")])
        .and(&[format!("admitted 2 {odd} 602000 0"), held(2, ODD, 6), held(3, "ann", 7)])
        .and(&[paid(1, "ann", 5), format!("released {} 12 {odd} 6:500 user", id(2))])
        .and(&[format!("expired {} 12 {ann} 7:500", id(3)), format!("ended 1 {ann} paid")])
        .and(&[format!("joined 3 {ann}"), format!("ended 2 {odd} left")])
        .and(&[two_held(4, ODD), two_paid(4, ODD)])
        .and(&[refunded(4, ODD, "9:500", "9:500", "confirmed"), held(5, "ann", 9)])
        .and(&["blocked 12 20,21,22 4:0:xx f", "cancelled 13 4:rain"])
        .and(&["unblocked 12 20,21 4:0:xy f", "blocked 12 21 4:0:xz f", "blocked 13 20 0: -"])
        .and(&[refunded(4, ODD, "8:500", "8:500,9:500", "refunded"), paid(5, "ann", 9)])
}

fn two_held(reservation: u32, user: &str) -> String {
    format!("held {} 12 {} 1000 301000 3 8:500,9:500 0: -", id(reservation), prefixed(user))
}

fn two_paid(reservation: u32, user: &str) -> String {
    let payment = id(reservation + 1000);
    format!("paid {} 12 {} {payment} 1000 700 8:500,9:500 0: -", id(reservation), prefixed(user))
}

/// `refunded` of one of two seats, whichever it is.
fn refunded(reservation: u32, user: &str, seat: &str, all: &str, status: &str) -> String {
    let refund = id(reservation + 2000);
    format!("refunded {} 12 {} {refund} 500 1200 {seat} {all} {status} 0: -", id(reservation), prefixed(user))
}

fn wallet() -> Log {
    let (ann, odd) = (prefixed("ann"), prefixed(ODD));
    Log::wallet(3)
        .and(&[
            format!("charged {} {ann} 10000 10000 8:3:annk:x 00000000000000ab", id(50)),
            format!("charged {} {odd} 700 700 4:k:xx 00000000000000ac", id(51)),
        ])
        .and(&[format!("paid {} {ann} 7 12 {} 500 9500", id(1001), id(1))])
        .and(&[format!("refunded {} {odd} 7 12 {} 500 1200", id(2004), id(4))])
}

async fn with_concert() -> Fresh {
    let fresh = fresh().await;
    let insert = "insert into concerts (concert, org, title, artist, venue, policy, policy_version, version) \
                  values (7, 'demo', 't', 'a', 'v', '{}', 0, 1)";
    let done = sqlx::query(insert).execute(&fresh.pool).await;
    done.expect("MariaDB does as told");
    for log in [concert().name, wallet().name] {
        let begun = fresh.archive.begin_log(log, LOG_ID).await;
        assert_eq!(begun.expect("MariaDB does as told"), LOG_ID);
    }
    fresh
}

#[tokio::test]
async fn every_event_leaves_its_rows() {
    let fresh = with_concert().await;
    let (concert, wallet) = (concert(), wallet());
    assert!(fresh.archive.apply(&[wallet.whole(), concert.whole()]).await.unwrap());

    assert_eq!(
        fresh.rows("log_offsets").await,
        [
            "c7|000000000000feed|0|13|0000000000000d0d|selling",
            "w03|000000000000feed|0|4|0000000000000404|selling"
        ]
    );
    assert_eq!(
        fresh.rows("queue_tokens").await,
        [
            "7|1|ann|3000|3000|700000|61000|4000|7000|paid".to_owned(),
            format!("7|2|{ODD}|3000|5000|602000|0|5000|8000|left"),
            "7|3|ann|8000|~|~|~|~|~|~".to_owned(),
        ]
    );
    let (one, two, three, four, five) = (id(1), id(2), id(3), id(4), id(5));
    let (payment, other, last) = (id(1001), id(1004), id(1005));
    assert_eq!(
        fresh.rows("reservations").await,
        [
            format!("7|{one}|12|ann|confirmed|500|5:500|4000|301000|~|{payment}|4|9500|6000|6|~|~|~|~"),
            format!("7|{two}|12|{ODD}|cancelled|500|6:500|5000|301000|6000|~|5|~|~|6|~|~|~|~"),
            format!("7|{three}|12|ann|expired|500|7:500|5000|301000|7000|~|5|~|~|7|~|~|~|~"),
            format!(
                "7|{four}|12|{ODD}|refunded|1000|8:500,9:500|9000|301000|13000|{other}|9|700|9000|9|1000|8:500,9:500|10,13|~"
            ),
            format!("7|{five}|12|ann|confirmed|500|9:500|10000|301000|~|{last}|10|9500|13000|13|~|~|~|~"),
        ]
    );
    assert_eq!(fresh.rows("booked_seats").await, [format!("12|5|7|{one}"), format!("12|9|7|{five}")]);
    assert_eq!(
        fresh.rows("payments").await,
        [
            format!("7|{one}|{payment}|ann|500|9500|6000|confirmed|0"),
            format!("7|{four}|{other}|{ODD}|1000|700|9000|refunded|1000"),
            format!("7|{five}|{last}|ann|500|9500|13000|confirmed|0"),
        ]
    );
    assert_eq!(fresh.rows("blocked_seats").await, ["12|21|7", "12|22|7", "13|20|7"]);
    let (charge, other, refund) = (id(50), id(51), id(2004));
    assert_eq!(
        fresh.rows("ledger_transactions").await,
        [
            format!("w03|2|0|2000|charged|{charge}|~|~|~|ann|10000|10000|~"),
            format!("w03|2|1|2000|charged|{other}|~|~|~|{ODD}|700|700|~"),
            format!("w03|3|0|3000|paid|{payment}|7|12|{one}|ann|-500|9500|~"),
            format!("w03|4|0|4000|refunded|{refund}|7|12|{four}|{ODD}|500|1200|~"),
        ]
    );
    assert_eq!(
        fresh.rows("ledger_entries").await,
        [
            "w03|2|0|0|cash||-10000|~".to_owned(),
            "w03|2|0|1|user|ann|10000|10000".to_owned(),
            "w03|2|1|0|cash||-700|~".to_owned(),
            format!("w03|2|1|1|user|{ODD}|700|700"),
            "w03|3|0|0|user|ann|-500|9500".to_owned(),
            "w03|3|0|1|concert|7|500|~".to_owned(),
            "w03|4|0|0|concert|7|-500|~".to_owned(),
            format!("w03|4|0|1|user|{ODD}|500|1200"),
        ]
    );
    let (version, policy) = fresh.archive.policy(onsale::domain::ids::ConcertId(7)).await.unwrap().unwrap();
    assert_eq!((version, policy.paused, policy.policy.max_active), (2, true, 7));
    let events = fresh.archive.entries_after(concert.name, 2, 3).await.unwrap();
    assert_eq!(events, concert.entries[2..5]);
}

#[tokio::test]
async fn however_a_log_is_cut_the_tables_are_the_same() {
    let whole = with_concert().await;
    whole.apply(&[concert().whole(), wallet().whole()]).await;
    for size in [1, 2, 7] {
        let cut = with_concert().await;
        cut.apply(&concert().batches(size)).await;
        cut.apply(&wallet().batches(size)).await;
        assert_eq!(cut.tables().await, whole.tables().await, "batches of {size}");
    }
}

#[tokio::test]
async fn large_transactions_use_every_statement_size() {
    let (many, few) = (fresh().await, fresh().await);
    let log = (0..500).fold(Log::concert(1), |log, n| {
        let user = format!("user {n}");
        log.and(&[format!("joined {} {}", n + 1, prefixed(&user)), held(n, &user, n), paid(n, &user, n)])
    });
    for fresh in [&many, &few] {
        fresh.archive.begin_log(log.name, LOG_ID).await.unwrap();
    }
    many.apply(&[log.whole()]).await;
    few.apply(&log.batches(9)).await;
    assert_eq!(many.rows("booked_seats").await.len(), 500);
    assert_eq!(many.tables().await, few.tables().await);
}

#[tokio::test]
async fn the_same_batch_counts_once() {
    let fresh = with_concert().await;
    let batch = concert().whole();
    assert!(fresh.archive.apply(std::slice::from_ref(&batch)).await.unwrap());
    let before = fresh.tables().await;
    assert!(!fresh.archive.apply(&[batch, wallet().whole()]).await.unwrap());
    assert_eq!(fresh.tables().await, before, "the other log was not moved either");
}

#[tokio::test]
async fn of_two_workers_one_applies_each_batch() {
    let (fresh, alone) = (with_concert().await, with_concert().await);
    let (concert, wallet) = (concert(), wallet());
    for (first, second) in concert
        .batches(1)
        .into_iter()
        .zip(wallet.batches(1).into_iter().map(Some).chain(std::iter::repeat(None)))
    {
        let one: Vec<_> = [first.clone()].into_iter().chain(second.clone()).collect();
        let other: Vec<_> = second.clone().into_iter().chain([first]).collect();
        let (one, other) = tokio::join!(fresh.archive.apply(&one), fresh.archive.apply(&other));
        assert_ne!(one.unwrap(), other.unwrap());
    }
    alone.apply(&[concert.whole(), wallet.whole()]).await;
    assert_eq!(fresh.tables().await, alone.tables().await);
}

#[tokio::test]
async fn the_ledger_sums_to_zero() {
    let fresh = with_concert().await;
    fresh.apply(&[wallet().whole()]).await;
    let select = "select count(*) from (select sum(amount) as total, count(*) as legs from ledger_entries \
                  group by log, number, ordinal having total <> 0 or legs <> 2) as wrong";
    let wrong: i64 = sqlx::query_scalar(select).fetch_one(&fresh.pool).await.unwrap();
    assert_eq!(wrong, 0);
}

#[tokio::test]
async fn a_log_keeps_the_id_it_was_given_first() {
    let fresh = fresh().await;
    let log = LogName::Wallet(1);
    let (one, other) = tokio::join!(
        fresh.archive.begin_log(log, super::mark(1)),
        fresh.archive.begin_log(log, super::mark(2))
    );
    assert_eq!(one.unwrap(), other.unwrap());
    assert_eq!(fresh.archive.offsets().await.unwrap().len(), 1);
}
