//! The audit on a real Redis and MariaDB: nothing to say of a sale that runs, and the right check for each thing broken on purpose.

use std::time::Duration;

use onsale::archive::Archive;
use onsale::audit::{self, Report};
use onsale::domain::ids::{LogName, Mark, Offset, ReservationId};
use onsale::domain::policy::{Policy, PolicyState};
use onsale::domain::reservation::Seats;
use onsale::follow::{Applied, ArchiveFollower};
use onsale::store::log::Tail;
use onsale::store::{ChargeRequest, HoldRequest, PayRequest, PlaceState, SeenLogs, Settings, Store};
use redis::aio::MultiplexedConnection;
use sqlx::AssertSqlSafe;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::archive::{Fresh, fresh};
use crate::store::{CONCERT, SHOW, on_sale, soon, store_on, user};
use crate::support::redis::Redis;
use crate::support::wait_until;

const PATIENCE: Duration = Duration::from_secs(30);
const PRICE: i64 = 50_000;

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
        let store = on_sale(&redis, policy, 1_200).await;
        for partition in 0..4 {
            let log_id = Mark(u64::from(partition) + 1);
            fresh.archive.begin_log(LogName::Wallet(partition), log_id).await.unwrap();
        }
        fresh.archive.begin_log(LogName::Concert(CONCERT), Mark(99)).await.unwrap();
        let (follower, applied) = ArchiveFollower::new(fresh.archive.clone(), tail_on(&redis));
        let (stop, shutdown) = watch::channel(false);
        let follower = Some(tokio::spawn(follower.run(shutdown)));
        Self { redis, store, fresh, applied, stop, follower }
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
            wait_until(PATIENCE, "the archive is level", reached).await;
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
        fingerprint: Mark(3),
    };
    store.charge(request, soon()).await.unwrap();
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
    }
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

#[tokio::test]
async fn a_running_sale_is_clean() {
    let sale = Sale::open(400).await;
    let traffic = (0..4).map(|lane| {
        let (store, stop) = (sale.store.clone(), sale.stop.subscribe());
        tokio::spawn(async move {
            let mut seat = lane;
            while !*stop.borrow() && seat < 1_200 {
                let name = format!("buyer {seat}");
                charge(&store, &name, "c").await;
                match hold(&store, &name, seat).await {
                    Some(reservation) if seat % 3 == 0 => pay(&store, &name, reservation).await,
                    Some(reservation) if seat % 3 == 1 => {
                        store.release(reservation, &user(&name), soon()).await.unwrap();
                    }
                    _ => {}
                }
                seat += 4;
            }
            store.admit(CONCERT, soon()).await.unwrap();
        })
    });
    let traffic: Vec<_> = traffic.collect();
    let mut ends = Vec::new();
    for _ in 0..5 {
        let report = sale.audit().await;
        assert!(report.ok, "{report:#?}");
        ends.push(report.logs.iter().map(|log| log.end).sum::<u64>());
    }
    assert!(ends.is_sorted() && ends[0] < ends[4], "{ends:?}: nothing ran meanwhile");
    for lane in traffic {
        lane.await.unwrap();
    }
    sale.level().await;
    let report = sale.audit().await;
    assert!(report.ok && report.checks.iter().all(|check| check.checked > 100), "{report:#?}");
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
async fn what_is_broken_in_mysql_is_found_by_the_right_check() {
    let sale = at_rest().await;
    let broken: [(&str, &str, &[&str]); 13] = [
        ("booked_seats", "delete from booked_seats where seat_index = 3", &["seats"]),
        ("booked_seats", "insert into booked_seats values (12, 9, 7, '00000000000000000001')", &["seats"]),
        ("booked_seats", "insert into booked_seats values (99, 9, 7, '00000000000000000001')", &["seats"]),
        (
            "reservations",
            "update reservations set status = 'expired' where status = 'confirmed' limit 1",
            &["seats"],
        ),
        (
            "payments",
            "insert into payments select concert, reservation, '0000000000000000000z', user, amount, balance, paid_at from payments limit 1",
            &["payments"],
        ),
        ("payments", "delete from payments limit 1", &["payments"]),
        (
            "ledger_entries",
            "update ledger_entries set amount = amount + 1 where account = 'user' limit 1",
            &["ledger"],
        ),
        ("ledger_transactions", "delete from ledger_transactions where kind = 'paid' limit 1", &["ledger"]),
        ("queue_tokens", "update queue_tokens set user = 'x' where ended_at is null limit 1", &["line"]),
        ("queue_tokens", "delete from queue_tokens where ended_at is not null limit 1", &["line"]),
        (
            "events",
            "update events set mark = '0000000000000001' where log = 'c7' and number = 5",
            &["continuity"],
        ),
        ("events", "delete from events where log = 'c7' and number = 5", &["continuity"]),
        ("log_offsets", "update log_offsets set mark = '0000000000000001' where log = 'c7'", &["continuity"]),
    ];
    for (table, statement, expected) in broken {
        sale.sql(&format!("create table kept as select * from {table}")).await;
        sale.sql(statement).await;
        let report = sale.audit().await;
        assert_eq!(failing(&report), expected, "{statement}: {report:#?}");
        sale.restore(table).await;
    }
    assert!(sale.audit().await.ok);
}

/// Replaces `from` by `to` in the body of the archived entries of a log that hold it.
fn rewrite(log: &str, from: &str, to: &str) -> String {
    format!(
        "update events set body = replace(body, '{from}', '{to}') where log = '{log}' and body like '%{from}%'"
    )
}

#[tokio::test]
async fn a_history_that_can_t_be_is_found_by_the_right_check() {
    let sale = at_rest().await;
    let partition = user("payer 3").partition(4);
    let wallet = LogName::Wallet(partition).to_string();
    // Each with what it has to fail among others: a history that is told otherwise differs from the tables too.
    let told: [(String, &str); 6] = [
        // Paid an hour after its end.
        ("update events set body = regexp_replace(body, '^(1 [0-9a-f]+ [0-9a-f]+) ([0-9]+)', concat('\\\\1 ', at + 3600000)), \
          at = at + 3600000 where log = 'c7' and body like '%\npaid %payer 3%'".to_owned(), "paid_in_time"),
        // Two admitted in the wrong order.
        (rewrite("c7", "admitted 2 7:payer 1", "admitted 3 7:payer 2"), "line"),
        // More admitted than may be.
        (rewrite("c7", "\"maxActive\":6", "\"maxActive\":0"), "line"),
        // The same request twice.
        (rewrite("c7", "7:payer 3hold:hold 3", "7:payer 2hold:hold 2"), "requests"),
        // A payment that the wallet does not know.
        (rewrite(&wallet, "7:payer 3 7 12", "7:payer 3 8 12"), "payments"),
        // Money from nowhere.
        (rewrite(&wallet, "7:payer 3 100000 100000", "7:payer 3 100000 100001"), "ledger"),
    ];
    for (statement, expected) in told {
        sale.sql("create table kept as select * from events").await;
        sale.sql(&statement).await;
        let report = sale.audit().await;
        assert!(failing(&report).contains(&expected), "{statement}: {report:#?}");
        assert!(!failing(&report).contains(&"internal"), "{report:#?}");
        sale.restore("events").await;
    }
    assert!(sale.audit().await.ok);
}

impl Sale {
    /// Puts the rows of a table back as they were kept.
    async fn restore(&self, table: &str) {
        for statement in [
            format!("delete from {table}"),
            format!("insert into {table} select * from kept"),
            "drop table kept".to_owned(),
        ] {
            sqlx::query(AssertSqlSafe(statement)).execute(&self.fresh.pool).await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_is_broken_in_redis_is_found_by_the_right_check() {
    let sale = at_rest().await;
    let wallet = format!("{{{}}}:balances", LogName::Wallet(user("payer 3").partition(4)));
    let broken: [(&str, &[&str], &[&str]); 17] = [
        ("{c7}:seats:12", &["SETRANGE", "{c7}:seats:12", "3", "0"], &["seats"]),
        ("{c7}:seats:12", &["APPEND", "{c7}:seats:12", "0"], &["seats"]),
        ("{c7}:holder:12", &["HDEL", "{c7}:holder:12", "3"], &["seats"]),
        ("{c7}:holder:12", &["HSET", "{c7}:holder:12", "500", "x"], &["seats"]),
        ("{c7}:owned:12", &["HINCRBY", "{c7}:owned:12", "payer 3", "1"], &["seats"]),
        ("{c7}:expiry", &["ZPOPMIN", "{c7}:expiry"], &["seats"]),
        ("{c7}:ended", &["DEL", "{c7}:ended"], &["seats"]),
        ("{c7}:pending", &["HDEL", "{c7}:pending", "holder|8"], &["seats"]),
        ("{c7}:meta", &["HINCRBY", "{c7}:meta", "revenue", "1"], &["seats"]),
        ("{c7}:meta", &["HINCRBY", "{c7}:meta", "sellable", "1"], &["seats"]),
        ("{c7}:meta", &["HINCRBY", "{c7}:meta", "v:12", "1"], &["seats"]),
        ("{c7}:queue", &["ZPOPMIN", "{c7}:queue"], &["line"]),
        ("{c7}:active", &["ZPOPMIN", "{c7}:active"], &["line"]),
        ("{c7}:unclaimed", &["DEL", "{c7}:unclaimed"], &["line"]),
        ("{c7}:place", &["HSET", "{c7}:place", "holder|8", "9 1 2 0"], &["line"]),
        (&wallet, &["HSET", &wallet, "payer 3", "60000 1"], &["ledger"]),
        (&wallet, &["HDEL", &wallet, "payer 3"], &["ledger"]),
    ];
    for (key, command, expected) in broken {
        sale.redis(&["COPY", key, "kept"]).await;
        let done = sale.redis(command).await;
        assert_ne!(done, redis::Value::Nil, "{command:?}");
        let report = sale.audit().await;
        assert_eq!(failing(&report), expected, "{command:?}: {report:#?}");
        sale.redis(&["RENAME", "kept", key]).await;
    }
    assert!(sale.audit().await.ok);
}

#[tokio::test]
async fn a_lost_log_is_a_violation_and_the_others_are_audited() {
    let sale = at_rest().await;
    let archived = sale.fresh.archive.offsets().await.unwrap();
    let before = archived.iter().find(|known| known.log == LogName::Concert(CONCERT)).unwrap().offset;
    assert_ne!(before, Offset::default());
    sale.redis(&["HSET", "{c7}:meta", "number", "3", "mark", "0000000000000001"]).await;
    let report = sale.audit().await;
    assert_eq!(failing(&report), ["continuity"], "{report:#?}");
    let violations = &report.checks[6].violations;
    assert!(violations.len() == 1 && violations[0].starts_with("c7: lost"), "{violations:?}");

    let behind = Archive::clone(&sale.fresh.archive);
    behind.mark_recovering(LogName::Concert(CONCERT)).await.unwrap();
    let report = sale.audit().await;
    assert_eq!(failing(&report), ["continuity"], "{report:#?}");
    assert_eq!(report.checks[6].violations, ["c7: stopped: it is recovering"]);
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
