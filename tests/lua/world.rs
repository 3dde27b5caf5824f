//! A Redis with one concert, the clock in the test's hand.

use redis::{Commands, Connection, Value};

use super::call::{CONCERT, Call, LOG_ID, Seen};
use super::script::{self, Prelude};
use super::state::{State, T};
use super::step::{Made, Step};
use crate::support::redis::Redis;

/// The policy that every concert begins with.
const POLICY: [(&str, &str); 10] = [
    ("max_active", "2"),
    ("admit_per_second", "1000"),
    ("active_ms", "600000"),
    ("claim_ms", "60000"),
    ("hold_ms", "300000"),
    ("max_seats_per_reservation", "4"),
    ("max_seats_per_user", "6"),
    ("gate_reserve", "1"),
    ("end_token_on", "payment"),
    ("paused", "0"),
];

/// The instance, and what the next call is made with.
pub(crate) struct World {
    connection: Connection,
    prelude: Prelude,
    clock: i64,
    marks: u64,
    _redis: Redis,
}

/// All keys as they were.
pub(crate) struct Saved {
    keys: Vec<(String, Vec<u8>)>,
    clock: i64,
    marks: u64,
}

impl World {
    /// An empty instance at [`T`].
    pub(crate) async fn empty() -> Self {
        let redis = Redis::start().await;
        let connection = redis::Client::open(redis.url()).unwrap().get_connection().unwrap();
        let mut world = Self { connection, prelude: Prelude::Clock, clock: T, marks: 0, _redis: redis };
        world.at(0);
        world
    }

    /// Concert 7 under the policy of the tests, born at [`T`], no show yet.
    pub(crate) async fn born() -> Self {
        let mut world = Self::empty().await;
        world.open_log(CONCERT, &POLICY);
        world
    }

    /// As [`World::born`], with show 12 of these seats, all available.
    pub(crate) async fn on_sale(seats: u32) -> Self {
        let mut world = Self::born().await;
        world.open_show(12, seats);
        world
    }

    /// The clock stands at [`T`] + `ms`.
    pub(crate) fn at(&mut self, ms: i64) {
        self.clock = T + ms;
        let () = self.connection.set("{test}:clock", self.clock).unwrap();
    }

    /// From now on request `request` (from 1) of each batch throws at its assignment `assignment` (from 1); 0: when it has
    /// staged everything.
    pub(crate) fn throw(&mut self, request: usize, assignment: usize) {
        let () = self.connection.set("{test}:throw", format!("{request} {assignment}")).unwrap();
        self.prelude = Prelude::Throw;
    }

    /// Nothing throws any more.
    pub(crate) fn throw_no_more(&mut self) {
        self.prelude = Prelude::Clock;
    }

    /// Runs a call and tells all that it did. Panics if Redis answers an error.
    pub(crate) fn run(&mut self, call: &Call) -> Step {
        let before = self.state();
        let mark = self.next_mark();
        let arguments = call.arguments(&mark, |log| self.seen_in(&before, log));
        let reply = self.eval(call.verb, &call.keys(), &arguments).unwrap();
        let made = Made { call, mark: &mark, clock: self.clock };
        Step::new(&made, &reply, &before, &self.state())
    }

    /// Runs a verb with these KEYS and ARGV as they are.
    pub(crate) fn eval(
        &mut self,
        verb: &str,
        keys: &[String],
        arguments: &[String],
    ) -> redis::RedisResult<Value> {
        let text = script::join(verb, self.prelude);
        let mut command = redis::cmd("EVAL");
        command.arg(text).arg(keys.len()).arg(keys).arg(arguments);
        command.query(&mut self.connection)
    }

    /// A log is born: the concert's with its policy, or a wallet's (`w00`) with none.
    pub(crate) fn open_log(&mut self, log: &str, policy: &[(&str, &str)]) -> Value {
        let mut keys = vec![format!("{{{log}}}:meta"), format!("{{{log}}}:log")];
        let mut arguments = vec![LOG_ID.to_owned(), self.next_mark(), "0".to_owned()];
        if !policy.is_empty() {
            keys.push(format!("{{{log}}}:policy"));
            arguments.extend(["0", "1", "{}"].map(str::to_owned));
            let fields = policy.iter().flat_map(|(field, value)| [*field, *value]);
            arguments.extend(fields.map(str::to_owned));
        }
        self.eval("open_log", &keys, &arguments).unwrap()
    }

    /// A show of these seats goes on sale, or grows to them, with catalog 1.
    pub(crate) fn open_show(&mut self, show: u32, seats: u32) {
        let arguments = [show.to_string(), seats.to_string(), "1".to_owned()];
        let call = Call::one("open_show", &arguments.each_ref().map(String::as_str)).shows(&[show]);
        assert_eq!(self.run(&call).outcomes, ["opened"]);
    }

    /// The policy changes in these fields, through its script.
    pub(crate) fn policy(&mut self, changes: &[(&str, &str)]) {
        let state = self.state();
        let version = state.get("meta/policy").unwrap();
        let mut fields: Vec<_> = POLICY.into_iter().map(|(field, value)| (field, value.to_owned())).collect();
        for (field, value) in &mut fields {
            if let Some(now) = state.get(&format!("policy/{field}")) {
                now.clone_into(value);
            }
        }
        fields.retain(|(field, _)| changes.iter().all(|(changed, _)| changed != field));
        let old = fields.iter().flat_map(|(field, value)| [*field, value.as_str()]);
        let new = changes.iter().flat_map(|(field, value)| [*field, *value]);
        let arguments: Vec<_> = [version, "{}"].into_iter().chain(old).chain(new).collect();
        let step = self.run(&Call::one("policy", &arguments));
        assert!(step.outcome().starts_with("changed "), "{step:?}");
    }

    /// Writes a key directly: what no script of the day can bring about.
    pub(crate) fn command(&mut self, words: &[&str]) -> Value {
        redis::cmd(words[0]).arg(&words[1..]).query(&mut self.connection).unwrap()
    }

    /// All keys.
    pub(crate) fn state(&mut self) -> State {
        State::read(&mut self.connection)
    }

    /// What a server that is level with a log has seen of it.
    pub(crate) fn seen(&mut self, log: &str) -> Seen {
        let state = self.state();
        self.seen_in(&state, log)
    }

    #[expect(clippy::unused_self, reason = "reads as what the world knows")]
    fn seen_in(&self, state: &State, log: &str) -> Seen {
        let prefix = if log == CONCERT { String::new() } else { format!("{log}:") };
        let meta = |field: &str| state.get(&format!("{prefix}meta/{field}")).unwrap_or_default().to_owned();
        Seen {
            log_id: LOG_ID.to_owned(),
            number: meta("number").parse().unwrap_or_default(),
            mark: meta("mark"),
            check: true,
        }
    }

    /// All keys, to come back to.
    pub(crate) fn save(&mut self) -> Saved {
        let names: Vec<String> = self.connection.keys("*").unwrap();
        let mut keys = Vec::new();
        for name in names {
            let dump = redis::cmd("DUMP").arg(&name).query(&mut self.connection).unwrap();
            keys.push((name, dump));
        }
        Saved { keys, clock: self.clock, marks: self.marks }
    }

    /// Everything is as it was saved, the next mark too.
    pub(crate) fn load(&mut self, saved: &Saved) {
        let () = self.connection.flushall().unwrap();
        for (name, dump) in &saved.keys {
            let mut command = redis::cmd("RESTORE");
            let () = command.arg(name).arg(0).arg(dump).query(&mut self.connection).unwrap();
        }
        (self.clock, self.marks) = (saved.clock, saved.marks);
    }

    fn next_mark(&mut self) -> String {
        self.marks += 1;
        format!("{:016x}", self.marks)
    }
}
