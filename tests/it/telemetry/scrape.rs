//! Every metric of the contract after a small sale, of a server and of a worker.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use onsale::metrics::{ALL, Kind};

use super::Up;
use super::exposition::{Scrape, get};
use crate::support::process::Process;
use crate::support::{SOON, free_address, wait_until};

/// One buys a seat that another wants too; he holds another, and gives it and his place back.
async fn small_sale(up: &Up) {
    let client = &up.client;
    let (mut first, mut second) = (up.buyer("first"), up.buyer("second"));
    for buyer in [&mut first, &mut second] {
        assert_eq!(buyer.join(client, 2).await.unwrap().status, 201);
        assert_eq!(buyer.status(client).await.unwrap().text("status"), "ACTIVE");
    }
    assert_eq!(first.charge(client, 50_000, "c").await.unwrap().status, 200);
    let held = first.hold(client, 2, 0, "h").await.unwrap();
    assert_eq!(held.status, 201, "{:?}", held.body);
    assert!(first.hold(client, 2, 0, "h").await.unwrap().is_replay());
    assert_eq!(second.hold(client, 2, 0, "h").await.unwrap().outcome(), (409, "seat_unavailable"));
    let other = second.hold(client, 2, 7, "h2").await.unwrap();
    assert_eq!(first.pay(client, held.text("reservationId"), "p").await.unwrap().status, 200);
    let path = format!("/v1/reservations/{}", other.text("reservationId"));
    assert_eq!(second.reservation(client, other.text("reservationId")).await.status, 200);
    assert_eq!(client.send("DELETE", &path, &second.headers(""), None).await.unwrap().status, 204);
    let left = client.send("DELETE", "/v1/queue/tokens", &second.headers(""), None).await.unwrap();
    assert_eq!(left.status, 204, "{:?}", left.body);
    assert_eq!(client.get("/v1/nothing").await.unwrap().status, 404);
}

/// Series with the values that the sale must have left.
const AFTER_THE_SALE: [(&str, f64); 32] = [
    ("onsale_outcomes_total{verb=\"join\",result=\"active\"}", 2.0),
    ("onsale_outcomes_total{verb=\"charge\",result=\"charged\"}", 1.0),
    ("onsale_outcomes_total{verb=\"hold\",result=\"held\"}", 2.0),
    ("onsale_outcomes_total{verb=\"hold\",result=\"replayed\"}", 1.0),
    ("onsale_outcomes_total{verb=\"hold\",result=\"seat_unavailable\"}", 1.0),
    ("onsale_outcomes_total{verb=\"pay\",result=\"paid\"}", 1.0),
    ("onsale_outcomes_total{verb=\"release\",result=\"released\"}", 1.0),
    ("onsale_outcomes_total{verb=\"leave\",result=\"left\"}", 1.0),
    ("onsale_coalescer_waiting_requests{script=\"hold\"}", 0.0),
    ("onsale_queue_waiting{concert=\"2\"}", 0.0),
    ("onsale_queue_active{concert=\"2\"}", 0.0),
    ("onsale_queue_joined_total{concert=\"2\"}", 2.0),
    ("onsale_queue_admitted_total{concert=\"2\"}", 2.0),
    ("onsale_queue_ended_total{concert=\"2\",reason=\"left\"}", 1.0),
    ("onsale_queue_ended_total{concert=\"2\",reason=\"paid\"}", 1.0),
    ("onsale_seats{concert=\"2\",show=\"2\",status=\"available\"}", 999.0),
    ("onsale_seats{concert=\"2\",show=\"2\",status=\"booked\"}", 1.0),
    ("onsale_seats{concert=\"2\",show=\"2\",status=\"held\"}", 0.0),
    ("onsale_revenue_minor_units{concert=\"2\"}", 10_000.0),
    ("onsale_reservations_total{concert=\"2\",event=\"held\"}", 2.0),
    ("onsale_reservations_total{concert=\"2\",event=\"paid\"}", 1.0),
    ("onsale_reservations_total{concert=\"2\",event=\"released\"}", 1.0),
    ("onsale_follower_lag_entries{follower=\"archive\"}", 0.0),
    ("onsale_follower_lag_entries{follower=\"live\"}", 0.0),
    ("onsale_follower_lag_seconds{follower=\"archive\"}", 0.0),
    ("onsale_logs_stopped", 0.0),
    ("onsale_redis_up", 1.0),
    ("onsale_mysql_up", 1.0),
    ("onsale_redis_memory_bound_bytes", 1_000_000_000.0),
    ("onsale_audit_ok{check=\"seats\"}", 1.0),
    ("onsale_audit_ok{check=\"ledger\"}", 1.0),
    ("http_server_active_requests", 0.0),
];

/// Series that are not there, or not yet what they must be.
fn differs(scrape: &Scrape) -> Vec<(&'static str, Option<f64>)> {
    let series = AFTER_THE_SALE.iter().filter(|(series, value)| scrape.value(series) != Some(*value));
    let absent = ALL.iter().filter(|row| !scrape.has(row.name)).map(|row| (row.name, None));
    series.map(|(name, _)| (*name, scrape.value(name))).chain(absent).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_is_there_after_a_small_sale() {
    let worker = free_address().to_string();
    let sections = format!(
        "worker = {{ audit_interval_seconds = 1, ops_listen = '{worker}' }}\n\
         log = {{ memory_max_bytes = 1000000000 }}\n\
         gateway = {{ kind = 'sandbox' }}"
    );
    let mut up = Up::start(&sections).await;
    small_sale(&up).await;
    let end = Instant::now() + SOON;
    loop {
        let differs = differs(&Scrape::of(&up.operations).await);
        if differs.is_empty() {
            break;
        }
        assert!(Instant::now() < end, "{differs:?}\n{}", up.process.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let scrape = Scrape::of(&up.operations).await;
    let route =
        "http_request_method=\"POST\",http_route=\"/v1/reservations\",http_response_status_code=\"201\"";
    let held = scrape.value(&format!("http_server_request_duration_seconds_count{{{route}}}"));
    // The replay is answered like the first.
    assert_eq!(held, Some(3.0), "{}", scrape.text);
    let at_least = |series: &str, least: f64| {
        let value = scrape.value(series).unwrap_or_else(|| panic!("{series} in {}", scrape.text));
        assert!(value >= least, "{series} {value}");
    };
    at_least("onsale_script_duration_seconds_count{script=\"pay\"}", 1.0);
    at_least("onsale_script_batch_requests_sum{script=\"hold\"}", 4.0);
    at_least("onsale_archive_events_total", 10.0);
    at_least("onsale_archive_transaction_duration_seconds_count", 1.0);
    at_least("onsale_follower_entries_total{follower=\"live\"}", 5.0);
    at_least("onsale_log_entries", 10.0);
    at_least("onsale_redis_used_memory_bytes", 500_000.0);
    at_least("onsale_audit_last_run_timestamp_seconds", 1_700_000_000.0);
    assert!(scrape.value("onsale_view_staleness_seconds").unwrap() < 5.0);
    assert_eq!(
        scrape.value(concat!("onsale_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}")),
        Some(1.0)
    );
    for row in ALL {
        let kind = match row.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        assert!(scrape.text.contains(&format!("# TYPE {} {kind}\n", row.name)), "{} is no {kind}", row.name);
        assert!(scrape.text.contains(&format!("# HELP {} ", row.name)), "{} has no help", row.name);
    }
    lint(&scrape.text);
    a_worker_has_a_listener_of_its_own(&up, &worker).await;
    assert!(up.process.terminate().success(), "{}", up.process.log());
}

/// `promtool check metrics`.
fn lint(text: &str) {
    let lint = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut lint = lint.expect("install prometheus: make install");
    lint.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = lint.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// `onsale work` beside it listens on `operations`, as the configuration of both says.
async fn a_worker_has_a_listener_of_its_own(up: &Up, operations: &str) {
    let mut process = Process::start(up.folder.path(), &["work", "--config", "data/onsale.toml"]);
    let end = Instant::now() + SOON;
    while tokio::net::TcpStream::connect(operations).await.is_err() {
        assert!(Instant::now() < end, "the worker does not listen: {}", process.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    wait_until("the worker knows the archive's lag", async || {
        Scrape::of(operations).await.value("onsale_follower_lag_entries{follower=\"archive\"}") == Some(0.0)
    })
    .await;
    assert!(get(operations, "/readyz").await.contains("\"ready\""));
    assert_eq!(get(operations, "/livez").await, "alive\n");
    let written = reqwest::Client::new().post(format!("http://{operations}/livez")).send().await.unwrap();
    assert_eq!(
        (written.status().as_u16(), &written.headers()["allow"]),
        (405, &"GET, HEAD".parse().unwrap())
    );
    assert!(get(operations, "/version").await.contains(env!("CARGO_PKG_VERSION")));
    assert!(process.terminate().success(), "{}", process.log());
}
