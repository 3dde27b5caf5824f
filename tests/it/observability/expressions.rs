//! Which series dashboards and rules ask for: only those of the table of metrics, by labels that they have.

use std::collections::{BTreeMap, BTreeSet};

use onsale::metrics::{ALL, Kind, Row};

use super::promql::{Named, named};
use super::{all_rules, dashboards, shown, text};

/// Labels that Prometheus adds to whatever it scrapes.
const ADDED: [&str; 2] = ["job", "instance"];

type Labels = BTreeSet<String>;

fn owned(labels: &[&str]) -> Labels {
    labels.iter().map(|label| (*label).to_owned()).collect()
}

/// Series by name: their labels, and whether they only grow.
fn known() -> BTreeMap<String, (Labels, bool)> {
    let mut known = BTreeMap::new();
    for row in ALL {
        let mut labels = owned(row.labels);
        labels.extend(owned(&ADDED));
        if row.kind == Kind::Histogram {
            for suffix in ["_sum", "_count"] {
                known.insert(format!("{}{suffix}", row.name), (labels.clone(), true));
            }
            labels.insert("le".to_owned());
            known.insert(format!("{}_bucket", row.name), (labels, true));
        } else {
            known.insert(row.name.to_owned(), (labels, row.kind == Kind::Counter));
        }
    }
    known.insert("up".to_owned(), (owned(&ADDED), false));
    known.insert("ALERTS".to_owned(), (owned(&["alertname", "alertstate", "severity"]), false));
    for rule in all_rules() {
        let name = text(&rule["record"]);
        if let Some((level, _)) = name.split_once(':') {
            known.insert(name.to_owned(), (level.split('_').map(str::to_owned).collect(), false));
        }
    }
    known
}

fn complaints(expression: &str, known: &BTreeMap<String, (Labels, bool)>) -> Vec<String> {
    let Named { selectors, groupings } = named(expression);
    let mut complaints = Vec::new();
    let mut carried = Labels::new();
    for selector in &selectors {
        let name = &selector.name;
        let Some((labels, grows)) = known.get(name) else {
            complaints.push(format!("there is no {name}"));
            continue;
        };
        carried.extend(labels.iter().cloned());
        let strange = selector.labels.iter().map(|(label, _)| label).filter(|label| !labels.contains(*label));
        complaints.extend(strange.map(|label| format!("{name} has no label {label}")));
        if *grows != selector.ranged && (*grows || name.contains(':')) {
            complaints.push(format!(
                "{name} is asked for in the wrong way: a counter by its growth, a rate as it is"
            ));
        }
    }
    let strange = groupings.iter().filter(|label| !carried.contains(*label));
    complaints.extend(strange.map(|label| format!("nothing has a label {label}")));
    complaints
}

/// Every expression, with where it stands.
pub(super) fn expressions() -> Vec<(String, String)> {
    let mut all: Vec<_> = all_rules()
        .iter()
        .map(|rule| {
            (format!("{}{}", text(&rule["record"]), text(&rule["alert"])), text(&rule["expr"]).to_owned())
        })
        .collect();
    for (name, dashboard) in dashboards() {
        all.extend(shown(&dashboard).into_iter().map(|(title, expr)| (format!("{name}: {title}"), expr)));
    }
    all
}

#[test]
fn expressions_name_metrics_that_there_are() {
    let known = known();
    let expressions = expressions();
    assert!(expressions.len() > 80, "{}", expressions.len());
    let found = expressions.iter().flat_map(|(place, expression)| {
        complaints(expression, &known).into_iter().map(move |complaint| format!("{place}: {complaint}"))
    });
    assert_eq!(found.collect::<Vec<_>>(), Vec::<String>::new());
}

/// Whether every process says the same of it: what is read in the logs or asked of an engine, not what it did itself.
fn is_shared(row: &Row) -> bool {
    const ENGINES: [&str; 7] = [
        "onsale_log_entries",
        "onsale_redis_used_memory_bytes",
        "onsale_redis_memory_bound_bytes",
        "onsale_top_up_open",
        "onsale_top_up_overdue_seconds",
        "onsale_retention_open",
        "onsale_retention_open_seconds",
    ];
    row.labels.contains(&"concert") || ENGINES.contains(&row.name)
}

/// Whether what follows `before` is the argument of this aggregation.
fn takes_one(before: &str, aggregation: &str) -> bool {
    before.rsplit_once(aggregation).is_some_and(|(_, rest)| {
        let rest = rest.trim_start();
        rest == "(" || (rest.starts_with("by (") && rest.ends_with(") (") && rest.matches('(').count() == 2)
    })
}

/// What is added up over processes though each of them says the same: one of them, the highest or lowest, has to be taken first.
fn added_up(expression: &str) -> Vec<String> {
    let mut found = Vec::new();
    for row in ALL.iter().filter(|row| is_shared(row)) {
        for (at, _) in expression.match_indices(row.name) {
            let (before, behind) = (&expression[..at], &expression[at + row.name.len()..]);
            if behind.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
                continue;
            }
            let functions = ["rate(", "increase(", "delta(", "predict_linear("];
            let before = functions.iter().find_map(|name| before.strip_suffix(name)).unwrap_or(before);
            if !["max", "min"].iter().any(|name| takes_one(before, name)) {
                found.push(format!("{} is the same in every process", row.name));
            }
        }
    }
    found
}

#[test]
fn what_every_process_says_is_not_added_up() {
    let found = expressions().into_iter().flat_map(|(place, expression)| {
        added_up(&expression).into_iter().map(move |says| format!("{place}: {says}"))
    });
    assert_eq!(found.collect::<Vec<_>>(), Vec::<String>::new());
    for (expression, is_sound) in [
        ("sum(max by (concert) (onsale_queue_waiting))", true),
        ("sum(max by (concert) (rate(onsale_queue_joined_total[1m])))", true),
        ("max(onsale_log_entries)", true),
        ("min by (job) (onsale_log_entries)", true),
        ("onsale_queue_waiting", false),
        ("sum by (concert) (onsale_queue_waiting)", false),
        ("max(sum(onsale_queue_waiting))", false),
        ("max(sum(rate(onsale_queue_joined_total[1m])))", false),
    ] {
        assert_eq!(added_up(expression).is_empty(), is_sound, "{expression}");
    }
}

#[test]
fn every_metric_is_shown_somewhere() {
    let shown: String =
        dashboards().iter().flat_map(|(_, board)| shown(board)).map(|(_, expr)| expr + "\n").collect();
    let recorded: String = all_rules().iter().map(|rule| text(&rule["expr"]).to_owned() + "\n").collect();
    let unseen = |row: &&Row| !shown.contains(row.name) && !recorded.contains(row.name);
    assert_eq!(ALL.iter().filter(unseen).map(|row| row.name).collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn what_is_not_there_is_found() {
    let known = known();
    for (expression, complaint) in [
        ("sum(onsale_nothing)", "there is no onsale_nothing"),
        ("onsale_seats{color=\"red\"}", "onsale_seats has no label color"),
        ("sum by (verb) (onsale_seats)", "nothing has a label verb"),
        ("onsale_script_duration_seconds", "there is no onsale_script_duration_seconds"),
        ("onsale_outcomes_total > 5", "a counter by its growth"),
        ("rate(job:http_server_requests:rate5m[5m])", "a rate as it is"),
    ] {
        let found = complaints(expression, &known);
        assert!(found.len() == 1 && found[0].contains(complaint), "{expression}: {found:?}");
    }
}
