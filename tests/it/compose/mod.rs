//! Docker compose without Docker: the file is held against the specification's schema and against rules of ours, and what it
//! starts is started here, with the same words and the same environment, on private engines.

mod engines;
mod file;
mod machine;
mod rules;
mod services;

use std::fs;
use std::path::Path;

use file::Compose;

/// The file of the repository, with these variables set.
fn compose(variables: &[(&str, &str)]) -> Compose {
    Compose::parse(&read("docker-compose.yml"), variables)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn schema_complaints(compose: &Compose) -> Vec<String> {
    let schema: serde_json::Value = serde_json::from_str(include_str!("compose-spec.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    schema.iter_errors(&compose.0).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_file_is_what_the_specification_describes() {
    assert_eq!(schema_complaints(&compose(&[])), Vec::<String>::new());
}

#[test]
fn the_schema_finds_what_is_misspelt() {
    let text = "services: { a: { image: b, restrat: always, healthcheck: { test: 7 } } }";
    let complaints = schema_complaints(&Compose::parse(text, &[]));
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    assert!(complaints.iter().any(|complaint| complaint.contains("restrat")), "{complaints:?}");
}
