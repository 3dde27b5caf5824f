//! Query parameters: each at most once, percent-decoded, named in the problem when wrong.

use percent_encoding::percent_decode_str;

use super::problem::Problem;
use super::request::Request;
use crate::domain::time::Millis;

/// A parameter of the query, if there is one. `+` stands for itself, so that `+09:00` needs no escape.
pub(crate) fn parameter(request: &Request, name: &'static str) -> Result<Option<String>, Problem> {
    find(&request.query, name).map_err(|detail| Problem::field(name, detail))
}

/// A parameter that is `true` or `false`; absent: `false`.
pub(crate) fn flag(request: &Request, name: &'static str) -> Result<bool, Problem> {
    match parameter(request, name)?.as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Problem::field(name, "Expected true or false.")),
    }
}

/// A parameter that is a point in time.
pub(crate) fn time(request: &Request, name: &'static str) -> Result<Option<Millis>, Problem> {
    let Some(text) = parameter(request, name)? else {
        return Ok(None);
    };
    let time = Millis::from_rfc3339(&text);
    time.map(Some).ok_or_else(|| Problem::field(name, "Expected a time such as 2026-05-29T15:30:00Z."))
}

fn find(query: &str, name: &str) -> Result<Option<String>, &'static str> {
    let mut found = None;
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if key != name {
            continue;
        }
        if found.is_some() {
            return Err("The parameter appears more than once.");
        }
        let value = percent_decode_str(value).decode_utf8();
        found = Some(value.map_err(|_| "The parameter is not UTF-8.")?.into_owned());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_decoded_and_alone() {
        let query = "a=1&from=2026-01-01T00:00:00+09:00&b=%EA%B0%80&empty&c=1&c=2&bad=%ff";
        let get = |name| find(query, name);
        assert_eq!(get("from").unwrap().unwrap(), "2026-01-01T00:00:00+09:00");
        assert_eq!(get("b").unwrap().unwrap(), "가");
        assert_eq!(get("empty").unwrap().unwrap(), "");
        assert_eq!(get("none").unwrap(), None);
        assert!(get("c").is_err() && get("bad").is_err());
    }
}
