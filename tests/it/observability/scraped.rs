//! A real Prometheus scrapes a real sale: every panel has something to show, and every rule can be evaluated.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::visitor::Shop;
use super::{all_rules, dashboards, folder, list, shown, text, yaml};
use crate::support::{free_address, process::Process, prometheus::Prometheus};

const READY: Duration = Duration::from_mins(1);
const SHOWN: Duration = Duration::from_mins(1);
/// Visitors between two looks at what is shown.
const VISITORS: usize = 4;
/// Of the shipped configuration, made fast enough for a test.
const INTERVAL: &str = "1s";
const RATE_INTERVAL: &str = "4s";

/// The shipped configuration for one process that is server and worker at once.
fn configuration(scraped: SocketAddr) -> String {
    let mut config = yaml("prometheus/prometheus.yml");
    config["global"] = json!({"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL});
    let rules = list(&config["rule_files"])
        .iter()
        .map(|pattern| json!(folder().join("prometheus").join(text(pattern))));
    config["rule_files"] = rules.collect();
    let server =
        list(&config["scrape_configs"]).iter().find(|job| job["job_name"] == "onsale-server").unwrap();
    let mut server = server.clone();
    server.as_object_mut().unwrap().remove("dns_sd_configs").expect("it is found by name");
    server["static_configs"] = json!([{"targets": [scraped]}]);
    config["scrape_configs"] = json!([server]);
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

async fn start(folder: &tempfile::TempDir) -> (Process, Shop, SocketAddr) {
    let made = Process::run(folder.path(), &["token", "--user", "nobody", "--data-dir", "data"]);
    assert!(made.status.success(), "{made:?}");
    let data = folder.path().join("data");
    let settings = fs::read_to_string(data.join("onsale.toml")).unwrap();
    fs::write(data.join("onsale.toml"), settings + "\n[worker]\naudit_interval_seconds = 2\n").unwrap();
    let operations = free_address();
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/demo.yaml");
    let listen = ["--listen", "127.0.0.1:0", "--ops-listen", &operations.to_string()];
    let up = [&["up", "--data-dir", "data", "--catalog", demo], &listen[..]].concat();
    let mut onsale = Process::start(folder.path(), &up);
    let address = onsale.ready(READY).await;
    (onsale, Shop::new(&address, &data), operations)
}

#[tokio::test]
async fn every_panel_shows_something_and_every_rule_is_evaluated() {
    let folder = tempfile::Builder::new().prefix("onsale-scraped-").tempdir().unwrap();
    let (mut onsale, shop, operations) = start(&folder).await;
    let mut prometheus = Prometheus::start(&configuration(operations));

    let mut empty: Vec<(String, String)> = Vec::new();
    for (name, dashboard) in dashboards() {
        let expressions = shown(&dashboard).into_iter();
        empty.extend(expressions.map(|(title, expr)| (format!("{name}: {title}"), filled_in(&expr))));
    }
    let mut unevaluated = all_rules().len();
    let mut visitors = 0;
    let end = Instant::now() + SHOWN;
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
    assert!(onsale.terminate().success(), "{}", onsale.log());
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
