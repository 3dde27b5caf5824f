//! Webhooks, told by real workers to an endpoint that fails, delays and dies.

mod receiver;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use sqlx::Row;

use self::receiver::{Mood, Receiver, Sent};
use crate::faults::ledger::Ledger;
use crate::faults::site::{Server, Site};
use crate::kafka::{buy, expected};
use crate::support::http::{Answer, Client};
use crate::support::mariadb::MariaDb;
use crate::support::redis::Redis;
use crate::support::wait_until;

struct Boss {
    client: Client,
    bearer: String,
}

impl Boss {
    fn new(client: &Client, folder: &Path) -> Self {
        let secret = std::fs::read_to_string(folder.join("identity.key")).unwrap();
        let exp = jsonwebtoken::get_current_timestamp() + 3600;
        let claims = json!({"sub": "boss", "roles": ["organiser"], "org": "demo", "exp": exp});
        let token = encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.trim().as_bytes()));
        Self { client: client.clone(), bearer: format!("Bearer {}", token.unwrap()) }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let headers = [("authorization", self.bearer.as_str())];
        self.client.send(method, path, &headers, body).await.unwrap()
    }

    async fn hook(&self) -> Value {
        self.ask("GET", "/v1/admin/webhooks", None).await.body["items"][0].clone()
    }
}

/// An installation with a receiver, and the webhook to it.
struct Scene {
    redis: Redis,
    mysql: String,
    site: Site,
    server: Server,
    boss: Boss,
    receiver: Receiver,
    made: Value,
}

impl Scene {
    async fn open(retry_seconds: &str, types: &[&str]) -> Self {
        let (redis, mysql) = (Redis::start().await, MariaDb::database().await);
        let site = Site::open(&redis.url(), &mysql).await.set("WEBHOOK__INSECURE", "true");
        let site = site.set("WEBHOOK__TIMEOUT_SECONDS", "1").set("WEBHOOK__RETRY_SECONDS", retry_seconds);
        let (server, receiver) = (site.serve_anyway().await, Receiver::start().await);
        let boss = Boss::new(&server.client, site.folder());
        let form = json!({"url": receiver.url(), "types": types});
        let made = boss.ask("POST", "/v1/admin/webhooks", Some(&form)).await;
        assert_eq!(made.status, 201, "{made:?}");
        Self { redis, mysql, site, server, boss, receiver, made: made.body }
    }

    /// Waits until the receiver has taken this many different events.
    async fn taken(&self, count: usize) {
        wait_until("the endpoint has taken them", async || ids(&self.receiver).len() >= count).await;
    }
}

/// What it took, once each, in the order in which it first did.
fn first_taken(receiver: &Receiver) -> Vec<Sent> {
    let mut seen = BTreeSet::new();
    receiver.sent().into_iter().filter(|sent| sent.taken && seen.insert(sent.id.clone())).collect()
}

/// The ids of those of concert 1.
fn ids(receiver: &Receiver) -> Vec<String> {
    let taken = first_taken(receiver).into_iter();
    taken.filter(|sent| sent.event()["source"] == "/concerts/1").map(|sent| sent.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_fails_delays_and_dies_is_told_each_event_in_order() {
    let Scene { redis, mysql, site, server, boss, mut receiver, made } = Scene::open("86400", &[]).await;
    let ledger = Ledger::open(&redis.url(), &mysql).await;
    let mut worker = site.work();
    let failed = async |receiver: &Receiver, than: usize| {
        let seen = async || receiver.sent().iter().filter(|sent| !sent.taken).count() > than;
        wait_until("the endpoint was tried in vain", seen).await;
    };
    buy(&server, &site, 1).await;
    for (number, mood) in [(2, Mood::Answers(500)), (3, Mood::Answers(307)), (4, Mood::Silent)] {
        let before = receiver.sent().iter().filter(|sent| !sent.taken).count();
        receiver.set(mood);
        buy(&server, &site, number).await;
        failed(&receiver, before).await;
        receiver.set(Mood::Takes);
    }
    receiver.die().await;
    buy(&server, &site, 5).await;
    let hook = async || boss.hook().await;
    wait_until("its organiser sees that it fails", async || {
        let hook = hook().await;
        hook["lastError"] == "no connection" && hook["failures"].as_u64() > Some(0)
    })
    .await;
    worker.kill();
    let _worker = site.work();
    buy(&server, &site, 6).await;
    receiver.revive().await;
    ledger.level().await;

    let all = expected(&ledger).await.remove("/concerts/1").unwrap();
    wait_until("all is told", async || ids(&receiver).last() == all.last()).await;
    // What the import had archived when the webhook was made is not told.
    let imported = all.len() - ids(&receiver).len();
    assert!(all[..imported].iter().all(|id| id.contains("-1-")), "{all:?}");
    assert_eq!(ids(&receiver), all[imported..]);
    let secret = made["secret"].as_str().unwrap();
    let now = jsonwebtoken::get_current_timestamp();
    for sent in receiver.sent() {
        assert!(sent.is_signed(secret), "{sent:?}");
        assert!(now.abs_diff(sent.timestamp) < 120, "{sent:?}");
        assert_eq!(sent.event()["id"], sent.id.as_str());
    }
    wait_until("nothing is wrong any more", async || hook().await["failures"] == 0).await;
    let shown = hook().await;
    assert_eq!((&shown["deadLetters"], &shown["secret"]), (&json!(0), &Value::Null));
    let path = format!("/v1/admin/webhooks/{}", made["webhookId"].as_str().unwrap());
    assert_eq!(boss.ask("DELETE", &path, None).await.status, 204);
    assert_eq!(boss.ask("DELETE", &path, None).await.status, 404);
    assert_eq!(ledger.count("select count(*) from webhook_offsets").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_is_a_dead_letter_until_it_is_sent_again() {
    let scene = Scene::open("0", &["payment.succeeded"]).await;
    let _worker = scene.site.work();
    let Scene { site, server, boss, receiver, .. } = &scene;
    receiver.set(Mood::Answers(410));
    buy(server, site, 1).await;
    let dead = async |count: u64| boss.hook().await["deadLetters"] == count;
    wait_until("the payment is a dead letter", async || dead(1).await).await;
    receiver.set(Mood::Takes);
    buy(server, site, 2).await;
    scene.taken(1).await;
    assert_eq!(first_taken(receiver)[0].event()["data"]["userId"], "h2");

    let path = format!("/v1/admin/webhooks/{}/resend", scene.made["webhookId"].as_str().unwrap());
    let unknown = boss.ask("POST", &path, Some(&json!({"eventId": "x"}))).await;
    assert_eq!(unknown.outcome(), (400, "invalid_request"));
    assert_eq!(boss.ask("POST", &path, None).await.body, json!({"resent": 1}));
    scene.taken(2).await;
    assert_eq!(first_taken(receiver)[1].event()["data"]["userId"], "h1");
    wait_until("the letter is gone", async || dead(0).await).await;
    let kinds: BTreeSet<_> = receiver.sent().iter().map(|sent| sent.event()["type"].to_string()).collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["\"payment.succeeded\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_given_up_after_failing_for_a_day_however_old_it_is() {
    let scene = Scene::open("86400", &["payment.succeeded"]).await;
    let ledger = Ledger::open(&scene.redis.url(), &scene.mysql).await;
    let Scene { site, server, boss, receiver, .. } = &scene;
    let dead = async |count: u64| boss.hook().await["deadLetters"] == count;
    let failing = async || {
        ledger.count("select count(*) from webhook_offsets where failing_since > 0 and failures > 0").await
            == 1
    };
    receiver.set(Mood::Answers(503));
    let mut worker = site.work();
    buy(server, site, 1).await;
    wait_until("it has failed", failing).await;

    worker.kill();
    age_events(&ledger).await;
    change(&ledger, "update webhook_offsets set failing_since = 0, next_at = 0").await;
    let tried = receiver.sent().len();
    let mut worker = site.work();
    wait_until("it is tried on", async || receiver.sent().len() > tried + 1).await;
    assert!(dead(0).await);
    receiver.set(Mood::Takes);
    scene.taken(1).await;

    receiver.set(Mood::Answers(503));
    buy(server, site, 2).await;
    buy(server, site, 3).await;
    ledger.level().await;
    wait_until("it has failed", failing).await;
    worker.kill();
    change(&ledger, "update webhook_offsets set failing_since = failing_since - 86400000, next_at = 0").await;
    let _worker = site.work();
    wait_until("it has failed for a day", async || dead(1).await).await;
    wait_until("the next one has failed", failing).await;
    assert!(dead(1).await, "the next one has a day of its own");
}

async fn change(ledger: &Ledger, sql: &str) {
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&ledger.mysql).await.unwrap();
}

/// Has all events that the archive holds have happened 25 hours earlier.
async fn age_events(ledger: &Ledger) {
    for row in sqlx::query("select log, number, body from events").fetch_all(&ledger.mysql).await.unwrap() {
        let body = String::from_utf8(row.get(2)).unwrap();
        let (head, events) = body.split_once('\n').unwrap();
        let (marks, time) = head.rsplit_once(' ').unwrap();
        let aged = format!("{marks} {}\n{events}", time.parse::<i64>().unwrap() - 25 * 3_600_000);
        let update = sqlx::query("update events set body = ? where log = ? and number = ?");
        let update = update.bind(aged.into_bytes()).bind(row.get::<String, _>(0)).bind(row.get::<u64, _>(1));
        update.execute(&ledger.mysql).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_endpoints_more_than_there_are_places_keep_nobody_from_being_told() {
    let scene = Scene::open("86400", &[]).await;
    let ledger = Ledger::open(&scene.redis.url(), &scene.mysql).await;
    let Scene { site, server, boss, receiver: slow, .. } = &scene;
    slow.set(Mood::Slow(Duration::from_millis(500)));
    for _ in 0..64 {
        let columns = "org, url, types, secret, created_at";
        let copy = format!("insert into webhooks ({columns}) select {columns} from webhooks limit 1");
        change(&ledger, &copy).await;
    }
    let quick = Receiver::start().await;
    // It has the highest id: the last that is looked at, and made past the bound of what an organiser may have.
    change(&ledger, "update webhooks set org = 'other' where webhook > 1").await;
    let form = json!({"url": quick.url(), "types": ["payment.succeeded"]});
    let made = boss.ask("POST", "/v1/admin/webhooks", Some(&form)).await;
    assert_eq!(made.status, 201, "{made:?}");
    change(&ledger, "update webhooks set org = 'demo'").await;
    for number in 1..=20 {
        buy(server, site, number).await;
    }
    let _worker = site.work();
    wait_until("the quick one is told all", async || ids(&quick).len() == 20).await;
    assert!(!slow.sent().is_empty());
}
