//! The harness itself: what it promises to the other tests.

use sqlx::{Connection, Row};

use crate::support::{mariadb::MariaDb, redis::Redis, wait_until};

async fn ask(server: &Redis, command: &[&str]) -> redis::RedisResult<String> {
    let client = redis::Client::open(server.url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    redis::cmd(command[0]).arg(&command[1..]).query_async(&mut connection).await
}

#[tokio::test]
async fn a_durable_redis_keeps_what_it_answered_when_it_is_killed() {
    let mut server = Redis::start_durable().await;
    assert_eq!(ask(&server, &["SET", "seat", "held"]).await.unwrap(), "OK");
    server.kill();
    assert!(ask(&server, &["PING"]).await.is_err());
    server.restart();
    assert_eq!(ask(&server, &["GET", "seat"]).await.unwrap(), "held");
}

#[tokio::test]
async fn two_redis_servers_know_nothing_of_each_other() {
    let (one, other) = (Redis::start().await, Redis::start().await);
    ask(&one, &["SET", "seat", "held"]).await.unwrap();
    assert_eq!(ask(&other, &["EXISTS", "seat"]).await.unwrap_or_default(), "0");
}

#[tokio::test]
async fn every_database_is_empty_and_takes_all_of_unicode() {
    let (one, other) = (MariaDb::database().await, MariaDb::database().await);
    assert_ne!(one, other);
    let mut connection = sqlx::MySqlConnection::connect(&one).await.unwrap();
    sqlx::query("create table t (title varchar(20))").execute(&mut connection).await.unwrap();
    sqlx::query("insert into t values (?)").bind("콘서트 🎫").execute(&mut connection).await.unwrap();
    let row = sqlx::query("select title from t").fetch_one(&mut connection).await.unwrap();
    assert_eq!(row.get::<String, _>(0), "콘서트 🎫");
    let mut connection = sqlx::MySqlConnection::connect(&other).await.unwrap();
    let tables = sqlx::query("show tables").fetch_all(&mut connection).await.unwrap();
    assert_eq!(tables.len(), 0);
}

#[tokio::test]
async fn a_mariadb_of_ones_own_can_be_killed_and_started_again() {
    let mut server = MariaDb::start().await;
    let url = server.create_database().await;
    let mut connection = sqlx::MySqlConnection::connect(&url).await.unwrap();
    sqlx::query("create table t (n int)").execute(&mut connection).await.unwrap();
    sqlx::query("insert into t values (7)").execute(&mut connection).await.unwrap();
    server.kill();
    assert!(sqlx::MySqlConnection::connect(&url).await.is_err());
    server.restart();
    let mut connection = sqlx::MySqlConnection::connect(&url).await.unwrap();
    let row = sqlx::query("select n from t").fetch_one(&mut connection).await.unwrap();
    assert_eq!(row.get::<i32, _>(0), 7);
}

#[tokio::test]
async fn waiting_ends_when_the_condition_holds() {
    let server = Redis::start().await;
    wait_until("three looks", || async {
        ask(&server, &["INCR", "looks"]).await.is_ok_and(|looks| looks.parse::<u32>().is_ok_and(|n| n >= 3))
    })
    .await;
}
