//! Every code of the contract's table that belongs to what is built, with its fields and headers.

use std::time::Duration;

use onsale::store::Limits;
use serde_json::{Value, json};

use super::app::{App, Setup};
use super::client::{Answered, Caller};
use crate::support::wait_until;

/// Checks a problem whole: form, headers, and the extra fields of its code.
fn check(answer: &Answered, status: u16, code: &str, fields: &Value) {
    assert_eq!(answer.outcome(), (status, code.to_owned()), "{answer:?}");
    let body = answer.json();
    assert_eq!(answer.header("content-type"), "application/problem+json", "{code}");
    assert_eq!(body["status"], status, "{code}");
    assert_eq!(body["instance"], answer.header("x-request-id"), "{code}");
    assert!(body["type"].is_string() && body["title"].is_string() && body["detail"].is_string(), "{body}");
    for (name, value) in fields.as_object().unwrap() {
        assert_eq!(&body[name], value, "{code}: {name}");
    }
    assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401, "{code}");
    assert_eq!(answer.headers.contains_key("retry-after"), status == 429 || status == 503, "{code}");
    assert_eq!(answer.headers.contains_key("allow"), status == 405, "{code}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_request_is_told() {
    let app = App::start().await;
    let (_, show) = app.on_sale(json!({"gated": []})).await;
    let user = &mut app.caller("u", &[]).await;
    let seats = |labels: &[&str]| json!({"showId": show, "seats": labels}).to_string();
    let (key, hold, charge) = (("idempotency-key", "k"), "/v1/reservations", "/v1/users/me/balance");
    let good = seats(&["A-1-1"]);
    let named = |field: &str| json!({ "field": field });
    for (method, path, header, body, status, code, fields) in [
        ("GET", "/v1/nothing", None, None, 404, "not_found", json!({})),
        ("GET", "/v1/concerts/9", None, None, 404, "not_found", json!({})),
        ("GET", "/v1/concerts/4294967296/shows", None, None, 404, "not_found", json!({})),
        ("OPTIONS", hold, None, None, 405, "method_not_allowed", json!({})),
        ("GET", "/v1/concerts", Some(("accept", "text/html")), None, 406, "not_acceptable", json!({})),
        ("POST", hold, Some(("accept", "*/*;q=0")), Some(&*good), 406, "not_acceptable", json!({})),
        (
            "POST",
            hold,
            Some(("content-type", "text/plain")),
            Some(&*good),
            415,
            "unsupported_media_type",
            json!({}),
        ),
        (
            "POST",
            hold,
            Some(("durability", "replica")),
            Some(&*good),
            400,
            "durability_unavailable",
            json!({}),
        ),
        (
            "POST",
            "/v1/queue/tokens",
            Some(("durability", "archive")),
            Some("{}"),
            400,
            "durability_unavailable",
            json!({}),
        ),
        (
            "POST",
            hold,
            Some(("durability", "wood")),
            Some(&*good),
            400,
            "invalid_request",
            named("Durability"),
        ),
        (
            "POST",
            hold,
            Some(("idempotency-key", "")),
            Some(&*good),
            400,
            "invalid_request",
            named("Idempotency-Key"),
        ),
        ("POST", hold, None, Some("{"), 400, "invalid_request", json!({})),
        ("POST", hold, None, Some(r#"{"seats": ["A-1-1"]}"#), 400, "invalid_request", named("showId")),
        (
            "POST",
            hold,
            None,
            Some(r#"{"showId": 99999999999, "seats": ["A-1-1"]}"#),
            404,
            "not_found",
            json!({}),
        ),
        ("POST", hold, None, Some(&*seats(&[])), 400, "invalid_request", named("seats")),
        ("POST", hold, None, Some(&*seats(&["A-1-1", "A-1-1"])), 400, "invalid_request", named("seats")),
        ("POST", hold, None, Some(&*seats(&["A-1-11"])), 400, "invalid_request", named("seats")),
        (
            "POST",
            hold,
            None,
            Some(&*seats(&["A-1-1", "A-1-2", "A-1-3", "A-1-4", "A-1-5"])),
            400,
            "too_many_seats",
            json!({"limit": 4}),
        ),
        ("POST", charge, None, Some(r#"{"amount": 10000}"#), 400, "idempotency_key_required", json!({})),
        (
            "POST",
            charge,
            Some(key),
            Some(r#"{"amount": 9999}"#),
            400,
            "amount_out_of_range",
            json!({"min": 10_000, "max": 1_000_000}),
        ),
        ("POST", charge, Some(key), Some(r#"{"amount": 1e5}"#), 400, "invalid_request", named("amount")),
        (
            "POST",
            "/v1/payments",
            None,
            Some(r#"{"reservationId": "r1"}"#),
            400,
            "invalid_reservation",
            json!({"reason": "not_found"}),
        ),
        ("GET", "/v1/users/other/balance", None, None, 403, "forbidden", json!({})),
        ("GET", "/v1/concerts?limit=201", None, None, 400, "invalid_request", named("limit")),
        ("GET", "/v1/concerts?cursor=x", None, None, 400, "invalid_request", named("cursor")),
        ("GET", "/v1/concerts?sort=x", None, None, 400, "invalid_request", named("sort")),
        ("GET", "/v1/shows?from=yesterday", None, None, 400, "invalid_request", named("from")),
        ("GET", "/v1/shows?available=1", None, None, 400, "invalid_request", named("available")),
        ("GET", "/v1/rankings/concerts?by=x", None, None, 400, "invalid_request", named("by")),
        ("GET", "/v1/users/me/ledger?limit=0", None, None, 400, "invalid_request", named("limit")),
    ] {
        let headers: Vec<_> = header.into_iter().collect();
        check(&user.send(method, path, &headers, body).await, status, code, &fields);
    }
    let head = user.send("HEAD", "/v1/concerts", &[], None).await;
    assert_eq!((head.status, head.bytes.len()), (200, 0));
    let allowed = user.send("OPTIONS", hold, &[], None).await;
    assert_eq!(allowed.header("allow"), "GET, HEAD, POST");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_sale_refuses_is_told() {
    let app = App::start().await;
    let (_, show) = app.on_sale(json!({"gated": [], "maxSeatsPerUser": 3})).await;
    let (mut one, mut other) = (app.caller("one", &[]).await, app.caller("other", &[]).await);
    let seats = |labels: &[&str]| json!({"showId": show, "seats": labels});
    let held = one.post("/v1/reservations", &seats(&["A-1-2", "A-1-4"])).await;
    let id = held.text("reservationId");
    let pay = json!({ "reservationId": id });

    let taken = other.post("/v1/reservations", &seats(&["A-1-4", "A-1-3", "A-1-2"])).await;
    check(&taken, 409, "seat_unavailable", &json!({"seats": ["A-1-4", "A-1-2"]}));
    let many = one.post("/v1/reservations", &seats(&["A-1-1", "A-1-3"])).await;
    check(&many, 403, "purchase_limit", &json!({"limit": 3, "owned": 2}));
    let poor = one.post("/v1/payments", &pay).await;
    check(&poor, 400, "insufficient_balance", &json!({"currentBalance": 0, "requiredAmount": 100_000}));
    let foreign = other.post("/v1/payments", &pay).await;
    check(&foreign, 400, "invalid_reservation", &json!({"reason": "not_found"}));
    check(&other.delete(&format!("/v1/reservations/{id}")).await, 404, "not_found", &json!({}));

    let charge = json!({"amount": 100_000});
    assert_eq!(one.post_once("c", "/v1/users/me/balance", &charge).await.status, 200);
    let reused = one.post_once("c", "/v1/users/me/balance", &json!({"amount": 100_001})).await;
    check(&reused, 422, "idempotency_key_reused", &json!({}));
    assert_eq!(one.post("/v1/payments", &pay).await.status, 200);
    check(
        &one.post("/v1/payments", &pay).await,
        400,
        "invalid_reservation",
        &json!({"reason": "already_paid"}),
    );
    let given = one.delete(&format!("/v1/reservations/{id}")).await;
    check(&given, 409, "reservation_not_pending", &json!({}));
    let held = one.post("/v1/reservations", &seats(&["A-1-1"])).await;
    let path = format!("/v1/reservations/{}", held.text("reservationId"));
    assert_eq!((one.delete(&path).await.status, one.delete(&path).await.status), (204, 204));
    assert_eq!(one.get(&path).await.text("status"), "CANCELLED");
    let late = one.post("/v1/payments", &json!({"reservationId": held.text("reservationId")})).await;
    check(&late, 400, "invalid_reservation", &json!({"reason": "cancelled"}));

    let mut boss = app.boss().await;
    let opens = "2999-01-01T00:00:00.000Z";
    let concert = json!({"title": "T", "artist": "A", "venue": "V", "opensAt": opens});
    let concert = boss.post("/v1/admin/concerts", &concert).await;
    assert_eq!(concert.text("state"), "ANNOUNCED");
    let early = one.post("/v1/queue/tokens", &json!({"concertId": concert.number("concertId")})).await;
    check(&early, 409, "sale_not_open", &json!({"opensAt": opens}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_a_thousand_live_keys_in_a_wallet() {
    let app = App::start().await;
    let mut user = app.caller("u", &[]).await;
    let charge = json!({"amount": 10_000});
    for key in 0..1000 {
        assert_eq!(user.post_once(&format!("k{key}"), "/v1/users/me/balance", &charge).await.status, 200);
    }
    check(
        &user.post_once("one more", "/v1/users/me/balance", &charge).await,
        429,
        "rate_limited",
        &json!({}),
    );
    let again = user.post_once("k7", "/v1/users/me/balance", &charge).await;
    assert_eq!((again.status, again.number("currentBalance")), (200, 80_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_built_yet_comes_after_the_checks_before_it() {
    let app = App::start().await;
    let (concert, show) = app.on_sale(json!({})).await;
    let mut outside = app.caller("outside", &[]).await;
    let mut inside = app.in_line("inside", concert).await;
    let best = json!({"showId": show, "bestAvailable": {"count": 2}});
    check(&outside.post("/v1/reservations", &best).await, 401, "queue_token_invalid", &json!({}));
    check(&inside.post("/v1/reservations", &best).await, 501, "not_implemented", &json!({}));
    let nowhere = json!({"showId": 999, "bestAvailable": {"count": 2}});
    check(&inside.post("/v1/reservations", &nowhere).await, 404, "not_found", &json!({}));
    let any = json!({"showId": show, "anyOf": [["A-1-1"], ["A-1-2"]]});
    check(&inside.post("/v1/reservations", &any).await, 501, "not_implemented", &json!({}));

    let held = inside.post("/v1/reservations", &json!({"showId": show, "seats": ["A-1-1"]})).await;
    let card = |id: String| json!({"reservationId": id, "method": "CARD"});
    let unknown = inside.post("/v1/payments", &card("r1".into())).await;
    check(&unknown, 400, "invalid_reservation", &json!({"reason": "not_found"}));
    let tokenless = outside.post("/v1/payments", &card(held.text("reservationId"))).await;
    check(&tokenless, 401, "queue_token_invalid", &json!({}));
    let paid = inside.post("/v1/payments", &card(held.text("reservationId"))).await;
    check(&paid, 501, "not_implemented", &json!({}));

    let mut boss = app.boss().await;
    let mut stranger = Caller::connect(app.address).await;
    {
        let (path, body) = (format!("/v1/admin/shows/{show}/seats/block"), r#"{"seats": ["A-1-1"]}"#);
        let key = [("idempotency-key", "k")];
        check(&stranger.send("POST", &path, &key, Some(body)).await, 401, "unauthenticated", &json!({}));
        check(&inside.send("POST", &path, &key, Some(body)).await, 403, "forbidden", &json!({}));
    }
    let block = boss.post("/v1/admin/shows/999/seats/block", &json!({"seats": ["A-1-1"]})).await;
    check(&block, 404, "not_found", &json!({}));
    let lottery = json!({"title": "T", "artist": "A", "venue": "V", "policy": {"order": "lottery"}});
    check(&boss.post("/v1/admin/concerts", &lottery).await, 501, "not_implemented", &json!({}));
    let stream = format!("/v1/shows/{show}/seats/stream");
    let events = stranger.send("GET", &stream, &[("accept", "text/event-stream")], None).await;
    check(&events, 501, "not_implemented", &json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_at_once_is_told_at_once() {
    let limits = Limits { batch_weight: 128, queue_requests: 0 };
    let app = App::start_with(Setup { limits, ..Setup::default() }).await;
    let mut user = app.caller("u", &[]).await;
    let full = user.post_once("k", "/v1/users/me/balance", &json!({"amount": 10_000})).await;
    check(&full, 503, "overloaded", &json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_redis_leaves_the_outcome_unknown_and_an_absent_one_nothing() {
    let mut setup = Setup::default();
    setup.settings.request_deadline = Duration::from_millis(1500);
    let mut app = App::start_with(setup).await;
    let (concert, show) = app.on_sale(json!({"gated": [], "maxActive": 0})).await;
    let mut user = app.caller("u", &[]).await;
    let mut waiting = app.in_line("waiting", concert).await;
    let charge = json!({"amount": 10_000});
    assert_eq!(user.post_once("k1", "/v1/users/me/balance", &charge).await.status, 200);
    let held = user.post("/v1/reservations", &json!({"showId": show, "seats": ["A-1-1"]})).await;
    let path = format!("/v1/reservations/{}", held.text("reservationId"));
    wait_until("the archive has the hold", || async {
        app.count("select count(*) from reservations").await == 1
            && app.count("select count(*) from ledger_transactions").await == 1
    })
    .await;

    let paused: String = app.redis(&["CLIENT", "PAUSE", "60000", "ALL"]).await;
    assert_eq!(paused, "OK");
    check(&user.post_once("k2", "/v1/users/me/balance", &charge).await, 504, "outcome_unknown", &json!({}));
    app.redis.kill();
    check(&user.post_once("k3", "/v1/users/me/balance", &charge).await, 503, "unavailable", &json!({}));

    // It comes back empty: the logs are lost, nothing is sold on them, and reads go on.
    app.redis.restart();
    check(&user.post_once("k3", "/v1/users/me/balance", &charge).await, 503, "sales_stopped", &json!({}));
    let another = user.post("/v1/reservations", &json!({"showId": show, "seats": ["A-1-2"]})).await;
    check(&another, 503, "sales_stopped", &json!({}));
    let read = user.get(&path).await;
    assert_eq!(
        (read.status, read.text("status"), &read.json()["seats"]),
        (200, "PENDING".into(), &json!(["A-1-1"]))
    );
    let map = user.get(&format!("/v1/shows/{show}/seats?view=status")).await;
    assert_eq!(map.text("status"), "1000000000");
    let balance = user.get("/v1/users/me/balance").await;
    assert_eq!((balance.status, balance.number("balance")), (200, 10_000), "{balance:?}");
    assert!(balance.json()["updatedAt"].is_string());
    wait_until("the concert says so", || async {
        let concert = app.send("GET", &format!("/v1/concerts/{concert}"), &[], None).await;
        concert.text("state") == "RECOVERING"
    })
    .await;
    let place = waiting.get("/v1/queue/status").await;
    assert_eq!((place.text("status"), place.text("reason")), ("PAUSED".into(), "recovering".into()));
    assert_eq!(place.number("position"), 1);
    let left = waiting.delete("/v1/queue/tokens").await;
    check(&left, 503, "sales_stopped", &json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_ours_is_told_as_one_and_harms_nobody_else() {
    let app = App::start().await;
    let (concert, show) = app.on_sale(json!({"gated": []})).await;
    // What no version of ours has written: the script that meets it throws.
    let place = format!("{{c{concert}}}:place");
    let _: i64 = app.redis(&["HSET", &place, "broken", "nonsense"]).await;
    let mut broken = app.caller("broken", &[]).await;
    let joined = broken.post("/v1/queue/tokens", &json!({"concertId": concert})).await;
    check(&joined, 500, "internal", &json!({}));
    let mut other = app.caller("other", &[]).await;
    assert_eq!(
        other.post("/v1/reservations", &json!({"showId": show, "seats": ["A-1-1"]})).await.status,
        201
    );
}
