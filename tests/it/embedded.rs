//! `up` with its private engines: starts, restarts, a killed parent, a second instance, and the commands beside it.

use std::{fs, path::Path, process::Command};

use onsale::config::Config;
use sqlx::{Connection, Row};
use tempfile::TempDir;

use crate::support::{process::Process, wait_until};

fn folder() -> TempDir {
    tempfile::Builder::new().prefix("onsale-up-").tempdir().unwrap()
}

async fn start(folder: &Path, data_dir: &str) -> Process {
    let mut process = Process::start(folder, &["up", "--engines-only", "--data-dir", data_dir]);
    process.ready().await;
    process
}

fn instance(folder: &Path, data_dir: &str) -> Config {
    Config::load(Some(&folder.join(data_dir).join("onsale.toml"))).unwrap()
}

/// Counts one more start in Redis and in MariaDB, and gives both counts.
async fn count_start(config: &Config) -> (u64, u64) {
    let client = redis::Client::open(config.redis.url.expose()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let in_redis = redis::cmd("INCR").arg("starts").query_async(&mut connection).await.unwrap();

    let mut connection = sqlx::MySqlConnection::connect(config.mysql.url.expose()).await.unwrap();
    let create = "create table if not exists starts (at timestamp)";
    sqlx::query(create).execute(&mut connection).await.unwrap();
    sqlx::query("insert into starts values (now())").execute(&mut connection).await.unwrap();
    let row = sqlx::query("select count(*) from starts").fetch_one(&mut connection).await.unwrap();
    (in_redis, u64::try_from(row.get::<i64, _>(0)).unwrap())
}

/// The processes whose command line names `folder`.
fn engines_in(folder: &Path) -> Vec<String> {
    let output = Command::new("ps").args(["-eo", "args"]).output().unwrap();
    let needle = folder.display().to_string();
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let names_it = |line: &&str| line.contains(&needle) && !line.contains("onsale up");
    lines.lines().filter(names_it).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_second_start_finds_everything_after_a_stop_and_after_a_kill() {
    let folder = folder();
    let mut process = start(folder.path(), "data").await;
    let config = instance(folder.path(), "data");
    assert_eq!(count_start(&config).await, (1, 1));
    assert_eq!(engines_in(folder.path()).len(), 2, "{:?}", engines_in(folder.path()));
    assert!(process.terminate().success(), "{}", process.log());
    assert_eq!(engines_in(folder.path()), Vec::<String>::new());

    let mut process = start(folder.path(), "data").await;
    assert_eq!(count_start(&config).await, (2, 2));
    process.kill();
    // At once, while the killed engines may still be dying.
    let mut process = start(folder.path(), "data").await;
    assert_eq!(count_start(&config).await, (3, 3));

    process.kill();
    wait_until("no engine is left", async || engines_in(folder.path()).is_empty()).await;
}

#[tokio::test]
async fn a_second_instance_on_the_same_folder_is_refused_and_the_first_runs_on() {
    let folder = folder();
    let _process = start(folder.path(), "data").await;
    let second = Process::run(folder.path(), &["up", "--engines-only", "--data-dir", "data"]);
    assert_eq!(second.status.code(), Some(1));
    let says = String::from_utf8(second.stderr).unwrap();
    assert!(says.contains("another onsale runs on"), "{says}");
    assert_eq!(count_start(&instance(folder.path(), "data")).await, (1, 1));
}

#[tokio::test]
async fn a_folder_with_a_long_and_strange_name_works_too() {
    let folder = folder();
    let name = format!("{} 데이터 %20?&#", "long".repeat(25));
    let mut process = start(folder.path(), &name).await;
    let config = instance(folder.path(), &name);
    assert_eq!(count_start(&config).await, (1, 1));
    let redis = config.redis.url.expose().strip_prefix("unix://").unwrap().to_owned();
    assert!(redis.len() <= 107, "{redis}");
    process.terminate();
    assert!(!Path::new(&redis).parent().unwrap().exists(), "{redis}");
}

#[tokio::test]
async fn an_engine_that_dies_ends_up_with_an_error_that_names_it() {
    let folder = folder();
    let mut process = start(folder.path(), "data").await;
    let client = redis::Client::open(instance(folder.path(), "data").redis.url.expose()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let gone: redis::RedisResult<()> =
        redis::cmd("SHUTDOWN").arg("NOSAVE").query_async(&mut connection).await;
    drop(gone);
    assert_eq!(process.wait().code(), Some(1));
    assert!(process.log().contains("Redis ended"), "{}", process.log());
    assert_eq!(engines_in(folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_first_start_that_was_killed_is_repeated() {
    let folder = folder();
    // What a kill in the middle of the installation leaves behind.
    let unfinished = folder.path().join("data/mysql.unfinished");
    fs::create_dir_all(&unfinished).unwrap();
    fs::write(unfinished.join("ibdata1"), "half").unwrap();
    let _process = start(folder.path(), "data").await;
    assert_eq!(count_start(&instance(folder.path(), "data")).await, (1, 1));
    assert!(!unfinished.exists());
}

#[test]
fn an_identity_token_can_be_had_before_the_first_start() {
    let folder = folder();
    let arguments = ["token", "--user", "kim", "--role", "organiser", "--data-dir", "data", "--ttl", "60"];
    let output = Process::run(folder.path(), &arguments);
    assert!(output.status.success(), "{output:?}");
    let token = String::from_utf8(output.stdout).unwrap();
    let key = fs::read_to_string(folder.path().join("data/keys/identity.key")).unwrap();
    let key = jsonwebtoken::DecodingKey::from_secret(key.trim().as_bytes());
    let rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    let read = jsonwebtoken::decode::<serde_json::Value>(token.trim(), &key, &rules).unwrap();
    assert_eq!(read.claims["sub"], "kim");
    assert_eq!(read.claims["roles"], serde_json::json!(["organiser"]));
    assert_eq!(read.claims["org"], "demo");
    let [iat, exp] = ["iat", "exp"].map(|claim| read.claims[claim].as_u64().unwrap());
    assert_eq!(exp - iat, 60);
    assert_eq!(read.header.kid.as_deref(), Some("development"));
}

#[test]
fn commands_that_are_not_understood_exit_with_two() {
    let folder = folder();
    for arguments in [&["frobnicate"][..], &["token"], &["token", "--user", "me"], &["up", "--listen", "x"]] {
        assert_eq!(Process::run(folder.path(), arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn serve_refuses_what_was_made_for_development() {
    let folder = folder();
    let token = Process::run(folder.path(), &["token", "--user", "kim", "--data-dir", "data"]);
    assert!(token.status.success());
    let served = Process::run(folder.path(), &["serve", "--data-dir", "data"]);
    assert_eq!(served.status.code(), Some(1));
    let says = String::from_utf8(served.stderr).unwrap();
    assert!(says.contains("identity.development") && says.contains("wallet.top_up"), "{says}");
    let checked = Process::run(folder.path(), &["check-config", "--data-dir", "data", "--dev"]);
    assert!(checked.status.success(), "{checked:?}");
    let shown = String::from_utf8(checked.stdout).unwrap();
    let again = Config::from_layers(Some(("shown", &shown)), Path::new(""), []).unwrap();
    assert_eq!(again.serving_problems(true), []);
}
