//! What makes a dashboard usable everywhere; that Grafana can read it at all is `schema`'s.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{dashboards, list, panels, shown, text, yaml};

/// What a target may hold: in Grafana's schema it is open.
const TARGET: &str =
    "refId datasource expr legendFormat range instant format interval exemplar editorMode hide";
const UNITS: [&str; 11] =
    ["short", "none", "locale", "percentunit", "s", "bytes", "cps", "ops", "reqps", "rps", "wps"];
/// Schema versions of Grafana 11 and 12.
const VERSIONS: std::ops::RangeInclusive<u64> = 39..=42;
const COLUMNS: u64 = 24;

/// Fields of a target that Prometheus's data source does not read.
fn strangers(target: &Value) -> Vec<String> {
    let keys = target.as_object().into_iter().flat_map(|object| object.keys());
    keys.filter(|key| !TARGET.split_whitespace().any(|word| word == *key)).cloned().collect()
}

fn complaints(dashboard: &Value) -> Vec<String> {
    let mut found = head(dashboard);
    let titles: Vec<_> = panels(dashboard).map(|panel| text(&panel["title"])).collect();
    for (at, title) in titles.iter().enumerate() {
        if titles[..at].contains(title) {
            found.push(format!("there are two panels {title}"));
        }
    }
    for panel in panels(dashboard) {
        found.extend(about_panel(panel).into_iter().map(|says| format!("{}: {says}", text(&panel["title"]))));
    }
    found.extend(overlaps(list(&dashboard["panels"])));
    found
}

/// Complaints about everything but the panels.
fn head(dashboard: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let version = dashboard["schemaVersion"].as_u64().is_some_and(|version| VERSIONS.contains(&version));
    let named = ["uid", "title", "description"].iter().all(|key| !text(&dashboard[*key]).is_empty());
    let variables = list(&dashboard["templating"]["list"]);
    let first = variables.first().unwrap_or(&Value::Null);
    let source =
        first["type"] == "datasource" && first["query"] == "prometheus" && first["name"] == "datasource";
    let rules = [
        (version, "schemaVersion is not one of Grafana 11 or 12"),
        (named && text(&dashboard["uid"]).len() <= 40, "uid, title and description are needed"),
        (
            dashboard["editable"] == json!(false),
            "what is edited in Grafana would be lost: editable must be false",
        ),
        (list(&dashboard["tags"]).contains(&json!("onsale")), "the tag onsale is missing"),
        (source, "the first variable must choose the data source"),
    ];
    found.extend(rules.into_iter().filter(|(holds, _)| !holds).map(|(_, says)| says.to_owned()));
    let expressions = shown(dashboard).into_iter().map(|(_, expr)| expr).collect::<Vec<_>>().join("\n");
    for variable in variables {
        let name = text(&variable["name"]);
        if variable["type"] == "query"
            && !(is_variable(variable) && expressions.contains(&format!("${name}")))
        {
            found.push(format!("the variable {name} has another data source, or is not used"));
        }
    }
    found
}

/// Whether it asks the data source that was chosen.
fn is_variable(asks: &Value) -> bool {
    asks["datasource"] == json!({"type": "prometheus", "uid": "${datasource}"})
}

fn about_panel(panel: &Value) -> Vec<String> {
    let targets = list(&panel["targets"]);
    let strangers = targets.iter().flat_map(strangers);
    let mut found: Vec<_> = strangers.map(|key| format!("{key} is no field of a target")).collect();
    let references: BTreeSet<_> = targets.iter().map(|target| text(&target["refId"])).collect();
    let sources = is_variable(panel) && targets.iter().all(is_variable);
    let expressions: Vec<_> = targets.iter().map(|target| text(&target["expr"])).collect();
    let ranges = expressions.iter().flat_map(|expr| expr.match_indices('[').map(|(at, _)| &expr[at..]));
    let rules = [
        (text(&panel["description"]).ends_with('.'), "a description is needed, in sentences"),
        (UNITS.contains(&text(&panel["fieldConfig"]["defaults"]["unit"])), "no unit that Grafana knows"),
        (panel["fieldConfig"]["overrides"].is_array(), "fieldConfig needs overrides"),
        (sources, "the data source must be the variable"),
        (
            !targets.is_empty() && references.len() == targets.len(),
            "each of its targets needs a refId of its own",
        ),
        (expressions.iter().all(|expr| !expr.is_empty()), "a target asks for nothing"),
        (targets.iter().all(|target| target["legendFormat"].is_string()), "a target has no legend"),
        (ranges.into_iter().all(|range| range.starts_with("[$__rate_interval]")), "use $__rate_interval"),
    ];
    found.extend(rules.into_iter().filter(|(holds, _)| !holds).map(|(_, says)| says.to_owned()));
    found
}

/// Panels that lie outside of the grid or on each other, or share an id.
fn overlaps(panels: &[Value]) -> Vec<String> {
    let side = |panel: &Value, name: &str| panel["gridPos"][name].as_u64().unwrap_or(0);
    let covers = |one: &Value, other: &Value, at: &str, size: &str| {
        side(one, at) < side(other, at) + side(other, size)
            && side(other, at) < side(one, at) + side(one, size)
    };
    let mut found = Vec::new();
    for (at, panel) in panels.iter().enumerate() {
        let title = text(&panel["title"]);
        let (width, height) = (side(panel, "w"), side(panel, "h"));
        if width == 0 || height == 0 || side(panel, "x") + width > COLUMNS {
            found.push(format!("{title} lies outside of the grid"));
        }
        for other in &panels[..at] {
            if panel["id"] == other["id"] || !panel["id"].is_u64() {
                found.push(format!("{title} needs an id of its own"));
            }
            if covers(panel, other, "x", "w") && covers(panel, other, "y", "h") {
                found.push(format!("{title} lies on {}", text(&other["title"])));
            }
        }
    }
    found
}

#[test]
fn dashboards_keep_to_the_conventions() {
    let dashboards = dashboards();
    let found = dashboards.iter().flat_map(|(name, dashboard)| {
        complaints(dashboard).into_iter().map(move |complaint| format!("{name}: {complaint}"))
    });
    assert_eq!(found.collect::<Vec<_>>(), Vec::<String>::new());
    let ids: BTreeSet<_> = dashboards.iter().map(|(_, dashboard)| text(&dashboard["uid"])).collect();
    assert_eq!(ids, BTreeSet::from(["onsale", "onsale-service", "onsale-stores"]));
    for (name, dashboard) in &dashboards {
        for link in list(&dashboard["links"]) {
            let target = text(&link["url"]).trim_start_matches("/d/");
            assert!(ids.contains(target), "{name} links to {target}");
        }
    }
}

#[test]
fn a_breach_of_each_convention_is_found() {
    let sound = dashboards().remove(0).1;
    assert_eq!(complaints(&sound), Vec::<String>::new());
    for (pointer, value, complaint) in [
        ("/schemaVersion", json!(16), "schemaVersion"),
        ("/editable", json!(true), "editable"),
        ("/title", json!(""), "title"),
        ("/tags", json!([]), "tag"),
        ("/templating/list/0/type", json!("query"), "first variable"),
        ("/templating/list/1/datasource/uid", json!("abc"), "another data source"),
        ("/panels/1/description", json!(""), "description"),
        ("/panels/1/fieldConfig/defaults/unit", json!(null), "unit"),
        ("/panels/1/datasource/uid", json!("abc"), "data source"),
        ("/panels/1/targets/0/datasource/uid", json!("abc"), "data source"),
        ("/panels/1/targets/0/expr", json!("rate(x[5m])"), "$__rate_interval"),
        ("/panels/1/targets", json!([]), "refId"),
        ("/panels/1/title", sound["panels"][2]["title"].clone(), "two panels"),
        ("/panels/1/gridPos", sound["panels"][2]["gridPos"].clone(), "lies on"),
        ("/panels/1/gridPos/w", json!(25), "outside"),
        ("/panels/1/id", sound["panels"][2]["id"].clone(), "id of its own"),
    ] {
        let mut broken = sound.clone();
        *broken.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        let found = complaints(&broken);
        assert!(found.iter().any(|says| says.contains(complaint)), "{pointer}: {found:?}");
    }
}

#[test]
fn what_is_provisioned_fits_together() {
    let sources = yaml("provisioning/datasources/prometheus.yaml");
    let source = &list(&sources["datasources"])[0];
    assert_eq!((text(&source["type"]), source["isDefault"].as_bool()), ("prometheus", Some(true)));
    // $__rate_interval is made from it.
    let scraped = yaml("prometheus/prometheus.yml");
    assert_eq!(source["jsonData"]["timeInterval"], scraped["global"]["scrape_interval"]);
    let providers = yaml("provisioning/dashboards/onsale.yaml");
    let provider = &list(&providers["providers"])[0];
    assert_eq!((text(&provider["type"]), provider["allowUiUpdates"].as_bool()), ("file", Some(false)));
    for job in list(&scraped["scrape_configs"]) {
        assert!(
            text(&job["job_name"]).starts_with("onsale-"),
            "rules and dashboards look for job=~\"onsale-.+\""
        );
    }
}
