//! Scripts as Redis gets them, read by luacheck: a stray global would be an error of Redis at its first use only.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::lua::script::{Prelude, join, verbs};

/// What luacheck has to say about the Lua files of a folder; empty if nothing.
fn luacheck(folder: &Path) -> String {
    let mut command = Command::new("luacheck");
    // 211, 231, 311: an include may have more than a verb needs. The length of lines is the sources' affair (.luacheckrc).
    command.args(["--no-config", "--quiet", "--no-color", "--codes", "--std", "lua51"]);
    command.args([
        "--read-globals",
        "redis",
        "KEYS",
        "ARGV",
        "--ignore",
        "211",
        "--no-max-line-length",
        "--",
    ]);
    let output = command.arg(folder).output().expect("luacheck is installed: make install");
    if output.status.success() { String::new() } else { String::from_utf8_lossy(&output.stdout).into_owned() }
}

#[test]
fn joined_scripts_name_nothing_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    for verb in verbs() {
        fs::write(folder.path().join(format!("{verb}.lua")), join(&verb, Prelude::None)).unwrap();
    }
    assert_eq!(luacheck(folder.path()), "");
}

#[test]
fn a_stray_global_is_found() {
    let folder = tempfile::tempdir().unwrap();
    for (name, stray) in [("read", "return nosuch(1)"), ("written", "stray = 1")] {
        let text = join("leave", Prelude::None).replace("return reply(outcomes)", stray);
        let file = folder.path().join(format!("{name}.lua"));
        fs::write(&file, text).unwrap();
        let found = luacheck(&file);
        assert!(found.contains("(W111)") || found.contains("(W113)"), "{found}");
    }
}
