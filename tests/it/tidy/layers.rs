//! Who may name whom: `main → lib → {http, follow, loops} → {store, archive, live} → domain` (docs/architecture.md).

use super::source::{File, code, files, names_crate, production};

/// Modules of the crate from the bottom up; each may name those of lower rows, itself, and nobody else.
const ROWS: [&[&str]; 9] = [
    &["domain"],
    // What is counted, below all who count.
    &["config", "metrics"],
    &["store", "archive", "live", "telemetry", "gateway"],
    &["follow"],
    // What takes store and archive together, and how entries follow each other.
    &["opening", "publishing", "clearing", "forgetting"],
    // All that was long over, forgotten at once.
    &["retention"],
    // The loops drive the followers; the audit reads the logs by itself.
    &["http", "loops", "embedded", "audit"],
    &["app"],
    &["commands"],
];

/// Crates that only these modules may name.
const OWNED: [(&str, &str); 12] = [
    ("redis", "store"),
    ("bb8", "store"),
    ("bb8_redis", "store"),
    ("sqlx", "archive"),
    ("rdkafka", "follow"),
    ("reqwest", "follow gateway"),
    ("hyper", "http"),
    ("hyper_util", "http"),
    ("metrics_exporter_prometheus", "metrics"),
    ("opentelemetry", "telemetry"),
    ("opentelemetry_sdk", "telemetry"),
    ("tracing_opentelemetry", "telemetry"),
];

/// What only those who do I/O need; `domain` has neither that, nor a clock, nor waits.
const IMPURE: [&str; 12] = [
    "tokio",
    "std::fs",
    "std::net",
    "std::io",
    "std::thread",
    "std::env",
    "std::process",
    "SystemTime",
    "Instant",
    "rand",
    "tracing",
    "metrics",
];

/// The module of the crate that a file belongs to: `src/store/queue.rs` to `store`.
fn module(path: &str) -> Option<&str> {
    let path = path.strip_prefix("src/")?;
    Some(path.split('/').next()?.trim_end_matches(".rs"))
}

fn row(module: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&module))
}

/// The first words behind each `crate::`, in braces too.
fn named_modules(code: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut named = Vec::new();
    for (at, prefix) in code.match_indices("crate::") {
        let rest = &code[at + prefix.len()..];
        let Some(list) = rest.strip_prefix('{') else {
            named.push(word(rest));
            continue;
        };
        let mut depth = 0_i32;
        let mut is_first = true;
        for (at, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => is_first = true,
                c if depth == 0 && is_first && !c.is_whitespace() => {
                    named.push(word(&list[at..]));
                    is_first = false;
                }
                _ => {}
            }
        }
    }
    named
}

fn complaints(file: &File) -> Vec<String> {
    let Some(own) = module(&file.path).filter(|own| !["lib", "main"].contains(own)) else {
        return Vec::new();
    };
    let code = code(&file.text);
    let mut complaints = Vec::new();
    let Some(own_row) = row(own) else {
        return vec![format!("{}: {own} has no row", file.path)];
    };
    for named in named_modules(&code).iter().filter(|named| *named != own) {
        if row(named).is_some_and(|row| row >= own_row) {
            complaints.push(format!("{} names {named}", file.path));
        }
    }
    let foreign = OWNED.iter().filter(|(_, owners)| !owners.split(' ').any(|owner| owner == own));
    let foreign = foreign.filter(|(name, _)| names_crate(&code, name));
    complaints.extend(foreign.map(|(name, owner)| format!("{} names {name}: only {owner} does", file.path)));
    if own == "domain" {
        let production = production(&code);
        let impure = IMPURE.iter().filter(|name| production.contains(&format!("{name}::")));
        complaints.extend(impure.map(|name| format!("{} names {name}", file.path)));
        if production.contains("async ") {
            complaints.push(format!("{} waits", file.path));
        }
    }
    complaints
}

#[test]
fn each_layer_names_those_below_it() {
    let complaints: Vec<_> = files(&["src"], &["rs"]).iter().flat_map(complaints).collect();
    assert_eq!(complaints, Vec::<String>::new());
}

#[test]
fn a_name_from_above_is_found() {
    let found = |path: &str, text: &str| complaints(&File { path: path.to_owned(), text: text.to_owned() });
    assert_eq!(found("src/store/queue.rs", "use crate::http::X;"), ["src/store/queue.rs names http"]);
    let braces = "use crate::{domain::{a, b}, live::{C, D},\n loops};";
    assert_eq!(
        found("src/archive/mod.rs", braces),
        ["src/archive/mod.rs names live", "src/archive/mod.rs names loops"]
    );
    assert_eq!(found("src/domain/ids.rs", "fn f() { crate::store::g() }"), ["src/domain/ids.rs names store"]);
    assert_eq!(found("src/app.rs", "use hyper::Request;"), ["src/app.rs names hyper: only http does"]);
    assert_eq!(found("src/live/mod.rs", "redis::cmd(1)"), ["src/live/mod.rs names redis: only store does"]);
    assert_eq!(
        found("src/domain/time.rs", "std::time::Instant::now()"),
        ["src/domain/time.rs names Instant"]
    );
    assert_eq!(found("src/domain/time.rs", "async fn f() {}"), ["src/domain/time.rs waits"]);
    assert_eq!(found("src/stray/mod.rs", ""), ["src/stray/mod.rs: stray has no row"]);
    let clean = "// crate::http\nuse crate::{domain::ids, store::Store}; redis::cmd(\"sqlx::x\")";
    assert_eq!(found("src/store/queue.rs", clean), Vec::<String>::new());
}
