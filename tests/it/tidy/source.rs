//! Source files, and Rust text without what is not code.

use std::fs;
use std::path::Path;

use super::root;

/// A file of the repository.
#[derive(Debug)]
pub(super) struct File {
    /// From the root of the repository, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

impl File {
    pub(super) fn lines(&self) -> usize {
        self.text.lines().count()
    }
}

/// All files below these folders with one of these extensions, in order of their paths.
pub(super) fn files(folders: &[&str], extensions: &[&str]) -> Vec<File> {
    let mut files = Vec::new();
    for folder in folders {
        collect(&root().join(folder), extensions, &mut files);
    }
    assert!(!files.is_empty(), "{folders:?} hold no {extensions:?}");
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

fn collect(folder: &Path, extensions: &[&str], files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, extensions, files);
        } else if path.extension().is_some_and(|extension| extensions.iter().any(|known| extension == *known))
        {
            let text = fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
            files.push(File { path, text });
        }
    }
}

/// Rust text with comments, strings and characters blanked, line breaks kept.
pub(super) fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let length = blank_length(rest, code.chars().next_back());
        if length == 0 {
            code.push(next);
            rest = &rest[next.len_utf8()..];
        } else {
            let (blank, after) = rest.split_at(length);
            code.extend(blank.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = after;
        }
    }
    code
}

/// Bytes of the comment or literal that `rest` begins with; 0 if it begins with code.
fn blank_length(rest: &str, before: Option<char>) -> usize {
    let until =
        |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    let within_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return until("*/", 2);
    }
    if let Some(raw) = rest.strip_prefix('r').filter(|_| !within_word || before == Some('b')) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            return until(&format!("\"{}", "#".repeat(hashes)), hashes + 2);
        }
    }
    match rest.chars().next() {
        Some('"') => escaped_length(rest, '"'),
        Some('\'') if is_character(rest) => escaped_length(rest, '\''),
        _ => 0,
    }
}

/// A character, not a lifetime.
fn is_character(rest: &str) -> bool {
    let mut chars = rest.chars().skip(1);
    match chars.next() {
        Some('\\') => true,
        Some(_) => chars.next() == Some('\''),
        None => false,
    }
}

fn escaped_length(rest: &str, end: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if c == end && !escaped {
            return at + c.len_utf8();
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}

/// Code without the items behind `#[cfg(test)]`.
pub(super) fn production(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        let (before, test) = rest.split_at(at);
        kept += before;
        rest = &test[item_length(test)..];
    }
    kept + rest
}

/// Bytes up to the end of an item: its `;`, or the brace that closes its first one.
fn item_length(item: &str) -> usize {
    // The attribute is balanced as well.
    let mut depth = 0_u32;
    for (at, c) in item.char_indices() {
        match c {
            ';' if depth == 0 => return at + 1,
            '{' | '[' | '(' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' | ']' | ')' => depth -= 1,
            _ => {}
        }
    }
    item.len()
}

/// Whether `word` stands in `code` as a whole word in front of `::` or `;`, or behind `use `, as the name of a crate does.
pub(super) fn names_crate(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = &code[at + word.len()..];
        let is_start = before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':' && c != '.');
        is_start
            && (after.starts_with("::")
                || (after.starts_with([';', ',', '}']) && code[..at].ends_with("use ")))
    })
}

#[test]
fn code_is_what_no_comment_or_literal_says() {
    let text = "a // b\n/* c */ d \"e\\\" // f\" 'g' '\\'' <'h> r#\"i\"j\"# k b\"l\" for_r m";
    let words: Vec<_> = code(text).split_whitespace().map(str::to_owned).collect();
    assert_eq!(words, ["a", "d", "<'h>", "k", "b", "for_r", "m"]);
}

#[test]
fn production_ends_where_tests_begin_and_goes_on_behind_them() {
    let text = "a; #[cfg(test)] fn a() -> [u8; 1] { let b; c } d; #[cfg(test)] use e; f";
    assert_eq!(production(text).split_whitespace().collect::<Vec<_>>(), ["a;", "d;", "f"]);
}

#[test]
fn a_crate_is_named_at_the_head_of_a_path() {
    for code in ["redis::cmd()", "use redis::Value;", "use redis;", "(redis::Value)"] {
        assert!(names_crate(code, "redis"), "{code}");
    }
    for code in ["config.redis.url", "bb8_redis::bb8", "redis: Redis", "crate::redis::x", "redis_server::x"] {
        assert!(!names_crate(code, "redis"), "{code}");
    }
}
