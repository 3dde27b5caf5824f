use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::http::router::ROUTES;

const META: &str = include_str!("../../../tests/it/openapi/schema.json");

fn described() -> Value {
    serde_json::from_slice(&DOCUMENT).unwrap()
}

/// `/v1/shows/{showId}/seats` as the route table has it.
fn route(path: &str) -> String {
    let pieces = path.split('/').map(|piece| if piece.starts_with('{') { "{id}" } else { piece });
    pieces.collect::<Vec<_>>().join("/")
}

fn complaints(document: &Value) -> Vec<String> {
    let meta: Value = serde_json::from_str(META).unwrap();
    let validator = jsonschema::validator_for(&meta).unwrap();
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let table = ROUTES.iter().flat_map(|(path, methods)| {
        methods.iter().map(move |(verb, _)| format!("{} {}", verb.as_str(), route(path)))
    });
    let document = described();
    let paths = document["paths"].as_object().unwrap();
    let described = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys().map(|method| method.to_uppercase());
        methods.map(move |method| format!("{method} {}", route(path)))
    });
    assert_eq!(described.collect::<BTreeSet<_>>(), table.collect::<BTreeSet<_>>());
}

#[test]
fn it_is_what_the_specification_describes() {
    assert_eq!(complaints(&described()), Vec::<String>::new());
}

#[test]
fn what_the_specification_does_not_know_is_found() {
    let mut document = described();
    document["paths"]["/v1/shows"]["get"]["responses"]["200"]["descripton"] = "misspelt".into();
    document["info"]["title"] = 7.into();
    assert!(!complaints(&document).is_empty());
}

#[test]
fn every_reference_leads_somewhere_and_every_call_has_a_name_of_its_own() {
    fn walk<'v>(value: &'v Value, found: &mut Vec<&'v str>, key: &str) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get(key).and_then(Value::as_str));
                fields.values().for_each(|value| walk(value, found, key));
            }
            Value::Array(items) => items.iter().for_each(|value| walk(value, found, key)),
            _ => {}
        }
    }
    let document = described();
    let (mut references, mut names) = (Vec::new(), Vec::new());
    walk(&document, &mut references, "$ref");
    walk(&document["paths"], &mut names, "operationId");
    for reference in references {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
}
