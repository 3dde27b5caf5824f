//! Kafka, on a real broker: each event at least once and in order, whoever is killed, and a sale that does not notice.

mod backlog;
pub(crate) mod broker;
pub(crate) mod consumer;
pub(crate) mod schemas;
mod secure;

use std::collections::{BTreeMap, BTreeSet};

use onsale::domain::cloud_event::told;
use onsale::domain::event::{Entry, LogKind};
use onsale::domain::ids::{LogName, Mark};
use sqlx::Row;

use self::broker::Broker;
use self::consumer::{Told, read_all};
use crate::faults::buyer::Buyer;
use crate::faults::ledger::Ledger;
use crate::faults::site::{Server, Site, seat};
use crate::faults::worker::{buy_all, store_that_saw_nothing};
use crate::support::mariadb::MariaDb;
use crate::support::redis::Redis;
use crate::support::wait_until;

const TOPIC: &str = "sale";

/// An installation that tells this broker and keeps no entry in Redis that the archive has.
async fn open(redis: &Redis, mysql: &str, broker: &Broker) -> Site {
    let site = Site::open(&redis.url(), mysql).await;
    let site = site.set("KAFKA__BROKERS", &broker.address()).set("KAFKA__TOPIC", TOPIC);
    site.set("LOG__KEEP_SECONDS", "0").set("WORKER__TRIM_INTERVAL_MS", "50")
}

/// What has to be told: ids by source, in order.
pub(crate) async fn expected(ledger: &Ledger) -> BTreeMap<String, Vec<String>> {
    let select = "select e.log, l.log_id, e.number, e.body from events e join log_offsets l on l.log = e.log \
                  order by e.log, e.number";
    let mut expected = BTreeMap::<String, Vec<String>>::new();
    for row in sqlx::query(select).fetch_all(&ledger.mysql).await.unwrap() {
        let log: LogName = row.get::<String, _>(0).parse().unwrap();
        let log_id: Mark = row.get::<String, _>(1).parse().unwrap();
        let text = String::from_utf8(row.get(3)).unwrap();
        let kind = if matches!(log, LogName::Wallet(_)) { LogKind::Wallet } else { LogKind::Concert };
        let entry = Entry::decode(kind, &text).unwrap();
        for event in told(log, log_id, row.get(2), &entry, &|_, _| Some(String::new())).unwrap() {
            expected.entry(event.source).or_default().push(event.id);
        }
    }
    expected
}

/// Where in its log an event stands, by its id.
fn place(told: &Told) -> (u64, u64) {
    let mut parts = told.text("id").rsplit('-');
    let ordinal = parts.next().unwrap().parse().unwrap();
    (parts.next().unwrap().parse().unwrap(), ordinal)
}

/// Waits until the topic holds all that the archive has to tell, and checks each event's place. Answers what it holds.
async fn all_told(ledger: &Ledger, broker: &Broker) -> Vec<Told> {
    let behind = "select count(*) from log_offsets l left join follower_offsets f \
                  on f.follower = 'kafka' and f.log = l.log where ifnull(f.number, 0) < l.number";
    wait_until("Kafka has been told all", async || ledger.count(behind).await == 0).await;
    let expected = expected(ledger).await;
    let all = read_all(broker.address(), TOPIC).await;

    let mut seen = BTreeSet::new();
    let mut last = BTreeMap::new();
    let mut partitions = BTreeMap::new();
    for told in &all {
        assert_eq!(told.content_type, "application/cloudevents+json; charset=UTF-8");
        assert_eq!(*partitions.entry(told.key.clone()).or_insert(told.partition), told.partition, "{told:?}");
        if !seen.insert(told.text("id").to_owned()) {
            continue;
        }
        // Whatever is repeated: what is told first comes in the order of its log, by key.
        let last = last.entry((told.text("source").to_owned(), told.key.clone())).or_insert((0, 0));
        assert!(*last < place(told), "{told:?} comes after {last:?}");
        *last = place(told);
    }
    let missing: Vec<_> = expected.values().flatten().filter(|id| !seen.contains(*id)).collect();
    assert_eq!(missing, Vec::<&String>::new());
    assert_eq!(seen.len(), expected.values().map(Vec::len).sum::<usize>(), "nothing else was told");
    all
}

/// Buys a seat of concert 1 over HTTP.
pub(crate) async fn buy(server: &Server, site: &Site, number: usize) {
    let mut buyer = Buyer::new(&format!("h{number}"), &site.folder().join("identity.key"));
    assert!(matches!(buyer.join(&server.client, 1).await.unwrap().status, 200 | 201));
    let held = buyer.hold(&server.client, 1, number, "h").await.unwrap();
    assert_eq!(held.status, 201, "{held:?} of {}", seat(number));
    let charged = buyer.charge(&server.client, 20_000, "c").await.unwrap();
    assert_eq!(charged.status, 200, "{charged:?}");
    let paid = buyer.pay(&server.client, held.text("reservationId"), "p").await.unwrap();
    assert_eq!(paid.status, 200, "{paid:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_reaches_kafka_in_order_whoever_is_killed() {
    let (redis, mysql) = (Redis::start().await, MariaDb::database().await);
    let mut broker = Broker::start().await;
    let site = open(&redis, &mysql, &broker).await;
    let ledger = Ledger::open(&redis.url(), &mysql).await;
    let store = store_that_saw_nothing(&redis, &ledger).await;
    let told = async || ledger.count("select sum(number) from follower_offsets").await;
    let further = async |than: i64| wait_until("it tells on", async || told().await > than).await;

    let mut workers = [site.work(), site.work()];
    for round in 0..4 {
        // Each round has something of its own to tell.
        let (before, store, first) = (told().await, store.clone(), 1_500 * u32::try_from(round).unwrap());
        let buying = tokio::spawn(async move { buy_all(&store, first..first + 1_500).await });
        further(before).await;
        workers[round % 2].kill();
        workers[round % 2] = site.work();
        if round % 2 == 1 {
            broker.kill();
            broker.restart();
        }
        buying.await.unwrap();
    }
    let server = site.serve_anyway().await;
    buy(&server, &site, 7_000).await;
    drop(server);
    let server = site.serve_anyway().await;
    buy(&server, &site, 7_001).await;
    ledger.level().await;

    let all = all_told(&ledger, &broker).await;
    let paid = all
        .iter()
        .find(|told| told.text("type") == "payment.succeeded" && told.event["data"]["userId"] == "h7001");
    let paid = &paid.expect("the payment was told").event;
    assert_eq!(paid["data"]["seats"][0]["seat"], seat(7_001));
    schemas::hold(all.iter().map(|told| &told.event));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_goes_on_without_its_broker_and_what_was_trimmed_meanwhile_is_told_later() {
    let (redis, mysql) = (Redis::start().await, MariaDb::database().await);
    let mut broker = Broker::prepare();
    let site = open(&redis, &mysql, &broker).await;
    let ledger = Ledger::open(&redis.url(), &mysql).await;
    let worker = site.work();
    let server = site.serve_anyway().await;
    for number in 7_000..7_020 {
        buy(&server, &site, number).await;
    }
    ledger.level().await;
    let trimmed = async || ledger.ask::<u64>(&["HGET", "{c1}:meta", "trim"]).await;
    let written = async || ledger.ask::<u64>(&["HGET", "{c1}:meta", "number"]).await;
    // The last entry always stays.
    wait_until("the log is trimmed", async || trimmed().await + 1 == written().await).await;
    assert_eq!(ledger.count("select count(*) from follower_offsets").await, 0);
    wait_until("the worker says that Kafka is away", async || {
        worker.log().contains("Kafka does not acknowledge")
    })
    .await;

    let broker = tokio::task::spawn_blocking(move || {
        broker.restart();
        broker
    });
    let broker = broker.await.unwrap();
    let all = all_told(&ledger, &broker).await;
    assert_eq!(all.iter().filter(|told| told.text("type") == "payment.succeeded").count(), 20);
    assert_eq!(all.iter().filter(|told| told.text("type") == "points.charged").count(), 20);
}
