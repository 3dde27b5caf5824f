//! The way back from a loss, as the runbook has it: the Redis that forgot nothing is at its address again.

use super::buyer::Buyer;
use super::ledger::Ledger;
use super::loss::{copy_of, replace};
use super::site::Site;
use crate::support::mariadb::MariaDb;
use crate::support::redis::{Persistence, Redis};
use crate::support::wait_until;

const STOPPED: (u16, &str) = (503, "sales_stopped");

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_with_all_that_was_seen_sells_on_once_mysql_is_told() {
    let mut redis = Redis::start_with(Persistence::Always, &[]).await;
    let mysql = MariaDb::database().await;
    let site = Site::open(&redis.url(), &mysql).await;
    let (server, mut worker) = (site.serve().await, site.work());
    let mut buyer = Buyer::new("u", &site.folder().join("identity.key"));
    assert_eq!(buyer.charge(&server.client, 50_000, "c").await.unwrap().status, 200);
    assert_eq!(buyer.join(&server.client, 1).await.unwrap().text("status"), "ACTIVE");
    let held = buyer.hold(&server.client, 1, 0, "h0").await.unwrap();
    let mut ledger = Ledger::open(&redis.url(), &mysql).await;
    ledger.level().await;

    redis.kill();
    let whole = copy_of(&redis);
    replace(&redis, None);
    redis.restart();
    let recovering = "select count(*) from log_offsets where log = 'c1' and state = 'recovering'";
    wait_until("MySQL has it that the log was lost", async || ledger.count(recovering).await == 1).await;
    server.kill();
    worker.kill();
    redis.kill();
    replace(&redis, Some(whole.path()));
    redis.restart();

    // To start anew is not enough.
    let server = site.serve_anyway().await;
    assert_eq!(buyer.hold(&server.client, 1, 1, "h1").await.unwrap().outcome(), STOPPED);
    server.kill();
    let sell = "update log_offsets set state = 'selling' where state = 'recovering'";
    sqlx::query(sell).execute(&ledger.mysql).await.unwrap();
    let (server, _worker) = (site.serve().await, site.work());
    assert_eq!(buyer.hold(&server.client, 1, 1, "h1").await.unwrap().status, 201);
    let paid = buyer.pay(&server.client, held.text("reservationId"), "p").await.unwrap();
    assert_eq!(paid.status, 200, "{:?}", paid.body);
    ledger.reopen(&redis.url()).await;
    ledger.level().await;
    ledger.check().await;
}
