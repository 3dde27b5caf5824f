//! A real Prometheus scrapes a real sale: every panel has something to show, and every rule can be evaluated.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::visitor::Shop;
use super::{all_rules, dashboards, folder, list, shown, text, yaml};
use crate::support::{SOON, free_address, process::Process, prometheus::Prometheus};

/// Visitors between two looks at what is shown.
const VISITORS: usize = 4;
/// Of the shipped configuration, made fast enough for a test.
const INTERVAL: &str = "1s";
const RATE_INTERVAL: &str = "4s";

/// The shipped configuration for a server and a worker.
fn configuration(server: SocketAddr, worker: SocketAddr) -> String {
    let mut config = yaml("prometheus/prometheus.yml");
    config["global"] = json!({"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL});
    let rules = list(&config["rule_files"])
        .iter()
        .map(|pattern| json!(folder().join("prometheus").join(text(pattern))));
    config["rule_files"] = rules.collect();
    for (name, address) in [("onsale-server", server), ("onsale-worker", worker)] {
        let jobs = config["scrape_configs"].as_array_mut().expect("jobs");
        let job = jobs.iter_mut().find(|job| job["job_name"] == name).expect("a job for each");
        job.as_object_mut().unwrap().remove("dns_sd_configs").expect("it is found by name");
        job["static_configs"] = json!([{"targets": [address]}]);
    }
    serde_norway::to_string(&config).unwrap()
}

/// As Grafana fills it in, with all concerts and processes chosen.
fn filled_in(expression: &str) -> String {
    let filled = expression.replace("$__rate_interval", RATE_INTERVAL);
    let filled = filled.replace("$concert", ".*").replace("$instance", ".*");
    assert!(!filled.contains('$'), "{filled}");
    filled
}

/// Whether some series has a value that can be drawn.
fn has_data(series: &[Value]) -> bool {
    let values = series.iter().map(|series| text(&series["value"][1]));
    values.into_iter().any(|value| value.parse::<f64>().is_ok_and(f64::is_finite))
}

/// A sale: `up` and a worker beside it, for buyers and for Prometheus.
struct Sale {
    up: Process,
    worker: Process,
    shop: Shop,
    /// The operations listeners of `up` and of the worker.
    scraped: [SocketAddr; 2],
}

async fn start(folder: &tempfile::TempDir) -> Sale {
    let made = Process::run(folder.path(), &["token", "--user", "nobody", "--data-dir", "data"]);
    assert!(made.status.success(), "{made:?}");
    let data = folder.path().join("data");
    let settings = fs::read_to_string(data.join("onsale.toml")).unwrap();
    let [operations, beside] = [free_address(), free_address()];
    let worker = format!("\n[worker]\naudit_interval_seconds = 2\nops_listen = '{beside}'\n");
    let section = worker + "\n[gateway]\nkind = 'sandbox'\n";
    fs::write(data.join("onsale.toml"), settings + &section).unwrap();
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/demo.yaml");
    let listen = ["--listen", "127.0.0.1:0", "--ops-listen", &operations.to_string()];
    let up = [&["up", "--data-dir", "data", "--catalog", demo], &listen[..]].concat();
    let mut up = Process::start(folder.path(), &up);
    let address = up.ready().await;
    let worker = Process::start(folder.path(), &["work", "--config", "data/onsale.toml"]);
    Sale { up, worker, shop: Shop::new(&address, &data), scraped: [operations, beside] }
}

#[tokio::test]
async fn every_panel_shows_something_and_every_rule_is_evaluated() {
    let folder = tempfile::Builder::new().prefix("onsale-scraped-").tempdir().unwrap();
    let Sale { mut up, mut worker, shop, scraped: [operations, beside] } = start(&folder).await;
    let mut prometheus = Prometheus::start(&configuration(operations, beside));

    let mut empty: Vec<(String, String)> = Vec::new();
    for (name, dashboard) in dashboards() {
        let expressions = shown(&dashboard).into_iter();
        empty.extend(expressions.map(|(title, expr)| (format!("{name}: {title}"), filled_in(&expr))));
    }
    let mut unevaluated = all_rules().len();
    let mut visitors = 0;
    let end = Instant::now() + SOON;
    while !empty.is_empty() || unevaluated > 0 {
        assert!(
            Instant::now() < end,
            "{unevaluated} rules are not evaluated, nothing is shown by {empty:#?}"
        );
        for _ in 0..VISITORS {
            shop.visit(visitors).await;
            visitors += 1;
        }
        let mut still = Vec::new();
        for (place, expression) in empty {
            if !has_data(&prometheus.query(&expression).await) {
                still.push((place, expression));
            }
        }
        empty = still;
        unevaluated = all_rules().len() - evaluated(&prometheus.ask("rules").await);
    }
    assert!(!has_data(&prometheus.query("onsale_nothing").await), "nothing has data");
    what_both_processes_tell_is_counted_once(&mut prometheus).await;
    assert!(worker.terminate().success(), "{}", worker.log());
    assert!(up.terminate().success(), "{}", up.log());
}

/// Server and worker each show the whole sale. What the dashboard makes of both is what either of them says, not the sum.
async fn what_both_processes_tell_is_counted_once(prometheus: &mut Prometheus) {
    let (_, board) = dashboards().into_iter().find(|(name, _)| name == "onsale.json").expect("the sale's");
    let (_, drawn) = shown(&board).into_iter().find(|(title, _)| title == "Revenue").expect("a panel");
    let (drawn, each) = (filled_in(&drawn), "sum by (job) (onsale_revenue_minor_units)");
    // Nobody comes any more: both come to the same, and it stays.
    let end = Instant::now() + SOON;
    loop {
        let (drawn, each) =
            (numbers(&prometheus.query(&drawn).await), numbers(&prometheus.query(each).await));
        if drawn.len() == 1 && drawn[0] > 0.0 && each == [drawn[0], drawn[0]] {
            return;
        }
        assert!(Instant::now() < end, "the dashboard says {drawn:?}, server and worker say {each:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn numbers(series: &[Value]) -> Vec<f64> {
    series.iter().map(|series| text(&series["value"][1]).parse().expect("a number")).collect()
}

/// Rules that were evaluated without an error. Panics at one that was evaluated with an error.
fn evaluated(answer: &Value) -> usize {
    let rules = list(&answer["groups"]).iter().flat_map(|group| list(&group["rules"]));
    let well = rules.filter(|rule| {
        assert_ne!(rule["health"], "err", "{rule}");
        rule["health"] == "ok"
    });
    well.count()
}
