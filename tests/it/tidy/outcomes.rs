//! One spelling for each outcome: what a script's header promises, what it returns, what the store reads.

use std::collections::BTreeSet;

use onsale::domain::outcome::InvalidReason;

use super::read;
use super::source::files;
use crate::lua::script::{Prelude, join, source, verbs};

/// What replies hold besides outcomes.
const REPLY: [&str; 3] = ["ok", "log_lost", "wallet"];

/// What the store takes for a fault: seats only ever grow in MySQL, so no call of ours can get it.
const FAULTS: [&str; 1] = ["too_few_seats"];

type Names = BTreeSet<String>;

fn quoted(text: &str, before: &str, quote: char) -> Names {
    let starts = text.match_indices(before).map(|(at, _)| &text[at + before.len()..]);
    let ends = starts.filter_map(|rest| rest.split_once(quote).map(|(name, _)| name.to_owned()));
    ends.filter(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')).collect()
}

/// The names in the OUTCOMES of a header.
fn promised(source: &str) -> Names {
    let (_, rest) = source.split_once("\n-- OUTCOMES").unwrap();
    let (outcomes, _) = rest.split_once("\n-- INCLUDES").unwrap();
    let rows = outcomes.lines().filter(|line| line.starts_with("--   { "));
    rows.flat_map(|row| quoted(row, "--   { '", '\'')).collect()
}

fn without_comments(lua: &str) -> String {
    lua.lines().filter(|line| !line.trim_start().starts_with("--")).collect::<Vec<_>>().join("\n")
}

/// The names that a verb itself puts at the head of a table that it returns or assigns.
fn returned(source: &str) -> Names {
    // A line of the log is made in such a table, too, and is none.
    quoted(&without_comments(source).replace("concat({ '", "("), "{ '", '\'')
}

/// Outcomes that are refusals: `Refusal::name`.
fn refusals() -> Names {
    let text = read("src/domain/outcome.rs");
    quoted(text.split_once("impl Refusal").unwrap().1, "=> \"", '"')
}

/// Names that the store compares outcomes with.
fn compared() -> Names {
    let mut names = Names::new();
    for file in files(&["src/store"], &["rs"]) {
        for before in ["name()? == \"", "name == \"", "name != \"", "only_outcome(&decided, \""] {
            names.extend(quoted(&file.text, before, '"'));
        }
        for arms in file.text.split("match outcome.name()").skip(1) {
            // Up to the arm of all others; a pattern stands in front of its arrow.
            let (arms, _) = arms.split_once("_ =>").or_else(|| arms.split_once("other =>")).unwrap();
            let patterns = arms.split("=>").filter_map(|part| part.rsplit(['\n', ',', '{']).next());
            names.extend(patterns.flat_map(|pattern| quoted(pattern, "\"", '"')));
        }
    }
    names
}

/// Every outcome that the header of a script promises.
pub(crate) fn all_promised() -> Names {
    verbs().iter().flat_map(|verb| promised(&source(verb))).collect()
}

#[test]
fn headers_name_the_outcomes_of_their_scripts() {
    for verb in verbs() {
        let (header, own) = (promised(&source(&verb)), returned(&source(&verb)));
        assert!(!header.is_empty(), "{verb}");
        let unnamed: Vec<_> = own.iter().filter(|name| !header.contains(*name) && !is_reply(name)).collect();
        assert!(unnamed.is_empty(), "{verb} returns {unnamed:?}, which its header does not name");
        let joined = without_comments(&join(&verb, Prelude::None));
        let absent: Vec<_> = header.iter().filter(|name| !joined.contains(&format!("'{name}'"))).collect();
        assert!(absent.is_empty(), "{verb} does not return {absent:?}");
    }
}

fn is_reply(name: &str) -> bool {
    REPLY.contains(&name)
}

#[test]
fn the_store_reads_what_scripts_answer() {
    let store: String = files(&["src/store"], &["rs"]).into_iter().map(|file| file.text).collect();
    let promised = all_promised();
    let known = |name: &&String| {
        store.contains(&format!("\"{name}\"")) || is_reply(name) || FAULTS.contains(&name.as_str())
    };
    let unread: Vec<_> = promised.iter().filter(|name| !known(name)).collect();
    assert!(unread.is_empty(), "no outcome of the store is spelled {unread:?}");
    let refusals = refusals();
    assert!(refusals.len() > 10, "{refusals:?}");
    let strangers: Vec<_> = refusals.iter().filter(|name| !promised.contains(*name)).collect();
    assert!(strangers.is_empty(), "no script answers {strangers:?}");
    let compared = compared();
    assert!(
        ["waiting", "admitted", "exists", "kept"].iter().all(|name| compared.contains(*name)),
        "{compared:?}"
    );
    let strangers: Vec<_> =
        compared.iter().filter(|name| !promised.contains(*name) && !is_reply(name)).collect();
    assert!(strangers.is_empty(), "no script answers {strangers:?}");
}

#[test]
fn reasons_are_spelled_as_in_the_scripts() {
    let unpayable = without_comments(&(source("lib/reservation") + &source("refund")));
    for reason in InvalidReason::ALL {
        assert!(unpayable.contains(&format!("'{}'", reason.as_str())), "{reason:?}");
    }
}

#[test]
fn a_name_is_found_where_it_stands() {
    let text = "\n-- OUTCOMES in order\n--   { 'a_b', seq }   retry: 'c'\n--   { 'd' }\n-- INCLUDES x\nreturn { 'e' }\n\
        emit(table.concat({ 'f' }))";
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Names>();
    assert_eq!(promised(text), names(&["a_b", "d"]));
    assert_eq!(returned(text), names(&["e"]));
}
