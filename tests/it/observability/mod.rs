//! Dashboards, rules and runbooks: that they name what there is, keep to the conventions, and show something.

mod conventions;
mod expressions;
mod guide;
mod promql;
mod rules;
mod runbook;
mod schema;
mod scraped;
mod values;
mod visitor;

use std::{fs, path::PathBuf};

use serde_json::Value;

/// The folder of everything for Grafana and Prometheus.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("grafana")
}

fn read(path: &str) -> String {
    fs::read_to_string(folder().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A YAML file as the JSON that it stands for.
fn yaml(path: &str) -> Value {
    serde_norway::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every dashboard, with the name of its file.
fn dashboards() -> Vec<(String, Value)> {
    let entries = fs::read_dir(folder().join("dashboards")).expect("grafana/dashboards");
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().expect("a name in UTF-8")).collect();
    names.sort();
    let parsed = names.into_iter().map(|name| {
        let text = read(&format!("dashboards/{name}"));
        let dashboard = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, dashboard)
    });
    parsed.collect()
}

/// The items of a list; none if there is no list.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The panels of a dashboard that show something: all but the headings of rows.
fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    list(&dashboard["panels"]).iter().filter(|panel| panel["type"] != "row")
}

/// Every expression of a dashboard, with the title of its panel.
fn shown(dashboard: &Value) -> Vec<(String, String)> {
    let targets = panels(dashboard).flat_map(|panel| {
        let title = text(&panel["title"]);
        list(&panel["targets"]).iter().map(move |target| (title.to_owned(), text(&target["expr"]).to_owned()))
    });
    targets.collect()
}

/// Every rule, recorded or alerting.
fn all_rules() -> Vec<Value> {
    let file = yaml("prometheus/rules/onsale.rules.yml");
    list(&file["groups"]).iter().flat_map(|group| list(&group["rules"]).to_vec()).collect()
}
