//! A cancelled show: nothing of it is sold, everybody has his money back, and a report says how far that is.

use serde_json::json;

use super::app::App;
use super::refund::{EVERYBODY, bought};
use crate::support::wait_until;

#[tokio::test(flavor = "multi_thread")]
async fn every_buyer_of_a_cancelled_show_is_refunded() {
    let app = App::start().await;
    let sale = app.on_sale(json!({})).await;
    let (concert, show) = sale;
    let (two, _) = bought(&app, sale, "two", &["A-1-1", "A-1-2"]).await;
    let (one, _) = bought(&app, sale, "one", &["A-1-5"]).await;
    let mut boss = app.boss().await;
    let part = format!("/v1/admin/reservations/{two}/refund");
    assert_eq!(boss.post_once("k", &part, &json!({"seats": ["A-1-2"]})).await.status, 200);
    let mut holder = app.in_line("holder", concert).await;
    let held = holder.post("/v1/reservations", &json!({"showId": show, "seats": ["A-1-7"]})).await;
    assert_eq!(held.status, 201, "{held:?}");

    let (cancel, progress) =
        (format!("/v1/admin/shows/{show}/cancel"), format!("/v1/admin/shows/{show}/cancellation"));
    assert!(boss.get(&progress).await.is(404, "not_found"));
    assert!(boss.post("/v1/admin/shows/999/cancel", &json!({})).await.is(404, "not_found"));
    assert!(holder.post(&cancel, &json!({})).await.is(403, "forbidden"));
    let long = boss.post(&cancel, &json!({"reason": "x".repeat(201)})).await;
    assert!(long.is(400, "invalid_request") && long.text("field") == "reason", "{long:?}");

    let cancelled = boss.post(&cancel, &json!({"reason": "rain"})).await;
    assert_eq!((cancelled.status, cancelled.text("reason")), (200, "rain".into()), "{cancelled:?}");
    let wanted = holder.post("/v1/reservations", &json!({"showId": show, "seats": ["A-1-9"]})).await;
    assert!(wanted.is(409, "sale_not_open"), "{wanted:?}");
    let paid = holder.post("/v1/payments", &json!({"reservationId": held.text("reservationId")})).await;
    assert!(paid.is(400, "invalid_reservation") && paid.text("reason") == "cancelled", "{paid:?}");
    let unblock =
        boss.post(&format!("/v1/admin/shows/{show}/seats/unblock"), &json!({"seats": ["A-1-9"]})).await;
    assert!(unblock.is(409, "sale_not_open"), "{unblock:?}");

    let seen = cancelled.header("onsale-version").to_owned();
    wait_until("everybody is refunded", || async {
        let mut boss = app.boss().await;
        let told = boss.send("GET", &progress, &[("onsale-version", &seen)], None).await;
        assert_eq!(told.status, 200, "{told:?}");
        told.text("state") == "DONE"
    })
    .await;
    let done = boss.get(&progress).await;
    assert_eq!((done.number("refunded"), done.number("outstanding")), (2, 0), "{done:?}");
    assert_eq!((done.number("amount"), done.text("reason")), (150_000, "rain".into()));
    for user in ["two", "one"] {
        let mut buyer = app.caller(user, &[]).await;
        assert_eq!(buyer.get("/v1/users/me/balance").await.number("balance"), 500_000, "{user}");
    }
    let mut buyer = app.caller("one", &[]).await;
    assert_eq!(buyer.get(&format!("/v1/reservations/{one}")).await.text("status"), "REFUNDED");
    let seats: String = app.redis(&["GET", &format!("{{c{concert}}}:seats:{show}")]).await;
    assert_eq!(seats, "3333333333");

    let again = boss.post(&cancel, &json!({"reason": "snow"})).await;
    assert_eq!((again.status, again.text("reason")), (200, "rain".into()), "{again:?}");
    assert_eq!(again.text("state"), "DONE");
    app.audit().await;
    assert_eq!(app.count(EVERYBODY).await, 0);
    assert_eq!(app.count("select count(*) from booked_seats").await, 0);
    assert_eq!(app.count("select count(*) from shows where cancel_reason = 'rain'").await, 1);
}

/// A payment and a cancellation at once: whoever has paid is refunded.
#[tokio::test(flavor = "multi_thread")]
async fn buyers_who_pay_while_the_show_is_cancelled_lose_nothing() {
    let app = App::start().await;
    let sale = app.seats_on_sale(json!({"admitPerSecond": 100_000}), 40).await;
    let mut buyers = tokio::task::JoinSet::new();
    let mut prepared = Vec::new();
    for number in 1..=40 {
        let mut buyer = app.in_line(&format!("u{number}"), sale.0).await;
        let charged = buyer.post_once("c", "/v1/users/me/balance", &json!({"amount": 50_000})).await;
        assert_eq!(charged.status, 200, "{charged:?}");
        let seats = json!({"showId": sale.1, "seats": [format!("A-1-{number}")]});
        let held = buyer.post("/v1/reservations", &seats).await;
        assert_eq!(held.status, 201, "{held:?}");
        prepared.push((buyer, held.text("reservationId")));
    }
    for (mut buyer, id) in prepared {
        buyers.spawn(async move { buyer.post("/v1/payments", &json!({"reservationId": id})).await });
    }
    let mut boss = app.boss().await;
    let cancelled = boss.post(&format!("/v1/admin/shows/{}/cancel", sale.1), &json!({})).await;
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    for paid in buyers.join_all().await {
        let refused = paid.is(400, "invalid_reservation") && paid.text("reason") == "cancelled";
        assert!(paid.status == 200 || refused, "{paid:?}");
    }
    let progress = format!("/v1/admin/shows/{}/cancellation", sale.1);
    wait_until("everybody is refunded", || async {
        app.boss().await.get(&progress).await.text("state") == "DONE"
    })
    .await;
    app.audit().await;
    assert_eq!(app.count("select cast(sum(amount) as signed) from ledger_transactions").await, 40 * 50_000);
    assert_eq!(app.count("select count(*) from reservations where status = 'confirmed'").await, 0);
}
