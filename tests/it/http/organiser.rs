//! Who may make which of an organiser's calls, and what the audit trail keeps of them.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::app::{App, SECRET};
use super::client::{Answered, Caller};
use super::refund::bought;

/// A caller of this organiser with one role.
pub(super) async fn of(app: &App, org: &str, role: &str) -> Caller {
    let exp = jsonwebtoken::get_current_timestamp() + 600;
    let claims = json!({"sub": format!("{role}@{org}"), "roles": [role], "org": org, "exp": exp});
    let token = encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET)).unwrap();
    Caller::connect(app.address).await.with("authorization", format!("Bearer {token}"))
}

fn items(answer: &Answered) -> Vec<Value> {
    answer.json()["items"].as_array().unwrap_or_else(|| panic!("no list: {answer:?}")).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_makes_its_calls_and_no_others() {
    let app = App::start().await;
    let (concert, show) = app.on_sale(json!({})).await;
    let (on, seats) = (format!("/v1/admin/concerts/{concert}"), format!("/v1/admin/shows/{show}/seats"));
    let nobody = format!("/v1/admin/reservations/r{concert}-{show}-{}", "2".repeat(20));
    // Each call with a body that changes nothing, and the first role of these that may make it.
    let roles = ["cashier", "viewer", "operator", "organiser", "admin"];
    let calls = [
        ("GET", format!("{on}/live"), None, 1),
        ("GET", format!("{nobody}/history"), None, 1),
        ("GET", "/v1/admin/actions".to_owned(), None, 1),
        ("GET", "/v1/admin/events".to_owned(), None, 1),
        ("GET", "/v1/admin/webhooks".to_owned(), None, 1),
        ("GET", format!("/v1/admin/shows/{show}/cancellation"), None, 1),
        ("GET", format!("{on}/report"), None, 1),
        ("POST", format!("{on}/queue/pause"), Some("{}"), 2),
        ("POST", format!("{on}/queue/resume"), Some("{}"), 2),
        ("POST", format!("{seats}/block"), Some("{\"seats\": []}"), 2),
        ("POST", format!("{seats}/unblock"), Some("{\"seats\": []}"), 2),
        ("POST", format!("{nobody}/refund"), Some("{\"seats\": []}"), 2),
        ("POST", format!("/v1/admin/shows/{show}/cancel"), Some("{\"x\": 1}"), 2),
        ("PATCH", on.clone(), Some("{}"), 3),
        ("PUT", format!("/v1/admin/shows/{show}/seating-plan"), Some("{}"), 3),
        ("POST", "/v1/admin/webhooks".to_owned(), Some("{}"), 3),
        ("POST", "/v1/admin/webhooks/999/resend".to_owned(), None, 3),
        ("DELETE", "/v1/admin/webhooks/999".to_owned(), None, 3),
        ("POST", "/v1/admin/concerts".to_owned(), Some("{}"), 3),
        ("POST", format!("{on}/shows"), Some("{}"), 3),
    ];
    for (rank, role) in roles.into_iter().enumerate() {
        let mut caller = of(&app, "demo", role).await;
        for (method, path, body, least) in &calls {
            let answer = caller.send(method, path, &[("idempotency-key", "k")], *body).await;
            let refused = answer.is(403, "forbidden");
            assert_eq!(refused, rank < *least, "{role}: {method} {path}: {answer:?}");
        }
    }
    for role in ["viewer", "operator", "organiser"] {
        let mut rival = of(&app, "rival", role).await;
        assert!(rival.get(&format!("{on}/live")).await.is(404, "not_found"), "{role}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_keeps_who_changed_what_and_how_it_ended() {
    let app = App::start().await;
    let (concert, show) = app.on_sale(json!({"maxActive": 7})).await;
    let on = format!("/v1/admin/concerts/{concert}");
    let mut operator = of(&app, "demo", "operator").await;
    let paused = operator.post(&format!("{on}/queue/pause"), &json!({"reason": "rain"})).await;
    assert_eq!(paused.status, 200);
    let mut organiser = of(&app, "demo", "organiser").await;
    let wrong = organiser.send("PATCH", &on, &[], Some(r#"{"policy": {"maxActive": -1}}"#)).await;
    assert_eq!(wrong.status, 400);
    let changed = organiser.send("PATCH", &on, &[], Some(r#"{"policy": {"maxActive": 8}}"#)).await;
    assert_eq!(changed.status, 200);
    // What is refused before it names anything of the caller's leaves no row.
    let mut rival = of(&app, "rival", "organiser").await;
    assert_eq!(rival.post(&format!("{on}/queue/pause"), &json!({})).await.status, 404);

    let mut viewer = of(&app, "demo", "viewer").await;
    let all = items(&viewer.get("/v1/admin/actions").await);
    let told: Vec<_> = all
        .iter()
        .map(|item| ["who", "action", "target", "outcome"].map(|name| item[name].as_str().unwrap()))
        .collect();
    let target = format!("concert {concert}");
    assert_eq!(
        told,
        [
            ["organiser@demo", "PATCH /v1/admin/concerts/{id}", &target, "done"],
            ["organiser@demo", "PATCH /v1/admin/concerts/{id}", &target, "invalid_request"],
            ["operator@demo", "POST /v1/admin/concerts/{id}/queue/pause", &target, "done"],
            ["boss", "POST /v1/admin/concerts/{id}/shows", &target, "done"],
            ["boss", "POST /v1/admin/concerts", &format!("/v1/concerts/{concert}"), "done"],
        ]
    );
    assert_eq!(all[0]["details"]["policy"]["policy"]["maxActive"], 8);
    assert_eq!(all[2]["details"], json!({"reason": "rain"}));
    assert_eq!(all[2]["requestId"], paused.header("x-request-id"));
    assert_eq!(all[3]["details"]["seats"], 10, "show {show}");

    let first = viewer.get("/v1/admin/actions?limit=2").await;
    let next = format!("/v1/admin/actions?limit=3&cursor={}", first.text("nextCursor"));
    let rest = viewer.get(&next).await;
    assert_eq!([items(&first), items(&rest)].concat(), all);
    assert_eq!(rest.json()["nextCursor"], Value::Null);
    assert_eq!(viewer.get("/v1/admin/actions?cursor=x").await.text("field"), "cursor");

    assert_eq!(items(&rival.get("/v1/admin/actions").await), Vec::<Value>::new());
    let mut admin = of(&app, "other", "admin").await;
    assert_eq!(items(&admin.get("/v1/admin/actions").await), all);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_says_which_seats_what_money_and_why() {
    let app = App::start().await;
    let sale = app.on_sale(json!({})).await;
    let (id, _) = bought(&app, sale, "u", &["A-1-1", "A-1-2"]).await;
    let mut operator = of(&app, "demo", "operator").await;
    let at = format!("/v1/admin/shows/{}", sale.1);
    let refund = format!("/v1/admin/reservations/{id}/refund");
    let refunded = operator.post_once("k", &refund, &json!({"seats": ["A-1-2"]})).await;
    assert_eq!(refunded.status, 200, "{refunded:?}");
    for verb in ["block", "unblock"] {
        let done = operator.post(&format!("{at}/seats/{verb}"), &json!({"seats": ["A-1-4"]})).await;
        assert_eq!(done.status, 200, "{done:?}");
    }
    assert_eq!(operator.post(&format!("{at}/cancel"), &json!({"reason": "storm"})).await.status, 200);

    let all = items(&operator.get("/v1/admin/actions?limit=4").await);
    let (show, seats) = (format!("show {}", sale.1), json!({"seats": ["A-1-4"], "count": 1}));
    let money = json!({"seats": ["A-1-2"], "refundId": refunded.text("refundId"), "amount": 50_000});
    let expected = [
        ("POST /v1/admin/shows/{id}/cancel", &show, json!({"reason": "storm"})),
        ("POST /v1/admin/shows/{id}/seats/unblock", &show, seats.clone()),
        ("POST /v1/admin/shows/{id}/seats/block", &show, seats),
        ("POST /v1/admin/reservations/{id}/refund", &format!("reservation {id}"), money),
    ];
    assert_eq!(all.len(), expected.len());
    for (told, (action, target, details)) in all.iter().zip(expected) {
        let (who, done) = (&json!("operator@demo"), &json!("done"));
        assert_eq!((&told["who"], &told["outcome"]), (who, done), "{told}");
        assert_eq!((&told["action"], &told["target"]), (&json!(action), &json!(target)), "{told}");
        assert_eq!(told["details"], details);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_changed_without_its_row_but_what_saves_a_sale() {
    let app = App::start().await;
    let (concert, show) = app.on_sale(json!({})).await;
    let before = app.count("select count(*) from concerts").await;
    sqlx::query("rename table organiser_actions to away").execute(&app.mysql).await.unwrap();
    let mut boss = app.boss().await;
    let made = boss.post("/v1/admin/concerts", &json!({"title": "T", "artist": "A", "venue": "V"})).await;
    assert!(made.is(503, "unavailable"), "{made:?}");
    assert_eq!(app.count("select count(*) from concerts").await, before);
    let on = format!("/v1/admin/concerts/{concert}");
    assert_eq!(boss.post(&format!("{on}/queue/pause"), &json!({})).await.status, 200);
    assert_eq!(boss.send("PATCH", &on, &[], Some(r#"{"policy": {"admitPerSecond": 1}}"#)).await.status, 200);
    let block = format!("/v1/admin/shows/{show}/seats/block");
    assert_eq!(boss.post(&block, &json!({"seats": ["A-1-1"]})).await.status, 200);
    assert_eq!(boss.post(&format!("/v1/admin/shows/{show}/cancel"), &json!({})).await.status, 200);
}

/// An address may hold a secret of the receiver.
#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_make_webhooks_sees_all_of_their_addresses() {
    let app = App::start().await;
    let url = "https://hooks.example.com:8443/t/s3cret?k=1";
    let made = of(&app, "demo", "organiser").await.post("/v1/admin/webhooks", &json!({"url": url})).await;
    assert_eq!((made.status, made.text("url")), (201, url.into()), "{made:?}");
    for (role, shown) in
        [("viewer", &url[..30]), ("operator", &url[..30]), ("organiser", url), ("admin", url)]
    {
        let listed = items(&of(&app, "demo", role).await.get("/v1/admin/webhooks").await);
        assert_eq!((listed.len(), &listed[0]["url"]), (1, &json!(shown)), "{role}");
    }
    // MySQL takes this org for demo.
    let padded = of(&app, "demo ", "organiser").await.get("/v1/admin/webhooks").await;
    assert!(padded.is(403, "forbidden"), "{padded:?}");
}
