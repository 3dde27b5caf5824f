//! A kill tears what Redis was writing: a batch that nobody was told of is gone, and stays gone.

use std::fs::File;
use std::path::Path;

use onsale::config::Config;
use redis::aio::MultiplexedConnection;

use crate::support::process::Process;

/// As a batch of ours does it: the entry first, then the state.
const BATCH: &str = "redis.call('XADD', 'log', ARGV[1] .. '-0', 'e', ARGV[2]) \
                     redis.call('HSET', 'meta', 'number', ARGV[1], 'mark', ARGV[2]) \
                     redis.call('SET', 'state', ARGV[2] .. string.rep('.', 9000)) return 1";

async fn start(folder: &Path) -> (Process, MultiplexedConnection) {
    let mut up = Process::start(folder, &["up", "--engines-only", "--data-dir", "data"]);
    up.ready().await;
    let config = Config::load(Some(&folder.join("data/onsale.toml"))).unwrap();
    let client = redis::Client::open(config.redis.url.expose()).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    (up, connection)
}

async fn write(redis: &mut MultiplexedConnection, number: u32, mark: &str) {
    let mut batch = redis::cmd("EVAL");
    let () = batch.arg(BATCH).arg(0).arg(number).arg(mark).query_async(redis).await.unwrap();
}

/// Marks of the log's entries, and the one that the state was left with.
async fn read(redis: &mut MultiplexedConnection) -> (Vec<String>, String) {
    let log: redis::streams::StreamRangeReply =
        redis::cmd("XRANGE").arg(&["log", "-", "+"]).query_async(redis).await.unwrap();
    let state: String = redis::cmd("GET").arg("state").query_async(redis).await.unwrap();
    let marks = log.ids.iter().map(|entry| entry.get("e").unwrap()).collect();
    (marks, state.trim_end_matches('.').to_owned())
}

#[tokio::test]
async fn a_torn_batch_does_not_come_back_with_the_next_one() {
    let folder = tempfile::Builder::new().prefix("onsale-torn-").tempdir().unwrap();
    let folder = folder.path();
    let (mut up, mut redis) = start(folder).await;
    write(&mut redis, 1, "kept").await;
    write(&mut redis, 2, "torn").await;
    up.kill();
    let appended = folder.join("data/redis/appendonlydir/appendonly.aof.1.incr.aof");
    let file = File::options().write(true).open(appended).unwrap();
    file.set_len(file.metadata().unwrap().len() - 4000).unwrap();

    let (mut up, mut redis) = start(folder).await;
    assert_eq!(read(&mut redis).await, (vec!["kept".to_owned()], "kept".to_owned()));
    write(&mut redis, 2, "next").await;
    up.kill();
    let (_up, mut redis) = start(folder).await;
    let all = vec!["kept".to_owned(), "next".to_owned()];
    assert_eq!(read(&mut redis).await, (all, "next".to_owned()));
}
