//! Five thousand who come at once, three workers that let them in: what the log proves about the order and the room.

use std::collections::HashMap;
use std::time::Duration;

use onsale::domain::event::{EndReason, Entry, Event, LogKind};
use onsale::domain::ids::LogName;
use onsale::domain::outcome::Refusal;
use onsale::domain::policy::Policy;
use onsale::store::log::Tail;
use onsale::store::{Failure, Settings, Store};
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use crate::model::watch::LineWatch;
use crate::store::{CONCERT, on_sale, soon, store_on, user};
use crate::support::redis::Redis;

const USERS: u64 = 5000;
const MAX_ACTIVE: usize = 500;
const LOG: LogName = LogName::Concert(CONCERT);

/// What a user does with his place: of ten, one of each of the first three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    /// Shows no sign of life once admitted.
    Silent,
    /// Leaves as soon as he has a place, wherever it is.
    Leaver,
    /// Claims and goes away without a word.
    Idler,
    /// Claims and leaves.
    Buyer,
}

fn habit(name: &str) -> Habit {
    match name.bytes().last() {
        Some(b'0') => Habit::Silent,
        Some(b'1') => Habit::Leaver,
        Some(b'2') => Habit::Idler,
        _ => Habit::Buyer,
    }
}

/// How the places of the log came to their end.
#[derive(Default)]
struct Fates {
    line: LineWatch,
    joined: HashMap<String, u64>,
    admitted: HashMap<String, u64>,
    ended: HashMap<String, EndReason>,
    /// Those who asked for their place when it was over already.
    late: Vec<String>,
}

impl Fates {
    /// Takes an event; tells whom it let in.
    fn take(&mut self, event: &Event<'_>) -> Option<(String, u64)> {
        self.line.take(event, MAX_ACTIVE);
        match event {
            Event::Joined { user, seq } => {
                assert_eq!(self.joined.insert((*user).to_owned(), *seq), None, "{user} joins twice");
            }
            Event::Admitted { user, seq, .. } => {
                assert_eq!(self.admitted.insert((*user).to_owned(), *seq), None, "{user} comes in twice");
                return Some(((*user).to_owned(), *seq));
            }
            Event::Ended { user, reason, .. } => {
                assert_eq!(self.ended.insert((*user).to_owned(), *reason), None, "{user} ends twice");
            }
            _ => {}
        }
        None
    }

    /// Everybody was admitted once or left before, and ended as his habit is.
    fn check(&self) {
        assert_eq!((self.joined.len(), self.line.places()), (usize::try_from(USERS).unwrap(), 0));
        for (name, reason) in &self.ended {
            let fits = match habit(name) {
                // Who came into the empty room has claimed by joining: his silence lasts to the end of his place.
                Habit::Silent => matches!(reason, EndReason::Unclaimed | EndReason::Lapsed),
                // On a slow machine the place may be over before he leaves.
                Habit::Leaver | Habit::Buyer => matches!(reason, EndReason::Left | EndReason::Lapsed),
                Habit::Idler => *reason == EndReason::Lapsed,
            };
            let late =
                *reason == EndReason::Unclaimed && (habit(name) == Habit::Leaver || self.late.contains(name));
            assert!(fits || late, "{name} ended as {reason:?}");
            assert!(
                self.admitted.contains_key(name) || habit(name) == Habit::Leaver,
                "{name} was passed over"
            );
        }
    }
}

async fn join(store: Store, name: String) {
    let joined = store.join(CONCERT, &user(&name), soon()).await.unwrap().value;
    if habit(&name) == Habit::Leaver {
        store.leave(CONCERT, &user(&name), joined.seq, soon()).await.unwrap();
    }
}

/// What a user does when he is let in. Tells his name if he came too late.
async fn act(store: Store, name: String, seq: u64) -> Option<String> {
    if matches!(habit(&name), Habit::Silent | Habit::Leaver) {
        return None;
    }
    match store.claim(CONCERT, &user(&name), seq, soon()).await {
        Ok(_) if habit(&name) == Habit::Idler => None,
        Ok(_) => {
            store.leave(CONCERT, &user(&name), seq, soon()).await.unwrap();
            None
        }
        Err(Failure::Refused(Refusal::QueueTokenExpired)) => Some(name),
        Err(failure) => panic!("{name}: {failure}"),
    }
}

/// One worker: a step every few milliseconds, as the loop does it.
async fn work(store: Store) {
    let mut ticks = interval(Duration::from_millis(5));
    loop {
        ticks.tick().await;
        while store.admit(CONCERT, soon()).await.unwrap().more {}
    }
}

/// Follows the log from its beginning until every place has ended; users act as they are let in.
async fn follow(tail: Tail, stores: Vec<Store>) -> Fates {
    let (mut fates, mut number) = (Fates::default(), 0);
    let mut acting = JoinSet::new();
    while fates.ended.len() < usize::try_from(USERS).unwrap() {
        let read = tail.read(&[(LOG, number)], 500, Duration::from_millis(200)).await.unwrap();
        for entry in read.into_iter().flat_map(|(_, entries)| entries) {
            assert_eq!(entry.number, number + 1);
            number = entry.number;
            for event in Entry::decode(LogKind::Concert, &entry.text).unwrap().events {
                if let Some((name, seq)) = fates.take(&event) {
                    let store = stores[usize::try_from(seq).unwrap() % stores.len()].clone();
                    acting.spawn(act(store, name, seq));
                }
            }
        }
    }
    fates.late = acting.join_all().await.into_iter().flatten().collect();
    fates
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_comes_in_once_in_turn_and_never_too_many() {
    let redis = Redis::start().await;
    let policy = Policy {
        max_active: u32::try_from(MAX_ACTIVE).unwrap(),
        admit_per_second: 100_000.0,
        active_seconds: 4,
        claim_seconds: 3,
        ..Policy::default()
    };
    let first = on_sale(&redis, policy, 50).await;
    let second = Duration::from_secs(1);
    let settings = Settings { url: redis.url(), response_timeout: second, connect_timeout: second };
    let stores: Vec<_> = (0..4).map(|_| store_on(&redis, first.seen().clone())).collect();

    let mut workers = JoinSet::new();
    for _ in 0..3 {
        workers.spawn(work(store_on(&redis, first.seen().clone())));
    }
    let following = tokio::spawn(follow(Tail::new(&settings).unwrap(), stores.clone()));
    let mut joining = JoinSet::new();
    for number in 0..USERS {
        let store = stores[usize::try_from(number).unwrap() % stores.len()].clone();
        joining.spawn(join(store, format!("u{number}")));
    }
    joining.join_all().await;

    let fates = timeout(Duration::from_mins(2), following).await.expect("all places end").unwrap();
    workers.abort_all();
    fates.check();
    let never_in = USERS - u64::try_from(fates.admitted.len()).unwrap();
    assert!(never_in > 0, "nobody left the line before his turn");
}
