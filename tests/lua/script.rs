//! A verb of `lua/` as Redis gets it, with the preludes of the tests instead of, or between, its includes.
//!
//! Read from the disk at every run: a broken copy under test needs no compiler. `ONSALE_LUA` names another folder.

use std::fs;
use std::path::PathBuf;

/// What a script is joined with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prelude {
    /// The text of production.
    None,
    /// Time comes from `{test}:clock`.
    Clock,
    /// As `Clock`, and one decision throws: `{test}:throw` says which.
    Throw,
}

/// Where the scripts are.
pub(crate) fn folder() -> PathBuf {
    let production = concat!(env!("CARGO_MANIFEST_DIR"), "/lua");
    std::env::var_os("ONSALE_LUA").map_or_else(|| production.into(), PathBuf::from)
}

/// The names of all verbs.
pub(crate) fn verbs() -> Vec<String> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.extension().is_some_and(|extension| extension == "lua"));
    let mut names: Vec<_> =
        files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// The text of a verb as it lies in the folder.
pub(crate) fn source(verb: &str) -> String {
    fs::read_to_string(folder().join(format!("{verb}.lua"))).unwrap()
}

/// The words behind `field` in the header of a verb.
fn header<'a>(source: &'a str, verb: &str, field: &str) -> Vec<&'a str> {
    let line = source.lines().find(|line| line.starts_with(&format!("-- {field}")));
    line.unwrap_or_else(|| panic!("{verb} names no {field}")).split_whitespace().skip(2).collect()
}

/// Flags line, includes and verb: the text that `src/store/scripts.rs` makes, but for the prelude.
pub(crate) fn join(verb: &str, prelude: Prelude) -> String {
    let source = source(verb);
    let flags = header(&source, verb, "FLAGS")[0].trim_end_matches(':');
    let mut text = if flags == "none" { "#!lua\n".to_owned() } else { format!("#!lua flags={flags}\n") };
    let ours = |name: &str| {
        fs::read_to_string(format!("{}/tests/lua/{name}.lua", env!("CARGO_MANIFEST_DIR"))).unwrap()
    };
    for include in header(&source, verb, "INCLUDES") {
        let throws = include == "journal" && prelude == Prelude::Throw;
        if throws {
            text += &ours("throw");
        }
        text += &if include == "clock" && prelude != Prelude::None {
            ours("clock")
        } else {
            fs::read_to_string(folder().join(format!("lib/{include}.lua"))).unwrap()
        };
        text.push('\n');
        if throws {
            text += &ours("assign");
        }
    }
    text + &source
}
