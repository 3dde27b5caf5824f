//! One engine in trouble: MySQL away, Redis full. Selling goes on as far as it can.

use super::buyer::Buyer;
use super::ledger::Ledger;
use super::site::Site;
use crate::support::mariadb::MariaDb;
use crate::support::redis::Redis;
use crate::support::wait_until;

#[tokio::test(flavor = "multi_thread")]
async fn selling_goes_on_without_mysql_and_the_archive_catches_up() {
    let redis = Redis::start().await;
    let mut mariadb = MariaDb::start().await;
    let mysql = mariadb.create_database().await;
    let site = Site::open(&redis.url(), &mysql).await;
    let server = site.serve().await;
    let _worker = site.work();
    let client = &server.client;

    let buy = async |number: usize| {
        let mut buyer = Buyer::new(&format!("u{number}"), &site.folder().join("identity.key"));
        assert_eq!(buyer.charge(client, 50_000, "c").await.unwrap().status, 200);
        assert_eq!(buyer.join(client, 1).await.unwrap().text("status"), "ACTIVE");
        let held = buyer.hold(client, 1, number, "h").await.unwrap();
        let paid = buyer.pay(client, held.text("reservationId"), "p").await.unwrap();
        assert_eq!(paid.status, 200, "{:?}", paid.body);
    };
    buy(0).await;
    let ledger = Ledger::open(&redis.url(), &mysql).await;
    // The worker runs by then.
    ledger.level().await;
    drop(ledger);

    mariadb.kill();
    for number in 1..20 {
        buy(number).await;
    }
    wait_until("the server says that MySQL is away", async || server.degraded().await == ["mysql"]).await;
    mariadb.restart();
    wait_until("the server says that MySQL is back", async || server.degraded().await.is_empty()).await;
    let ledger = Ledger::open(&redis.url(), &mysql).await;
    ledger.level().await;
    ledger.check().await;
    assert_eq!(ledger.count("select count(*) from payments").await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_redis_takes_payments_only() {
    let redis = Redis::start().await;
    let mysql = MariaDb::database().await;
    let site = Site::open(&redis.url(), &mysql).await;
    let server = site.serve().await;
    let client = &server.client;
    let ledger = Ledger::open(&redis.url(), &mysql).await;
    let mut buyer = Buyer::new("one", &site.folder().join("identity.key"));
    assert_eq!(buyer.charge(client, 50_000, "c").await.unwrap().status, 200);
    assert_eq!(buyer.join(client, 1).await.unwrap().text("status"), "ACTIVE");
    let held = buyer.hold(client, 1, 1, "h").await.unwrap();
    let mut other = Buyer::new("two", &site.folder().join("identity.key"));

    let () = ledger.ask(&["CONFIG", "SET", "maxmemory", "1mb"]).await;
    let overloaded = (503, "overloaded");
    assert_eq!(buyer.hold(client, 1, 2, "h2").await.unwrap().outcome(), overloaded);
    assert_eq!(other.join(client, 1).await.unwrap().outcome(), overloaded);
    let paid = buyer.pay(client, held.text("reservationId"), "p").await.unwrap();
    assert_eq!((paid.status, paid.body["balance"].as_i64()), (200, Some(40_000)), "{:?}", paid.body);

    let () = ledger.ask(&["CONFIG", "SET", "maxmemory", "0"]).await;
    assert_eq!(other.join(client, 1).await.unwrap().text("status"), "ACTIVE");
    assert_eq!(other.hold(client, 1, 2, "h2").await.unwrap().status, 201);
}
