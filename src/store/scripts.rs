//! The scripts of `lua/`: each verb with its includes, joined when the server is compiled.
//!
//! EVALSHA, not functions: a hash names one text, so old and new servers run side by side during a rolling upgrade.

use std::sync::LazyLock;

/// One script as Redis gets it.
pub(super) struct Script {
    /// The verb: file name, metric label.
    pub(super) name: &'static str,
    /// Flags line, includes and verb.
    pub(super) text: &'static str,
    sha: LazyLock<String>,
}

impl Script {
    /// SHA-1 of the text, in hex, as EVALSHA wants it.
    pub(super) fn sha(&self) -> &str {
        &self.sha
    }
}

macro_rules! script {
    ($constant:ident, $name:literal, $flags:literal, [$($include:literal)*]) => {
        #[doc = concat!("`lua/", $name, ".lua`")]
        pub(super) static $constant: Script = {
            const TEXT: &str = concat!(
                "#!lua", $flags, "\n",
                $(include_str!(concat!("../../lua/lib/", $include, ".lua")), "\n",)*
                include_str!(concat!("../../lua/", $name, ".lua")),
            );
            Script { name: $name, text: TEXT, sha: LazyLock::new(|| redis::Script::new(TEXT).get_hash().to_owned()) }
        };
    };
}

script!(JOIN, "join", "", ["text" "arguments" "clock" "journal" "map" "log" "concert" "place" "admission"]);
script!(CLAIM, "claim", " flags=allow-oom", ["text" "arguments" "clock" "journal" "map" "log" "concert" "place"]);
script!(LEAVE, "leave", " flags=allow-oom", ["text" "arguments" "clock" "journal" "map" "log" "concert" "place"]);
script!(ADMIT, "admit", "", ["text" "arguments" "clock" "journal" "map" "log" "concert" "place" "admission"]);
script!(HOLD, "hold", "", ["text" "arguments" "clock" "journal" "map" "log" "concert" "idem" "place" "reservation"]);
script!(RELEASE, "release", " flags=allow-oom", ["text" "arguments" "clock" "journal" "map" "log" "concert" "place" "reservation"]);
script!(EXPIRE, "expire", " flags=allow-oom", ["text" "arguments" "clock" "journal" "map" "log" "concert" "reservation"]);
script!(DUE, "due", " flags=no-writes", ["text" "arguments" "clock" "journal" "map" "log" "concert" "reservation"]);
script!(PAY, "pay", " flags=allow-oom", ["text" "arguments" "clock" "journal" "map" "log" "concert" "idem" "place" "reservation" "wallet" "booking"]);
script!(AUTHORISE, "authorise", " flags=allow-oom", ["text" "arguments" "clock" "journal" "map" "log" "concert" "idem" "place" "reservation" "card"]);
script!(CONFIRM, "confirm", " flags=allow-oom", ["text" "arguments" "clock" "journal" "map" "log" "concert" "place" "reservation" "wallet" "booking" "card"]);
script!(SETTLE, "settle", " flags=allow-oom", ["text" "arguments" "clock" "journal" "map" "log" "concert" "card"]);
script!(BLOCK, "block", "", ["text" "arguments" "clock" "journal" "map" "log" "concert" "idem" "reservation"]);
script!(CANCEL, "cancel", " flags=allow-oom", ["text" "arguments" "clock" "journal" "map" "log" "concert"]);
script!(CLEAR, "clear", " flags=allow-oom", ["text" "arguments" "clock" "journal" "map" "log" "concert" "reservation"]);
script!(FORGET, "forget", " flags=allow-oom", ["text" "arguments" "clock" "journal" "map" "log" "concert" "idem" "place" "reservation" "card" "pseudonym"]);
script!(FORGET_WALLET, "forget_wallet", " flags=allow-oom", ["text" "arguments" "clock" "journal" "map" "log" "idem" "wallet" "top_up" "pseudonym"]);
script!(REFUND, "refund", " flags=allow-oom", ["text" "arguments" "clock" "journal" "map" "log" "concert" "idem" "reservation" "wallet" "card"]);
script!(CHARGE, "charge", "", ["text" "arguments" "clock" "journal" "map" "log" "idem" "wallet" "found"]);
script!(TOP_UP, "top_up", "", ["text" "arguments" "clock" "journal" "map" "log" "idem" "wallet" "found" "top_up"]);
script!(CREDIT, "credit", " flags=allow-oom", ["text" "arguments" "clock" "journal" "map" "log" "idem" "wallet" "top_up"]);
script!(OPEN_LOG, "open_log", "", ["text" "clock"]);
script!(OPEN_SHOW, "open_show", "", ["text" "arguments" "clock" "journal" "map" "log" "concert"]);
script!(CATALOG, "catalog", "", ["text" "arguments" "clock" "journal" "map" "log" "concert"]);
script!(POLICY, "policy", "", ["text" "arguments" "clock" "journal" "map" "log" "concert"]);
script!(TRIM, "trim", " flags=allow-oom", ["text" "arguments" "clock" "journal" "map" "log"]);
script!(TIDY, "tidy", " flags=allow-oom", ["text" "arguments" "clock" "journal" "map" "log" "concert" "idem"]);
script!(TIDY_WALLET, "tidy_wallet", " flags=allow-oom", ["text" "arguments" "clock" "journal" "map" "log" "idem" "wallet"]);
script!(RESERVATION, "reservation", " flags=no-writes", ["text" "arguments" "clock" "journal" "map" "log" "concert"]);
script!(SNAPSHOT, "snapshot", " flags=no-writes", ["text" "arguments" "clock" "journal" "map" "log" "concert"]);
script!(SNAPSHOT_WALLET, "snapshot_wallet", " flags=no-writes", ["text" "arguments" "clock" "journal" "map" "log" "wallet"]);
script!(SNAPSHOT_TOP_UPS, "snapshot_top_ups", " flags=no-writes", ["text" "arguments" "clock" "journal" "map" "log" "idem" "wallet" "top_up"]);

/// All of them, to be loaded when a connection is new.
pub(super) static ALL: [&Script; 32] = [
    &JOIN,
    &CLAIM,
    &LEAVE,
    &ADMIT,
    &HOLD,
    &RELEASE,
    &EXPIRE,
    &DUE,
    &PAY,
    &REFUND,
    &AUTHORISE,
    &CONFIRM,
    &SETTLE,
    &BLOCK,
    &CANCEL,
    &CLEAR,
    &FORGET,
    &FORGET_WALLET,
    &CHARGE,
    &TOP_UP,
    &CREDIT,
    &OPEN_LOG,
    &OPEN_SHOW,
    &CATALOG,
    &POLICY,
    &TRIM,
    &TIDY,
    &TIDY_WALLET,
    &RESERVATION,
    &SNAPSHOT,
    &SNAPSHOT_WALLET,
    &SNAPSHOT_TOP_UPS,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// What the header of a verb says behind `FLAGS` or `INCLUDES`.
    fn header<'a>(script: &'a Script, field: &str) -> Vec<&'a str> {
        let line = script.text.lines().find(|line| line.starts_with(&format!("-- {field}"))).unwrap();
        line.split_whitespace().skip(2).collect()
    }

    #[test]
    fn headers_tell_the_flags_and_includes_that_are_compiled_in() {
        for script in ALL {
            let flags = header(script, "FLAGS")[0].trim_end_matches(':');
            let first = script.text.lines().next().unwrap();
            let expected = if flags == "none" { "#!lua".to_owned() } else { format!("#!lua flags={flags}") };
            assert_eq!(first, expected, "{}", script.name);
            let included: Vec<_> =
                header(script, "INCLUDES").into_iter().map(|name| format!("\n-- {name}: ")).collect();
            let places: Vec<_> =
                included.iter().map(|head| format!("\n{}", script.text).find(head.as_str())).collect();
            assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{}: {places:?}", script.name);
            assert!(script.text.contains(&format!("\n-- {}: ", script.name)), "{}", script.name);
        }
    }

    #[test]
    fn every_verb_of_the_folder_is_here() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/lua");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut verbs: Vec<_> =
            files.filter(|path| path.is_file()).map(|path| path.file_stem().unwrap().to_owned()).collect();
        let mut known: Vec<std::ffi::OsString> = ALL.iter().map(|script| script.name.into()).collect();
        verbs.sort();
        known.sort();
        assert_eq!(verbs, known);
    }
}
