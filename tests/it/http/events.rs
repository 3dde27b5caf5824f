//! The pull log of an organiser, and what a webhook may be.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::app::{App, SECRET};
use super::client::Caller;
use crate::support::wait_until;

/// An organiser of concerts that are not `demo`'s.
async fn stranger(app: &App) -> Caller {
    let exp = jsonwebtoken::get_current_timestamp() + 600;
    let claims = json!({"sub": "other", "roles": ["organiser"], "org": "other", "exp": exp});
    let token = encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET)).unwrap();
    Caller::connect(app.address).await.with("authorization", format!("Bearer {token}"))
}

/// Reads page by page until there is no more; answers the events and the last cursor.
pub(super) async fn read(boss: &mut Caller, after: String, limit: u32) -> (Vec<Value>, String) {
    read_of(boss, "", after, limit).await
}

async fn read_of(boss: &mut Caller, only: &str, mut after: String, limit: u32) -> (Vec<Value>, String) {
    let mut all = Vec::new();
    loop {
        let page = boss.get(&format!("/v1/admin/events?{only}limit={limit}&after={after}")).await;
        assert_eq!(page.status, 200, "{page:?}");
        let items = page.json()["items"].as_array().unwrap().clone();
        assert!(items.len() <= limit as usize);
        all.extend(items);
        after = page.text("nextCursor");
        if page.json()["more"] == false {
            return (all, after);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organiser_pulls_the_events_of_his_concerts_once_and_in_order() {
    let app = App::start().await;
    let mut boss = app.boss().await;
    let (one, show) = app.on_sale(json!({})).await;
    let (two, _) = app.on_sale(json!({})).await;
    let mut buyer = app.in_line("u|1", one).await;
    let held = buyer.post("/v1/reservations", &json!({"showId": show, "seats": ["A-1-3"]})).await;
    assert_eq!(held.status, 201, "{held:?}");
    app.in_line("u|2", two).await;
    let archived =
        "select cast(count(*) as signed) from reservations r join queue_tokens q on q.concert <> r.concert";
    wait_until("the archive has it", async || app.count(archived).await == 1).await;

    let start = boss.get("/v1/admin/events?limit=1").await.text("nextCursor");
    let (rest, end) = read(&mut boss, start, 2).await;
    let (all, _) = read(&mut boss, "AQA".to_owned(), 200).await;
    assert_eq!(rest.len() + 1, all.len());
    for concert in [one, two] {
        let source = format!("/concerts/{concert}");
        let of = |events: &[Value]| -> Vec<Value> {
            events.iter().filter(|event| event["source"] == source.as_str()).cloned().collect()
        };
        assert!(of(&all).ends_with(&of(&rest)), "{all:?}");
    }
    let held = all.iter().find(|event| event["type"] == "reservation.held").unwrap();
    assert_eq!(held["data"]["seats"], json!([{"seat": "A-1-3", "price": 50_000}]));
    crate::kafka::schemas::hold(all.iter());

    // Nothing has happened since; then something does.
    assert_eq!(read(&mut boss, end.clone(), 2).await, (Vec::new(), end.clone()));
    let path = format!("/v1/reservations/{}", held["data"]["reservationId"].as_str().unwrap());
    assert_eq!(buyer.delete(&path).await.status, 204);
    let released = "select cast(count(*) as signed) from reservations where status = 'cancelled'";
    wait_until("the archive has it", async || app.count(released).await == 1).await;
    let (news, _) = read(&mut boss, end, 2).await;
    assert_eq!(news.iter().map(|event| event["type"].clone()).collect::<Vec<_>>(), ["reservation.released"]);

    let (of_two, _) = read_of(&mut boss, &format!("concertId={two}&"), "AQA".to_owned(), 1).await;
    let source = format!("/concerts/{two}");
    assert!(of_two.iter().all(|event| event["source"] == source.as_str()) && !of_two.is_empty());
    assert!(boss.get("/v1/admin/events?concertId=x").await.is(400, "invalid_request"));
    let foreign = format!("/v1/admin/events?concertId={one}");
    assert!(stranger(&app).await.get(&foreign).await.is(404, "not_found"));

    let theirs = stranger(&app).await.get("/v1/admin/events").await;
    assert_eq!((theirs.status, &theirs.json()["items"]), (200, &json!([])));
    assert!(boss.get("/v1/admin/events?after=x").await.is(400, "invalid_request"));
    assert!(buyer.get("/v1/admin/events").await.is(403, "forbidden"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_leads_to_public_https_only_and_is_its_organisers() {
    let app = App::start().await;
    let mut boss = app.boss().await;
    for (form, field) in [
        (json!({"url": "http://example.org/"}), "url"),
        (json!({"url": "https://10.0.0.1/"}), "url"),
        (json!({"url": "https://[::1]/"}), "url"),
        (json!({"url": "https://user@example.org/"}), "url"),
        (json!({"url": "https://example.org/", "types": ["payment.lost"]}), "types"),
        (json!({"url": "https://example.org/", "secret": "mine"}), "secret"),
    ] {
        let refused = boss.post("/v1/admin/webhooks", &form).await;
        assert_eq!((refused.status, refused.text("field")), (400, field.to_owned()), "{refused:?}");
    }
    let form = json!({"url": "https://example.org/hook", "types": ["payment.succeeded"]});
    let made = boss.post("/v1/admin/webhooks", &form).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert!(made.text("secret").starts_with("whsec_"));
    let path = format!("/v1/admin/webhooks/{}", made.text("webhookId"));

    let mut other = stranger(&app).await;
    assert_eq!(other.get("/v1/admin/webhooks").await.json()["items"], json!([]));
    assert!(other.delete(&path).await.is(404, "not_found"));
    assert!(other.send("POST", &format!("{path}/resend"), &[], None).await.is(404, "not_found"));
    assert_eq!(boss.delete(&path).await.status, 204);
    for _ in 0..20 {
        assert_eq!(boss.post("/v1/admin/webhooks", &form).await.status, 201);
    }
    assert!(boss.post("/v1/admin/webhooks", &form).await.is(400, "invalid_request"));
}

/// A cursor that has read one entry of each of the concerts up to this one.
fn cursor_of(concerts: usize) -> String {
    use base64::Engine as _;
    let bytes: Vec<u8> = [1, 0].into_iter().chain([1, 1, 0].repeat(concerts)).collect();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

#[tokio::test]
async fn a_cursor_that_is_given_can_be_taken_back() {
    let app = App::start().await;
    let mut boss = app.boss().await;
    let (concert, _) = app.on_sale(json!({})).await;
    let events = "select cast(count(*) as signed) from events where log like 'c%'";
    wait_until("the archive has it", async || app.count(events).await > 0).await;
    for (concerts, status) in [(3_000, 200), (3_500, 400)] {
        let page = boss.get(&format!("/v1/admin/events?after={}", cursor_of(concerts))).await;
        assert_eq!(page.status, status, "{page:?}");
    }
    let alone = format!("/v1/admin/events?concertId={concert}&after={}", cursor_of(3_500));
    let page = boss.get(&alone).await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.text("nextCursor").len() < 20);
}
