//! Seats taken out of sale and put back.

use serde_json::json;

use super::app::App;

#[tokio::test(flavor = "multi_thread")]
async fn seats_go_out_of_sale_and_come_back_all_or_none() {
    let app = App::start().await;
    let (concert, show) = app.on_sale(json!({})).await;
    let (mut boss, mut buyer) = (app.boss().await, app.in_line("u", concert).await);
    let [block, unblock] = ["block", "unblock"].map(|verb| format!("/v1/admin/shows/{show}/seats/{verb}"));
    let map = format!("/v1/shows/{show}/seats?view=status");
    let held = buyer.post("/v1/reservations", &json!({"showId": show, "seats": ["A-1-2"]})).await;
    assert_eq!(held.status, 201, "{held:?}");

    let taken = boss.post(&block, &json!({"seats": ["A-1-3", "A-1-2"]})).await;
    assert!(taken.is(409, "seat_unavailable"), "{taken:?}");
    assert_eq!(taken.json()["seats"], json!(["A-1-2"]));
    let asked = json!({"seats": ["A-1-3", "A-1-1"]});
    let blocked = boss.post_once("k", &block, &asked).await;
    assert_eq!((blocked.status, blocked.text("status")), (200, "BLOCKED".into()), "{blocked:?}");
    assert_eq!((blocked.number("showId"), &blocked.json()["seats"]), (show, &asked["seats"]));
    let again = boss.post_once("k", &block, &asked).await;
    assert_eq!((&again.bytes, again.header("idempotency-replayed")), (&blocked.bytes, "true"));
    let seen = [("onsale-version", blocked.header("onsale-version"))];
    assert_eq!(buyer.send("GET", &map, &seen, None).await.text("status"), "3130000000");
    let shows = buyer.send("GET", &format!("/v1/concerts/{concert}/shows"), &seen, None).await.json();
    assert_eq!(shows["items"][0]["seatsAvailable"], 7);
    let wanted = buyer.post("/v1/reservations", &json!({"showId": show, "seats": ["A-1-1"]})).await;
    assert!(wanted.is(409, "seat_unavailable"), "{wanted:?}");

    let free = boss.post(&unblock, &json!({"seats": ["A-1-1", "A-1-4"]})).await;
    assert!(free.is(409, "seat_unavailable") && free.json()["seats"] == json!(["A-1-4"]), "{free:?}");
    let back = boss.post_once("k", &unblock, &json!({"seats": ["A-1-1"]})).await;
    assert_eq!((back.status, back.text("status")), (200, "AVAILABLE".into()), "{back:?}");
    let seen = [("onsale-version", back.header("onsale-version"))];
    assert_eq!(buyer.send("GET", &map, &seen, None).await.text("status"), "0130000000");
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_blocked_says_why() {
    let app = App::start().await;
    let (_, show) = app.on_sale(json!({})).await;
    let mut boss = app.boss().await;
    let path = format!("/v1/admin/shows/{show}/seats/block");
    for seats in [json!([]), json!(["A-1-1", "A-1-1"]), json!(["nowhere"])] {
        let wrong = boss.post(&path, &json!({"seats": seats})).await;
        assert!(wrong.is(400, "invalid_request") && wrong.text("field") == "seats", "{wrong:?}");
    }
    let many: Vec<_> = (0..1001).map(|n| format!("A-1-{n}")).collect();
    let many = boss.post(&path, &json!({"seats": many})).await;
    assert!(many.is(400, "too_many_seats") && many.number("limit") == 1000, "{many:?}");
    let asked = json!({"seats": ["A-1-1"]});
    assert!(boss.post("/v1/admin/shows/999/seats/block", &asked).await.is(404, "not_found"));
    let nobody = app.caller("nobody", &[]).await.post(&path, &asked).await;
    assert!(nobody.is(403, "forbidden"), "{nobody:?}");
}

/// With every seat blocked there is nothing to join for.
#[tokio::test(flavor = "multi_thread")]
async fn a_concert_whose_seats_are_all_blocked_is_sold_out() {
    let app = App::start().await;
    let (concert, show) = app.seats_on_sale(json!({}), 3).await;
    let mut boss = app.boss().await;
    let seats = json!({"seats": ["A-1-1", "A-1-2", "A-1-3"]});
    let blocked = boss.post(&format!("/v1/admin/shows/{show}/seats/block"), &seats).await;
    let seen = [("onsale-version", blocked.header("onsale-version"))];
    let state = boss.send("GET", &format!("/v1/concerts/{concert}"), &seen, None).await;
    assert_eq!(state.text("state"), "SOLD_OUT");
    let late = app.caller("u", &[]).await.post("/v1/queue/tokens", &json!({"concertId": concert})).await;
    assert!(late.is(409, "sold_out"), "{late:?}");
}
