//! From the line to the ticket, and the problems on the way.

use serde_json::json;

use super::app::{App, token};
use crate::support::SOON;

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_joins_holds_pays_and_reads_his_ticket() {
    let app = App::start().await;
    let (concert, show) = app.on_sale(json!({})).await;
    let bearer = format!("Bearer {}", token("가|1", &[]));
    let identity = ("authorization", bearer.as_str());

    let join = json!({ "concertId": concert }).to_string();
    let joined = app.send("POST", "/v1/queue/tokens", &[identity], Some(&join)).await;
    assert_eq!((joined.status, joined.json()["status"].as_str()), (201, Some("ACTIVE")));
    let again = app.send("POST", "/v1/queue/tokens", &[identity], Some(&join)).await;
    assert_eq!(again.status, 200);
    let queue_token = joined.json()["token"].as_str().unwrap().to_owned();
    let place = ("queue-token", queue_token.as_str());
    let as_bearer = format!("Bearer {queue_token}");
    for headers in [vec![identity, place], vec![("authorization", as_bearer.as_str())]] {
        let status = app.send("GET", "/v1/queue/status", &headers, None).await;
        assert_eq!((status.status, status.json()["status"].as_str()), (200, Some("ACTIVE")));
    }

    let charge = json!({"amount": 100_000}).to_string();
    let key = ("idempotency-key", "c1");
    let charged = app.send("POST", "/v1/users/me/balance", &[identity, key], Some(&charge)).await;
    assert_eq!((charged.status, charged.json()["currentBalance"].as_i64()), (200, Some(100_000)));
    let replay = app.send("POST", "/v1/users/%EA%B0%80%7C1/balance", &[identity, key], Some(&charge)).await;
    assert_eq!(
        (replay.bytes, replay.headers["idempotency-replayed"].as_bytes()),
        (charged.bytes, &b"true"[..])
    );

    let wanted = json!({"showId": show, "seats": ["A-1-2", "A-1-1"]}).to_string();
    let held = app.send("POST", "/v1/reservations", &[identity, place], Some(&wanted)).await;
    assert_eq!(held.status, 201, "{:?}", held.bytes);
    assert_eq!(held.json()["seats"], json!(["A-1-2", "A-1-1"]));
    assert_eq!((held.header("durability"), held.json()["amount"].as_i64()), ("disk", Some(100_000)));
    let path = held.header("location").to_owned();

    let seen = ("onsale-version", held.header("onsale-version"));
    let seats = format!("/v1/shows/{show}/seats");
    let status = app.send("GET", &format!("{seats}?view=status"), &[seen], None).await;
    assert_eq!(status.json()["status"], "1100000000");
    let etag = status.header("etag").to_owned();
    let unchanged = app.send("GET", &format!("{seats}?view=status"), &[("if-none-match", &etag)], None).await;
    assert_eq!((unchanged.status, unchanged.bytes.len()), (304, 0));
    let full = app.send("GET", &seats, &[seen, ("accept-encoding", "gzip")], None).await;
    assert_eq!((full.header("content-encoding"), &full.bytes[..2]), ("gzip", &[0x1f, 0x8b][..]));
    let version = status.json()["version"].as_str().unwrap().to_owned();

    let pay = json!({"reservationId": held.json()["reservationId"]}).to_string();
    let paid = app.send("POST", "/v1/payments", &[identity, place], Some(&pay)).await;
    assert_eq!((paid.status, paid.json()["balance"].as_i64()), (200, Some(0)), "{:?}", paid.bytes);
    let twice = app.send("POST", "/v1/payments", &[identity, place], Some(&pay)).await;
    assert_eq!((twice.status, twice.json()["reason"].as_str()), (400, Some("already_paid")));
    let seen = ("onsale-version", paid.header("onsale-version"));
    let changes = app.send("GET", &format!("{seats}?since={version}"), &[seen], None).await;
    let booked = |seat: &str| json!({"seat": seat, "status": "BOOKED"});
    let mut list = changes.json()["changes"].as_array().unwrap().clone();
    list.sort_by_key(|change| change["seat"].as_str().unwrap().to_owned());
    assert_eq!(list, [booked("A-1-1"), booked("A-1-2")]);

    let reservation = app.send("GET", &path, &[identity], None).await;
    assert_eq!(reservation.json()["status"], "CONFIRMED");
    assert_eq!(reservation.json()["tickets"].as_array().unwrap().len(), 2);
    let payment = format!("/v1/payments/{}", paid.json()["paymentId"].as_str().unwrap());
    assert_eq!(app.send("GET", &payment, &[identity], None).await.status, 200);
    let other = format!("Bearer {}", token("other", &[]));
    for path in [&path, &payment] {
        let answer = app.send("GET", path, &[("authorization", &other)], None).await;
        assert_eq!(answer.outcome(), (404, "not_found".into()));
    }
    let gone = app.send("GET", "/v1/queue/status", &[identity, place, seen], None).await;
    assert_eq!(gone.outcome(), (401, "queue_token_expired".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_check_that_fails_answers() {
    let app = App::start().await;
    let (concert, show) = app.on_sale(json!({"maxActive": 0})).await;
    let bearer = format!("Bearer {}", token("u", &[]));
    let identity = ("authorization", bearer.as_str());
    let join = json!({ "concertId": concert }).to_string();
    let joined = app.send("POST", "/v1/queue/tokens", &[identity], Some(&join)).await;
    assert_eq!(
        (joined.json()["status"].as_str(), joined.json()["position"].as_u64()),
        (Some("WAITING"), Some(1))
    );
    let waiting = joined.json()["token"].as_str().unwrap().to_owned();
    let place = ("queue-token", waiting.as_str());
    let hold = json!({"showId": show, "seats": ["A-1-1"]}).to_string();
    let unknown = json!({"showId": show, "seats": ["B-1-1"]}).to_string();
    let nowhere = json!({"showId": 999_999, "seats": ["A-1-1"]}).to_string();

    for (method, path, headers, body, status, code) in [
        ("GET", "/v1/nothing", vec![], None, 404, "not_found"),
        ("PUT", "/v1/reservations", vec![], None, 405, "method_not_allowed"),
        ("POST", "/v1/reservations", vec![], Some("x"), 401, "unauthenticated"),
        (
            "POST",
            "/v1/reservations",
            vec![("authorization", "Bearer q1.x.y")],
            Some("x"),
            401,
            "unauthenticated",
        ),
        ("POST", "/v1/reservations", vec![identity], Some("x"), 400, "invalid_request"),
        ("POST", "/v1/reservations", vec![identity], None, 415, "unsupported_media_type"),
        ("POST", "/v1/reservations", vec![identity], Some(nowhere.as_str()), 404, "not_found"),
        ("POST", "/v1/reservations", vec![identity], Some(unknown.as_str()), 400, "invalid_request"),
        ("POST", "/v1/reservations", vec![identity], Some(hold.as_str()), 401, "queue_token_invalid"),
        (
            "POST",
            "/v1/reservations",
            vec![identity, place],
            Some(hold.as_str()),
            403,
            "queue_token_not_active",
        ),
        ("GET", "/v1/users/other/balance", vec![identity], None, 403, "forbidden"),
        ("POST", "/v1/users/me/balance", vec![identity], Some("{}"), 400, "idempotency_key_required"),
        (
            "GET",
            "/v1/queue/status",
            vec![("authorization", "Bearer q1.x.y")],
            None,
            401,
            "queue_token_invalid",
        ),
        ("POST", "/v1/admin/concerts", vec![identity], Some("{}"), 403, "forbidden"),
        ("GET", "/v1/queue/stream", vec![identity, place], None, 501, "not_implemented"),
    ] {
        let answer = app.send(method, path, &headers, body).await;
        assert_eq!(answer.outcome(), (status, code.to_owned()), "{method} {path} {body:?}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.json()["instance"], answer.header("x-request-id"));
    }
    let long = "x".repeat(70_000);
    let answer = app.send("POST", "/v1/reservations", &[identity], Some(&long)).await;
    assert_eq!(answer.outcome(), (413, "payload_too_large".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organiser_steers_a_running_sale() {
    let app = App::start().await;
    let (concert, _) = app.on_sale(json!({"maxActive": 0})).await;
    let boss = format!("Bearer {}", token("boss", &["organiser"]));
    let boss = ("authorization", boss.as_str());
    let bearer = format!("Bearer {}", token("u", &[]));
    let identity = ("authorization", bearer.as_str());
    let join = json!({ "concertId": concert }).to_string();
    let joined = app.send("POST", "/v1/queue/tokens", &[identity], Some(&join)).await;
    let waiting = joined.json()["token"].as_str().unwrap().to_owned();
    let place = ("queue-token", waiting.as_str());

    let admin = format!("/v1/admin/concerts/{concert}");
    let paused =
        app.send("POST", &format!("{admin}/queue/pause"), &[boss], Some(r#"{"reason": "rain"}"#)).await;
    assert_eq!((paused.status, paused.json()["paused"].as_bool()), (200, Some(true)));
    let status = app.send("GET", "/v1/queue/status", &[identity, place], None).await;
    assert_eq!(
        (status.json()["status"].as_str(), status.json()["reason"].as_str()),
        (Some("PAUSED"), Some("rain"))
    );
    let state = app.send("GET", &format!("/v1/concerts/{concert}"), &[], None).await;
    assert_eq!(state.json()["state"], "PAUSED");

    assert_eq!(app.send("POST", &format!("{admin}/queue/resume"), &[boss], None).await.status, 200);
    let change = json!({"title": "New", "policy": {"maxActive": 5}}).to_string();
    let changed = app.send("PATCH", &admin, &[boss], Some(&change)).await;
    assert_eq!((changed.status, changed.json()["title"].as_str()), (200, Some("New")), "{:?}", changed.bytes);
    assert_eq!(
        (&changed.json()["policy"]["maxActive"], &changed.json()["policy"]["holdSeconds"]),
        (&json!(5), &json!(300))
    );
    crate::support::wait_until("the place is admitted", || async {
        let status = app.send("GET", "/v1/queue/status", &[identity, place], None).await;
        status.json()["status"] == "ACTIVE"
    })
    .await;
    let live = app.send("GET", &format!("{admin}/live"), &[boss], None).await;
    assert_eq!((&live.json()["waiting"], &live.json()["active"]), (&json!(0), &json!(1)));
    let foreign = format!("Bearer {}", token("u", &[]));
    let refused = app.send("GET", &format!("{admin}/live"), &[("authorization", &foreign)], None).await;
    assert_eq!(refused.outcome(), (403, "forbidden".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_are_read_page_by_page() {
    let app = App::start().await;
    let (_, show) = app.on_sale(json!({"gated": []})).await;
    let bearer = format!("Bearer {}", token("u", &[]));
    let identity = ("authorization", bearer.as_str());
    let boss = format!("Bearer {}", token("boss", &["organiser"]));
    let boss = ("authorization", boss.as_str());
    for seat in ["A-1-1", "A-1-2", "A-1-3"] {
        let key = ("idempotency-key", seat);
        let amount = json!({"amount": 50_000}).to_string();
        assert_eq!(
            app.send("POST", "/v1/users/me/balance", &[identity, key], Some(&amount)).await.status,
            200
        );
        let wanted = json!({"showId": show, "seats": [seat]}).to_string();
        let held = app.send("POST", "/v1/reservations", &[identity, key], Some(&wanted)).await;
        assert_eq!(held.status, 201, "{:?}", held.bytes);
        let pay = json!({"reservationId": held.json()["reservationId"]}).to_string();
        assert_eq!(app.send("POST", "/v1/payments", &[identity, key], Some(&pay)).await.status, 200);
    }
    crate::support::wait_until("the archive has all of it", || async {
        let ledger = app.send("GET", "/v1/users/me/ledger", &[identity], None).await;
        let list = app.send("GET", "/v1/reservations", &[identity], None).await.json();
        let confirmed = |item: &serde_json::Value| {
            item["status"] == "CONFIRMED" && item["tickets"][0]["seat"].is_string()
        };
        ledger.json()["items"].as_array().is_some_and(|items| items.len() == 6)
            && list["items"].as_array().is_some_and(|items| items.len() == 3 && items.iter().all(confirmed))
    })
    .await;

    let mut path = "/v1/users/me/ledger?limit=4".to_owned();
    let first = app.send("GET", &path, &[identity], None).await.json();
    assert_eq!(
        (&first["items"][0]["type"], &first["items"][0]["balanceAfter"]),
        (&json!("PAYMENT"), &json!(0))
    );
    path.push_str("&cursor=");
    path.push_str(first["nextCursor"].as_str().unwrap());
    let second = app.send("GET", &path, &[identity], None).await.json();
    assert_eq!((second["items"].as_array().unwrap().len(), &second["nextCursor"]), (2, &json!(null)));
    let wrong = app.send("GET", "/v1/reservations?cursor=x", &[identity], None).await;
    assert_eq!((wrong.status, wrong.json()["field"].as_str()), (400, Some("cursor")));

    let newest = app.send("GET", "/v1/reservations?limit=1", &[identity], None).await.json();
    assert_eq!(newest["items"][0]["seats"], json!(["A-1-3"]));
    let path =
        format!("/v1/admin/reservations/{}/history", newest["items"][0]["reservationId"].as_str().unwrap());
    let history = app.send("GET", &path, &[boss], None).await.json();
    assert_eq!(
        (&history["items"][0]["action"], &history["items"][1]["action"]),
        (&json!("HELD"), &json!("CONFIRMED"))
    );
    let top = app.send("GET", "/v1/rankings/concerts?by=booked", &[], None).await.json();
    assert_eq!((&top["items"][0]["rank"], &top["items"][0]["booked"]), (&json!(1), &json!(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_drains_and_ends() {
    let app = App::start().await;
    assert_eq!(app.send("GET", "/v1/concerts", &[], None).await.status, 200);
    app.shutdown.send_replace(true);
    tokio::time::timeout(SOON, app.server).await.unwrap().unwrap();
    assert!(!app.health.is_ready());
    assert!(tokio::net::TcpStream::connect(app.address).await.is_err());
}
