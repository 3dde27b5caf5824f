//! What one call answered and left behind, the bookkeeping of the logs checked and put aside.

use redis::Value;

use super::call::Call;
use super::state::{State, relative, text};

const NO_MARK: &str = "0000000000000000";

/// A call as it was made.
pub(crate) struct Made<'a> {
    pub(crate) call: &'a Call,
    /// Of the entries that it may append.
    pub(crate) mark: &'a str,
    /// What the clock said, ms.
    pub(crate) clock: i64,
}

/// One call, seen from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Each outcome, its fields separated by a space; a lost log is the only outcome.
    pub(crate) outcomes: Vec<String>,
    /// The events of the entries it appended; those of a wallet's log begin with its name.
    pub(crate) events: Vec<String>,
    /// Everything else it changed: `path: value` or `path: gone`.
    pub(crate) changes: Vec<String>,
}

impl Step {
    /// Compares what a call did. Panics unless each of its logs got at most one entry, the next one,
    /// with its head and its `meta` as formats 1 and 2 want them, and unless the reply tells where they stand.
    pub(crate) fn new(made: &Made<'_>, reply: &Value, before: &State, after: &State) -> Self {
        let Made { call, mark, clock } = *made;
        let mut changes = before.changes(after);
        let mut events = Vec::new();
        for log in call.logs() {
            let prefix = if log == "c7" { String::new() } else { format!("{log}:") };
            let number: u64 = before.get(&format!("{prefix}meta/number")).map_or(0, |n| n.parse().unwrap());
            let Some(entry) = changes.remove(&format!("{prefix}log/{}-0", number + 1)) else {
                continue;
            };
            let last = before.get(&format!("{prefix}meta/mark")).unwrap_or(NO_MARK);
            let (head, body) = entry.split_once('\n').unwrap();
            let mut meta = |field: &str| changes.remove(&format!("{prefix}meta/{field}"));
            assert_eq!(meta("number"), Some((number + 1).to_string()), "number of {log}");
            assert_eq!(meta("mark").as_deref(), Some(mark), "mark of {log}");
            // Not among the changes when two calls fall into one millisecond.
            meta("time");
            let time = at_time(clock, &format!("{prefix}meta/time"), before);
            assert_eq!(after.get(&format!("{prefix}meta/time")), Some(time.as_str()), "time of {log}");
            assert_eq!(head, format!("1 {mark} {last} {time}"), "head of the entry of {log}");
            let body = body.strip_suffix('\n').expect("an entry ends with its last event's line");
            let named = if log == "c7" { String::new() } else { format!("{log} ") };
            events.extend(body.split('\n').map(|event| format!("{named}{}", relative(event))));
        }
        let changes = changes.iter().map(|(path, value)| format!("{path}: {}", relative(value))).collect();
        Self { outcomes: outcomes(made, reply, before, after), events, changes }
    }

    /// Panics with both sides unless the call answered and did exactly this.
    #[track_caller]
    pub(crate) fn is(&self, outcomes: &[&str], events: &[&str], changes: &[&str]) {
        let own = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        let expected = Self { outcomes: own(outcomes), events: own(events), changes: own(changes) };
        assert!(*self == expected, "{}", difference(&expected, self));
    }

    /// Panics unless the call answered this and changed nothing.
    #[track_caller]
    pub(crate) fn refuses(&self, outcomes: &[&str]) {
        self.is(outcomes, &[], &[]);
    }

    /// The only outcome.
    #[track_caller]
    pub(crate) fn outcome(&self) -> &str {
        assert_eq!(self.outcomes.len(), 1, "{:?}", self.outcomes);
        &self.outcomes[0]
    }
}

/// Lines of one side only, marked by `-` (expected) and `+` (found).
fn difference(expected: &Step, found: &Step) -> String {
    let mut told = Vec::new();
    let parts = [
        ("outcomes", &expected.outcomes, &found.outcomes),
        ("events", &expected.events, &found.events),
        ("changes", &expected.changes, &found.changes),
    ];
    for (name, expected, found) in parts {
        if expected == found {
            continue;
        }
        told.push(format!("{name} (- expected, + found):"));
        let sign = |line| if found.contains(line) { ' ' } else { '-' };
        told.extend(expected.iter().map(|line| format!("{} {line}", sign(line))));
        let more = found.iter().filter(|line| !expected.contains(line));
        told.extend(more.map(|line| format!("+ {line}")));
    }
    told.join("\n")
}

/// The outcomes of a reply whose head, and whose wallet positions, are those of the state.
fn outcomes(made: &Made<'_>, reply: &Value, before: &State, after: &State) -> Vec<String> {
    let call = made.call;
    let Value::Array(items) = reply else { panic!("{} answered {reply:?}", call.verb) };
    let is_ok = matches!(&items[0], Value::BulkString(name) if name == b"ok");
    if !is_ok {
        return vec![relative(&text(reply))];
    }
    let meta = |log: &str, field: &str| {
        let path = if log == "c7" { format!("meta/{field}") } else { format!("{log}:meta/{field}") };
        after.get(&path).unwrap_or_default().to_owned()
    };
    let head: Vec<_> = items[1..4].iter().map(text).collect();
    if call.logs().first().is_some_and(|log| log == "c7") {
        assert_eq!(head, ["log_id", "number", "mark"].map(|field| meta("c7", field)), "head of the reply");
        assert_eq!(text(&items[4]), at_time(made.clock, "meta/time", before), "time of the reply");
    } else {
        assert_eq!(head, ["", "0", ""], "head of the reply");
    }
    let mut outcomes = Vec::new();
    for outcome in items[5..].iter().map(text) {
        let Some(position) = outcome.strip_prefix("wallet ") else {
            outcomes.push(relative(&outcome));
            continue;
        };
        let name = &position[..3];
        // A lost log may have no mark.
        let expected = format!("{name} {} {}", meta(name, "number"), meta(name, "mark"));
        if !meta(name, "number").is_empty() {
            assert_eq!(position, expected, "position of a wallet");
        }
    }
    outcomes
}

/// The time of a call on a log whose last is at `path`: never backwards.
fn at_time(clock: i64, path: &str, before: &State) -> String {
    before.get(path).map_or(0, |time| time.parse().unwrap()).max(clock).to_string()
}
