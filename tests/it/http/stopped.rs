//! Organisers' calls that write to MySQL, while Redis can't take its part or MySQL breaks off: what says that nothing has happened
//! is true, and what has happened is finished.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::MySql;
use sqlx::pool::PoolConnection;

use super::app::{App, Setup};
use super::client::{Answered, Caller};
use crate::support::wait_until;

/// What MySQL has of the catalog: concerts, shows, seats, all prices, and how often anything of it changed.
async fn catalog(app: &App) -> [i64; 5] {
    [
        app.count("select count(*) from concerts").await,
        app.count("select count(*) from shows").await,
        app.count("select count(*) from seats").await,
        app.count("select cast(sum(price) as signed) from seats").await,
        app.count("select cast(sum(version) as signed) from concerts").await,
    ]
}

/// The calls that change MySQL before Redis, on a concert and its show with ten seats.
fn calls((concert, show): (u64, u64)) -> [(&'static str, String, Value); 4] {
    let on = format!("/v1/admin/concerts/{concert}");
    let section =
        |seats: u32, price: u32| json!([{"name": "A", "rows": 1, "seatsPerRow": seats, "price": price}]);
    let night = json!({"startsAt": "2030-01-02T00:00:00Z", "currency": "KRW", "sections": section(1, 1)});
    [
        ("PATCH", on.clone(), json!({"title": "CHANGED"})),
        ("POST", format!("{on}/shows"), night),
        ("PUT", format!("/v1/admin/shows/{show}/seating-plan"), json!({"sections": section(11, 77)})),
        ("POST", "/v1/admin/concerts".into(), json!({"title": "NEW", "artist": "A", "venue": "V"})),
    ]
}

async fn call(caller: &mut Caller, (method, path, body): &(&str, String, Value)) -> Answered {
    caller.send(method, path, &[], Some(&body.to_string())).await
}

/// The newest outcomes of the trail, the oldest of them first.
async fn outcomes(boss: &mut Caller, count: usize) -> Vec<String> {
    let told = boss.get(&format!("/v1/admin/actions?limit={count}")).await.json();
    let all = told["items"].as_array().unwrap().iter().rev();
    all.map(|item| item["outcome"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_stopped_concert_changes() {
    let app = App::start().await;
    let mut boss = app.boss().await;
    for number in 0..3 {
        let sale = app.on_sale(json!({})).await;
        let change = &calls(sale)[number];
        let before = catalog(&app).await;
        let keys = ["log", "meta"].map(|key| format!("{{c{}}}:{key}", sale.0));
        let _: i64 = app.redis(&["DEL", &keys[0], &keys[1]]).await;
        // First nobody knows it here, then everybody does.
        for _ in 0..2 {
            let refused = call(&mut boss, change).await;
            assert!(refused.is(503, "sales_stopped"), "{change:?}: {refused:?}");
            assert_eq!(outcomes(&mut boss, 1).await, ["sales_stopped"], "{change:?}");
        }
        assert_eq!(catalog(&app).await, before, "{change:?}");
        assert_eq!(boss.get(&format!("/v1/concerts/{}", sale.0)).await.text("title"), "T");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_changes_while_redis_stalls_and_who_asks_again_gets_it_once() {
    let app = App::start_with(Setup { proxied: true, ..Setup::default() }).await;
    let sale = app.on_sale(json!({})).await;
    let (mut boss, changes) = (app.boss().await, calls(sale));
    let before = catalog(&app).await;
    app.proxy().hold_all();
    for change in &changes {
        let refused = call(&mut boss, change).await;
        assert!(refused.is(503, "unavailable"), "{change:?}: {refused:?}");
    }
    app.proxy().pass();
    wait_until("Redis answers again", || async {
        let join = json!({ "concertId": sale.0 });
        app.caller("u", &[]).await.post("/v1/queue/tokens", &join).await.status < 300
    })
    .await;
    assert_eq!(catalog(&app).await, before);
    assert_eq!(outcomes(&mut boss, 4).await, ["unavailable"; 4]);

    for change in &changes {
        let done = call(&mut boss, change).await;
        assert!(matches!(done.status, 200 | 201), "{change:?}: {done:?}");
    }
    assert_eq!(outcomes(&mut boss, 4).await, ["done"; 4]);
    let [concerts, shows, seats, ..] = before;
    assert_eq!(catalog(&app).await[..3], [concerts + 1, shows + 1, seats + 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_mysql_has_is_never_said_not_to_have_happened_and_a_worker_finishes_it() {
    let app = App::start_with(Setup { finishing: Duration::from_millis(100), ..Setup::default() }).await;
    let sale = app.on_sale(json!({"gated": []})).await;
    let (mut boss, changes) = (app.boss().await, calls(sale));
    let bare = call(&mut boss, &changes[3]).await.number("concertId");
    let before = catalog(&app).await;
    // Redis answers, and takes nothing more.
    let _: String = app.redis(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let [title, show, plan, concert] = &changes;
    let done = call(&mut boss, title).await;
    assert_eq!((done.status, done.text("title")), (200, "CHANGED".into()), "{done:?}");
    let retitled =
        boss.send("PATCH", &format!("/v1/admin/concerts/{bare}"), &[], Some(&title.2.to_string())).await;
    assert_eq!((retitled.status, retitled.text("title")), (200, "CHANGED".into()), "{retitled:?}");
    for change in [show, plan, concert] {
        let unknown = call(&mut boss, change).await;
        assert!(unknown.is(504, "outcome_unknown"), "{change:?}: {unknown:?}");
    }
    assert_eq!(
        outcomes(&mut boss, 4).await,
        ["done", "outcome_unknown", "outcome_unknown", "outcome_unknown"]
    );
    let [concerts, shows, seats, ..] = before;
    assert_eq!(catalog(&app).await[..3], [concerts + 1, shows + 1, seats + 2]);
    let told = boss.get("/v1/admin/actions?limit=3").await.json();
    let made =
        |at: usize, name: &str| told["items"][at]["details"][name].as_u64().expect("the trail names it");
    let (new_concert, new_show) = (made(0, "concertId"), made(2, "showId"));

    let _: String = app.redis(&["CONFIG", "SET", "maxmemory", "0"]).await;
    wait_until("a worker has opened the new concert", || async {
        let mut buyer = app.caller("u", &[]).await;
        buyer.post("/v1/queue/tokens", &json!({ "concertId": new_concert })).await.status == 201
    })
    .await;
    wait_until("other servers are told of the title", || async {
        let told: u64 = app.redis(&["HGET", &format!("{{c{bare}}}:meta"), "catalog"]).await;
        told == 2
    })
    .await;
    for (show, seat, amount) in [(new_show, "A-1-1", 1), (sale.1, "A-1-11", 77)] {
        wait_until("the seat is sold at its price", || async {
            let mut buyer = app.caller("u", &[]).await;
            let held = buyer.post("/v1/reservations", &json!({"showId": show, "seats": [seat]})).await;
            held.status == 201 && held.number("amount") == amount
        })
        .await;
    }
    app.audit().await;
}

/// A connection that keeps everybody else from this table.
async fn lock(app: &App, table: &'static str) -> PoolConnection<MySql> {
    let mut connection = app.mysql.acquire().await.unwrap();
    let lock = sqlx::AssertSqlSafe(format!("lock tables {table} write"));
    sqlx::raw_sql(lock).execute(&mut *connection).await.unwrap();
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn what_mysql_was_asked_and_did_not_answer_may_have_happened() {
    let mut setup = Setup::default();
    setup.settings.request_deadline = Duration::from_secs(5);
    let mut app = App::start_alone_with(setup).await;
    let (sale, mut boss) = (app.on_sale(json!({})).await, app.boss().await);
    let locked = lock(&app, "webhooks").await;
    let late = boss.delete("/v1/admin/webhooks/1").await;
    assert!(late.is(504, "outcome_unknown"), "{late:?}");
    assert_eq!(outcomes(&mut boss, 1).await, ["outcome_unknown"]);
    locked.close().await.unwrap();

    let locked = lock(&app, "shows").await;
    let [_, show, ..] = calls(sale);
    let asking = tokio::spawn(async move { call(&mut boss, &show).await });
    wait_until("MySQL has been asked", || async {
        let asked =
            "select count(*) from information_schema.processlist where info like 'insert into shows%'";
        app.count(asked).await == 1
    })
    .await;
    app.kill_mysql();
    let unknown = asking.await.unwrap();
    assert!(unknown.is(504, "outcome_unknown"), "{unknown:?}");
    drop(locked);
    // Another server may have put it on sale: nobody can say.
    let unknown = app.send("GET", "/v1/concerts/4000000", &[], None).await;
    assert!(unknown.is(503, "unavailable"), "{unknown:?}");
}
