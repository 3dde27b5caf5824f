//! A Redis with a million in line and 50,000 seats, and scripts that tell how many elements they have touched.

use redis::{Connection, Value};

use crate::lua::call::{Call, LOG_ID, Seen};
use crate::lua::script::{self, Prelude};
use crate::lua::state::text;
use crate::support::redis::Redis;

pub(super) const SEATS: u32 = 50_000;

/// The policy: nobody is turned away by the rate, and a reservation may have as many seats as any policy allows.
const POLICY: [(&str, &str); 10] = [
    ("max_active", "1000000"),
    ("admit_per_second", "100000"),
    ("active_ms", "600000"),
    ("claim_ms", "60000"),
    ("hold_ms", "300000"),
    ("max_seats_per_reservation", "50"),
    ("max_seats_per_user", "50"),
    ("gate_reserve", "0"),
    ("end_token_on", "payment"),
    ("paused", "0"),
];

/// The instance.
pub(super) struct Crowd {
    connection: Connection,
    marks: u64,
    micros: u64,
    _redis: Redis,
}

/// What a call did.
pub(super) struct Told {
    pub(super) outcomes: Vec<String>,
    pub(super) touched: u64,
}

impl Crowd {
    /// Concert 7 with show 12 and four wallet partitions, filled.
    pub(super) async fn gather() -> Self {
        let redis = Redis::start().await;
        let mut connection = redis::Client::open(redis.url()).unwrap().get_connection().unwrap();
        let seconds: Vec<i64> = redis::cmd("TIME").query(&mut connection).unwrap();
        let mut crowd = Self { connection, marks: 0, micros: 0, _redis: redis };
        for log in ["c7", "w00", "w01", "w02", "w03"] {
            crowd.open_log(log);
        }
        let show = [SEATS.to_string(), "1".to_owned()];
        crowd.run(&Call::one("open_show", &["12", &show[0], &show[1]]).shows(&[12]));
        let keys = Call::one("pay", &[]).shows(&[12]).wallets(&[0, 1, 2, 3]).keys();
        let fill = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/bounds/crowd.lua"));
        let mut command = redis::cmd("EVAL");
        command.arg(fill.unwrap()).arg(keys.len()).arg(keys).arg(seconds[0] * 1000);
        let filled: String = command.query(&mut crowd.connection).unwrap();
        assert_eq!(filled, "filled");
        crowd
    }

    pub(super) fn open_log(&mut self, log: &str) -> u64 {
        let mut keys = vec![format!("{{{log}}}:meta"), format!("{{{log}}}:log")];
        let mut arguments = vec![LOG_ID.to_owned(), self.next_mark(), "0".to_owned()];
        if log.starts_with('c') {
            keys.push(format!("{{{log}}}:policy"));
            arguments.extend(["0", "1", "{}"].map(str::to_owned));
            arguments.extend(policy_fields());
        }
        self.eval("open_log", &keys, &arguments).1
    }

    /// Runs a call.
    pub(super) fn run(&mut self, call: &Call) -> Told {
        let mark = self.next_mark();
        let seen: std::collections::HashMap<String, Seen> =
            call.logs().into_iter().map(|log| (log.clone(), self.seen(&log))).collect();
        let arguments = call.arguments(&mark, |log| seen[log].clone());
        let (Value::Array(items), touched) = self.eval(call.verb, &call.keys(), &arguments) else {
            panic!("{} answers no list", call.verb)
        };
        assert_eq!(text(&items[0]), "ok", "{}: {items:?}", call.verb);
        Told { outcomes: items[5..].iter().map(text).collect(), touched }
    }

    /// CPU of the last script call, µs, the counting included: this machine has other work, and wall time tells of that.
    pub(super) fn last_micros(&self) -> u64 {
        self.micros
    }

    /// What the thread that runs scripts has used, µs.
    fn cpu_micros(&mut self) -> u64 {
        let info: String = redis::cmd("INFO").arg("cpu").query(&mut self.connection).unwrap();
        let used = ["used_cpu_user_main_thread:", "used_cpu_sys_main_thread:"].map(|field| {
            let seconds = info.lines().find_map(|line| line.strip_prefix(field)).unwrap();
            let (whole, micros) = seconds.trim().split_once('.').unwrap();
            whole.parse::<u64>().unwrap() * 1_000_000 + micros.parse::<u64>().unwrap()
        });
        used.iter().sum()
    }

    /// All who wait are gone.
    pub(super) fn empty_the_line(&mut self) {
        let () = redis::cmd("DEL").arg("{c7}:queue").query(&mut self.connection).unwrap();
    }

    /// Active places, those that are over included.
    pub(super) fn active(&mut self) -> u64 {
        redis::cmd("ZCARD").arg("{c7}:active").query(&mut self.connection).unwrap()
    }

    fn seen(&mut self, log: &str) -> Seen {
        let mut command = redis::cmd("HMGET");
        command.arg(format!("{{{log}}}:meta")).arg(&["number", "mark"]);
        let (number, mark) = command.query(&mut self.connection).unwrap();
        Seen { log_id: LOG_ID.to_owned(), number, mark, check: false }
    }

    fn eval(&mut self, verb: &str, keys: &[String], arguments: &[String]) -> (Value, u64) {
        let hash: String =
            redis::cmd("SCRIPT").arg("LOAD").arg(counting(verb)).query(&mut self.connection).unwrap();
        let before = self.cpu_micros();
        let mut command = redis::cmd("EVALSHA");
        command.arg(hash).arg(keys.len()).arg(keys).arg(arguments);
        let answer = command.query(&mut self.connection).unwrap();
        self.micros = self.cpu_micros() - before;
        answer
    }

    fn next_mark(&mut self) -> String {
        self.marks += 1;
        format!("{:016x}", self.marks)
    }
}

/// Field, value, … of the policy.
pub(super) fn policy_fields() -> impl Iterator<Item = String> {
    POLICY.iter().flat_map(|(field, value)| [*field, *value]).map(str::to_owned)
}

/// The text of production between the prelude that counts and what tells the count.
fn counting(verb: &str) -> String {
    let text = script::join(verb, Prelude::None);
    let (flags, body) = text.split_once('\n').unwrap();
    let prelude = include_str!("../../lua/count.lua");
    format!(
        "{flags}\n{prelude}\nlocal function script()\n{body}\nend\nlocal answer = script()\nreturn {{ answer, touched }}\n"
    )
}
