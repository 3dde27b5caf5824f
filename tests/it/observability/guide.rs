//! Panels that the operator's guide names, as `*Dashboard*: Panel, another; a third`: they are there, by that name.

use std::collections::BTreeMap;

use super::{dashboards, list, text};

/// Titles of panels and of rows by the title of their dashboard, longest first: one may begin with another.
fn titles() -> BTreeMap<String, Vec<String>> {
    let titles = dashboards().into_iter().map(|(_, dashboard)| {
        let mut panels: Vec<_> =
            list(&dashboard["panels"]).iter().map(|panel| text(&panel["title"]).to_owned()).collect();
        panels.sort_by_key(|title| std::cmp::Reverse(title.len()));
        (text(&dashboard["title"]).to_owned(), panels)
    });
    titles.collect()
}

/// Without what stands in parentheses, unless that names a dashboard.
fn without_asides(line: &str) -> String {
    let mut parts = line.split('(');
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(')') {
            Some((aside, rest)) if !aside.contains('*') => kept.push_str(rest),
            _ => kept.push_str(part),
        }
    }
    kept
}

/// What is named of a dashboard, in one line, and is none of its `titles`. Prose between the names begins in lower case.
fn strangers(line: &str, dashboard: &str, titles: &[String]) -> Vec<String> {
    let line = without_asides(line);
    let mut found = Vec::new();
    for named in line.split(&format!("*{dashboard}*")).skip(1) {
        let end = [". ", " |", ")"].iter().filter_map(|end| named.find(end)).min().unwrap_or(named.len());
        let mut rest = named[..end].trim_end_matches('.').trim_start_matches([':', ',', ' ']);
        let mut is_first = true;
        while !rest.is_empty() {
            let is_title = |title: &&String| {
                rest.strip_prefix(title.as_str()).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
            };
            let title = titles.iter().find(is_title);
            if title.is_none() && (is_first || rest.starts_with(char::is_uppercase)) {
                found.push(rest.to_owned());
            }
            is_first = false;
            rest = &rest[title.map_or(0, String::len)..];
            rest = rest.find([',', ';']).map_or("", |at| rest[at + 1..].trim_start());
        }
    }
    found
}

#[test]
fn panels_that_the_guide_names_are_there() {
    let guide = include_str!("../../../docs/operations.md");
    let titles = titles();
    for (dashboard, panels) in &titles {
        assert!(guide.contains(&format!("*{dashboard}*")), "{dashboard} is named nowhere");
        let found = guide.lines().flat_map(|line| strangers(line, dashboard, panels));
        assert_eq!(found.collect::<Vec<_>>(), Vec::<String>::new(), "{dashboard} has no such panels");
    }
}

#[test]
fn a_panel_that_is_not_there_is_found() {
    let titles: Vec<String> =
        ["Redis, by process", "Lag in seconds", "Redis", "Held"].map(str::to_owned).into();
    for (line, found) in [
        ("*Stores*, Redis, by process: one or all. Nothing", &[][..]),
        ("*Stores*: Lag in seconds (of `archive`, say), growing or not; Held is 0.", &[]),
        ("all up (*Stores*, Held), Others", &[]),
        ("| x | *Service*: Others. *Stores*: Redis |", &[]),
        ("*Stores*: Redis; Helder", &["Helder"]),
        ("*Stores*: nothing, Held", &["nothing, Held"]),
        ("*Stores*: MySQL, by process; Held", &["MySQL, by process; Held"]),
    ] {
        assert_eq!(strangers(line, "Stores", &titles), found, "{line}");
    }
}
