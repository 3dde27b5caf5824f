//! What Prometheus's own tool says of configuration and rules; a runbook and both kinds of tests for every alert.

use std::collections::BTreeSet;
use std::process::Command;

use super::{all_rules, folder, list, text, yaml};

const TESTS: &str = "prometheus/rules/onsale.test.yml";

/// Runs promtool on a file of `grafana/` and panics with what it says if it finds fault.
fn promtool(arguments: &[&str], file: &str) {
    let output = Command::new("promtool").args(arguments).arg(folder().join(file)).output();
    let output = output.expect("install prometheus: make install");
    let says = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&says));
}

fn alerts() -> BTreeSet<String> {
    let rules = all_rules();
    rules.iter().filter_map(|rule| rule["alert"].as_str()).map(str::to_owned).collect()
}

#[test]
fn prometheus_accepts_configuration_and_rules() {
    promtool(&["check", "config"], "prometheus/prometheus.yml");
    promtool(&["check", "rules"], "prometheus/rules/onsale.rules.yml");
}

#[test]
fn alerts_fire_when_they_should_and_only_then() {
    promtool(&["test", "rules"], TESTS);
}

#[test]
fn every_alert_is_tested_firing_and_not_firing() {
    let tests = yaml(TESTS);
    let checks = list(&tests["tests"]).iter().flat_map(|test| list(&test["alert_rule_test"]));
    let (mut firing, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for check in checks {
        let fires = !list(&check["exp_alerts"]).is_empty();
        let names = if fires { &mut firing } else { &mut silent };
        names.insert(text(&check["alertname"]).to_owned());
    }
    assert_eq!(firing, alerts());
    assert_eq!(silent, alerts());
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let operations = include_str!("../../../docs/operations.md");
    let sections = operations.lines().filter_map(|line| line.strip_prefix("### Onsale"));
    let sections: BTreeSet<_> = sections.map(|name| format!("Onsale{name}")).collect();
    assert_eq!(sections, alerts());
    for rule in all_rules() {
        let Some(name) = rule["alert"].as_str() else { continue };
        let section = operations.split(&format!("### {name}\n")).nth(1).unwrap();
        let section = section.split("\n#").next().unwrap();
        for part in ["**Means.**", "**Look.**", "**Do.**"] {
            assert!(section.contains(part), "{name} has no {part}");
        }
        let annotations = &rule["annotations"];
        let anchor = format!("docs/operations.md#{}", name.to_lowercase());
        assert_eq!(text(&annotations["runbook"]), anchor);
        assert!(
            !text(&annotations["summary"]).is_empty() && text(&annotations["description"]).ends_with('.')
        );
        assert!(["critical", "warning"].contains(&text(&rule["labels"]["severity"])), "{name}");
    }
}

#[test]
fn recorded_series_are_named_by_level_metric_and_operation() {
    for rule in all_rules().iter().filter(|rule| rule["record"].is_string()) {
        let parts: Vec<_> = text(&rule["record"]).split(':').collect();
        assert!(parts.len() == 3 && parts.iter().all(|part| !part.is_empty()), "{parts:?}");
    }
}
