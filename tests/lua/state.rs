//! Everything that an instance holds, as text that can be compared line by line.
//!
//! A path is the key without its braces (`c7:` left out, the concert of the tests), then for hashes and sorted sets
//! `/field`, for streams `/id`. Times near [`T`] read `T+500`.

use std::collections::BTreeMap;

use redis::{Connection, Value};

/// Where the clock of every test begins, ms.
pub(crate) const T: i64 = 1_900_000_000_000;

/// How far from [`T`] a number still reads as a time.
const NEAR: i64 = 1_000_000_000;

/// Path to value, of all keys but those of the preludes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State(BTreeMap<String, String>);

impl State {
    /// Reads all keys.
    pub(crate) fn read(connection: &mut Connection) -> Self {
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(connection).unwrap();
        let mut state = Self(BTreeMap::new());
        for key in keys.iter().filter(|key| !key.starts_with("{test}:")) {
            let kind: String = redis::cmd("TYPE").arg(key).query(connection).unwrap();
            state.read_key(connection, key, &kind);
        }
        state
    }

    fn read_key(&mut self, connection: &mut Connection, key: &str, kind: &str) {
        let path = key.trim_start_matches("{c7}:").replace(['{', '}'], "");
        let mut read = |command: &[&str]| -> Value {
            redis::cmd(command[0]).arg(key).arg(&command[1..]).query(connection).unwrap()
        };
        let value = match kind {
            "string" => {
                self.0.insert(path, text(&read(&["GET"])));
                return;
            }
            "hash" => read(&["HGETALL"]),
            "zset" => read(&["ZRANGE", "0", "-1", "WITHSCORES"]),
            "stream" => read(&["XRANGE", "-", "+"]),
            other => panic!("{key} is a {other}"),
        };
        let Value::Array(items) = value else { panic!("{key}: {value:?}") };
        if kind == "stream" {
            self.0.extend(items.iter().map(|entry| stream_entry(&path, entry)));
        } else {
            let pairs = items.chunks(2).map(|pair| (format!("{path}/{}", text(&pair[0])), text(&pair[1])));
            self.0.extend(pairs);
        }
    }

    /// The value at a path.
    pub(crate) fn get(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// All paths.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What is other in `after`: `path: value` for each that is new or changed, `path: gone`, in order of the paths.
    pub(crate) fn changes(&self, after: &Self) -> BTreeMap<String, String> {
        let gone = self.0.keys().filter(|path| !after.0.contains_key(*path));
        let mut changes: BTreeMap<_, _> = gone.map(|path| (path.clone(), "gone".to_owned())).collect();
        let set = after.0.iter().filter(|(path, value)| self.0.get(*path) != Some(value));
        changes.extend(set.map(|(path, value)| (path.clone(), value.clone())));
        changes
    }
}

/// An entry has one field, `e`.
fn stream_entry(path: &str, entry: &Value) -> (String, String) {
    let Value::Array(parts) = entry else { panic!("{path}: {entry:?}") };
    let [id, Value::Array(fields)] = parts.as_slice() else { panic!("{path}: {entry:?}") };
    assert_eq!(fields.len(), 2, "{path}: {entry:?}");
    assert_eq!(text(&fields[0]), "e", "{path}: {entry:?}");
    (format!("{path}/{}", text(id)), text(&fields[1]))
}

/// What Redis answered, as text: fields of a list separated by a space, a list in a list in brackets.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Nil => "nil".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        Value::SimpleString(text) => text.clone(),
        Value::Array(items) => {
            let item = |item: &Value| match item {
                Value::Array(_) => format!("[{}]", text(item)),
                Value::BulkString(bytes) if bytes.is_empty() => "''".to_owned(),
                _ => text(item),
            };
            items.iter().map(item).collect::<Vec<_>>().join(" ")
        }
        other => panic!("{other:?}"),
    }
}

/// `text` with each number near [`T`] told from there.
pub(crate) fn relative(text: &str) -> String {
    let mut told = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
        let (before, word) = rest.split_at(at);
        let end = word.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        told += before;
        told += &relative_word(word).unwrap_or_else(|| word.to_owned());
        rest = after;
    }
    told + rest
}

fn relative_word(word: &str) -> Option<String> {
    let offset = word.parse::<i64>().ok()? - T;
    let sign = if offset < 0 { '-' } else { '+' };
    match offset {
        _ if word.len() != 13 || offset.abs() > NEAR => None,
        0 => Some("T".to_owned()),
        _ => Some(format!("T{sign}{}", offset.abs())),
    }
}
