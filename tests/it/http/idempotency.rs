//! A request that is sent many times has one effect and one answer, whatever has happened since.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::app::App;
use super::client::{Answered, Caller};
use crate::support::wait_until;

/// Equal requests of each burst.
const BURST: usize = 100;

/// Sends one request a hundred times at once, ten on each connection.
async fn burst(app: &App, headers: &[(&str, &str)], key: &str, path: &str, body: &Value) -> Vec<Answered> {
    let mut tasks = JoinSet::new();
    for _ in 0..10 {
        let mut caller = Caller::connect(app.address).await;
        for (name, value) in headers {
            caller = caller.with(name, value);
        }
        let (key, path, body) = (key.to_owned(), path.to_owned(), body.clone());
        tasks.spawn(async move {
            let mut answers = Vec::new();
            for _ in 0..BURST / 10 {
                answers.push(caller.post_once(&key, &path, &body).await);
            }
            answers
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

/// Checks that all say the same, and how many of them say it for the first time; gives one.
fn check_same(answers: &[Answered], status: u16, first: usize) -> Answered {
    assert_eq!(answers.len(), BURST);
    for answer in answers {
        assert_eq!((answer.status, &answer.bytes), (status, &answers[0].bytes), "{answer:?}");
        assert!(matches!(answer.header("idempotency-replayed"), "" | "true"));
    }
    let fresh = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty()).count();
    assert_eq!(fresh, first);
    answers[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_equal_requests_have_one_effect_and_one_answer() {
    let app = App::start().await;
    let (concert, show) = app.on_sale(json!({})).await;
    let buyer = app.in_line("u", concert).await;
    let headers = ["authorization", "queue-token"].map(|name| (name, buyer.header(name).to_owned()));
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut reader = app.caller("u", &[]).await;

    let charge = json!({"amount": 100_000});
    let charged = check_same(&burst(&app, &headers, "k", "/v1/users/me/balance", &charge).await, 200, 1);
    assert_eq!(reader.get("/v1/users/me/balance").await.number("balance"), 100_000);

    let wanted = json!({"showId": show, "seats": ["A-1-3", "A-1-1"]});
    let held = check_same(&burst(&app, &headers, "k", "/v1/reservations", &wanted).await, 201, 1);
    let id = held.text("reservationId");
    let location = format!("/v1/reservations/{id}");
    assert_eq!(held.header("location"), location);

    let pay = json!({ "reservationId": id });
    let paid = check_same(&burst(&app, &headers, "k", "/v1/payments", &pay).await, 200, 1);
    assert_eq!(paid.number("balance"), 0);
    assert_eq!(reader.get("/v1/users/me/balance").await.number("balance"), 0);

    // The place has ended with the payment, the reservation is CONFIRMED, the money is gone: the first answers stand.
    let seen = [headers[1], ("onsale-version", paid.header("onsale-version"))];
    let status = reader.send("GET", "/v1/queue/status", &seen, None).await;
    assert!(status.is(401, "queue_token_expired"), "{status:?}");
    for (path, body, first) in [
        ("/v1/users/me/balance", &charge, &charged),
        ("/v1/reservations", &wanted, &held),
        ("/v1/payments", &pay, &paid),
    ] {
        let later = check_same(&burst(&app, &headers, "k", path, body).await, first.status, 0);
        assert_eq!(later.bytes, first.bytes, "{path}");
    }
    let unkeyed = reader.send("POST", "/v1/reservations", &headers[1..], Some(&wanted.to_string())).await;
    assert!(unkeyed.is(401, "queue_token_expired"), "{unkeyed:?}");
    let other = json!({"showId": show, "seats": ["A-1-1", "A-1-3"]});
    let reused = burst(&app, &headers, "k", "/v1/reservations", &other).await;
    assert!(reused.iter().all(|answer| answer.is(422, "idempotency_key_reused")));
    assert_eq!(reader.get("/v1/users/me/balance").await.number("balance"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_lapsed_is_answered_as_it_was() {
    let app = App::start().await;
    let (concert, show) = app.on_sale(json!({"holdSeconds": 1})).await;
    let buyer = app.in_line("u", concert).await;
    let headers = ["authorization", "queue-token"].map(|name| (name, buyer.header(name).to_owned()));
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let wanted = json!({"showId": show, "seats": ["A-1-1"]});
    let held = check_same(&burst(&app, &headers, "k", "/v1/reservations", &wanted).await, 201, 1);
    let path = held.header("location").to_owned();
    wait_until("the hold has lapsed", || async {
        app.send("GET", &path, &headers, None).await.text("status") == "EXPIRED"
    })
    .await;
    let later = check_same(&burst(&app, &headers, "k", "/v1/reservations", &wanted).await, 201, 0);
    assert_eq!((later.bytes.clone(), later.text("status")), (held.bytes.clone(), "PENDING".into()));
    let pay = json!({"reservationId": held.text("reservationId")});
    let refused = burst(&app, &headers, "p", "/v1/payments", &pay).await;
    for answer in &refused {
        assert!(answer.is(400, "invalid_reservation"), "{answer:?}");
        assert_eq!(answer.text("reason"), "expired");
    }
}
