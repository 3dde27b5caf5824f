//! Words that have no place in what is finished.

use super::source::{File, code, files, production};

/// Spelled so that this file does not hold them.
const UNFINISHED: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];

fn unfinished(file: &File) -> Vec<String> {
    let found = file.text.lines().enumerate().flat_map(|(at, line)| {
        let words = UNFINISHED.iter().filter(move |word| line.contains(**word));
        words.map(move |word| format!("{}:{} says {word}", file.path, at + 1))
    });
    found.collect()
}

fn unwraps(file: &File) -> bool {
    !file.path.ends_with("/tests.rs") && production(&code(&file.text)).contains(".unwrap()")
}

#[test]
fn nothing_says_that_it_is_unfinished() {
    let files = files(&["src", "lua", "tests", "benches", "migrations"], &["rs", "lua", "sql"]);
    assert_eq!(files.iter().flat_map(unfinished).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn nothing_unwraps_outside_of_tests() {
    let files = files(&["src"], &["rs"]);
    let found: Vec<_> = files.iter().filter(|file| unwraps(file)).map(|file| &file.path).collect();
    assert_eq!(found, Vec::<&String>::new());
}

#[test]
fn such_words_are_found() {
    let file = |text: &str| File { path: "a.rs".to_owned(), text: text.to_owned() };
    assert_eq!(
        unfinished(&file(&format!("a\n// {} b", UNFINISHED[1]))),
        [format!("a.rs:2 says {}", UNFINISHED[1])]
    );
    assert!(unwraps(&file("fn f() { g().unwrap() }")));
    assert!(!unwraps(&file("// .unwrap()\n#[cfg(test)]\nmod tests { fn f() { g().unwrap() } }")));
}
