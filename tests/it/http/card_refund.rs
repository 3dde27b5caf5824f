//! What a card paid goes back to the card: decided once with the seats, told to the gateway until it has answered.

use onsale::metrics;
use serde_json::json;

use super::app::App;
use super::card::{by_card, held, on_sale, payment, start};
use super::client::Caller;
use super::events;
use super::refund::{EVERYBODY, bought, burst, path};
use crate::support::gateway::Gateway;
use crate::support::wait_until;

const REFUSED: &str = r#"{"status": "refused", "reason": "card_closed"}"#;

/// A buyer whose card has paid these seats: the caller, his reservation's id, his payment's.
async fn paid(app: &App, sale: (u64, u64), user: &str, seats: &[&str]) -> (Caller, String, String) {
    let mut buyer = app.in_line(user, sale.0).await;
    let held = buyer.post("/v1/reservations", &json!({"showId": sale.1, "seats": seats})).await;
    assert_eq!(held.status, 201, "{held:?}");
    let id = held.text("reservationId");
    let begun = buyer.post("/v1/payments", &by_card(&id)).await;
    assert_eq!(begun.status, 202, "{begun:?}");
    let payment = begun.text("paymentId");
    let confirmed = async || {
        app.caller(user, &[]).await.get(&format!("/v1/reservations/{id}")).await.text("status") == "CONFIRMED"
    };
    wait_until("the card has paid", confirmed).await;
    (buyer, id, payment)
}

/// Nothing is left to be told to the gateway.
async fn told(app: &App, concert: u64) {
    let open = format!("{{c{concert}}}:cards");
    wait_until("the gateway has done all", async || app.redis::<u64>(&["HLEN", &open]).await == 0).await;
}

/// What the gateway gave back, in no order.
fn given_back(gateway: &Gateway) -> Vec<(String, i64)> {
    let mut refunds: Vec<_> =
        gateway.sandbox().refunds().into_iter().map(|(_, payment, amount)| (payment, amount)).collect();
    refunds.sort();
    refunds
}

/// A series of this process.
pub(super) fn metric(series: &str) -> f64 {
    let text = metrics::install().unwrap().render();
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_seat_goes_back_to_the_card_and_then_the_other() {
    let (app, gateway) = start().await;
    let sale = on_sale(&app).await;
    let (mut buyer, id, name) = paid(&app, sale, "u", &["C-1-1", "C-1-2"]).await;
    let mut boss = app.boss().await;

    let some = boss.post_once("k1", &path(&id), &json!({"seats": ["C-1-2"]})).await;
    assert_eq!(
        (some.status, some.text("status"), some.text("method")),
        (200, "CONFIRMED".into(), "CARD".into())
    );
    assert_eq!((some.number("amount"), some.json()["seats"].clone()), (50_000, json!(["C-1-2"])));
    let told_so = payment(&mut buyer, &name).await;
    assert_eq!((&told_so["status"], &told_so["refundedAmount"]), (&json!("CONFIRMED"), &json!(50_000)));
    let rest = boss.post_once("k2", &path(&id), &json!({})).await;
    assert_eq!((rest.text("status"), rest.number("amount")), ("REFUNDED".into(), 50_000), "{rest:?}");
    let told_so = payment(&mut buyer, &name).await;
    assert_eq!((&told_so["status"], &told_so["refundedAmount"]), (&json!("REFUNDED"), &json!(100_000)));
    told(&app, sale.0).await;
    assert_eq!(given_back(&gateway), [(name.clone(), 50_000), (name.clone(), 50_000)]);
    let refunds: Vec<_> = gateway.sandbox().refunds().into_iter().map(|(refund, ..)| refund).collect();
    assert!(refunds.contains(&some.text("refundId")) && refunds.contains(&rest.text("refundId")));
    // A refund's name is no payment.
    let other = name.replace(name.rsplit('-').next().unwrap(), &rest.text("refundId"));
    assert!(buyer.get(&format!("/v1/payments/{other}")).await.is(404, "not_found"));

    let again = boss.post_once("k1", &path(&id), &json!({"seats": ["C-1-2"]})).await;
    assert_eq!((again.header("idempotency-replayed"), &again.bytes), ("true", &some.bytes));
    let more = boss.post_once("k3", &path(&id), &json!({})).await;
    assert!(more.is(400, "invalid_reservation") && more.text("reason") == "refunded", "{more:?}");
    let map = buyer.get(&format!("/v1/shows/{}/seats?view=status", sale.1)).await;
    assert_eq!(map.text("status").matches('0').count(), 60);
    assert_eq!(buyer.get("/v1/users/me/balance").await.number("balance"), 0);
    app.audit().await;
    assert_eq!(buyer.get("/v1/users/me/ledger").await.json()["items"], json!([]));
    assert_eq!(app.count(EVERYBODY).await, 0);
    let gateways = "select cast(sum(amount) as signed) from ledger_entries where account = 'gateway'";
    assert_eq!(app.count(gateways).await, 0);
    let history = boss.get(&format!("/v1/admin/reservations/{id}/history")).await.json();
    let actions: Vec<_> = history["items"].as_array().unwrap().iter().map(|item| &item["action"]).collect();
    assert_eq!(actions, ["HELD", "EXTENDED", "CONFIRMED", "REFUNDED", "REFUNDED"]);
    let report = boss.get(&format!("/v1/admin/concerts/{}/report", sale.0)).await.json();
    let revenue = json!({"confirmed": 100_000, "refunded": 100_000, "net": 0});
    assert_eq!(report["shows"][0]["revenue"], revenue, "{report}");
    let sheet = boss.get(&format!("/v1/admin/concerts/{}/ledger.csv", sale.0)).await;
    let sheet = String::from_utf8(sheet.bytes.to_vec()).unwrap();
    let amounts = ["PAYMENT,100000,", "REFUND,-50000,"].map(|part| sheet.matches(part).count());
    assert_eq!(amounts, [1, 2], "{sheet}");
    let (all, _) = events::read(&mut boss, "AQA".to_owned(), 200).await;
    let of = |kind: &str| -> Vec<_> {
        let of_kind = all.iter().filter(|event| event["type"] == kind);
        of_kind.map(|event| (&event["data"]["amount"], &event["data"]["method"])).collect()
    };
    assert_eq!(of("payment.refunded"), [(&json!(50_000), &json!("CARD")), (&json!(50_000), &json!("CARD"))]);
    assert_eq!(of("payment.returned").len(), 2);
    assert_eq!(of("points.returned"), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_refunds_at_once_give_a_card_its_money_once() {
    let (app, gateway) = start().await;
    let sale = on_sale(&app).await;
    let (_, equal, one) = paid(&app, sale, "u", &["C-1-1", "C-1-2"]).await;
    let answers = burst(&app, &path(&equal), &json!({}), |_| "same".into()).await;
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.bytes == answers[0].bytes));
    let (_, different, two) = paid(&app, sale, "v", &["C-1-3"]).await;
    let answers = burst(&app, &path(&different), &json!({}), |n| format!("k{n}")).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    told(&app, sale.0).await;
    let mut expected = [(one, 100_000), (two, 50_000)];
    expected.sort();
    assert_eq!(given_back(&gateway), expected);
    app.audit().await;
    assert_eq!(app.count(EVERYBODY).await, 0);
    assert_eq!(app.count("select count(*) from booked_seats").await, 0);
    assert_eq!(app.count("select count(*) from card_refunds where state = 'returned'").await, 2);
}

/// Nothing can be given back that was not taken: the capture comes first, however long that takes.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_waits_for_the_capture() {
    let (app, gateway) = start().await;
    let sale = on_sale(&app).await;
    gateway.say(Some(("capture", r#"{"status": "authorised"}"#)));
    let (_, id, name) = paid(&app, sale, "u", &["C-1-1"]).await;
    let refund = app.boss().await.post_once("k", &path(&id), &json!({})).await;
    assert_eq!((refund.status, refund.text("status")), (200, "REFUNDED".into()), "{refund:?}");
    let asked = gateway.count("capture");
    wait_until("the capture is tried again", async || gateway.count("capture") > asked + 3).await;
    assert_eq!(gateway.count("refunds"), 0);
    let open = format!("{{c{}}}:cards", sale.0);
    assert_eq!(app.redis::<u64>(&["HLEN", &open]).await, 2);
    app.audit().await;
    gateway.say(None);
    told(&app, sale.0).await;
    assert_eq!(given_back(&gateway), [(name, 50_000)]);
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_lost_move_no_money_twice() {
    let (app, gateway) = start().await;
    let sale = on_sale(&app).await;
    let mut expected = Vec::new();
    for number in 1..=6 {
        let seat = format!("C-1-{number}");
        let (_, id, name) = paid(&app, sale, &format!("u{number}"), &[&seat]).await;
        told(&app, sale.0).await;
        gateway.fail(number % 3, 2);
        let refund = app.boss().await.post_once("k", &path(&id), &json!({})).await;
        assert_eq!(refund.status, 200, "{refund:?}");
        told(&app, sale.0).await;
        gateway.fail(0, 0);
        expected.push((name, 50_000));
    }
    expected.sort();
    assert_eq!(given_back(&gateway), expected);
    assert!(gateway.count("refunds") >= 6 * 3, "{}", gateway.count("refunds"));
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_refuses_or_is_not_sure_of_stays_and_shows() {
    metrics::install().unwrap();
    let contradictions =
        |told: &str| metric(&format!("onsale_gateway_contradictions_total{{kind=\"card\",told=\"{told}\"}}"));
    let (app, gateway) = start().await;
    let sale = on_sale(&app).await;
    let (_, id, name) = paid(&app, sale, "u", &["C-1-1"]).await;
    told(&app, sale.0).await;
    gateway.say(Some(("refunds", r#"{"status": "pending"}"#)));
    let refund = app.boss().await.post_once("k", &path(&id), &json!({})).await;
    let (key, name_of_refund) = (format!("{{c{}}}:cards", sale.0), refund.text("refundId"));
    let record = async || app.redis::<String>(&["HGET", &key, &name_of_refund]).await;
    wait_until("it is asked again and again", async || gateway.count("refunds") > 3).await;
    assert!(record().await.starts_with("refund "));

    let before = contradictions("refund");
    gateway.say(Some(("refunds", REFUSED)));
    wait_until("it is noted", async || record().await.starts_with("refused ")).await;
    wait_until("and counted at each look", async || contradictions("refund") > before + 2.0).await;
    app.audit().await;
    assert_eq!(app.count("select count(*) from card_refunds where state = 'refused'").await, 1);
    let (all, _) = events::read(&mut app.boss().await, "AQA".to_owned(), 200).await;
    let refused: Vec<_> = all.iter().filter(|event| event["type"] == "payment.return_refused").collect();
    assert_eq!((refused.len(), &refused[0]["data"]["amount"]), (1, &json!(50_000)));
    gateway.say(None);
    told(&app, sale.0).await;
    assert_eq!(given_back(&gateway), [(name, 50_000)]);

    let before = contradictions("capture");
    gateway.say(Some(("capture", r#"{"status": "voided"}"#)));
    let (mut buyer, _, name) = paid(&app, sale, "v", &["C-1-2"]).await;
    wait_until("a refused capture counts, too", async || contradictions("capture") > before).await;
    assert_eq!(payment(&mut buyer, &name).await["status"], "CONFIRMED");
    gateway.say(None);
    told(&app, sale.0).await;
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_show_pays_cards_and_balances_back() {
    let (app, gateway) = start().await;
    let sale = on_sale(&app).await;
    gateway.say(Some(("refunds", REFUSED)));
    let mut expected = Vec::new();
    for number in 1..=10 {
        let (card, balance) = (format!("C-1-{number}"), format!("C-1-{}", number + 10));
        expected.push((paid(&app, sale, &format!("card{number}"), &[&card]).await.2, 50_000));
        bought(&app, sale, &format!("balance{number}"), &[&balance]).await;
    }
    // One who is at his bank.
    let (mut late, held) = held(&app, sale, "late", "A-1-2").await;
    let late_payment =
        late.post("/v1/payments", &by_card(&held.text("reservationId"))).await.text("paymentId");

    let mut boss = app.boss().await;
    let cancelled = boss.post(&format!("/v1/admin/shows/{}/cancel", sale.1), &json!({})).await;
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    let progress = format!("/v1/admin/shows/{}/cancellation", sale.1);
    wait_until("all is decided", async || {
        let told = app.boss().await.get(&progress).await;
        (told.number("refunded"), told.number("outstanding")) == (20, 0)
    })
    .await;
    let told_so = boss.get(&progress).await;
    assert_eq!((told_so.text("state"), told_so.number("atGateway")), ("REFUNDING".into(), 10), "{told_so:?}");
    gateway.say(None);
    wait_until("all is done", async || app.boss().await.get(&progress).await.text("state") == "DONE").await;
    let done = boss.get(&progress).await;
    assert_eq!((done.number("amount"), done.number("atGateway")), (20 * 50_000, 0), "{done:?}");
    gateway.sandbox().answer(&late_payment, true);
    told(&app, sale.0).await;
    expected.sort();
    assert_eq!(given_back(&gateway), expected);
    for number in 1..=10 {
        let mut buyer = app.caller(&format!("balance{number}"), &[]).await;
        assert_eq!(buyer.get("/v1/users/me/balance").await.number("balance"), 500_000);
    }
    app.audit().await;
    assert_eq!(app.count(EVERYBODY).await, 0);
    assert_eq!(app.count("select count(*) from reservations where status = 'confirmed'").await, 0);
}

/// What nobody decided is found, wherever it stands.
#[tokio::test(flavor = "multi_thread")]
async fn the_audit_finds_a_refund_that_is_not_what_the_log_tells() {
    let (app, gateway) = start().await;
    let sale = on_sale(&app).await;
    let (_, id, _) = paid(&app, sale, "u", &["C-1-1", "C-1-2"]).await;
    told(&app, sale.0).await;
    gateway.say(Some(("refunds", r#"{"status": "pending"}"#)));
    let refund = app.boss().await.post_once("k", &path(&id), &json!({"seats": ["C-1-1"]})).await;
    app.audit().await;
    let (key, name) = (format!("{{c{}}}:cards", sale.0), refund.text("refundId"));
    let record: String = app.redis(&["HGET", &key, &name]).await;
    for wrong in [record.replace("refund", "refused"), record.replacen("50000", "50001", 1)] {
        let () = app.redis(&["HSET", &key, &name, &wrong]).await;
        assert!(!app.report().await.ok, "{wrong}");
    }
    let _: u64 = app.redis(&["HDEL", &key, &name]).await;
    assert!(!app.report().await.ok, "the debt is gone");
    let () = app.redis(&["HSET", &key, &name, &record]).await;
    app.audit().await;
    for (table, wrong) in [
        ("card_refunds", "state = 'returned'"),
        ("card_refunds", "amount = amount - 1"),
        ("ledger_transactions", "gateway_amount = gateway_amount + 1 where kind = 'card_back'"),
    ] {
        for change in
            [format!("create table kept as select * from {table}"), format!("update {table} set {wrong}")]
        {
            sqlx::raw_sql(sqlx::AssertSqlSafe(change)).execute(&app.mysql).await.unwrap();
        }
        assert!(!app.report().await.ok, "{wrong}");
        for back in [
            format!("delete from {table}"),
            format!("insert into {table} select * from kept"),
            "drop table kept".to_owned(),
        ] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(back)).execute(&app.mysql).await.unwrap();
        }
    }
    app.audit().await;
}
