//! References that `utoipa` does not make: without them a generated client has a type for each call and status.

use serde_json::{Map, Value, json};

const SCHEMAS: &str = "#/components/schemas/";

/// Says with references what the document repeats.
pub(super) fn shorten(document: &mut Value) {
    beside(&mut document["paths"]);
    if let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") {
        pages(schemas);
    }
}

/// `allOf` of a reference and an object becomes a reference with the object's words beside it, which JSON Schema
/// knows since 2019-09: validators read both, generators the reference.
fn beside(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::Array(both)) = fields.get("allOf")
                && let [Value::Object(reference), Value::Object(object)] = both.as_slice()
                && reference.contains_key("$ref")
            {
                let merged: Map<_, _> = reference.clone().into_iter().chain(object.clone()).collect();
                *fields = merged;
            }
            fields.values_mut().for_each(beside);
        }
        Value::Array(items) => items.iter_mut().for_each(beside),
        _ => {}
    }
}

/// `List_ShowItem` is a list of `ShowItem`.
fn pages(schemas: &mut Map<String, Value>) {
    let names: Vec<String> = schemas.keys().cloned().collect();
    for (name, schema) in schemas.iter_mut() {
        let item = name.strip_prefix("List_").filter(|item| names.iter().any(|known| known == item));
        if let (Some(item), Some(items)) = (item, schema.pointer_mut("/properties/items/items")) {
            *items = json!({ "$ref": format!("{SCHEMAS}{item}") });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_repeated_becomes_a_reference() {
        let reference = |name| json!({ "$ref": format!("{SCHEMAS}{name}") });
        let list = json!({ "properties": { "items": { "items": { "type": "object" } } } });
        let both = json!({ "allOf": [reference("Problem"), { "required": ["code"] }] });
        let mut document = json!({
            "paths": { "/a": { "get": [both] } },
            "components": { "schemas": { "A": {}, "List_A": list, "List_B": list } },
        });
        shorten(&mut document);
        let path = &document["paths"]["/a"]["get"][0];
        assert_eq!(*path, json!({ "$ref": format!("{SCHEMAS}Problem"), "required": ["code"] }));
        let items = |name: &str| &document["components"]["schemas"][name]["properties"]["items"]["items"];
        assert_eq!(*items("List_A"), reference("A"));
        assert_eq!(*items("List_B"), json!({ "type": "object" }));
    }
}
