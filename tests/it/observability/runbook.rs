//! Whoever follows `docs/operations.md` finds what it names: commands with their options, targets of `make`, panels.

use std::collections::BTreeSet;
use std::path::Path;

use super::{dashboards, panels, text};
use crate::support::process::Process;

const OPERATIONS: &str = include_str!("../../../docs/operations.md");

/// What stands in backticks and begins with this word, without it.
fn quoted(word: &str) -> BTreeSet<&'static str> {
    let inside = OPERATIONS.split('`').skip(1).step_by(2);
    inside.filter_map(|code| code.strip_prefix(word)?.strip_prefix(' ')).collect()
}

#[test]
fn commands_and_their_options_are_there() {
    let named = quoted("onsale");
    assert!(named.len() > 4, "{named:?}");
    for command in named {
        let mut words = command.split_whitespace();
        let verb = words.next().expect("a word follows");
        let help = Process::run(Path::new("."), &[verb, "--help"]);
        let says = String::from_utf8(help.stdout).unwrap();
        assert!(help.status.success(), "onsale {verb}");
        for option in words.filter(|word| word.starts_with("--")) {
            assert!(says.contains(option), "onsale {verb} {option}");
        }
    }
}

#[test]
fn targets_and_scenarios_are_there() {
    let makefile = include_str!("../../../Makefile");
    let named = quoted("make");
    assert!(!named.is_empty());
    for target in named {
        let (target, rest) = target.split_once(' ').unwrap_or((target, ""));
        assert!(makefile.contains(&format!("\n{target}:")), "make {target}");
        if let Some(scenario) = rest.strip_prefix("SCENARIO=") {
            let file = format!("loadtest/k6/{scenario}.js");
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(&file).exists(), "{file}");
        }
    }
}

#[test]
fn the_panels_to_watch_are_there() {
    let boards = dashboards();
    let watch = OPERATIONS.split("\n## Watch\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut seen = 0;
    for (name, dashboard) in &boards {
        let titles: Vec<_> =
            dashboard["panels"].as_array().unwrap().iter().map(|panel| &panel["title"]).collect();
        let mark = format!("*{}*: ", text(&dashboard["title"]));
        for named in watch.split(&mark).skip(1) {
            let named = named.split(['|', '.', '*']).next().unwrap();
            let first = named.split([':', ';']).next().unwrap().trim();
            // One title may have a comma of its own, so the whole or its parts are titles.
            let fits = |title: &str| titles.iter().any(|known| text(known) == title);
            let parts = first.split(',').map(|part| part.split(" of `").next().unwrap().trim());
            assert!(fits(first) || parts.clone().all(fits), "{name} has no {first:?}");
            seen += 1;
        }
        assert!(panels(dashboard).count() > 0);
    }
    assert!(seen > 8, "{seen}");
}
