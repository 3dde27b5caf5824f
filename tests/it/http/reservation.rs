//! Reservations that lapse, and those that Redis has forgotten.

use std::time::{Duration, Instant};

use serde_json::json;

use super::app::App;
use crate::support::wait_until;

#[tokio::test(flavor = "multi_thread")]
async fn four_seats_that_lapsed_are_the_next_buyers_at_once_and_together() {
    let app = App::start().await;
    let policy = json!({"holdSeconds": 1, "gated": []});
    let (_, show) = app.on_sale(policy).await;
    let (mut first, mut next) = (app.caller("first", &[]).await, app.caller("next", &[]).await);
    for user in [&mut first, &mut next] {
        let charge = json!({"amount": 200_000});
        assert_eq!(user.post_once("c", "/v1/users/me/balance", &charge).await.status, 200);
    }
    let four = json!({"showId": show, "seats": ["A-1-1", "A-1-2", "A-1-3", "A-1-4"]});
    let held = first.post("/v1/reservations", &four).await;
    let path = held.header("location").to_owned();
    let began = Instant::now();

    // Nobody sweeps here: the script that looks at the seats is what frees them, all four or none.
    let mut refused = 0;
    let taken = loop {
        let answer = next.post("/v1/reservations", &four).await;
        if answer.status == 201 {
            break answer;
        }
        assert!(answer.is(409, "seat_unavailable"), "{answer:?}");
        assert_eq!(answer.json()["seats"], four["seats"]);
        refused += 1;
        assert!(began.elapsed() < Duration::from_secs(10), "the hold does not lapse");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert!(refused > 0);
    assert!(taken.text("createdAt") >= held.text("expiresAt"), "{taken:?} came before the end of {held:?}");
    assert_eq!(first.get(&path).await.text("status"), "EXPIRED");
    let late = first.post("/v1/payments", &json!({"reservationId": held.text("reservationId")})).await;
    assert!(late.is(400, "invalid_reservation"), "{late:?}");
    assert_eq!(late.text("reason"), "expired");
    assert_eq!(first.get("/v1/users/me/balance").await.number("balance"), 200_000);
    assert_eq!(first.delete(&path).await.status, 204);

    let paid = next.post("/v1/payments", &json!({"reservationId": taken.text("reservationId")})).await;
    if paid.status == 200 {
        assert_eq!(paid.number("balance"), 0);
    } else {
        // On a machine that stood still for a second: then it lapsed as well.
        assert_eq!(paid.text("reason"), "expired");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_redis_has_forgotten_is_read_from_the_archive() {
    let app = App::start().await;
    let (concert, show) = app.on_sale(json!({"gated": []})).await;
    let mut user = app.caller("u", &[]).await;
    let mut other = app.caller("other", &[]).await;
    assert_eq!(user.post_once("c", "/v1/users/me/balance", &json!({"amount": 60_000})).await.status, 200);
    let mut hold =
        async |seat: &str| user.post("/v1/reservations", &json!({"showId": show, "seats": [seat]})).await;
    let (kept, given, open) = (hold("A-1-1").await, hold("A-1-2").await, hold("A-1-3").await);
    let paid = user.post("/v1/payments", &json!({"reservationId": kept.text("reservationId")})).await;
    let payment = format!("/v1/payments/{}", paid.text("paymentId"));
    let path = |held: &super::client::Answered| held.header("location").to_owned();
    assert_eq!(user.delete(&path(&given)).await.status, 204);
    wait_until("the archive has all of it", || async {
        app.count("select count(*) from reservations where status <> 'pending'").await == 2
            && app.count("select count(*) from reservations").await == 3
    })
    .await;
    let current = user.get(&path(&kept)).await;

    let forgotten: i64 = app.redis(&["DEL", &format!("{{c{concert}}}:res")]).await;
    assert_eq!(forgotten, 1);
    let mut read = user.get(&path(&kept)).await;
    assert_eq!((read.status, read.json()), (200, current.json()));
    assert_eq!(read.json()["tickets"][0]["seat"], "A-1-1");
    read = user.get(&payment).await;
    assert_eq!((read.status, read.json()), (200, paid.json()));
    assert_eq!(user.get(&path(&given)).await.text("status"), "CANCELLED");
    assert_eq!(user.get(&path(&open)).await.text("status"), "PENDING");
    assert_eq!(user.delete(&path(&given)).await.status, 204);
    assert!(user.delete(&path(&kept)).await.is(409, "reservation_not_pending"));
    for path in [path(&kept), payment] {
        assert!(other.get(&path).await.is(404, "not_found"), "{path}");
        assert!(other.delete(&path).await.status >= 404, "{path}");
    }
    let unknown = path(&kept).replace(&kept.text("reservationId")[10..], "0000000000000000000000");
    assert_eq!(user.get(&unknown).await.status, 404);
}
