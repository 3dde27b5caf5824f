//! The follower on a real Redis and MariaDB: everything once, whoever comes and goes.

use std::time::Duration;

use onsale::archive::{Archive, LogState};
use onsale::domain::fields::prefixed;
use onsale::domain::ids::LogName;
use onsale::follow::{Applied, ArchiveFollower};
use onsale::store::Settings;
use onsale::store::log::Tail;
use redis::AsyncCommands;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{LOG_ID, Log, connect, fresh, held, offset, paid};
use crate::support::mariadb::MariaDb;
use crate::support::redis::Redis;
use crate::support::{SOON, wait_until};

/// Writes logs as formats 1 says that they lie in Redis.
async fn write(redis: &Redis, log: &Log, entries: std::ops::Range<usize>) {
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    for (number, text) in &log.entries[entries] {
        let (key, id) = (format!("{{{}}}:log", log.name), format!("{number}-0"));
        let _: String = connection.xadd(key, id, &[("e", text)]).await.unwrap();
    }
}

/// A running follower.
struct Worker {
    applied: watch::Receiver<Applied>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Worker {
    fn start(archive: &Archive, redis: &Redis) -> Self {
        let (stop, shutdown) = watch::channel(false);
        let second = Duration::from_secs(1);
        let settings = Settings { url: redis.url(), response_timeout: second, connect_timeout: second };
        let (follower, applied) = ArchiveFollower::new(archive.clone(), Tail::new(&settings).unwrap());
        Self { applied, stop, task: tokio::spawn(follower.run(shutdown)) }
    }

    /// Waits until it tells that a log has been applied up to the end.
    async fn reaches(&mut self, log: &Log) {
        let end = offset(log.entries.len() as u64);
        let reached = self.applied.wait_for(|applied| applied.get(&log.name) == Some(&end));
        tokio::time::timeout(SOON, reached).await.expect("in time").expect("it runs");
    }

    async fn stop(self) {
        self.stop.send(true).expect("it runs");
        tokio::time::timeout(SOON, self.task).await.expect("in time").expect("without a panic");
    }
}

fn sale(concert: u32, entries: u32) -> Log {
    (0..entries).fold(Log::concert(concert), |log, n| {
        let (reservation, seat, user) = (concert * 10_000 + n, concert * 10_000 + n, format!("user {n}"));
        let joined = format!("joined {} {}", n + 1, prefixed(&user));
        log.and(&[joined, held(reservation, &user, seat)]).and(&[paid(reservation, &user, seat)])
    })
}

#[tokio::test]
async fn a_follower_carries_all_logs_and_finds_new_ones() {
    let (fresh, redis) = (fresh().await, Redis::start().await);
    let (first, second) = (sale(1, 40), sale(2, 40));
    fresh.archive.begin_log(first.name, LOG_ID).await.unwrap();
    write(&redis, &first, 0..20).await;
    let mut worker = Worker::start(&fresh.archive, &redis);
    fresh.archive.begin_log(second.name, LOG_ID).await.unwrap();
    write(&redis, &second, 0..81).await;
    write(&redis, &first, 20..81).await;
    worker.reaches(&first).await;
    worker.reaches(&second).await;
    worker.stop().await;
    assert_eq!(fresh.rows("booked_seats").await.len(), 80);
    assert_eq!(fresh.rows("events").await.len(), 162);
}

#[tokio::test]
async fn two_workers_write_what_one_would() {
    let (fresh, alone, redis) = (fresh().await, super::fresh().await, Redis::start().await);
    let logs: Vec<_> = (1..=3).map(|concert| sale(concert, 100)).collect();
    for log in &logs {
        fresh.archive.begin_log(log.name, LOG_ID).await.unwrap();
        alone.archive.begin_log(log.name, LOG_ID).await.unwrap();
    }
    let mut one = Worker::start(&fresh.archive, &redis);
    let mut other = Worker::start(&fresh.archive, &redis);
    for part in 0..3 {
        for log in &logs {
            write(&redis, log, part * 67..(part + 1) * 67).await;
        }
    }
    for log in &logs {
        one.reaches(log).await;
        other.reaches(log).await;
    }
    one.stop().await;
    other.stop().await;
    for log in &logs {
        alone.apply(&[log.whole()]).await;
    }
    assert_eq!(fresh.tables().await, alone.tables().await);
}

#[tokio::test]
async fn one_log_stops_and_the_others_go_on() {
    let (fresh, redis) = (fresh().await, Redis::start().await);
    let (good, gone, double) = (sale(1, 30), sale(2, 30), Log::concert(3));
    // Says that seat 10000 of the show is booked, which the first concert's log says too.
    let double = double.and(&[held(9, "ann", 10_000)]).and(&[paid(9, "ann", 10_000)]);
    for log in [&good, &gone, &double] {
        fresh.archive.begin_log(log.name, LOG_ID).await.unwrap();
    }
    write(&redis, &good, 0..31).await;
    write(&redis, &gone, 0..10).await;
    write(&redis, &gone, 11..61).await;
    let mut worker = Worker::start(&fresh.archive, &redis);
    let stopped = |log: LogName| {
        let archive = fresh.archive.clone();
        async move {
            let offsets = archive.offsets().await.unwrap();
            let found = offsets.into_iter().find(|offset| offset.log == log).unwrap();
            (found.state == LogState::Recovering).then_some(found.offset.number)
        }
    };
    wait_until("the log with a gap is stopped", || async { stopped(gone.name).await == Some(10) }).await;
    wait_until("the first seats are booked", || async { !fresh.rows("booked_seats").await.is_empty() }).await;
    write(&redis, &double, 0..3).await;
    write(&redis, &good, 31..61).await;
    wait_until("the log that sells twice is stopped", || async { stopped(double.name).await.is_some() })
        .await;
    worker.reaches(&good).await;
    assert!(!worker.applied.borrow().contains_key(&gone.name));
    worker.stop().await;
}

#[tokio::test]
async fn a_follower_outlives_its_mysql() {
    let (mut server, redis) = (MariaDb::start().await, Redis::start().await);
    let archive = connect(&server.create_database().await).await;
    archive.migrate().await.unwrap();
    let log = sale(1, 60);
    archive.begin_log(log.name, LOG_ID).await.unwrap();
    let mut worker = Worker::start(&archive, &redis);
    write(&redis, &log, 0..50).await;
    let begun = worker.applied.wait_for(|applied| applied.values().any(|offset| offset.number > 0));
    tokio::time::timeout(SOON, begun).await.unwrap().unwrap();
    server.kill();
    write(&redis, &log, 50..121).await;
    server.restart();
    worker.reaches(&log).await;
    worker.stop().await;
    assert_eq!(archive.entries_after(log.name, 0, 1000).await.unwrap(), log.entries);
}
