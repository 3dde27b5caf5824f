//! Refunds: money back once, seats free once, whatever is asked how often.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::app::App;
use super::client::Answered;
use crate::support::wait_until;

pub(super) const EVERYBODY: &str = "select cast(sum(amount) as signed) from ledger_entries";

/// A buyer has paid these seats: the reservation's id, the payment's.
pub(super) async fn bought(
    app: &App,
    (concert, show): (u64, u64),
    user: &str,
    seats: &[&str],
) -> (String, String) {
    let mut buyer = app.in_line(user, concert).await;
    let charged = buyer.post_once("c", "/v1/users/me/balance", &json!({"amount": 500_000})).await;
    assert_eq!(charged.status, 200, "{charged:?}");
    let held = buyer.post("/v1/reservations", &json!({"showId": show, "seats": seats})).await;
    assert_eq!(held.status, 201, "{held:?}");
    let id = held.text("reservationId");
    let paid = buyer.post("/v1/payments", &json!({"reservationId": id})).await;
    assert_eq!(paid.status, 200, "{paid:?}");
    (id, paid.text("paymentId"))
}

pub(super) fn path(reservation: &str) -> String {
    format!("/v1/admin/reservations/{reservation}/refund")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_seat_goes_back_and_then_the_others() {
    let app = App::start().await;
    let sale = app.on_sale(json!({})).await;
    let (id, payment) = bought(&app, sale, "u", &["A-1-3", "A-1-1", "A-1-2"]).await;
    let (mut boss, mut buyer) = (app.boss().await, app.caller("u", &[]).await);

    let some = boss.post_once("k1", &path(&id), &json!({"seats": ["A-1-1"]})).await;
    assert_eq!(some.status, 200, "{some:?}");
    assert_eq!((some.text("status"), some.number("amount")), ("CONFIRMED".into(), 50_000));
    assert_eq!((some.json()["seats"].clone(), some.text("currency")), (json!(["A-1-1"]), "KRW".into()));
    assert_eq!((some.text("reservationId"), some.text("refundId").len()), (id.clone(), 20));
    assert_eq!(some.json().get("balance"), None);
    assert_eq!(buyer.get("/v1/users/me/balance").await.number("balance"), 400_000);
    let left = buyer.get(&format!("/v1/reservations/{id}")).await.json();
    assert_eq!((&left["status"], &left["amount"]), (&json!("CONFIRMED"), &json!(100_000)));
    assert_eq!(left["seats"], json!(["A-1-3", "A-1-2"]));
    let tickets: Vec<_> = left["tickets"].as_array().unwrap().iter().map(|ticket| &ticket["seat"]).collect();
    assert_eq!(tickets, ["A-1-3", "A-1-2"]);
    let paid = buyer.get(&format!("/v1/payments/{payment}")).await.json();
    assert_eq!((&paid["status"], &paid["amount"]), (&json!("CONFIRMED"), &json!(150_000)));
    assert_eq!(paid["refundedAmount"], 50_000);
    let seen = [("onsale-version", some.header("onsale-version"))];
    let map = format!("/v1/shows/{}/seats?view=status", sale.1);
    assert_eq!(buyer.send("GET", &map, &seen, None).await.text("status"), "0220000000");

    let rest = boss.post_once("k2", &path(&id), &json!({})).await;
    assert_eq!((rest.text("status"), rest.number("amount")), ("REFUNDED".into(), 100_000), "{rest:?}");
    assert_eq!(buyer.get("/v1/users/me/balance").await.number("balance"), 500_000);
    let gone = buyer.get(&format!("/v1/reservations/{id}")).await.json();
    assert_eq!((&gone["status"], gone.get("tickets")), (&json!("REFUNDED"), None));
    assert_eq!((&gone["seats"], &gone["amount"]), (&json!(["A-1-3", "A-1-1", "A-1-2"]), &json!(150_000)));
    let paid = buyer.get(&format!("/v1/payments/{payment}")).await.json();
    assert_eq!((&paid["status"], &paid["refundedAmount"]), (&json!("REFUNDED"), &json!(150_000)));
    let seen = [("onsale-version", rest.header("onsale-version"))];
    assert_eq!(buyer.send("GET", &map, &seen, None).await.text("status"), "0000000000");
    let live = boss.send("GET", &format!("/v1/admin/concerts/{}/live", sale.0), &seen, None).await;
    assert_eq!((live.number("revenue"), live.number("booked")), (0, 0), "{live:?}");

    for (key, first) in [("k1", &some), ("k2", &rest)] {
        let body = if key == "k1" { json!({"seats": ["A-1-1"]}) } else { json!({}) };
        let again = boss.post_once(key, &path(&id), &body).await;
        assert_eq!((again.status, &again.bytes), (200, &first.bytes));
        assert_eq!(again.header("idempotency-replayed"), "true");
    }
    bought(&app, sale, "other", &["A-1-1", "A-1-2"]).await;
    app.audit().await;
    assert_eq!(app.count(EVERYBODY).await, 0);
    let history = boss.get(&format!("/v1/admin/reservations/{id}/history")).await.json();
    let actions: Vec<_> = history["items"].as_array().unwrap().iter().map(|item| &item["action"]).collect();
    assert_eq!(actions, ["HELD", "CONFIRMED", "REFUNDED", "REFUNDED"]);
    let ledger = buyer.get("/v1/users/me/ledger").await.json();
    let rows = ledger["items"].as_array().unwrap();
    let rows: Vec<_> = rows.iter().map(|row| (&row["type"], &row["amount"], &row["reservationId"])).collect();
    assert_eq!(rows[0], (&json!("REFUND"), &json!(100_000), &json!(id)));
    assert_eq!(rows[1], (&json!("REFUND"), &json!(50_000), &json!(id)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_refunded_says_why() {
    let app = App::start().await;
    let sale = app.on_sale(json!({})).await;
    let (id, _) = bought(&app, sale, "u", &["A-1-1", "A-1-2"]).await;
    let mut boss = app.boss().await;
    let refused = |answer: Answered, reason: &str| {
        assert!(answer.is(400, "invalid_reservation"), "{answer:?}");
        assert_eq!(answer.text("reason"), reason);
    };
    let keyless = boss.post(&path(&id), &json!({})).await;
    assert!(keyless.is(400, "idempotency_key_required"), "{keyless:?}");
    for seats in [json!([]), json!(["A-1-1", "A-1-1"]), json!(["A-1-3"]), json!(["nowhere"])] {
        let wrong = boss.post_once("k", &path(&id), &json!({"seats": seats})).await;
        assert!(wrong.is(400, "invalid_request") && wrong.text("field") == "seats", "{wrong:?}");
    }
    let nobody = app.caller("nobody", &[]).await.post_once("k", &path(&id), &json!({})).await;
    assert!(nobody.is(403, "forbidden"), "{nobody:?}");
    let unknown = format!("r{}-{}-00000000000000000000", sale.0, sale.1);
    assert!(boss.post_once("k", &path(&unknown), &json!({})).await.is(404, "not_found"));
    let elsewhere = id.replacen(&format!("r{}-", sale.0), "r4294967295-", 1);
    assert!(boss.post_once("k", &path(&elsewhere), &json!({})).await.is(404, "not_found"));

    let mut holder = app.in_line("holder", sale.0).await;
    let held = holder.post("/v1/reservations", &json!({"showId": sale.1, "seats": ["A-1-5"]})).await;
    let pending = held.text("reservationId");
    refused(boss.post_once("k", &path(&pending), &json!({})).await, "not_found");
    assert_eq!(holder.delete(&format!("/v1/reservations/{pending}")).await.status, 204);
    refused(boss.post_once("k", &path(&pending), &json!({})).await, "cancelled");

    let first = boss.post_once("k", &path(&id), &json!({"seats": ["A-1-1"]})).await;
    assert_eq!(first.status, 200, "a refusal keeps no key: {first:?}");
    let other = boss.post_once("k", &path(&id), &json!({"seats": ["A-1-2"]})).await;
    assert!(other.is(422, "idempotency_key_reused"), "{other:?}");
    refused(boss.post_once("k2", &path(&id), &json!({"seats": ["A-1-2", "A-1-1"]})).await, "refunded");
    // The same key on another path is another request.
    let (second, _) = bought(&app, sale, "v", &["A-1-7"]).await;
    assert_eq!(boss.post_once("k", &path(&second), &json!({})).await.status, 200);
    refused(boss.post_once("k3", &path(&second), &json!({})).await, "refunded");
    app.audit().await;
}

/// What Redis has forgotten is answered by the archive.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_long_ago_is_still_one() {
    let app = App::start().await;
    let sale = app.on_sale(json!({})).await;
    let (id, payment) = bought(&app, sale, "u", &["A-1-1"]).await;
    let mut boss = app.boss().await;
    assert_eq!(boss.post_once("k", &path(&id), &json!({})).await.status, 200);
    let archived =
        || async { app.count("select count(*) from reservations where status = 'refunded'").await == 1 };
    wait_until("the archive has the refund", archived).await;
    let record = id.rsplit('-').next().unwrap();
    let key = |name: &str| format!("{{c{}}}:{name}", sale.0);
    let _: i64 = app.redis(&["HDEL", &key("res"), record]).await;
    let again = boss.post_once("k9", &path(&id), &json!({})).await;
    assert_eq!((again.status, again.text("reason")), (400, "refunded".into()), "{again:?}");
    let mut buyer = app.caller("u", &[]).await;
    let read = buyer.get(&format!("/v1/reservations/{id}")).await;
    assert_eq!((read.text("status"), read.number("amount")), ("REFUNDED".into(), 50_000));
    let paid = buyer.get(&format!("/v1/payments/{payment}")).await;
    assert_eq!((paid.text("status"), paid.number("refundedAmount")), ("REFUNDED".into(), 50_000));
}

/// A hundred refunds at once, ten on each connection; `key` names the key of the n-th.
pub(super) async fn burst(
    app: &App,
    path: &str,
    body: &Value,
    key: impl Fn(usize) -> String,
) -> Vec<Answered> {
    let mut tasks = JoinSet::new();
    for connection in 0..10 {
        let mut boss = app.boss().await;
        let (path, body) = (path.to_owned(), body.clone());
        let keys: Vec<_> = (0..10).map(|n| key(10 * connection + n)).collect();
        tasks.spawn(async move {
            let mut answers = Vec::new();
            for key in keys {
                answers.push(boss.post_once(&key, &path, &body).await);
            }
            answers
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_refunds_at_once_give_back_once() {
    let app = App::start().await;
    let sale = app.on_sale(json!({})).await;
    let mut balances = Vec::new();
    for (user, seats, body) in
        [("whole", ["A-1-1", "A-1-2"], json!({})), ("some", ["A-1-3", "A-1-4"], json!({"seats": ["A-1-3"]}))]
    {
        let (equal, _) = bought(&app, sale, user, &seats).await;
        let answers = burst(&app, &path(&equal), &body, |_| "same".into()).await;
        assert!(answers.iter().all(|answer| answer.status == 200 && answer.bytes == answers[0].bytes));
        let replayed = answers.iter().filter(|answer| answer.header("idempotency-replayed") == "true");
        assert_eq!(replayed.count(), 99);
        balances.push(app.caller(user, &[]).await.get("/v1/users/me/balance").await.number("balance"));
    }
    for (user, seats, body) in [
        ("whole by keys", ["A-1-5", "A-1-6"], json!({})),
        ("some by keys", ["A-1-7", "A-1-8"], json!({"seats": ["A-1-8"]})),
    ] {
        let (different, _) = bought(&app, sale, user, &seats).await;
        let answers = burst(&app, &path(&different), &body, |n| format!("k{n}")).await;
        let (done, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert_eq!((done.len(), refused.len()), (1, 99));
        assert!(refused.iter().all(|answer| answer.text("reason") == "refunded"), "{:?}", refused[0]);
        let user = user.replace(' ', "%20");
        let path = format!("/v1/users/{user}/balance");
        let mut buyer = app.caller(&user.replace("%20", " "), &[]).await;
        balances.push(buyer.get(&path).await.number("balance"));
    }
    assert_eq!(balances, [500_000, 450_000, 500_000, 450_000]);
    app.audit().await;
    assert_eq!(app.count(EVERYBODY).await, 0);
    assert_eq!(app.count("select count(*) from booked_seats").await, 2);
    let seats: String = app.redis(&["GET", &format!("{{c{}}}:seats:{}", sale.0, sale.1)]).await;
    assert_eq!(seats, "0002002000");
}
