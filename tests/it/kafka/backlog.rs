//! A backlog that is larger than what librdkafka takes in at once, told on the one thread that a worker's loops share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use onsale::config::Config;
use onsale::follow::{Applied, KafkaFollower, KafkaParts};
use onsale::live::Live;
use onsale::store::Settings;
use onsale::store::log::Tail;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::TOPIC;
use super::broker::Broker;
use super::consumer::held;
use crate::archive::{Fresh, LOG_ID, Log, fresh, offset};
use crate::support::redis::Redis;
use crate::support::wait_until;

/// More events than librdkafka queues, all in what is read at once.
const ENTRIES: u64 = 250;
const EVENTS_EACH: u64 = 420;

/// CPU time of this thread between two turns of its other tasks: that of one entry is a sixth, that of all up to an
/// acknowledgement three times as much.
const TURN_MAX: Duration = Duration::from_millis(60);

fn thread_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

/// Has the archive hold this log, which nobody reads but followers.
pub(super) async fn store(fresh: &Fresh, log: &Log) {
    fresh.archive.begin_log(log.name, LOG_ID).await.unwrap();
    for (number, text) in &log.entries {
        let insert = sqlx::query("insert into events (log, number, mark, at, body) values (?, ?, ?, 0, ?)");
        let insert = insert.bind(log.name.to_string()).bind(number).bind(offset(*number).mark.to_string());
        insert.bind(text.as_bytes()).execute(&fresh.pool).await.unwrap();
    }
}

/// A follower that runs in this process, told that the archive has all of one log.
pub(super) struct Following {
    pub(super) told: watch::Receiver<Applied>,
    pub(super) is_well: watch::Receiver<bool>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) task: JoinHandle<()>,
    _applied: watch::Sender<Applied>,
}

/// Starts it; `settings` are lines of `[kafka]`.
pub(super) fn follow(fresh: &Fresh, redis: &Redis, log: &Log, settings: &str) -> Following {
    let file = format!("[kafka]\ntopic = '{TOPIC}'\n{settings}\n");
    let config = Config::from_layers(Some(("test.toml", &file)), std::path::Path::new(""), []).unwrap();
    assert_eq!(config.problems(), []);
    let second = Duration::from_secs(1);
    let engine = Settings { url: redis.url(), response_timeout: second, connect_timeout: second };
    let (well, is_well) = watch::channel(true);
    let end = offset(log.entries.len() as u64);
    let (archive, applied) = watch::channel(Arc::new([(log.name, end)].into_iter().collect()));
    let (follower, told) = KafkaFollower::new(KafkaParts {
        archive: fresh.archive.clone(),
        tail: Tail::new(&engine).unwrap(),
        live: Live::new(),
        applied,
        password: config.kafka.read_password().unwrap(),
        settings: config.kafka,
        well,
    });
    let (stop, shutdown) = watch::channel(false);
    Following { told, is_well, stop, task: tokio::spawn(follower.run(shutdown)), _applied: archive }
}

#[tokio::test]
async fn a_backlog_waits_for_its_broker_in_bites_and_keeps_no_loop_waiting() {
    let (fresh, redis) = (fresh().await, Redis::start().await);
    let joined: Vec<_> = (1..=EVENTS_EACH).map(|number| format!("joined {number} 1:u")).collect();
    let log = (1..ENTRIES).fold(Log::concert(1), |log, _| log.and(&joined));
    store(&fresh, &log).await;
    let mut broker = Broker::prepare();

    let settings = format!("brokers = '{}'", broker.address());
    let Following { mut told, is_well, stop, task, .. } = follow(&fresh, &redis, &log, &settings);
    let longest = Arc::new(AtomicU64::new(0));
    let others = tokio::spawn({
        let longest = Arc::clone(&longest);
        async move {
            loop {
                let before = thread_cpu();
                tokio::time::sleep(Duration::from_millis(1)).await;
                let turn = thread_cpu().saturating_sub(before);
                longest.fetch_max(u64::try_from(turn.as_micros()).unwrap(), Ordering::Relaxed);
            }
        }
    });
    // Whoever gives up has told nothing of any log until he begins again.
    told.wait_for(|told| !told.is_empty()).await.unwrap();
    let gave_up = tokio::spawn(async move { told.wait_for(|told| told.is_empty()).await.map(|_| ()) });

    wait_until("it says that Kafka does not take it", async || !*is_well.borrow()).await;
    let stored = async || fresh.archive.told("kafka").await.unwrap().get(&log.name).copied();
    assert_eq!(stored().await, None, "nothing is acknowledged");
    let broker = tokio::task::spawn_blocking(move || {
        broker.restart();
        broker
    });
    let broker = broker.await.unwrap();
    wait_until("all is told", async || stored().await == Some(offset(ENTRIES))).await;
    others.abort();

    assert!(!gave_up.is_finished(), "it began again");
    assert_eq!(held(broker.address(), TOPIC).await, (ENTRIES - 1) * EVENTS_EACH, "each once");
    let longest = Duration::from_micros(longest.load(Ordering::Relaxed));
    assert!(longest < TURN_MAX, "the thread was kept for {longest:?}");
    assert!(*is_well.borrow());
    stop.send(true).unwrap();
    task.await.unwrap();
}
