//! Who may make which of an organiser's calls, and what the audit trail keeps of them.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::app::{App, SECRET};
use super::client::{Answered, Caller};

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
        ("POST", format!("{on}/queue/pause"), Some("{}"), 2),
        ("POST", format!("{on}/queue/resume"), Some("{}"), 2),
        ("POST", format!("{seats}/block"), Some("{\"seats\": []}"), 2),
        ("POST", format!("{seats}/unblock"), Some("{\"seats\": []}"), 2),
        ("POST", format!("{nobody}/refund"), Some("{\"seats\": []}"), 2),
        ("PATCH", on.clone(), Some("{}"), 3),
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
async fn nothing_is_changed_without_its_row_but_what_saves_a_sale() {
    let app = App::start().await;
    let (concert, _) = app.on_sale(json!({})).await;
    let before = app.count("select count(*) from concerts").await;
    sqlx::query("rename table organiser_actions to away").execute(&app.mysql).await.unwrap();
    let mut boss = app.boss().await;
    let made = boss.post("/v1/admin/concerts", &json!({"title": "T", "artist": "A", "venue": "V"})).await;
    assert!(made.is(503, "unavailable"), "{made:?}");
    assert_eq!(app.count("select count(*) from concerts").await, before);
    let on = format!("/v1/admin/concerts/{concert}");
    assert_eq!(boss.post(&format!("{on}/queue/pause"), &json!({})).await.status, 200);
    assert_eq!(boss.send("PATCH", &on, &[], Some(r#"{"policy": {"admitPerSecond": 1}}"#)).await.status, 200);
}
