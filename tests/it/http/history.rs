//! Reads from the archive: whoever says what he has seen gets nothing older.

use std::time::Duration;

use serde_json::{Value, json};

use super::app::{App, Setup};
use super::card_ends::still;
use super::client::{Answered, Caller};
use crate::support::SOON;

/// Sends the version of an answer along.
async fn after(seen: &Answered, caller: &mut Caller, path: &str) -> Answered {
    caller.send("GET", path, &[("onsale-version", seen.header("onsale-version"))], None).await
}

fn actions(history: &Answered) -> Vec<String> {
    assert_eq!(history.status, 200, "{history:?}");
    let items = history.json()["items"].clone();
    items.as_array().unwrap().iter().map(|item| item["action"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_has_all_that_had_happened() {
    let mut setup = Setup::default();
    (setup.settings.request_deadline, setup.settings.catch_up) = (2 * SOON, SOON);
    let app = App::start_with(setup).await;
    let mut boss = app.boss().await;
    // The first time of a concert that the archive has just heard of, then of one that it follows.
    let (concert, show) = app.on_sale(json!({"endTokenOn": "never"})).await;
    let mut buyer = app.in_line("u", concert).await;
    buyer.post_once("c", "/v1/users/me/balance", &json!({"amount": 1_000_000})).await;
    for seat in 1..=6 {
        let wanted = json!({"showId": show, "seats": [format!("A-1-{seat}")]});
        let held = buyer.post("/v1/reservations", &wanted).await;
        let id = held.text("reservationId");
        let path = format!("/v1/admin/reservations/{id}/history");
        assert_eq!(actions(&boss.get(&path).await), ["HELD"]);
        let paid = buyer.post("/v1/payments", &json!({"reservationId": id})).await;
        assert_eq!(actions(&after(&paid, &mut boss, &path).await), ["HELD", "CONFIRMED"]);
        let back = format!("/v1/admin/reservations/{id}/refund");
        let refunded = boss.post_once("r", &back, &json!({})).await;
        assert_eq!(refunded.status, 200, "{refunded:?}");
        let all = ["HELD", "CONFIRMED", "REFUNDED"];
        assert_eq!(actions(&after(&refunded, &mut boss, &path).await), all);
        assert_eq!(actions(&boss.get(&path).await), all);
        // Another log's version names nothing here, an older one asks for less.
        for seen in [&buyer.get("/v1/users/me/balance").await, &held] {
            assert!(!actions(&after(seen, &mut boss, &path).await).is_empty());
        }
    }
    let none = format!("/v1/admin/reservations/r{concert}-{show}-{}/history", "0".repeat(20));
    assert!(boss.get(&none).await.is(404, "not_found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_the_archive_has_not_got_yet_is_not_unknown() {
    let mut setup = Setup::default();
    setup.settings.request_deadline = Duration::from_secs(5);
    setup.settings.catch_up = Duration::from_millis(100);
    let app = App::start_with(setup).await;
    let (concert, show) = app.on_sale(json!({})).await;
    let mut boss = app.boss().await;
    let mut buyer = app.in_line("u", concert).await;
    let before = buyer.get("/v1/queue/status").await;
    let archive = still(&app).await;
    let held = buyer.post("/v1/reservations", &json!({"showId": show, "seats": ["A-1-1"]})).await;
    assert_eq!(held.status, 201, "{held:?}");
    let path = format!("/v1/admin/reservations/{}/history", held.text("reservationId"));
    for seen in [&held, &before] {
        let waits = after(seen, &mut boss, &path).await;
        assert!(waits.is(503, "unavailable"), "{waits:?}");
    }
    let waits = boss.get(&path).await;
    assert!(waits.is(503, "unavailable"), "{waits:?}");
    // These are as fresh as the archive, and tell what there is.
    let list = after(&held, &mut buyer, "/v1/reservations").await;
    assert_eq!((list.status, &list.json()["items"]), (200, &json!([])), "{list:?}");
    drop(archive);
    app.audit().await;
    for seen in [&held, &before] {
        assert_eq!(actions(&after(seen, &mut boss, &path).await), ["HELD"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_reports_and_exports_have_what_their_client_has_seen() {
    let mut setup = Setup::default();
    (setup.settings.request_deadline, setup.settings.catch_up) = (2 * SOON, SOON);
    let app = App::start_with(setup).await;
    let (concert, show) = app.on_sale(json!({"endTokenOn": "never"})).await;
    let mut boss = app.boss().await;
    let mut buyer = app.in_line("u", concert).await;
    app.audit().await;
    let report = format!("/v1/admin/concerts/{concert}/report");
    let sheets = ["reservations", "ledger"].map(|name| format!("/v1/admin/concerts/{concert}/{name}.csv"));
    for seat in 1..=4_u64 {
        let charged =
            buyer.post_once(&format!("c{seat}"), "/v1/users/me/balance", &json!({"amount": 50_000})).await;
        let ledger = after(&charged, &mut buyer, "/v1/users/me/ledger").await.json();
        assert_eq!(ledger["items"][0]["balanceAfter"], 50_000, "{ledger}");
        assert_eq!(ledger["items"].as_array().unwrap().len() as u64, 2 * seat - 1, "{ledger}");

        let wanted = json!({"showId": show, "seats": [format!("A-1-{seat}")]});
        let held = buyer.post("/v1/reservations", &wanted).await;
        let id: Value = held.text("reservationId").into();
        let list = after(&held, &mut buyer, "/v1/reservations").await.json();
        assert_eq!(list["items"][0]["reservationId"], id);

        let paid = buyer.post("/v1/payments", &json!({"reservationId": id})).await;
        let told = after(&paid, &mut boss, &report).await.json();
        assert_eq!(told["shows"][0]["booked"], seat, "{told}");
        // Each the first read after a change.
        for (path, seat) in sheets.iter().zip(["A-1-5", "A-1-6"]) {
            let sheet = after(&paid, &mut boss, path).await;
            assert!(String::from_utf8_lossy(&sheet.bytes).contains(id.as_str().unwrap()), "{path}");
            let held = buyer.post("/v1/reservations", &json!({"showId": show, "seats": [seat]})).await;
            let events = format!("/v1/admin/events?concertId={concert}&limit=200");
            let events = after(&held, &mut boss, &events).await.json();
            assert!(events.to_string().contains(&held.text("reservationId")), "{events}");
            let free = format!("/v1/reservations/{}", held.text("reservationId"));
            assert_eq!(buyer.delete(&free).await.status, 204);
        }
    }
}
