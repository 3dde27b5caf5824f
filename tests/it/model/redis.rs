//! The Redis that the model is held against: the real scripts under the clock of the test, and all that they leave behind.

use std::collections::{BTreeMap, HashMap};

use redis::{Connection, Pipeline, Value};

use super::batch::{PARTITIONS, SHOWS};
use super::rules::Policy;
use crate::lua::call::{CONCERT, Call, LOG_ID, Seen};
use crate::lua::script::{self, Prelude};
use crate::lua::state::text;
use crate::support::redis::Redis;

const HASHES: [&str; 8] = ["meta", "policy", "place", "res", "pending", "idem", "idem_user", "cards"];
const ZSETS: [&str; 6] = ["queue", "active", "unclaimed", "expiry", "idem_end", "ended"];

/// A log as the last look left it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LogEnd {
    pub(super) number: u64,
    pub(super) mark: String,
    pub(super) time: i64,
}

/// All that Redis holds: path (`res/<id>`, `seats:12`, `w00:balances/<user>`) to value, and the entries written since the
/// last look.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    pub(super) lines: BTreeMap<String, String>,
    pub(super) entries: BTreeMap<String, Vec<(String, String)>>,
    pub(super) ends: BTreeMap<String, LogEnd>,
    /// Of the seat map of each show.
    pub(super) versions: BTreeMap<u32, String>,
}

/// The server, with what was last seen of its logs.
pub(super) struct Server {
    connection: Connection,
    hashes: HashMap<String, String>,
    ends: BTreeMap<String, LogEnd>,
    marks: u64,
    _redis: Redis,
}

fn logs() -> impl Iterator<Item = String> {
    std::iter::once(CONCERT.to_owned()).chain((0..PARTITIONS).map(|partition| format!("w{partition:02}")))
}

impl Server {
    pub(super) async fn start() -> Self {
        let redis = Redis::start().await;
        let connection = redis::Client::open(redis.url()).unwrap().get_connection().unwrap();
        Self { connection, hashes: HashMap::new(), ends: BTreeMap::new(), marks: 0, _redis: redis }
    }

    /// Forgets everything and gives birth to the concert and the wallets.
    pub(super) fn born(&mut self, clock: i64, policy: &Policy) {
        let () = redis::cmd("FLUSHALL").query(&mut self.connection).unwrap();
        self.ends.clear();
        self.at(clock);
        for log in logs() {
            let mut keys = vec![format!("{{{log}}}:meta"), format!("{{{log}}}:log")];
            let mut arguments = vec![LOG_ID.to_owned(), self.next_mark(), "0".to_owned()];
            if log == CONCERT {
                keys.push(format!("{{{log}}}:policy"));
                arguments.extend(["0", "1", "{}"].map(str::to_owned));
                arguments
                    .extend(policy.fields().into_iter().flat_map(|(field, value)| [field.to_owned(), value]));
            }
            self.eval("open_log", &keys, &arguments);
        }
    }

    /// The clock stands there, ms.
    pub(super) fn at(&mut self, clock: i64) {
        let () = redis::cmd("SET").arg("{test}:clock").arg(clock).query(&mut self.connection).unwrap();
    }

    /// Stops the concert, or lets it go on: no script does that yet.
    pub(super) fn stop(&mut self, stopped: bool) {
        let mut command = redis::cmd(if stopped { "HSET" } else { "HDEL" });
        command.arg("{c7}:meta").arg("stopped");
        if stopped {
            command.arg("test");
        }
        let () = command.query(&mut self.connection).unwrap();
    }

    /// Runs a call as a server does that is level with all logs; the outcomes of its requests.
    pub(super) fn run(&mut self, call: &Call) -> Vec<String> {
        let mark = self.next_mark();
        let ends = &self.ends;
        let seen = |log: &str| {
            let end = ends[log].clone();
            Seen { log_id: LOG_ID.to_owned(), number: end.number, mark: end.mark, check: true }
        };
        let arguments = call.arguments(&mark, seen);
        let Value::Array(items) = self.eval(call.verb, &call.keys(), &arguments) else { panic!("no list") };
        assert_eq!(text(&items[0]), "ok", "{items:?}");
        items[5..].iter().map(text).filter(|outcome| !outcome.starts_with("wallet ")).collect()
    }

    fn eval(&mut self, verb: &str, keys: &[String], arguments: &[String]) -> Value {
        if !self.hashes.contains_key(verb) {
            let text = script::join(verb, Prelude::Clock);
            let hash = redis::cmd("SCRIPT").arg("LOAD").arg(text).query(&mut self.connection).unwrap();
            self.hashes.insert(verb.to_owned(), hash);
        }
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.hashes[verb]).arg(keys.len()).arg(keys).arg(arguments);
        command.query(&mut self.connection).unwrap()
    }

    /// Reads everything, of the logs what is new.
    pub(super) fn look(&mut self) -> Look {
        let mut read = Reading { pipeline: redis::pipe(), paths: Vec::new() };
        for name in HASHES {
            read.push(&["HGETALL"], &format!("{{c7}}:{name}"), name);
        }
        for name in ZSETS {
            read.push(&["ZRANGE", "0", "-1", "WITHSCORES"], &format!("{{c7}}:{name}"), name);
        }
        for show in SHOWS {
            read.push(&["GET"], &format!("{{c7}}:seats:{show}"), &format!("seats:{show}"));
            for name in ["holder", "owned"] {
                read.push(&["HGETALL"], &format!("{{c7}}:{name}:{show}"), &format!("{name}:{show}"));
            }
        }
        for wallet in logs().skip(1) {
            for name in ["meta", "balances", "idem", "idem_user", "top_ups"] {
                read.push(&["HGETALL"], &format!("{{{wallet}}}:{name}"), &format!("{wallet}:{name}"));
            }
            read.push(
                &["ZRANGE", "0", "-1", "WITHSCORES"],
                &format!("{{{wallet}}}:idem_end"),
                &format!("{wallet}:idem_end"),
            );
        }
        for log in logs() {
            let from = format!("({}-0", self.ends.get(&log).map_or(0, |end| end.number));
            read.push(&["XRANGE", &from, "+"], &format!("{{{log}}}:log"), &format!("{log}:log"));
        }
        let values: Vec<Value> = read.pipeline.query(&mut self.connection).unwrap();
        let mut look = Look::default();
        for (path, value) in read.paths.iter().zip(values) {
            look.take(path, value);
        }
        look.ends = logs().map(|log| (log.clone(), look.log_end(&log))).collect();
        self.ends.clone_from(&look.ends);
        look
    }

    fn next_mark(&mut self) -> String {
        self.marks += 1;
        format!("{:016x}", self.marks)
    }
}

struct Reading {
    pipeline: Pipeline,
    paths: Vec<String>,
}

impl Reading {
    fn push(&mut self, command: &[&str], key: &str, path: &str) {
        self.pipeline.cmd(command[0]).arg(key).arg(&command[1..]);
        self.paths.push(path.to_owned());
    }
}

impl Look {
    fn take(&mut self, path: &str, value: Value) {
        if let Some(log) = path.strip_suffix(":log") {
            let Value::Array(items) = value else { panic!("{path}: {value:?}") };
            self.entries.insert(log.to_owned(), items.iter().map(entry).collect());
            return;
        }
        match value {
            Value::Array(items) => {
                for pair in items.chunks(2) {
                    self.lines.insert(format!("{path}/{}", text(&pair[0])), text(&pair[1]));
                }
            }
            Value::BulkString(_) => drop(self.lines.insert(path.to_owned(), text(&value))),
            Value::Nil => {}
            other => panic!("{path}: {other:?}"),
        }
    }

    /// Takes where a log ends out of the lines.
    fn log_end(&mut self, log: &str) -> LogEnd {
        let meta = if log == CONCERT { "meta".to_owned() } else { format!("{log}:meta") };
        let mut take = |field: &str| self.lines.remove(&format!("{meta}/{field}")).unwrap();
        let fixed = ["format", "log_id", "epoch", "trim"].map(&mut take);
        assert_eq!(fixed, ["1", LOG_ID, "0", "0"], "{log}");
        let (number, mark, time) = (take("number"), take("mark"), take("time"));
        LogEnd { number: number.parse().unwrap(), mark, time: time.parse().unwrap() }
    }
}

/// Id and text.
fn entry(value: &Value) -> (String, String) {
    let Value::Array(parts) = value else { panic!("{value:?}") };
    let Value::Array(fields) = &parts[1] else { panic!("{value:?}") };
    (text(&parts[0]), text(&fields[1]))
}
