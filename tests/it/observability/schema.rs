//! Grafana's published schema (`schema/SCHEMA.md`): dashboards as a whole, and what each kind of panel may be told.
//!
//! In the schema of a dashboard a panel's options and custom fields are open; those of its kind close them.

use jsonschema::Validator;
use serde_json::{Value, json};

use super::{dashboards, panels, text};

/// The schemas, each compiled once.
struct Schemas {
    dashboard: Validator,
    /// By kind of panel: its options and, if it has any, its custom fields.
    panels: [(&'static str, Validator, Option<Validator>); 3],
}

fn validator(schema: &str) -> Validator {
    jsonschema::validator_for(&serde_json::from_str(schema).expect("JSON")).expect("a schema")
}

fn schemas() -> Schemas {
    let options = validator(include_str!("schema/timeseries-options.json"));
    let custom = validator(include_str!("schema/timeseries-custom.json"));
    let timeseries = ("timeseries", options, Some(custom));
    let options = validator(include_str!("schema/heatmap-options.json"));
    let custom = validator(include_str!("schema/heatmap-custom.json"));
    let heatmap = ("heatmap", options, Some(custom));
    let stat = ("stat", validator(include_str!("schema/stat-options.json")), None);
    let dashboard = validator(include_str!("schema/dashboard.json"));
    Schemas { dashboard, panels: [timeseries, heatmap, stat] }
}

fn complaints(dashboard: &Value, schemas: &Schemas) -> Vec<String> {
    let errors = |schema: &Validator, value: &Value| -> Vec<String> {
        schema.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
    };
    let mut found = errors(&schemas.dashboard, dashboard);
    for panel in panels(dashboard) {
        let kind = text(&panel["type"]);
        let Some((_, options, custom)) = schemas.panels.iter().find(|(name, ..)| *name == kind) else {
            found.push(format!("{kind}: its schema is not here"));
            continue;
        };
        let mut closed = errors(options, &panel["options"]);
        let told = &panel["fieldConfig"]["defaults"]["custom"];
        match custom {
            Some(custom) if !told.is_null() => closed.extend(errors(custom, told)),
            None if !told.is_null() => closed.push("it has no custom fields".to_owned()),
            _ => {}
        }
        found.extend(closed.into_iter().map(|says| format!("{}: {says}", text(&panel["title"]))));
    }
    found
}

#[test]
fn dashboards_are_what_grafana_publishes() {
    let schemas = schemas();
    let found = dashboards().into_iter().flat_map(|(name, dashboard)| {
        let found = complaints(&dashboard, &schemas);
        found.into_iter().map(move |says| format!("{name}: {says}"))
    });
    assert_eq!(found.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn what_the_schema_does_not_know_is_found() {
    let schemas = schemas();
    let sound = dashboards().remove(0).1;
    let series = sound["panels"].as_array().unwrap().iter().position(|panel| panel["type"] == "timeseries");
    let series = format!("/panels/{}", series.expect("a panel of lines"));
    for (pointer, key, value) in [
        ("", "titel", json!("Onsale")),
        ("", "schemaVersion", json!("41")),
        ("/time", "until", json!("now")),
        ("/templating/list/1", "type", json!("queries")),
        ("/templating/list/1", "definition", json!("x")),
        ("/panels/1", "descripton", json!("x")),
        ("/panels/1/gridPos", "w", json!("4")),
        ("/panels/1/fieldConfig/defaults", "units", json!("s")),
        ("/panels/1/options", "graphMode", json!("lines")),
        ("/panels/1/fieldConfig/defaults", "custom", json!({"lineWidth": 1})),
        (&series, "type", json!("graph")),
        (&format!("{series}/options/legend"), "showLegends", json!(true)),
        (&format!("{series}/fieldConfig/defaults/custom"), "lineWidht", json!(1)),
    ] {
        let mut broken = sound.clone();
        broken.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}"))[key] = value;
        assert!(!complaints(&broken, &schemas).is_empty(), "{pointer}/{key}");
    }
}

#[test]
fn the_schema_is_that_of_the_grafana_that_compose_runs() {
    let compose = include_str!("../../../docker-compose.yml");
    let image = compose.split("image: grafana/grafana:").nth(1).expect("compose runs Grafana");
    let version = image.lines().next().expect("a tag");
    let source = include_str!("schema/SCHEMA.md");
    assert!(source.contains(&format!("@grafana/schema@{version} ")), "{version}");
}
