//! One schema for each type of event, which says all that is told and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use onsale::domain::cloud_event::{TYPES, told};
use onsale::domain::event::{Entry, LogKind};
use onsale::domain::ids::{ConcertId, LogName, Mark};
use serde_json::Value;

fn schemas() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/events");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|kind| kind == "json"));
    let read = |path: std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap())
    };
    files.map(read).collect()
}

/// What is wrong with an event by the schema of its type.
fn complaints(schemas: &BTreeMap<String, Value>, event: &Value) -> Vec<String> {
    let Some(schema) = schemas.get(event["type"].as_str().unwrap_or_default()) else {
        return vec![format!("no schema for {event}")];
    };
    let validator = jsonschema::draft202012::options().should_validate_formats(true).build(schema).unwrap();
    let mut found: Vec<_> = validator.iter_errors(event).map(|error| format!("{error} in {event}")).collect();
    for (told, known) in
        [(event, &schema["properties"]), (&event["data"], &schema["properties"]["data"]["properties"])]
    {
        let strange = told.as_object().unwrap().keys().filter(|name| known.get(name.as_str()).is_none());
        found.extend(strange.map(|name| format!("the schema does not name {name} of {event}")));
    }
    found
}

/// Panics unless every event is as the schema of its type says.
pub(crate) fn hold<'a>(events: impl Iterator<Item = &'a Value>) {
    let schemas = schemas();
    let found: Vec<_> = events.flat_map(|event| complaints(&schemas, event)).collect();
    assert_eq!(found, Vec::<String>::new());
}

/// One of each event that logs may hold.
fn one_of_each() -> Vec<Value> {
    let id = "00000000000000000007";
    let concert = format!(
        "opened 000000000000feed 0\nshow 12 10 1\ncatalog 2\npolicy 3 16:{{\"paused\":false}}\njoined 4 1:u\n\
         admitted 4 1:u 1780000600000 0\nadmitted 4 1:u 1780000600000 1780000060000\nclaimed 4 1:u\n\
         stretched 4 1:u 1780000600000\nended 4 1:u unclaimed\nheld {id} 12 1:u 5 1780000300000 3 7:5 0: -\n\
         released {id} 12 1:u 7:5 user\nexpired {id} 12 1:u 7:5\npaid {id} 12 1:u {id} 5 0 7:5 0: -\n\
         refunded {id} 12 1:u {id} 5 5 7:5 7:5 refunded 0: -\nblocked 12 7,8 0: -\nunblocked 12 8 0: -\ncancelled 12 4:rain\n\
         cancelled 13 0:\nextended {id} 12 1:u 1780000300000\nauthorising {id} 12 1:u {id} 5 0: -\n\
         authorised {id} 12 1:u {id} 5 0 7:5 0: -\nvoiding {id} 12 1:u {id} declined\ncaptured {id} 12 1:u {id}\n\
         voided {id} 12 1:u {id}\nrefunding {id} 12 1:u {id} 5 5 7:5 7:5 refunded 0: - {id} 5\n\
         returned {id} 12 1:u {id} {id} 5\nrefused {id} 12 1:u {id} {id} 5\n"
    );
    let wallet =
        format!("charged {id} 1:u 5 5 0: -\npaid {id} 1:u 7 12 {id} 5 0\nrefunded {id} 1:u 7 12 {id} 5 5\n");
    let head = "1 00000000000000aa 00000000000000a9 1780000000000\n";
    let logs = [
        (LogName::Concert(ConcertId(7)), LogKind::Concert, concert),
        (LogName::Wallet(3), LogKind::Wallet, wallet),
    ];
    let mut events = Vec::new();
    for (log, kind, lines) in logs {
        let text = format!("{head}{lines}");
        let entry = Entry::decode(kind, &text).unwrap();
        let told = told(log, Mark(0xfeed), 9, &entry, &|_, _| Some("A-1-8".to_owned())).unwrap();
        events.extend(told.iter().map(|event| serde_json::to_value(event).unwrap()));
    }
    events
}

#[test]
fn each_type_has_a_schema_and_keeps_to_it() {
    let types: BTreeSet<_> = TYPES.iter().map(|kind| (*kind).to_owned()).collect();
    assert_eq!(schemas().into_keys().collect::<BTreeSet<_>>(), types);
    let events = one_of_each();
    let told: BTreeSet<_> = events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told, types);
    hold(events.iter());
}

#[test]
fn what_a_schema_does_not_say_is_found() {
    let event = one_of_each().into_iter().find(|event| event["type"] == "payment.succeeded").unwrap();
    let found = |change: &dyn Fn(&mut Value)| {
        let mut event = event.clone();
        change(&mut event);
        complaints(&schemas(), &event).len()
    };
    assert_eq!(found(&|_| ()), 0);
    assert_eq!(found(&|event| event["type"] = "payment.lost".into()), 1);
    assert_eq!(found(&|event| event["data"]["amount"] = "5".into()), 1);
    assert_eq!(found(&|event| event["data"]["card"] = "4000".into()), 1);
    assert_eq!(found(&|event| event["time"] = "yesterday".into()), 1);
}
