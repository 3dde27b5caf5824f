//! The end of a sale, judged wherever a queue token is used, and never by what stands in the token.

use std::time::{SystemTime, UNIX_EPOCH};

use onsale::domain::queue_token::{Keys, TokenError};
use onsale::domain::time::Millis;
use serde_json::{Value, json};

use super::app::{App, QUEUE_KEY, Setup};

const TOKENS: &str = "/v1/queue/tokens";
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// Moves the end of a sale, which must be in this state then.
async fn ends(app: &App, concert: u64, closes_at: Value, state: &str) {
    let body = json!({ "closesAt": closes_at }).to_string();
    let mut boss = app.boss().await;
    let changed = boss.send("PATCH", &format!("/v1/admin/concerts/{concert}"), &[], Some(&body)).await;
    assert_eq!(changed.text("state"), state, "{changed:?}");
}

fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lives_its_day_wherever_the_end_of_the_sale_lies() {
    let app = App::start().await;
    let (concert, _) = app.on_sale(json!({})).await;
    let in_an_hour = Millis(i64::try_from(now_seconds() * 1000 + 3_600_950).unwrap());
    for closes_at in [json!(in_an_hour), json!("2999-01-01T00:00:00.950Z"), Value::Null] {
        ends(&app, concert, closes_at.clone(), "OPEN").await;
        let before = now_seconds();
        let token = app.in_line("u", concert).await.header("queue-token").to_owned();
        let keys = Keys::new(&[QUEUE_KEY.to_vec()]);
        assert!(keys.verify(&token, before + DAY_SECONDS - 1).is_ok(), "{closes_at}");
        assert_eq!(keys.verify(&token, now_seconds() + DAY_SECONDS + 1), Err(TokenError::Expired));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_end_on_a_token_is_good_for_paying_what_is_held_and_for_nothing_else() {
    let mut setup = Setup::default();
    setup.settings.wallet.charge_needs_active = true;
    let app = App::start_with(setup).await;
    let (concert, show) = app.on_sale(json!({"gated": ["shows", "seats", "reserve", "pay"]})).await;
    let mut buyer = app.in_line("buyer", concert).await;
    let (balance, charge) = ("/v1/users/me/balance", json!({"amount": 50_000}));
    assert_eq!(buyer.post_once("k", balance, &charge).await.status, 200);
    let held = buyer.post("/v1/reservations", &json!({"showId": show, "seats": ["A-1-1"]})).await;
    assert_eq!(held.status, 201, "{held:?}");
    let reads = [
        "/v1/queue/status".to_owned(),
        format!("/v1/concerts/{concert}/shows"),
        format!("/v1/shows/{show}/seats"),
    ];

    ends(&app, concert, json!("2020-01-01T00:00:00.999Z"), "CLOSED").await;
    for path in &reads {
        let over = buyer.get(path).await;
        assert!(over.is(401, "queue_token_expired"), "{path}: {over:?}");
    }
    assert!(buyer.get("/v1/queue/stream").await.is(401, "queue_token_expired"));
    assert!(buyer.delete(TOKENS).await.is(401, "queue_token_expired"));
    assert!(buyer.post_once("l", balance, &charge).await.is(401, "queue_token_expired"));
    let late = buyer.post("/v1/reservations", &json!({"showId": show, "seats": ["A-1-2"]})).await;
    assert!(late.is(409, "sale_not_open"), "{late:?}");

    // Moved: the token that was minted before, as it is.
    ends(&app, concert, Value::Null, "OPEN").await;
    for path in &reads {
        let again = buyer.get(path).await;
        assert_eq!((again.status, again.text("token")), (200, String::new()), "{path}: {again:?}");
    }
    let more = buyer.post("/v1/reservations", &json!({"showId": show, "seats": ["A-1-2"]})).await;
    assert_eq!(more.status, 201, "{more:?}");

    ends(&app, concert, json!("2020-01-01T00:00:00.999Z"), "CLOSED").await;
    let paid = buyer.post("/v1/payments", &json!({"reservationId": held.text("reservationId")})).await;
    assert_eq!(paid.status, 200, "{paid:?}");
}
