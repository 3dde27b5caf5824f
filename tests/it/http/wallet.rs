//! Money over HTTP: who may charge, what a payment remembers, whose balance is seen.

use onsale::http::TopUp;
use serde_json::json;

use super::app::{App, Setup};

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_shows_the_balance_after_it_not_todays() {
    let app = App::start().await;
    let (_, show) = app.on_sale(json!({"gated": []})).await;
    let mut user = app.caller("u", &[]).await;
    let mut payments = Vec::new();
    for (number, seat) in ["A-1-1", "A-1-2"].into_iter().enumerate() {
        let charged = user.post_once(seat, "/v1/users/me/balance", &json!({"amount": 80_000})).await;
        // It names the wallet's log: a seat map is no older or newer for it.
        let version = [("onsale-version", charged.header("onsale-version"))];
        assert!(version[0].1.len() > 17, "{charged:?}");
        let map = user.send("GET", &format!("/v1/shows/{show}/seats"), &version, None).await;
        assert_eq!(map.status, 200);
        let held = user.post("/v1/reservations", &json!({"showId": show, "seats": [seat]})).await;
        let pay = json!({"reservationId": held.text("reservationId"), "method": "BALANCE"});
        let paid = user.post("/v1/payments", &pay).await;
        assert_eq!(paid.number("balance"), 30_000 * (number as u64 + 1));
        assert_eq!((paid.header("durability"), paid.text("status")), ("disk", "CONFIRMED".into()));
        payments.push(paid);
    }
    for paid in payments {
        let path = format!("/v1/payments/{}", paid.text("paymentId"));
        assert_eq!(user.get(&path).await.json(), paid.json());
    }
    assert_eq!(user.get("/v1/users/me/balance").await.number("balance"), 60_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn charging_may_need_an_active_place_and_a_replay_does_not() {
    let mut setup = Setup::default();
    setup.settings.wallet.charge_needs_active = true;
    let app = App::start_with(setup).await;
    let (concert, _) = app.on_sale(json!({"maxActive": 1})).await;
    let charge = json!({"amount": 10_000});
    let path = "/v1/users/me/balance";
    let mut outside = app.caller("outside", &[]).await;
    assert!(outside.post_once("k", path, &charge).await.is(401, "queue_token_invalid"));
    let mut cashier = app.caller("till", &["cashier"]).await;
    assert_eq!(cashier.post_once("k", "/v1/users/outside/balance", &charge).await.status, 200);
    let mut active = app.in_line("active", concert).await;
    let mut waiting = app.in_line("waiting", concert).await;
    let early = waiting.post_once("k", path, &charge).await;
    assert!(early.is(403, "queue_token_not_active"), "{early:?}");
    assert_eq!(early.number("position"), 1);

    let charged = active.post_once("k", path, &charge).await;
    assert_eq!((charged.status, charged.number("currentBalance")), (200, 10_000), "{charged:?}");
    assert_eq!(active.delete("/v1/queue/tokens").await.status, 204);
    assert!(active.post_once("new", path, &charge).await.is(401, "queue_token_expired"));
    let reused = active.post_once("k", path, &json!({"amount": 20_000})).await;
    assert!(reused.is(422, "idempotency_key_reused"), "{reused:?}");
    let mut tokenless = app.caller("active", &[]).await;
    for caller in [&mut active, &mut tokenless] {
        let again = caller.post_once("k", path, &charge).await;
        assert_eq!((again.status, &again.bytes), (200, &charged.bytes));
        assert_eq!(again.header("idempotency-replayed"), "true");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cashier_charges_others_and_sees_nobodys_balance() {
    let mut setup = Setup::default();
    setup.settings.wallet.top_up = TopUp::Cashier;
    let app = App::start_with(setup).await;
    let mut cashier = app.caller("till", &["cashier"]).await;
    let mut user = app.caller("한 명|1", &[]).await;
    let charge = json!({"amount": 10_000});
    let path = "/v1/users/%ED%95%9C%20%EB%AA%85%7C1/balance";
    assert!(user.post_once("k", "/v1/users/me/balance", &charge).await.is(403, "forbidden"));
    let never = user.get(path).await;
    assert_eq!(
        never.json(),
        json!({"userId": "한 명|1", "balance": 0, "currency": "KRW", "updatedAt": null})
    );
    assert_eq!(cashier.post_once("k", path, &charge).await.number("currentBalance"), 10_000);
    assert!(cashier.get(path).await.is(403, "forbidden"));
    let balance = user.get("/v1/users/me/balance").await;
    assert_eq!(balance.number("balance"), 10_000);
    assert!(balance.text("updatedAt").ends_with('Z') && balance.text("updatedAt").len() == 24);
    // The same key for another user is another request.
    assert_eq!(
        cashier.post_once("k", "/v1/users/other/balance", &charge).await.number("currentBalance"),
        10_000
    );
}
