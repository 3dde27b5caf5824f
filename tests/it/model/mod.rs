//! The scripts held against a small model of the contract: random batches of all verbs, one seed, and after each batch the
//! outcomes and everything that Redis holds are compared.
//!
//! `ONSALE_MODEL_SEED` repeats a failure, `ONSALE_MODEL_STEPS` runs longer, `ONSALE_LUA` tries other scripts.

mod batch;
mod cancellation;
mod card;
mod count;
mod expected;
mod forget;
mod generate;
mod idle;
mod line;
mod random;
mod redis;
mod rules;
mod sale;
mod top_up;
pub(crate) mod watch;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use self::batch::{Batch, partition};
use self::generate::Generator;
use self::random::Random;
use self::redis::{Look, Server};
use self::rules::Model;
use self::watch::Watch;
use crate::lua::call::CONCERT;

/// Where the clock of every episode begins, ms.
const START: i64 = 1_900_000_000_000;

/// Steps of the test run; each is a batch.
const STEPS: u64 = 20_000;

/// Steps until everything begins anew with another concert: the seats of one are sold after a while.
const EPISODE_STEPS: u64 = 200;

/// Outcomes that a run must have met to have tried anything: all that the scripts have but faults and a user's thousandth key.
const MET: [(&str, &[&str]); 19] = [
    ("join", &["active", "waiting", "sale_not_open", "sales_stopped", "sold_out"]),
    ("claim", &["active", "waiting", "queue_token_expired"]),
    ("expire", &["expired", "kept"]),
    ("release", &["released", "not_found", "reservation_not_pending"]),
    (
        "hold",
        &["held", "replayed", "idempotency_key_reused", "sales_stopped", "sale_not_open", "stale_catalog"],
    ),
    ("hold", &["queue_token_invalid", "queue_token_not_active", "queue_token_expired"]),
    ("hold", &["too_many_seats", "purchase_limit", "seat_unavailable"]),
    (
        "pay",
        &[
            "paid",
            "replayed",
            "idempotency_key_reused",
            "sales_stopped",
            "invalid_reservation",
            "insufficient_balance",
        ],
    ),
    ("refund", &["refunded", "replayed", "idempotency_key_reused", "sales_stopped", "invalid_reservation"]),
    ("authorise", &["authorising", "replayed", "invalid_reservation", "request_in_progress"]),
    ("confirm", &["capture", "void", "pending", "settled"]),
    ("settle", &["settled", "kept"]),
    (
        "block",
        &["blocked", "unblocked", "replayed", "idempotency_key_reused", "sales_stopped", "seat_unavailable"],
    ),
    ("cancel", &["cancelled"]),
    ("clear", &["cleared", "not_cancelled"]),
    ("charge", &["charged", "replayed", "idempotency_key_reused", "amount_out_of_range"]),
    ("top_up", &["begun", "replayed", "idempotency_key_reused", "amount_out_of_range", "sales_stopped"]),
    ("credit", &["credited", "voided", "ended", "not_found", "capture", "void", "pending"]),
    ("policy", &["changed", "stale_policy"]),
];

/// One concert from its birth on, in the model and in Redis.
struct Episode<'a> {
    server: &'a mut Server,
    model: Model,
    watch: Watch,
    generator: Generator,
    clock: i64,
    looked: Look,
    last: Option<Batch>,
    /// How often each outcome was told.
    told: BTreeMap<String, u64>,
}

impl<'a> Episode<'a> {
    fn begin(server: &'a mut Server, seed: u64) -> Self {
        let mut generator = Generator::new(seed);
        let policy = generator.policy(START);
        server.born(START, &policy);
        let model = Model::born(policy, START);
        let (watch, told) = (Watch::default(), BTreeMap::new());
        let mut episode =
            Self { server, model, watch, generator, clock: START, looked: Look::default(), last: None, told };
        episode.looked = episode.server.look();
        episode.watch.take(&episode.looked, START, 0);
        let opening = episode.generator.open_show(&episode.model);
        episode.run(&opening);
        let funds = episode.generator.funds();
        episode.run(&funds);
        episode
    }

    fn step(&mut self, random: &mut Random) {
        self.clock = self.generator.clock(self.clock, &self.model);
        self.server.at(self.clock);
        // Seldom, and not for long.
        if random.next().is_multiple_of(if self.model.stopped { 5 } else { 100 }) {
            self.model.stopped = !self.model.stopped;
            self.server.stop(self.model.stopped);
        }
        let again = self.last.take().filter(|_| random.next().is_multiple_of(15));
        self.model.now = self.clock.max(self.looked.ends[CONCERT].time);
        let batch = again.unwrap_or_else(|| self.generator.batch(&self.model));
        self.run(&batch);
        self.last = Some(batch);
    }

    /// Decides one batch on both sides and compares.
    fn run(&mut self, batch: &Batch) {
        self.model.now = self.clock.max(self.looked.ends[CONCERT].time);
        for (partition, wallet) in self.model.wallets.iter_mut().enumerate() {
            wallet.now = self.clock.max(self.looked.ends[&format!("w{partition:02}")].time);
        }
        self.model.last.clone_from(self.watch.last_entries());
        let mut outcomes = self.server.run(&batch.call());
        let mut look = self.server.look();
        let mut expected = self.model.decide(batch);
        if matches!(batch, Batch::TidyWallets) {
            // The partitions answer in an order of their own.
            outcomes.sort();
            expected.sort();
        }
        self.model.adopt_expired(&look);
        assert_eq!(outcomes, expected, "outcomes of {batch:#?}\nat {}", self.model.now);
        self.check_events(batch, &look);
        self.watch.take(&look, self.clock, self.model.policy.max_active);
        self.check_versions(&mut look);
        sort_pending(&mut look);
        let expected_lines = self.model.lines();
        let difference = difference(&look, &expected_lines);
        assert!(difference.is_empty(), "after {batch:#?}\nat {}: {difference:#?}", self.model.now);
        for met in count::met(batch, &expected, &self.model.reasons) {
            *self.told.entry(met).or_default() += 1;
        }
        for outcome in &expected {
            let name = outcome.split(' ').next().unwrap();
            *self.told.entry(format!("{} {name}", batch.call().verb)).or_default() += 1;
        }
        self.generator.learn(batch, &expected, &self.model);
        self.looked = look;
    }

    /// Of a call that forgets: what it tells, in any order but that his new name comes last.
    fn check_events(&self, batch: &Batch, look: &Look) {
        let log = match batch {
            Batch::Forget(_) => CONCERT.to_owned(),
            Batch::ForgetWallet(request) => format!("w{:02}", partition(&request.user)),
            _ => return,
        };
        let mut told: Vec<_> = look.entries[&log].iter().flat_map(|(_, text)| text.lines().skip(1)).collect();
        let mut expected: Vec<_> = self.model.events.iter().map(String::as_str).collect();
        assert_eq!(told.last(), expected.last(), "the last event of {batch:#?}");
        told.sort_unstable();
        expected.sort_unstable();
        assert_eq!(told, expected, "events of {batch:#?}");
    }

    /// The version of a seat map is the number of the last entry that changed it. Takes the versions out of the lines.
    fn check_versions(&self, look: &mut Look) {
        for show in self.model.shows.keys() {
            let version = look.lines.remove(&format!("meta/v:{show}")).unwrap();
            let path = format!("seats:{show}");
            let changed = look.lines.get(&path) != self.looked.lines.get(&path);
            let before = self.looked.versions.get(show);
            let newest = look.ends[CONCERT].number.to_string();
            let fits =
                if changed { version == newest } else { before == Some(&version) || version == newest };
            assert!(fits, "version {version} of show {show}, before {before:?}, newest entry {newest}");
            look.versions.insert(*show, version);
        }
    }
}

/// Which of a user's reservations comes first says nothing.
fn sort_pending(look: &mut Look) {
    for (_, list) in look.lines.iter_mut().filter(|(path, _)| path.starts_with("pending/")) {
        let mut ids: Vec<_> = list.split(' ').collect();
        ids.sort_unstable();
        *list = ids.join(" ");
    }
}

fn difference(look: &Look, expected: &BTreeMap<String, String>) -> Vec<String> {
    let paths: std::collections::BTreeSet<_> = look.lines.keys().chain(expected.keys()).collect();
    let other = paths.into_iter().filter(|path| look.lines.get(*path) != expected.get(*path));
    other
        .map(|path| format!("{path}: Redis {:?}, model {:?}", look.lines.get(path), expected.get(path)))
        .collect()
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[tokio::test]
async fn the_scripts_do_what_the_model_says() {
    let seed = setting("ONSALE_MODEL_SEED", rand::random());
    let steps = setting("ONSALE_MODEL_STEPS", STEPS);
    let mut server = Server::start().await;
    let mut random = Random::new(seed);
    let mut told: BTreeMap<String, u64> = BTreeMap::new();
    let mut done = 0;
    let run = AssertUnwindSafe(|| {
        while done < steps {
            let mut episode = Episode::begin(&mut server, random.next());
            for _ in 0..EPISODE_STEPS {
                done += 1;
                episode.step(&mut random);
            }
            let (decided, returned) = episode.watch.card_refunds();
            for (step, count) in [("decided", decided), ("returned", returned)] {
                *told.entry(format!("refunds to cards {step}")).or_default() += count;
            }
            for (outcome, count) in episode.told {
                *told.entry(outcome).or_default() += count;
            }
        }
    });
    if let Err(panic) = catch_unwind(run) {
        eprintln!("step {done} of ONSALE_MODEL_SEED={seed}");
        resume_unwind(panic);
    }
    for (verb, outcomes) in MET.iter().filter(|_| steps >= STEPS) {
        for outcome in *outcomes {
            assert!(
                told.contains_key(&format!("{verb} {outcome}")),
                "{verb} never {outcome}: seed {seed}, {told:#?}"
            );
        }
    }
    if steps >= STEPS {
        count::check(&told);
    }
    let of_cards = ["decided", "returned"].map(|step| told.get(&format!("refunds to cards {step}")));
    assert!(steps < STEPS || of_cards.iter().all(|count| count.is_some_and(|count| *count > 0)), "{told:#?}");
    println!("{done} steps of ONSALE_MODEL_SEED={seed}: {told:#?}");
}
