//! Lays TOML tables over each other: tables are merged key by key, everything else is replaced.

use toml::{Table, Value};

use super::{Error, environment::PREFIX};

/// Parses one layer; `origin` names it in the error. The error names the line without showing it: a password may stand
/// there.
pub(super) fn parse(origin: &str, text: &str) -> Result<Table, Error> {
    text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
        let line = before.matches('\n').count() + 1;
        Error::Parse { origin: origin.to_owned(), message: format!("line {line}: {}", error.message()) }
    })
}

/// Lays `upper` over `lower`.
pub(super) fn merge(lower: &mut Table, upper: Table) {
    for (key, value) in upper {
        match (lower.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => {
                lower.insert(key, value);
            }
        }
    }
}

/// Lays variables like `ONSALE__REDIS__URL` over `lower`. Names are matched in lower case.
pub(super) fn merge_environment(
    lower: &mut Table,
    settings: impl IntoIterator<Item = (String, String)>,
) -> Result<(), Error> {
    for (name, text) in settings {
        let Some(path) = name.strip_prefix(PREFIX) else {
            continue;
        };
        set(lower, &path.to_ascii_lowercase(), &text)
            .map_err(|message| Error::Parse { origin: name, message })?;
    }
    Ok(())
}

fn set(table: &mut Table, path: &str, text: &str) -> Result<(), String> {
    let (folders, key) = path.rsplit_once("__").unwrap_or(("", path));
    let mut table = table;
    for folder in folders.split("__").filter(|folder| !folder.is_empty()) {
        let below = table.entry(folder).or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(below) = below else {
            return Err(format!("`{folder}` has no keys"));
        };
        table = below;
    }
    let value = scalar(table.get(key), text);
    table.insert(key.to_owned(), value);
    Ok(())
}

/// The value that `text` spells in TOML, else the text itself. Where a string stands already it stays one: a password
/// or an issuer may consist of digits.
fn scalar(below: Option<&Value>, text: &str) -> Value {
    let as_text = || Value::String(text.to_owned());
    if matches!(below, Some(Value::String(_))) {
        return as_text();
    }
    let parsed = format!("value = {text}").parse::<Table>().ok().filter(|table| table.len() == 1);
    parsed.and_then(|mut table| table.remove("value")).unwrap_or_else(as_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(base: &str, name: &str, text: &str) -> Table {
        let mut table = parse("test", base).unwrap();
        merge_environment(&mut table, [(name.to_owned(), text.to_owned())]).unwrap();
        table
    }

    #[test]
    fn a_variable_is_parsed_as_toml_and_falls_back_to_a_string() {
        assert_eq!(after("", "ONSALE__A__B", "5")["a"]["b"].as_integer(), Some(5));
        assert_eq!(after("", "ONSALE__A__B", "true")["a"]["b"].as_bool(), Some(true));
        assert_eq!(after("", "ONSALE__A__B", "[\"x\"]")["a"]["b"].as_array().unwrap().len(), 1);
        assert_eq!(after("", "ONSALE__A__B", "redis://h")["a"]["b"].as_str(), Some("redis://h"));
        assert_eq!(after("", "ONSALE__A__B", "1\nc = 2")["a"]["b"].as_str(), Some("1\nc = 2"));
    }

    #[test]
    fn a_string_stays_a_string() {
        assert_eq!(after("[a]\nb = ''", "ONSALE__A__B", "123")["a"]["b"].as_str(), Some("123"));
    }

    #[test]
    fn other_variables_are_passed_over_and_other_keys_stay() {
        let table = after("[a]\nb = 1\nc = 2", "ONSALE__A__C", "3");
        assert_eq!((table["a"]["b"].as_integer(), table["a"]["c"].as_integer()), (Some(1), Some(3)));
        assert_eq!(after("", "ONSALE_CONFIG", "x").len(), 0);
    }

    #[test]
    fn a_variable_below_a_value_is_an_error() {
        let mut table = parse("test", "a = 1").unwrap();
        let below = merge_environment(&mut table, [("ONSALE__A__B".to_owned(), "1".to_owned())]);
        assert_eq!(below.unwrap_err().to_string(), "ONSALE__A__B: `a` has no keys");
    }
}
