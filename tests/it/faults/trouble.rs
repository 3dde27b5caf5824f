//! What a buyer is told while a server cannot reach Redis, and that his key gets him the truth afterwards.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::buyer::Buyer;
use super::site::{Server, Site};
use crate::support::http::Answer;
use crate::support::mariadb::MariaDb;
use crate::support::proxy::Proxy;
use crate::support::redis::Redis;
use crate::support::wait_until;

/// The server's own deadline, and much more than that for a machine that others use too; no other deadline ends in between.
const DEADLINE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(10);

struct Behind {
    redis: Redis,
    proxy: Proxy,
    site: Site,
    server: Server,
}

async fn behind_a_proxy() -> Behind {
    let redis = Redis::start_durable().await;
    let proxy = Proxy::start(&redis.socket());
    let site = Site::open(&proxy.url(), &MariaDb::database().await).await;
    let server = site.serve().await;
    Behind { redis, proxy, site, server }
}

impl Behind {
    /// An active buyer with money who holds a seat. Answers the reservation, too.
    async fn buyer(&self, name: &str, number: usize) -> (Buyer, String) {
        let mut buyer = Buyer::new(name, &self.site.folder().join("identity.key"));
        let client = &self.server.client;
        assert_eq!(buyer.charge(client, 50_000, "c").await.unwrap().status, 200);
        assert_eq!(buyer.join(client, 1).await.unwrap().text("status"), "ACTIVE");
        let held = buyer.hold(client, 1, number, "h").await.unwrap();
        assert_eq!(held.status, 201, "{:?}", held.body);
        (buyer, held.text("reservationId").to_owned())
    }
}

async fn timed(call: impl Future<Output = Result<Answer, crate::support::http::Lost>>) -> (Answer, Duration) {
    let begun = Instant::now();
    let answer = call.await.unwrap();
    (answer, begun.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_into_a_black_hole_is_unknown_and_its_key_tells_the_truth() {
    let behind = behind_a_proxy().await;
    let client = &behind.server.client;
    let (one, first) = behind.buyer("one", 1).await;
    let (two, second) = behind.buyer("two", 2).await;
    // Redis pays, but nobody hears of it; then nothing comes through at all.
    for (buyer, reservation, hold) in
        [(&one, &first, Proxy::hold_replies as fn(&Proxy)), (&two, &second, Proxy::hold_all)]
    {
        hold(&behind.proxy);
        let (unknown, took) = timed(buyer.pay(client, reservation, "p")).await;
        assert_eq!(unknown.outcome(), (504, "outcome_unknown"));
        assert!(took >= DEADLINE && took < PATIENCE, "{took:?}");
        behind.proxy.pass();

        let told = buyer.pay(client, reservation, "p").await.unwrap();
        assert_eq!((told.status, told.body["balance"].as_i64()), (200, Some(40_000)), "{:?}", told.body);
        let again = buyer.pay(client, reservation, "p").await.unwrap();
        assert_eq!((again.status, &again.body, again.is_replay()), (200, &told.body, true));
        assert_eq!(buyer.balance(client).await, 40_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_away_nothing_happens_and_its_return_is_noticed() {
    let mut behind = behind_a_proxy().await;
    let (buyer, reservation) = behind.buyer("one", 1).await;
    behind.redis.kill();
    let client = &behind.server.client;
    let reads = ["/v1/users/me/balance".to_owned(), format!("/v1/reservations/{reservation}")];
    let read = async |path: &str| client.send("GET", path, &buyer.headers(""), None).await.unwrap();
    // A read changes nothing: nothing of it can be unknown.
    for path in &reads {
        assert_eq!(read(path).await.outcome(), (503, "unavailable"), "{path}");
    }
    for _ in 0..2 {
        let (away, took) = timed(buyer.pay(client, &reservation, "p")).await;
        assert_eq!(away.outcome(), (503, "unavailable"));
        assert!(took < PATIENCE, "{took:?}");
        assert_eq!(buyer.hold(client, 1, 2, "h2").await.unwrap().outcome(), (503, "unavailable"));
    }
    let server = &behind.server;
    wait_until("it says that Redis is away", async || server.degraded().await == ["redis"]).await;
    behind.redis.restart();
    for path in &reads {
        assert_eq!(read(path).await.status, 200, "{path}");
    }
    let paid = buyer.pay(client, &reservation, "p").await.unwrap();
    assert_eq!((paid.status, paid.is_replay()), (200, false), "{:?}", paid.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_made_though_its_caller_hung_up_and_its_neighbours_are_answered() {
    let behind = behind_a_proxy().await;
    let client = &behind.server.client;
    let (first, held) = behind.buyer("first", 0).await;
    let (leaving, abandoned) = behind.buyer("leaving", 1).await;
    let (staying, kept) = behind.buyer("staying", 2).await;

    behind.proxy.hold_all();
    let under_way = tokio::spawn({
        let (client, held) = (client.clone(), held.clone());
        async move { first.pay(&client, &held, "p").await.unwrap() }
    });
    let mut stream = TcpStream::connect(client.address()).await.unwrap();
    let body = json!({ "reservationId": abandoned }).to_string();
    let mut request = format!(
        "POST /v1/payments HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in leaving.headers("p") {
        write!(request, "{name}: {value}\r\n").unwrap();
    }
    stream.write_all(format!("{request}\r\n{body}").as_bytes()).await.unwrap();
    drop(stream);
    let neighbour = tokio::spawn({
        let (client, kept) = (client.clone(), kept.clone());
        async move { staying.pay(&client, &kept, "p").await.unwrap() }
    });
    behind.proxy.pass();

    for paid in [under_way.await.unwrap(), neighbour.await.unwrap()] {
        assert_eq!(paid.status, 200, "{:?}", paid.body);
    }
    wait_until("the abandoned payment is made", async || {
        leaving.reservation(client, &abandoned).await.text("status") == "CONFIRMED"
    })
    .await;
    assert_eq!(leaving.balance(client).await, 40_000);
}
