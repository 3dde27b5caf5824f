//! Things broken on purpose, each found by the right check.

use onsale::domain::ids::{LogName, Offset};

use super::{CONCERT, Sale, at_rest, failing, user};
use sqlx::AssertSqlSafe;

#[tokio::test]
async fn what_is_broken_in_mysql_is_found_by_the_right_check() {
    let sale = at_rest().await;
    let broken: [(&str, &str, &[&str]); 20] = [
        ("blocked_seats", "delete from blocked_seats where seat_index = 30", &["seats"]),
        ("blocked_seats", "insert into blocked_seats values (12, 31, 7)", &["seats"]),
        ("booked_seats", "delete from booked_seats where seat_index = 3", &["seats"]),
        ("booked_seats", "insert into booked_seats values (12, 9, 7, '00000000000000000001')", &["seats"]),
        ("booked_seats", "insert into booked_seats values (99, 9, 7, '00000000000000000001')", &["seats"]),
        (
            "reservations",
            "update reservations set status = 'expired' where status = 'confirmed' limit 1",
            &["seats"],
        ),
        (
            "reservations",
            "update reservations set balance = balance + 1 where payment is not null limit 1",
            &["payments"],
        ),
        (
            "reservations",
            "update reservations set payment = null where payment is not null limit 1",
            &["seats", "payments"],
        ),
        (
            "ledger_transactions",
            "update ledger_transactions set amount = amount + 1 where kind = 'paid' limit 1",
            &["ledger"],
        ),
        (
            "ledger_transactions",
            "update ledger_transactions set user = 'x' where kind = 'charged' limit 1",
            &["ledger"],
        ),
        ("ledger_transactions", "delete from ledger_transactions where kind = 'paid' limit 1", &["ledger"]),
        (
            "ledger_transactions",
            "delete from ledger_transactions where kind = 'refunded' limit 1",
            &["ledger"],
        ),
        (
            "reservations",
            "update reservations set refunded_amount = refunded_amount - 1 where status = 'refunded' limit 1",
            &["seats"],
        ),
        ("reservations", "update reservations set refunded_in = null", &["seats"]),
        (
            "booked_seats",
            "insert into booked_seats select 12, 7, 7, max(reservation) from reservations",
            &["seats"],
        ),
        ("queue_tokens", "update queue_tokens set user = 'x' where ended_at is null limit 1", &["line"]),
        ("queue_tokens", "delete from queue_tokens where ended_at is not null limit 1", &["line"]),
        (
            "events",
            "update events set mark = '0000000000000001' where log = 'c7' and number = 5",
            &["continuity"],
        ),
        ("events", "delete from events where log = 'c7' and number = 5", &["continuity"]),
        ("log_offsets", "update log_offsets set mark = '0000000000000001' where log = 'c7'", &["continuity"]),
    ];
    for (table, statement, expected) in broken {
        sale.sql(&format!("create table kept as select * from {table}")).await;
        sale.sql(statement).await;
        let report = sale.audit().await;
        assert_eq!(failing(&report), expected, "{statement}: {report:#?}");
        sale.restore(table).await;
    }
    assert!(sale.audit().await.ok);
}

/// Replaces `from` by `to` in the body of the archived entries of a log that hold it.
fn rewrite(log: &str, from: &str, to: &str) -> String {
    format!(
        "update events set body = replace(body, '{from}', '{to}') where log = '{log}' and body like '%{from}%'"
    )
}

#[tokio::test]
async fn a_history_that_can_t_be_is_found_by_the_right_check() {
    let sale = at_rest().await;
    let partition = user("payer 3").partition(4);
    let wallet = LogName::Wallet(partition).to_string();
    // A history that is told otherwise differs from tables and Redis too.
    let told: [(String, &[&str]); 6] = [
        // Paid an hour after its end, and so before what came next.
        ("update events set body = regexp_replace(body, '^(1 [0-9a-f]+ [0-9a-f]+) ([0-9]+)', concat('\\\\1 ', at + 3600000)), \
          at = at + 3600000 where log = 'c7' and body like '%\npaid %payer 3%'".to_owned(), &["paid_in_time", "payments", "continuity"]),
        // Two admitted in the wrong order.
        (rewrite("c7", "admitted 2 7:payer 1", "admitted 3 7:payer 2"), &["line"]),
        // More admitted than may be.
        (rewrite("c7", "\"maxActive\":6", "\"maxActive\":0"), &["line"]),
        // The same request twice.
        (rewrite("c7", "7:payer 3hold:hold 3", "7:payer 2hold:hold 2"), &["requests"]),
        // A payment that the wallet does not know.
        (rewrite(&wallet, "7:payer 3 7 12", "7:payer 3 8 12"), &["ledger", "payments"]),
        // Money from nowhere.
        (rewrite(&wallet, "7:payer 3 100000 100000", "7:payer 3 100000 100001"), &["ledger"]),
    ];
    for (statement, expected) in told {
        sale.sql("create table kept as select * from events").await;
        sale.sql(&statement).await;
        let report = sale.audit().await;
        assert_eq!(failing(&report), expected, "{statement}: {report:#?}");
        sale.restore("events").await;
    }
    assert!(sale.audit().await.ok);
}

impl Sale {
    /// Puts the rows of a table back as they were kept.
    async fn restore(&self, table: &str) {
        for statement in [
            format!("delete from {table}"),
            format!("insert into {table} select * from kept"),
            "drop table kept".to_owned(),
        ] {
            sqlx::query(AssertSqlSafe(statement)).execute(&self.fresh.pool).await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_is_broken_in_redis_is_found_by_the_right_check() {
    let sale = at_rest().await;
    let wallet = format!("{{{}}}:balances", LogName::Wallet(user("payer 3").partition(4)));
    let broken: [(&str, &[&str], &[&str]); 17] = [
        ("{c7}:seats:12", &["SETRANGE", "{c7}:seats:12", "3", "0"], &["seats"]),
        ("{c7}:seats:12", &["APPEND", "{c7}:seats:12", "0"], &["seats"]),
        ("{c7}:holder:12", &["HDEL", "{c7}:holder:12", "3"], &["seats"]),
        ("{c7}:holder:12", &["HSET", "{c7}:holder:12", "500", "x"], &["seats"]),
        ("{c7}:owned:12", &["HINCRBY", "{c7}:owned:12", "payer 3", "1"], &["seats"]),
        ("{c7}:expiry", &["ZPOPMIN", "{c7}:expiry"], &["seats"]),
        ("{c7}:ended", &["DEL", "{c7}:ended"], &["seats"]),
        ("{c7}:pending", &["HDEL", "{c7}:pending", "holder|8"], &["seats"]),
        ("{c7}:meta", &["HINCRBY", "{c7}:meta", "revenue", "1"], &["seats"]),
        ("{c7}:meta", &["HINCRBY", "{c7}:meta", "sellable", "1"], &["seats"]),
        ("{c7}:meta", &["HINCRBY", "{c7}:meta", "v:12", "1"], &["seats"]),
        ("{c7}:queue", &["ZPOPMIN", "{c7}:queue"], &["line"]),
        ("{c7}:active", &["ZPOPMIN", "{c7}:active"], &["line"]),
        ("{c7}:unclaimed", &["DEL", "{c7}:unclaimed"], &["line"]),
        ("{c7}:place", &["HSET", "{c7}:place", "holder|8", "9 1 2 0"], &["line"]),
        (&wallet, &["HSET", &wallet, "payer 3", "60000 1"], &["ledger"]),
        (&wallet, &["HDEL", &wallet, "payer 3"], &["ledger"]),
    ];
    for (key, command, expected) in broken {
        sale.redis(&["COPY", key, "kept"]).await;
        let done = sale.redis(command).await;
        assert_ne!(done, redis::Value::Nil, "{command:?}");
        let report = sale.audit().await;
        assert_eq!(failing(&report), expected, "{command:?}: {report:#?}");
        sale.redis(&["RENAME", "kept", key]).await;
    }
    assert!(sale.audit().await.ok);
}

#[tokio::test]
async fn a_lost_log_is_a_violation_and_the_others_are_audited() {
    let sale = at_rest().await;
    let archived = sale.fresh.archive.offsets().await.unwrap();
    let before = archived.iter().find(|known| known.log == LogName::Concert(CONCERT)).unwrap().offset;
    assert_ne!(before, Offset::default());
    sale.redis(&["HSET", "{c7}:meta", "number", "3", "mark", "0000000000000001"]).await;
    let report = sale.audit().await;
    assert_eq!(failing(&report), ["continuity"], "{report:#?}");
    let violations = &report.checks[6].violations;
    assert!(violations.len() == 1 && violations[0].starts_with("c7: lost"), "{violations:?}");

    let wallet = LogName::Wallet(user("payer 3").partition(4));
    sale.redis(&["DEL", &format!("{{{wallet}}}:meta")]).await;
    let report = sale.audit().await;
    assert_eq!(failing(&report), ["continuity"], "{report:#?}");
    assert!(report.checks[6].violations[0].starts_with(&format!("{wallet}: lost")), "{report:#?}");

    sale.fresh.archive.mark_recovering(LogName::Concert(CONCERT)).await.unwrap();
    let report = sale.audit().await;
    assert_eq!(failing(&report), ["continuity"], "{report:#?}");
    assert_eq!(report.checks[6].violations[1], "c7: stopped: it is recovering");
}
