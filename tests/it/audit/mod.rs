//! The audit on a real Redis and MariaDB: nothing to say of a sale that runs, and the right check for each thing broken on purpose.

mod broken;
mod empty;
pub(crate) mod forget;

use std::time::Duration;

use onsale::audit::{self, Report};
use onsale::domain::ids::{Id20, LogName, Mark, ReservationId};
use onsale::domain::outcome::Refusal;
use onsale::domain::policy::{Policy, PolicyState};
use onsale::domain::reservation::Seats;
use onsale::follow::{Applied, ArchiveFollower};
use onsale::store::log::Tail;
use onsale::store::{
    BlockRequest, ChargeRequest, Failure, HoldRequest, PayRequest, PlaceState, RefundRequest, SeatChange,
    SeenLogs, Settings, Store,
};
use redis::aio::MultiplexedConnection;
use sqlx::AssertSqlSafe;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::archive::{Fresh, fresh};
use crate::store::{CONCERT, SHOW, on_sale, soon, store_on, user};
use crate::support::redis::Redis;
use crate::support::wait_until;

const PRICE: i64 = 50_000;
const SEATS: u32 = 1_200;

fn tail_on(redis: &Redis) -> Tail {
    let second = Duration::from_secs(1);
    Tail::new(&Settings { url: redis.url(), response_timeout: second, connect_timeout: second }).unwrap()
}

/// A concert on sale, followed into an archive.
struct Sale {
    redis: Redis,
    store: Store,
    fresh: Fresh,
    applied: watch::Receiver<Applied>,
    stop: watch::Sender<bool>,
    follower: Option<JoinHandle<()>>,
}

impl Sale {
    async fn open(max_active: u32) -> Self {
        let (redis, fresh) = (Redis::start().await, fresh().await);
        let policy =
            Policy { max_active, admit_per_second: 100_000.0, claim_seconds: 600, ..Policy::default() };
        let store = on_sale(&redis, policy, SEATS).await;
        for partition in 0..4 {
            let log_id = Mark(u64::from(partition) + 1);
            fresh.archive.begin_log(LogName::Wallet(partition), log_id).await.unwrap();
        }
        fresh.archive.begin_log(LogName::Concert(CONCERT), Mark(99)).await.unwrap();
        let (follower, applied) = ArchiveFollower::new(fresh.archive.clone(), tail_on(&redis));
        let (stop, shutdown) = watch::channel(false);
        let follower = Some(tokio::spawn(follower.run(shutdown)));
        let sale = Self { redis, store, fresh, applied, stop, follower };
        sale.level().await;
        sale
    }

    /// Waits until MySQL has all that Redis has.
    async fn level(&self) {
        let tail = tail_on(&self.redis);
        let mut logs: Vec<_> = (0..4).map(LogName::Wallet).collect();
        logs.push(LogName::Concert(CONCERT));
        for log in logs {
            let last = tail.bounds(log).await.unwrap().last;
            let reached =
                || async { self.applied.borrow().get(&log).is_some_and(|at| at.number >= last.number) };
            wait_until("the archive is level", reached).await;
        }
    }

    async fn stop_follower(&mut self) {
        self.stop.send(true).unwrap();
        self.follower.take().unwrap().await.unwrap();
    }

    /// What an audit in a process of its own finds.
    async fn audit(&self) -> Report {
        let store = store_on(&self.redis, SeenLogs::default());
        audit::run(&self.fresh.archive, &store, &tail_on(&self.redis)).await.unwrap()
    }

    async fn redis(&self, command: &[&str]) -> redis::Value {
        let client = redis::Client::open(self.redis.url()).unwrap();
        let mut connection: MultiplexedConnection = client.get_multiplexed_async_connection().await.unwrap();
        redis::cmd(command[0]).arg(&command[1..]).query_async(&mut connection).await.unwrap()
    }

    async fn sql(&self, statement: &str) {
        let done = sqlx::query(AssertSqlSafe(statement)).execute(&self.fresh.pool).await.unwrap();
        assert!(done.rows_affected() > 0, "{statement}");
    }
}

/// A buyer's way to a held seat; `None` while he has to wait.
async fn hold(store: &Store, name: &str, seat: u32) -> Option<ReservationId> {
    let joined = store.join(CONCERT, &user(name), soon()).await.unwrap().value;
    let PlaceState::Active { .. } = joined.place else {
        return None;
    };
    let request = HoldRequest {
        show: SHOW,
        user: user(name),
        seq: Some(joined.seq),
        catalog: 1,
        seats: Seats(vec![(seat, PRICE)]),
        reservation: store.new_id(),
        key: Some(format!("hold {seat}")),
        fingerprint: Mark(1),
    };
    let held = store.hold(CONCERT, request, soon()).await.ok()?.value;
    Some(ReservationId { concert: CONCERT, show: SHOW, id: held.reservation })
}

async fn charge(store: &Store, name: &str, key: &str) {
    let request = ChargeRequest {
        by: user(name),
        user: user(name),
        charge: store.new_id(),
        amount: 2 * PRICE,
        key: key.into(),
        refusal: None,
        fingerprint: Mark(3),
    };
    store.charge(request, soon()).await.unwrap();
}

/// Whether they may be does not matter: somebody may hold one.
async fn block(store: &Store, change: SeatChange, seats: &[u32], key: &str) {
    let request = BlockRequest {
        show: SHOW,
        change,
        seats: seats.to_vec(),
        id: store.new_id(),
        key: Some((user("boss"), key.into())),
        fingerprint: Mark(5),
    };
    match store.block(CONCERT, request, soon()).await {
        Ok(_) | Err(Failure::Refused(Refusal::SeatUnavailable { .. })) => {}
        Err(failure) => panic!("{failure}"),
    }
}

async fn refund(store: &Store, name: &str, reservation: ReservationId, seats: &[u32]) -> Id20 {
    let request = RefundRequest {
        reservation,
        user: user(name),
        refund: store.new_id(),
        seats: seats.to_vec(),
        by: Some((user("boss"), format!("refund {}", reservation.id))),
        fingerprint: Mark(4),
    };
    store.refund(request, soon()).await.unwrap().value.refund
}

async fn pay(store: &Store, name: &str, reservation: ReservationId) {
    let request = PayRequest {
        reservation,
        user: user(name),
        payment: store.new_id(),
        key: Some("pay".into()),
        fingerprint: Mark(2),
    };
    store.pay(request, soon()).await.unwrap();
}

/// Something of everything: paid, held and given back, active and waiting, spread over all wallets.
async fn some_sales(store: &Store) {
    for seat in 0..8 {
        let name = format!("payer {seat}");
        charge(store, &name, "c").await;
        let reservation = hold(store, &name, seat).await.unwrap();
        pay(store, &name, reservation).await;
        if seat == 7 {
            refund(store, &name, reservation, &[]).await;
        }
    }
    block(store, SeatChange::Block, &[30, 31, 32], "out").await;
    block(store, SeatChange::Unblock, &[31], "in").await;
    for seat in 8..11 {
        hold(store, &format!("holder|{seat}"), seat).await.unwrap();
    }
    let given = hold(store, "giver", 20).await.unwrap();
    store.release(given, &user("giver"), soon()).await.unwrap();
    let mut places = Vec::new();
    for n in 0..9 {
        let late = user(&format!("late {n}"));
        places.push(store.join(CONCERT, &late, soon()).await.unwrap().value);
    }
    // Six are active, the giver among them; the place he gives back goes, unclaimed, to the first who waits.
    store.leave(CONCERT, &user("late 8"), places[8].seq, soon()).await.unwrap();
    store.leave(CONCERT, &user("giver"), 12, soon()).await.unwrap();
    assert_eq!(store.admit(CONCERT, soon()).await.unwrap().admitted, 1);
}

fn failing(report: &Report) -> Vec<&'static str> {
    report.checks.iter().filter(|check| !check.ok).map(|check| check.name).collect()
}

/// Buys, gives back, holds and waits, one seat in four after the other, until told to stop.
async fn buy(store: Store, lane: u32, stop: watch::Receiver<bool>) {
    for number in (lane..).step_by(4) {
        let (name, seat) = (format!("buyer {number}"), number % SEATS);
        charge(&store, &name, "c").await;
        match hold(&store, &name, seat).await {
            Some(reservation) if number % 3 == 0 => {
                pay(&store, &name, reservation).await;
                if number % 2 == 0 {
                    refund(&store, &name, reservation, &[seat]).await;
                }
            }
            Some(reservation) if number % 3 == 1 => {
                store.release(reservation, &user(&name), soon()).await.unwrap();
            }
            _ => {}
        }
        if number % 5 == 4 {
            block(&store, SeatChange::Block, &[SEATS - 1 - lane], &format!("out {number}")).await;
            block(&store, SeatChange::Unblock, &[SEATS - 1 - lane], &format!("in {number}")).await;
        }
        if *stop.borrow() {
            return;
        }
    }
}

#[tokio::test]
async fn a_running_sale_is_clean() {
    let sale = Sale::open(400).await;
    let (stop, stopping) = watch::channel(false);
    let lanes: Vec<_> =
        (0..4).map(|lane| tokio::spawn(buy(sale.store.clone(), lane, stopping.clone()))).collect();
    let mut ends = Vec::new();
    for _ in 0..5 {
        let report = sale.audit().await;
        assert!(report.ok, "{report:#?}");
        ends.push(report.logs.iter().map(|log| log.end).sum::<u64>());
    }
    assert!(ends.windows(2).all(|pair| pair[0] < pair[1]), "{ends:?}: nothing ran meanwhile");
    stop.send_replace(true);
    for lane in lanes {
        lane.await.unwrap();
    }
    sale.level().await;
    let report = sale.audit().await;
    assert!(report.ok && report.checks.iter().all(|check| check.checked > 0), "{report:#?}");
    assert!(report.logs.iter().all(|log| log.archived == log.end), "{report:#?}");
}

/// A sale at rest, half of it archived and half only in Redis, clean before anything is broken.
async fn at_rest() -> Sale {
    let mut sale = Sale::open(6).await;
    some_sales(&sale.store).await;
    sale.level().await;
    sale.stop_follower().await;
    charge(&sale.store, "payer 0", "again").await;
    let report = sale.audit().await;
    assert!(report.ok, "{report:#?}");
    sale
}

#[tokio::test]
async fn a_policy_that_changes_is_followed() {
    let sale = at_rest().await;
    let head = sale.store.snapshot_head(CONCERT, soon()).await.unwrap();
    let state = PolicyState {
        policy: Policy { max_active: 8, admit_per_second: 100_000.0, ..Policy::default() },
        ..PolicyState::default()
    };
    sale.store.set_policy(CONCERT, head.policy_version, &state, soon()).await.unwrap().unwrap();
    sale.store.admit(CONCERT, soon()).await.unwrap();
    let report = sale.audit().await;
    assert!(report.ok, "{report:#?}");
}

#[tokio::test]
async fn what_redis_has_trimmed_is_read_from_mysql() {
    let sale = at_rest().await;
    let head = sale.store.snapshot_head(CONCERT, soon()).await.unwrap();
    let trimmed = sale.store.trim(LogName::Concert(CONCERT), head.offset.number, soon()).await.unwrap();
    assert_eq!(trimmed, head.offset.number - 1);
    let report = sale.audit().await;
    assert!(report.ok, "{report:#?}");
}
