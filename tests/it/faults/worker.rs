//! Workers that are killed, and workers side by side: MySQL has each event once all the same.

use std::time::Duration;

use onsale::domain::ids::{ConcertId, LogName, Mark, Offset, ReservationId, ShowId, UserId};
use onsale::domain::reservation::Seats;
use onsale::store::{ChargeRequest, HoldRequest, PayRequest, SeenLogs, Store};

use super::ledger::Ledger;
use super::site::Site;
use crate::store::{store_on, user};
use crate::support::mariadb::MariaDb;
use crate::support::redis::Redis;
use crate::support::wait_until;

const CONCERT: ConcertId = ConcertId(1);
const SHOW: ShowId = ShowId(1);
/// Each purchase is seven events: charged, joined, admitted, held, paid, ended, and paid in the wallet.
const EVENTS: usize = 7;

/// Those before any worker runs; those until the last one is killed, a hundred thousand events; and those while two workers run.
const BEFORE: u32 = 4_000;
const FIRST: u32 = 14_300;
const ALL: u32 = 16_000;

/// Purchases under way at once.
const AT_ONCE: u32 = 512;

const KILLS: u64 = 10;

pub(super) fn deadline() -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_secs(30)
}

/// A store that knows the logs of an installation, and nothing of what is in them.
pub(crate) async fn store_that_saw_nothing(redis: &Redis, ledger: &Ledger) -> Store {
    let seen = SeenLogs::default();
    for log in ledger.applied().await.into_keys() {
        let log_id: String = ledger.ask(&["HGET", &format!("{{{log}}}:meta"), "log_id"]).await;
        let log: LogName = log.parse().unwrap();
        seen.register(log, log_id.parse::<Mark>().unwrap(), Offset::default());
    }
    store_on(redis, seen)
}

/// Charges, joins, holds the seat with this index and pays it.
async fn buy(store: &Store, number: u32) {
    let name: UserId = user(&format!("u|{number}"));
    let charge = ChargeRequest {
        by: name.clone(),
        user: name.clone(),
        charge: store.new_id(),
        amount: 20_000,
        key: "c".into(),
        refusal: None,
        fingerprint: Mark(1),
    };
    store.charge(charge, deadline()).await.unwrap();
    let seq = store.join(CONCERT, &name, deadline()).await.unwrap().value.seq;
    let request = HoldRequest {
        show: SHOW,
        user: name.clone(),
        seq: Some(seq),
        catalog: 1,
        seats: Seats(vec![(number, 10_000)]),
        reservation: store.new_id(),
        key: Some("h".into()),
        fingerprint: Mark(2),
    };
    let held = store.hold(CONCERT, request, deadline()).await.unwrap().value;
    let reservation = ReservationId { concert: CONCERT, show: SHOW, id: held.reservation };
    let pay = PayRequest {
        reservation,
        user: name,
        payment: store.new_id(),
        key: Some("p".into()),
        fingerprint: Mark(3),
    };
    store.pay(pay, deadline()).await.unwrap();
}

pub(crate) async fn buy_all(store: &Store, numbers: std::ops::Range<u32>) {
    let (start, end) = (numbers.start, numbers.end);
    let mut buyers = tokio::task::JoinSet::new();
    for first in start..end.min(start + AT_ONCE) {
        let store = store.clone();
        buyers.spawn(async move {
            for number in (first..end).step_by(AT_ONCE as usize) {
                buy(&store, number).await;
            }
        });
    }
    while let Some(bought) = buyers.join_next().await {
        bought.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_ten_times_archives_each_event_once_and_so_do_two_at_once() {
    let (redis, mysql) = (Redis::start().await, MariaDb::database().await);
    let site = Site::open(&redis.url(), &mysql).await;
    let ledger = Ledger::open(&redis.url(), &mysql).await;
    let store = store_that_saw_nothing(&redis, &ledger).await;

    buy_all(&store, 0..BEFORE).await;
    // They go on buying, so that no worker is killed when all is done.
    let buying = tokio::spawn({
        let store = store.clone();
        async move { buy_all(&store, BEFORE..FIRST).await }
    });
    let progress = async || {
        let applied = ledger.applied().await;
        let written: u64 = ledger.written(applied.keys()).await.values().sum();
        (applied.values().sum::<u64>(), written)
    };
    for _ in 0..KILLS {
        let (before, _) = progress().await;
        let mut worker = site.work();
        wait_until("the worker gets on", async || {
            let (applied, written) = progress().await;
            applied > before && applied < written
        })
        .await;
        worker.kill();
    }
    buying.await.unwrap();

    let worker = site.work();
    ledger.level().await;
    let events = ledger.check().await;
    assert!(events >= FIRST as usize * EVENTS && events >= 100_000, "{events} events");
    drop(worker);

    let _workers = [site.work(), site.work()];
    buy_all(&store, FIRST..ALL).await;
    ledger.level().await;
    assert!(ledger.check().await >= ALL as usize * EVENTS);
}
