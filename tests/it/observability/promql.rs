//! As much of Prometheus's language as it takes to say which series an expression asks for. Prometheus itself checks the rest.

/// Words that name no series.
const KEYWORDS: [&str; 10] =
    ["and", "or", "unless", "offset", "bool", "inf", "nan", "group_left", "group_right", "atan2"];
const GROUPINGS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// A series that an expression asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Selector {
    pub(super) name: String,
    /// Labels that are matched, each with the value or the pattern.
    pub(super) labels: Vec<(String, String)>,
    /// Whether it is asked for over a time, as `[5m]`.
    pub(super) ranged: bool,
}

/// What an expression names.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) selectors: Vec<Selector>,
    /// Labels that it groups or joins by.
    pub(super) groupings: Vec<String>,
}

/// Reads an expression.
pub(super) fn named(expression: &str) -> Named {
    let mut named = Named::default();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            rest = after(&rest[1..], '"');
        } else if first.is_ascii_digit() {
            // Durations too: no word begins with a digit.
            rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.');
        } else if is_word(first) {
            let (word, behind) = split_word(rest);
            rest = read_word(word, behind, &mut named);
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    named
}

/// Takes note of a word and of what belongs to it. Answers what is left.
fn read_word<'a>(word: &str, behind: &'a str, named: &mut Named) -> &'a str {
    let next = behind.trim_start();
    if GROUPINGS.contains(&word) && next.starts_with('(') {
        let (inside, left) = next[1..].split_once(')').expect("parentheses are closed");
        named.groupings.extend(inside.split(',').map(|label| label.trim().to_owned()));
        return left;
    }
    let groups = GROUPINGS.contains(&split_word(next).0);
    if KEYWORDS.contains(&word.to_ascii_lowercase().as_str()) || next.starts_with('(') || groups {
        return behind;
    }
    let mut selector = Selector { name: word.to_owned(), ..Selector::default() };
    let mut left = behind;
    if let Some(matchers) = left.strip_prefix('{') {
        left = read_matchers(matchers, &mut selector.labels);
    }
    if let Some(range) = left.strip_prefix('[') {
        selector.ranged = true;
        left = after(range, ']');
    }
    named.selectors.push(selector);
    left
}

/// The names in front of `=`, `!=`, `=~`, `!~`, up to the closing brace. Answers what is behind it.
fn read_matchers<'a>(matchers: &'a str, labels: &mut Vec<(String, String)>) -> &'a str {
    let mut rest = matchers;
    loop {
        rest = rest.trim_start_matches([',', ' ', '\n']);
        if let Some(behind) = rest.strip_prefix('}') {
            return behind;
        }
        let (label, behind) = split_word(rest);
        assert!(!label.is_empty(), "a label is missing: {matchers}");
        let (value, behind) = after(behind, '"').split_once('"').expect("quotes are closed");
        labels.push((label.to_owned(), value.to_owned()));
        rest = behind;
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

fn split_word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c| !is_word(c)).unwrap_or(text.len()))
}

fn after(text: &str, end: char) -> &str {
    text.split_once(end).unwrap_or_else(|| panic!("{end} is missing: {text}")).1
}

#[test]
fn series_are_told_from_functions_labels_and_words() {
    let expression =
        r#"sum by (a, b) (rate(x_total{c=~"d|e}",f!="g"}[5m])) / on (a) (h:i:j > 1.5e3) or 0 * up offset 5m"#;
    let named = named(expression);
    let selector = |name: &str, labels: &[(&str, &str)], ranged| Selector {
        name: name.to_owned(),
        labels: labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect(),
        ranged,
    };
    let expected = [
        selector("x_total", &[("c", "d|e}"), ("f", "g")], true),
        selector("h:i:j", &[], false),
        selector("up", &[], false),
    ];
    assert_eq!(named.selectors, expected);
    assert_eq!(named.groupings, ["a", "b", "a"]);
}
