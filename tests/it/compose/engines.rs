//! Redis and Prometheus as compose starts them, and their health checks.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::compose;
use super::file::Compose;
use super::machine::Machine;
use super::root;
use crate::support::http::Client;
use crate::support::spawner::{Running, bound_to_us, spawn};
use crate::support::{free_address, wait_until};

async fn ask(client: &redis::Client, words: &[&str]) -> redis::RedisResult<Vec<String>> {
    let mut connection = client.get_multiplexed_async_connection().await?;
    redis::cmd(words[0]).arg(&words[1..]).query_async(&mut connection).await
}

#[tokio::test]
async fn redis_keeps_everything_and_lets_in_whom_it_knows() {
    let compose = compose(&[]);
    assert_eq!(compose.service("redis").command(), compose.service("valkey").command());
    let machine = Machine::start(&compose).await;
    let client = redis::Client::open(machine.secret("redis_url")).unwrap();
    for (setting, value) in [
        ("appendonly", "yes"),
        ("appendfsync", "always"),
        ("save", ""),
        ("maxmemory", "2147483648"),
        ("maxmemory-policy", "noeviction"),
    ] {
        assert_eq!(ask(&client, &["CONFIG", "GET", setting]).await.unwrap(), [setting, value]);
    }
    let stranger = redis::Client::open(machine.redis.url()).unwrap();
    assert!(ask(&stranger, &["KEYS", "*"]).await.is_err());

    let check = compose.service("redis").health_check().unwrap().concat();
    let here = format!("redis-cli -s {}", machine.redis.socket().display());
    let shell = |line: &str| Command::new("sh").args(["-c", line]).output().unwrap();
    let healthy = shell(&check.replace("redis-cli", &here));
    assert!(healthy.status.success(), "{healthy:?}");
    let more = shell(&check.replace("redis-cli", &here).replace("ping", "keys '*'"));
    assert!(!more.status.success() && !more.stdout.starts_with(b"PONG"), "{more:?}");
}

/// Prometheus with the words of the file, on files and a port of here.
fn start_prometheus(compose: &Compose, folder: &TempDir, address: &str) -> Running {
    let service = compose.service("prometheus");
    let log = folder.path().join("log");
    let mut command = bound_to_us(Path::new("prometheus"));
    for word in service.command() {
        let mut word = word;
        for mount in service.mounts() {
            let here =
                if mount.is_read_only { root().join(mount.source) } else { folder.path().join("data") };
            word = word.replace(&format!("={}", mount.target), &format!("={}", here.display()));
        }
        command.arg(word);
    }
    command.arg(format!("--web.listen-address={address}"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).unwrap());
    Running::new(spawn(command).expect("install prometheus: make install"), log)
}

#[tokio::test]
async fn prometheus_takes_its_configuration_and_becomes_ready() {
    let compose = compose(&[]);
    let folder = tempfile::tempdir().unwrap();
    let address = free_address().to_string();
    let mut prometheus = start_prometheus(&compose, &folder, &address);
    let words = compose.service("prometheus").health_check().unwrap();
    let path = words.last().unwrap().strip_prefix("http://127.0.0.1:9090").unwrap();
    let client = Client::new(&address);
    wait_until("what its health check asks for is there", async || {
        client.get(path).await.is_ok_and(|answer| answer.status == 200)
    })
    .await;
    assert!(prometheus.ended().is_none(), "{}", prometheus.log());
}

#[test]
fn what_prometheus_scrapes_are_services_that_it_can_reach() {
    let compose = compose(&[]);
    let text = super::read("grafana/prometheus/prometheus.yml");
    let scraped: serde_json::Value = serde_norway::from_str(&text).unwrap();
    let jobs = scraped["scrape_configs"].as_array().unwrap();
    let names = jobs.iter().flat_map(|job| job["dns_sd_configs"].as_array().into_iter().flatten());
    let names: Vec<_> = names.flat_map(|found| found["names"].as_array().unwrap()).collect();
    assert!(names.len() >= 2, "{names:?}");
    for name in names {
        let target = compose.service(name.as_str().unwrap());
        let own = compose.service("prometheus").list("networks");
        assert!(
            target.list("networks").iter().any(|network| own.contains(network)),
            "{name} is out of reach"
        );
    }
}
