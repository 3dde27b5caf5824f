//! What the server's dependency tree may not hold: the load tests and what only they need.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use super::read;

/// Names of all packages that `root` reaches in a lock file, whatever the features and the platform.
fn reached(lock: &str, root: &str) -> BTreeSet<String> {
    let lock: Table = lock.parse().unwrap();
    let mut needs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in lock["package"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let dependencies = package.get("dependencies").and_then(Value::as_array);
        let names = dependencies.into_iter().flatten().filter_map(Value::as_str);
        // "name", or "name version" where there are several: taken together, since none of them may lead there.
        needs.entry(name).or_default().extend(names.filter_map(|name| name.split(' ').next()));
    }
    let mut reached = BTreeSet::new();
    let mut next = vec![root];
    while let Some(name) = next.pop() {
        if reached.insert(name.to_owned()) {
            next.extend(needs.get(name).into_iter().flatten());
        }
    }
    reached
}

#[test]
fn no_load_generator_hides_in_the_server() {
    let server = reached(&read("Cargo.lock"), "onsale");
    assert!(server.contains("hyper") && server.contains("sqlx"));
    // reqwest is in both: goose drives it, and OpenTelemetry sends its spans with it.
    assert!(!server.contains("goose") && !server.contains("onsale-loadtest"));
    assert!(reached(&read("Cargo.lock"), "onsale-loadtest").contains("goose"));
}

#[test]
fn cargo_builds_the_server_alone_unless_told_otherwise() {
    let manifest: Table = read("Cargo.toml").parse().unwrap();
    assert_eq!(manifest["workspace"]["default-members"], Value::from(vec!["."]));
}

#[test]
fn a_package_behind_another_is_found() {
    let lock = "[[package]]\nname = \"a\"\ndependencies = [\"b 1.0.0\"]\n\
                [[package]]\nname = \"b\"\ndependencies = [\"c\"]\n\
                [[package]]\nname = \"c\"\n[[package]]\nname = \"d\"\n";
    assert_eq!(reached(lock, "a").into_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
}
