//! Lists: `limit`, `cursor` and the envelope around a page.

use std::str::FromStr;

use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use super::query;
use super::request::Request;

const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 200;
/// A cursor of ours is far shorter: bounds what is handed to MySQL.
const CURSOR_BYTES_MAX: usize = 256;

/// What a client asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// 1 to 200.
    pub(crate) limit: u32,
    /// As an earlier answer gave it.
    pub(crate) cursor: Option<String>,
}

/// A page of a list.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct List<T> {
    pub(crate) items: Vec<T>,
    /// For the next page; null on the last.
    #[schema(required = true)]
    pub(crate) next_cursor: Option<String>,
}

/// Reads `limit` and `cursor`.
pub(crate) fn asked(request: &Request) -> Result<Asked, Problem> {
    let limit = match query::parameter(request, "limit")? {
        None => LIMIT_DEFAULT,
        Some(text) => limit(&text)?,
    };
    let cursor = query::parameter(request, "cursor")?;
    if cursor.as_ref().is_some_and(|cursor| cursor.len() > CURSOR_BYTES_MAX) {
        return Err(invalid_cursor());
    }
    Ok(Asked { limit, cursor })
}

fn limit(text: &str) -> Result<u32, Problem> {
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| Problem::field("limit", "Expected an integer from 1 to 200."))
}

/// The cursor of a list that MySQL holds.
pub(crate) fn parsed_cursor<T: FromStr>(asked: &Asked) -> Result<Option<T>, Problem> {
    let parse = |cursor: &str| cursor.parse().map_err(|_| invalid_cursor());
    asked.cursor.as_deref().map(parse).transpose()
}

/// The answer to a cursor that no answer gave.
fn invalid_cursor() -> Problem {
    Problem::field("cursor", "Not a cursor of this list.")
}

/// One page of a list that lies in memory. Its cursor is how many came before, so a list that only grows at its
/// end repeats and misses nothing.
pub(crate) fn cut<T>(all: impl Iterator<Item = T>, asked: &Asked) -> Result<List<T>, Problem> {
    let skip: usize = match asked.cursor.as_deref() {
        None => 0,
        Some(cursor) => {
            let digits = cursor.strip_prefix('n').ok_or_else(invalid_cursor)?;
            digits.parse().map_err(|_| invalid_cursor())?
        }
    };
    let limit = asked.limit as usize;
    let mut rest = all.skip(skip);
    let items: Vec<T> = rest.by_ref().take(limit).collect();
    let more = rest.next().is_some();
    let next_cursor = more.then(|| format!("n{}", skip + limit));
    Ok(List { items, next_cursor })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let mut cursor = None;
        let mut seen = Vec::new();
        loop {
            let page = cut(0..5, &Asked { limit: 2, cursor }).unwrap();
            seen.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn what_is_no_limit_or_cursor_is_named() {
        for text in ["0", "201", "-1", "x", ""] {
            assert!(limit(text).is_err(), "{text}");
        }
        assert_eq!(limit("200").unwrap(), 200);
        let cursor = Some("x".to_owned());
        assert!(cut(0..5, &Asked { limit: 2, cursor }).is_err());
    }
}
