//! `docker-compose.yml` as compose reads it: merge keys applied, variables replaced by their values or defaults.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A whole file.
#[derive(Debug)]
pub(super) struct Compose(pub(super) Value);

/// One service of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Service<'a> {
    pub(super) name: &'a str,
    value: &'a Value,
}

/// What a service waits for.
#[derive(Debug)]
pub(super) struct Dependency<'a> {
    pub(super) on: &'a str,
    pub(super) condition: &'a str,
    pub(super) is_required: bool,
}

/// Something of the host, or a volume, in a service's file system.
#[derive(Debug)]
pub(super) struct Mount<'a> {
    pub(super) source: &'a str,
    pub(super) target: &'a str,
    pub(super) is_read_only: bool,
}

impl Compose {
    /// Reads `text` with these variables; all others have their defaults.
    pub(super) fn parse(text: &str, variables: &[(&str, &str)]) -> Self {
        let value = serde_norway::from_str(&interpolated(text, variables)).expect("it is YAML");
        Self(merged(value))
    }

    pub(super) fn services(&self) -> impl Iterator<Item = Service<'_>> {
        let services = self.0["services"].as_object().expect("there are services");
        services.iter().map(|(name, value)| Service { name, value })
    }

    pub(super) fn service(&self, name: &str) -> Service<'_> {
        let found = self.services().find(|service| service.name == name);
        found.unwrap_or_else(|| panic!("there is no service {name}"))
    }

    /// The names below a top-level key like `volumes`.
    pub(super) fn names(&self, key: &str) -> Vec<&str> {
        self.0[key].as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect()
    }
}

impl<'a> Service<'a> {
    pub(super) fn get(&self, key: &str) -> &'a Value {
        &self.value[key]
    }

    pub(super) fn text(&self, key: &str) -> &'a str {
        self.value[key].as_str().unwrap_or("")
    }

    /// The strings in a list, or the keys of a mapping.
    pub(super) fn list(&self, key: &str) -> Vec<&'a str> {
        match &self.value[key] {
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
            Value::Object(items) => items.keys().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// Ends by itself: it is not started again and others may wait for its end.
    pub(super) fn is_one_shot(&self) -> bool {
        self.text("restart") == "no"
    }

    /// Its command, word by word.
    pub(super) fn command(&self) -> Vec<String> {
        match &self.value["command"] {
            Value::String(line) => words(line),
            _ => self.list("command").into_iter().map(str::to_owned).collect(),
        }
    }

    pub(super) fn environment(&self) -> BTreeMap<String, String> {
        let variables = self.value["environment"].as_object().into_iter().flatten();
        variables
            .map(|(name, value)| {
                (name.clone(), value.as_str().expect("a quoted value: YAML has views on numbers").to_owned())
            })
            .collect()
    }

    pub(super) fn depends_on(&self) -> Vec<Dependency<'a>> {
        let dependencies = self.value["depends_on"].as_object().into_iter().flatten();
        dependencies
            .map(|(on, how)| Dependency {
                on,
                condition: how["condition"].as_str().unwrap_or(""),
                is_required: how["required"].as_bool().unwrap_or(true),
            })
            .collect()
    }

    pub(super) fn mounts(&self) -> Vec<Mount<'a>> {
        let mounts = self.list("volumes").into_iter();
        mounts
            .map(|mount| {
                let mut parts = mount.split(':');
                let mut next = || parts.next().unwrap_or("");
                Mount { source: next(), target: next(), is_read_only: next() == "ro" }
            })
            .collect()
    }

    /// The words of its health check behind CMD or CMD-SHELL, unless it has none.
    pub(super) fn health_check(&self) -> Option<Vec<&'a str>> {
        let check = &self.value["healthcheck"];
        let words = check["test"].as_array()?.iter().skip(1).filter_map(Value::as_str);
        (check["disable"] != true).then(|| words.collect())
    }
}

/// Replaces `${NAME:-default}`; every variable must have a default, so that the file stands by itself.
fn interpolated(text: &str, variables: &[(&str, &str)]) -> String {
    let mut parts = text.split("${");
    let mut result = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let (variable, rest) = part.split_once('}').expect("each brace is closed");
        let (name, default) = variable.split_once(":-").expect("each variable has a default");
        let given = variables.iter().find(|(given, _)| *given == name);
        result += given.map_or(default, |(_, value)| value);
        result += rest;
    }
    result
}

/// Applies `<<` wherever it stands.
fn merged(value: Value) -> Value {
    match value {
        Value::Object(mut own) => {
            if let Some(Value::Object(below)) = own.remove("<<").map(merged) {
                for (key, value) in below {
                    own.entry(key).or_insert(value);
                }
            }
            Value::Object(own.into_iter().map(|(key, value)| (key, merged(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(merged).collect()),
        other => other,
    }
}

/// A command line as compose takes it apart: at spaces outside of quotes.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut quote, mut is_within) = (None, false);
    for letter in line.chars() {
        if quote.is_none() && letter.is_whitespace() {
            is_within = false;
            continue;
        }
        if !is_within {
            words.push(String::new());
            is_within = true;
        }
        match quote {
            Some(open) if open == letter => quote = None,
            None if letter == '"' || letter == '\'' => quote = Some(letter),
            _ => words.last_mut().expect("one has just begun").push(letter),
        }
    }
    words
}

#[test]
fn a_file_is_read_as_compose_reads_it() {
    let text = "x-a: &a { p: 1, q: 2 }\nx-b: &b { <<: *a, q: 3 }\nservices:\n  s: { <<: *b, command: r ${N:-a  \"\" 'b c'} }";
    let compose = Compose::parse(text, &[]);
    let service = compose.service("s");
    assert_eq!((service.get("p").as_i64(), service.get("q").as_i64()), (Some(1), Some(3)));
    assert_eq!(service.command(), ["r", "a", "", "b c"]);
    assert_eq!(Compose::parse(text, &[("N", "--dev")]).service("s").command(), ["r", "--dev"]);
}
