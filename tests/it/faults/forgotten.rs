//! `onsale forget` beside a server and a worker: what it says, its exit codes, and what a buyer finds afterwards.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use sqlx::mysql::MySqlPool;

use super::buyer::Buyer;
use super::site::Site;
use crate::audit::forget::traces;
use crate::support::http::Client;
use crate::support::mariadb::MariaDb;
use crate::support::process::Process;
use crate::support::redis::Redis;
use crate::support::wait_until;

const ANNA: &str = "anna.maier@example.org";

/// Exit code and answer of a command on the installation.
async fn run(site: &Site, arguments: &[&str]) -> (Option<i32>, Value) {
    let arguments: Vec<_> =
        arguments.iter().copied().chain(["--config", "site.toml"]).map(str::to_owned).collect();
    let (folder, environment) = (site.folder().to_owned(), site.environment.clone());
    let run = move || Process::run_with(&folder, &arguments, &environment);
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

async fn buy(client: &Client, site: &Site) -> (Buyer, String) {
    let mut buyer = Buyer::new(ANNA, &site.folder().join("identity.key"));
    assert_eq!(buyer.join(client, 1).await.unwrap().status, 201);
    let held = buyer.hold(client, 1, 7, "h").await.unwrap();
    assert_eq!(held.status, 201, "{held:?}");
    assert_eq!(buyer.charge(client, 20_000, "c").await.unwrap().status, 200);
    let reservation = held.text("reservationId").to_owned();
    assert_eq!(buyer.pay(client, &reservation, "p").await.unwrap().status, 200);
    (buyer, reservation)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_is_forgotten_by_the_command_and_never_named_outside() {
    let (redis, mysql) = (Redis::start().await, MariaDb::database().await);
    let site = Site::open(&redis.url(), &mysql).await.set("LOG__KEEP_SECONDS", "0");
    std::fs::write(site.folder().join("export.key"), "5".repeat(40)).unwrap();
    let site = site.set("PRIVACY__EXPORT_KEY_FILE", "export.key");
    let (server, _worker) = (site.serve().await, site.work());
    let (mut buyer, reservation) = buy(&server.client, &site).await;
    let pool = MySqlPool::connect(&mysql).await.unwrap();
    let paid = "select count(*) from payments";
    let archived = async || sqlx::query_scalar::<_, i64>(paid).fetch_one(&pool).await.unwrap() == 1;
    wait_until("the payment is archived", archived).await;

    let secret = std::fs::read_to_string(site.folder().join("identity.key")).unwrap();
    let exp = jsonwebtoken::get_current_timestamp() + 3600;
    let claims = json!({"sub": "boss", "roles": ["organiser"], "org": "demo", "exp": exp});
    let boss =
        encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.trim().as_bytes())).unwrap();
    let bearer = format!("Bearer {boss}");
    let path = "/v1/admin/events?limit=200&after=AQA";
    let told = server.client.send("GET", path, &[("authorization", &bearer)], None).await.unwrap();
    let text = told.body.to_string();
    assert!(
        told.status == 200 && text.contains("\"userId\":\"u-") && text.contains("payment.succeeded"),
        "{text}"
    );
    assert!(!text.contains(ANNA), "{text}");

    let (code, refused) = run(&site, &["forget", "--user", ANNA]).await;
    assert_eq!((code, &refused["outcome"]), (Some(1), &Value::from("refused")), "{refused}");
    assert_eq!(refused["live"].as_object().unwrap().len(), 1, "{refused}");
    let (code, done) = run(&site, &["forget", "--user", ANNA, "--force"]).await;
    assert_eq!((code, &done["outcome"]), (Some(0), &Value::from("forgotten")), "{done}");
    assert!(done["pseudonym"].as_str().unwrap().starts_with("forgotten-"), "{done}");
    let gone = async || traces(&redis.url(), &pool, ANNA).await.is_empty();
    wait_until("no byte of her id is left", gone).await;

    let headers = buyer.headers("");
    let path = format!("/v1/reservations/{reservation}");
    let found = server.client.send("GET", &path, &headers, None).await.unwrap();
    assert_eq!((found.status, buyer.balance(&server.client).await), (404, 0), "{found:?}");
    assert_eq!(run(&site, &["audit"]).await.1["ok"], true);
    let (code, again) = run(&site, &["forget", "--user", ANNA]).await;
    assert_eq!((code, &again["outcome"]), (Some(0), &Value::from("unknown")), "{again}");
    assert_eq!(run(&site, &["forget", "--user", ""]).await.0, Some(2));
    assert!(
        buyer.join(&server.client, 2).await.unwrap().status == 201,
        "she may come again, as somebody new"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_applies_the_retention_that_is_set() {
    let (redis, mysql) = (Redis::start().await, MariaDb::database().await);
    let site = Site::open(&redis.url(), &mysql).await.set("LOG__KEEP_SECONDS", "0");
    let server = site.serve().await;
    let mut buyer = Buyer::new(ANNA, &site.folder().join("identity.key"));
    let pool = MySqlPool::connect(&mysql).await.unwrap();
    let long_ago = {
        let _worker = site.work();
        assert_eq!(buyer.join(&server.client, 1).await.unwrap().status, 201);
        let joined = "select count(*) from queue_tokens";
        let archived = async || sqlx::query_scalar::<_, i64>(joined).fetch_one(&pool).await.unwrap() == 1;
        wait_until("her place is archived", archived).await;
        "update events e, shows s, queue_tokens q set e.at = 1, s.starts_at = 1, q.issued_at = 1"
    };
    sqlx::query(long_ago).execute(&pool).await.unwrap();

    let site = site.set("PRIVACY__RETENTION_DAYS", "1");
    let _worker = site.work();
    let done = "select count(*) from retentions where log = 'c1' and done_at is not null";
    let is_done = async || sqlx::query_scalar::<_, i64>(done).fetch_one(&pool).await.unwrap() == 1;
    wait_until("the concert is done with", is_done).await;
    // Nothing but trimming goes on now.
    let gone = async || traces(&redis.url(), &pool, ANNA).await.is_empty();
    wait_until("no byte of her id is left", gone).await;
    let rows = "select cast(user as char), end_reason from queue_tokens";
    let rows: Vec<(String, Option<String>)> = sqlx::query_as(rows).fetch_all(&pool).await.unwrap();
    // He was sent away, or his time was over just before.
    let [(user, Some(_))] = rows.as_slice() else { panic!("{rows:?}") };
    assert!(user.starts_with("anonymous-"), "{rows:?}");
}
