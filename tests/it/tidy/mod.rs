//! What a reader of the sources may rely on: sizes, layers, names, and scripts without stray globals.
//!
//! Each rule is a function from text to complaints, so that it is tried on text that breaks it, too.

mod dependencies;
mod layers;
mod metrics;
pub(crate) mod outcomes;
mod scripts;
mod source;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

use source::{File, files};

/// No file is longer, in lines.
const LINES_MAX: usize = 400;

/// Half of the files are shorter, in lines.
const MEDIAN_BELOW: usize = 150;

/// The sources' folder: that of the crate.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn too_long(files: &[File]) -> Vec<String> {
    let long = files.iter().filter(|file| file.lines() > LINES_MAX);
    long.map(|file| format!("{} has {} lines", file.path, file.lines())).collect()
}

fn median(files: &[File]) -> usize {
    let mut lines: Vec<_> = files.iter().map(File::lines).collect();
    lines.sort_unstable();
    lines[lines.len() / 2]
}

#[test]
fn files_can_be_read_in_one_sitting() {
    let files = files(&["src", "lua", "tests", "benches", "migrations"], &["rs", "lua", "sql"]);
    assert_eq!(too_long(&files), Vec::<String>::new());
}

#[test]
fn half_of_the_files_are_short() {
    let median = median(&files(&["src", "lua", "tests", "benches"], &["rs", "lua"]));
    assert!(median < MEDIAN_BELOW, "the median is {median} lines");
}

#[test]
fn a_long_file_is_found() {
    let file = |lines: usize| File { path: "a".to_owned(), text: "x\n".repeat(lines) };
    assert_eq!(too_long(&[file(LINES_MAX), file(LINES_MAX + 1)]), ["a has 401 lines"]);
    assert_eq!(median(&[file(1), file(200), file(150)]), 150);
}
