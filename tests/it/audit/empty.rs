//! The command on an installation that has a schema and nothing else: what only looks gives birth to nothing.

use std::path::Path;

use onsale::app::{self, Error};
use onsale::config::Config;
use onsale::domain::ids::Mark;
use onsale::opening::OpeningError;
use redis::aio::MultiplexedConnection;
use sqlx::mysql::MySqlPool;
use sqlx::{AssertSqlSafe, Row as _};

use crate::archive::connect;
use crate::support::mariadb::MariaDb;
use crate::support::redis::Redis;

/// The rows of each table.
async fn rows(mysql: &MySqlPool) -> Vec<(String, i64)> {
    let select = "select convert(table_name using utf8mb4) from information_schema.tables \
                  where table_schema = database() order by table_name";
    let mut counted = Vec::new();
    for row in sqlx::query(select).fetch_all(mysql).await.unwrap() {
        let table: String = row.get(0);
        let count = format!("select count(*) from {table}");
        counted.push((table, sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(mysql).await.unwrap()));
    }
    counted
}

async fn keys(redis: &Redis) -> u64 {
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection: MultiplexedConnection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("DBSIZE").query_async(&mut connection).await.unwrap()
}

#[tokio::test]
async fn an_audit_gives_birth_to_nothing() {
    let (redis, url) = (Redis::start().await, MariaDb::database().await);
    let archive = connect(&url).await;
    archive.migrate().await.unwrap();
    let mysql = MySqlPool::connect(&url).await.unwrap();
    let file =
        format!("[redis]\nurl = '{}'\n[mysql]\nurl = '{url}'\n[wallet]\npartitions = 4\n", redis.url());
    let config = Config::from_layers(Some(("test.toml", &file)), Path::new(""), []).unwrap();

    let before = rows(&mysql).await;
    let report = app::audit(&config).await.unwrap();
    assert_eq!(report["ok"], true, "{report}");
    assert_eq!(rows(&mysql).await, before);
    assert_eq!(keys(&redis).await, 0);

    // Whose money lies where is still a matter of their number.
    archive.begin_wallets(&[Mark(1), Mark(2)]).await.unwrap();
    let refused = app::audit(&config).await.unwrap_err();
    let partitions = matches!(refused, Error::Opening(OpeningError::Partitions { configured: 4, born: 2 }));
    assert!(partitions, "{refused:?}");
}
