//! Metrics come from the table: nothing else makes one.

use super::source::{File, code, files};

fn complaints(file: &File) -> Vec<String> {
    let code = code(&file.text);
    let macros = ["counter!", "gauge!", "histogram!", "describe_counter", "with_recorder"];
    let made = macros.iter().filter(|made| code.contains(*made));
    made.map(|made| format!("{} makes a metric beside the table: {made}", file.path)).collect()
}

#[test]
fn every_metric_is_a_row_of_the_table() {
    let files = files(&["src"], &["rs"]);
    let others = files.iter().filter(|file| !file.path.starts_with("src/metrics/"));
    assert_eq!(others.flat_map(complaints).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn every_row_of_the_table_is_used() {
    let table = super::read("src/metrics/table.rs");
    let files = files(&["src"], &["rs"]);
    let rows = table.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        words.next().filter(|kind| ["Counter", "Gauge", "Histogram"].contains(kind))?;
        let constant = words.next()?;
        words.next()?.starts_with('"').then_some(constant)
    });
    let rows: Vec<_> = rows.filter(|row| !row.starts_with("PROCESS_")).collect();
    assert!(rows.len() > 25, "{rows:?}");
    for row in rows {
        let is_used =
            |file: &&File| file.path != "src/metrics/table.rs" && file.text.contains(&format!("{row}."));
        assert!(files.iter().any(|file| is_used(&file)), "{row} is never measured");
    }
}

#[test]
fn a_metric_beside_the_table_is_found() {
    let file = |text: &str| File { path: "src/a.rs".to_owned(), text: text.to_owned() };
    assert_eq!(complaints(&file("metrics::counter!(\"a\").increment(1)")).len(), 1);
    assert!(complaints(&file("metrics::REVENUE.with([\"1\"]) // counter!")).is_empty());
}
