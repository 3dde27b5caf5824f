//! Workers that are killed while they refund a cancelled show, and two of them at once: everybody gets his money back, once.

use onsale::domain::ids::{ConcertId, ShowId};

use super::ledger::Ledger;
use super::site::Site;
use super::worker::{buy_all, deadline, store_that_saw_nothing};
use crate::support::mariadb::MariaDb;
use crate::support::process::Process;
use crate::support::redis::Redis;
use crate::support::wait_until;

/// More than three workers refund before they are killed.
const BUYERS: u32 = 600;

const KILLS: u32 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn workers_killed_amid_refunds_give_everything_back_once() {
    let (redis, mysql) = (Redis::start().await, MariaDb::database().await);
    let site = Site::open(&redis.url(), &mysql).await;
    let ledger = Ledger::open(&redis.url(), &mysql).await;
    let store = store_that_saw_nothing(&redis, &ledger).await;
    buy_all(&store, 0..BUYERS).await;
    store.cancel_show(ConcertId(1), ShowId(1), "rain", deadline()).await.unwrap();

    let refunded = async || ledger.ask::<u32>(&["ZCARD", "{c1}:ended"]).await;
    for _ in 0..KILLS {
        let before = refunded().await;
        let mut worker = site.work();
        wait_until("the worker refunds", async || refunded().await > before).await;
        worker.kill();
        assert!(refunded().await < BUYERS, "nothing was left to refund");
    }
    let _workers = [site.work(), site.work()];
    wait_until("everybody is refunded", async || refunded().await == BUYERS).await;
    let blocked = "3".repeat(16_000);
    wait_until("every seat is blocked", async || {
        ledger.ask::<String>(&["GET", "{c1}:seats:1"]).await == blocked
    })
    .await;
    ledger.level().await;

    let buyers = i64::from(BUYERS);
    let refunds = "select count(distinct reservation) from ledger_transactions where kind = 'refunded'";
    assert_eq!(ledger.count(refunds).await, buyers);
    assert_eq!(
        ledger.count("select count(*) from ledger_transactions where kind = 'refunded'").await,
        buyers
    );
    // What each had charged.
    let whole = "select count(*) from (select user from ledger_transactions group by user having sum(amount) = 20000) t";
    assert_eq!(ledger.count(whole).await, buyers);
    let folder = site.folder().to_owned();
    let audit = move || Process::run(&folder, &["audit", "--config", "site.toml"]);
    let audited = tokio::task::spawn_blocking(audit).await.unwrap();
    assert!(audited.status.success(), "{audited:?}");
}
