//! What is over names nobody (decision 0015): seats, sums and books stay, whatever breaks off, comes back or is forgotten meanwhile.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use onsale::archive::RetentionState;
use onsale::domain::event::{Entry, Event, LogKind};
use onsale::domain::outcome::{InvalidReason, Refusal};
use onsale::domain::retention::RetentionKey;
use onsale::domain::time::Millis;
use onsale::forgetting::ForgettingError;
use onsale::retention::{Retention, Round};
use onsale::store::Failure;

use super::*;

pub(super) const DAY: i64 = 24 * 3600 * 1000;

pub(super) fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Millis(i64::try_from(since.as_millis()).unwrap())
}

/// Two seats with all that he has: his balance is empty behind it.
pub(super) async fn buys_for_all(store: &Store, name: &str, first: u32) -> ReservationId {
    charge(store, name, "c").await;
    let mut last = None;
    for seat in [first, first + 1] {
        let reservation = hold(store, name, seat).await.unwrap();
        let payment = store.new_id();
        let request = PayRequest { reservation, user: user(name), payment, key: None, fingerprint: Mark(2) };
        store.pay(request, soon()).await.unwrap();
        last = Some(reservation);
    }
    last.unwrap()
}

impl Sale {
    /// The time of the concert's last entry.
    pub(super) async fn clock(&self) -> i64 {
        let time: redis::Value = self.redis(&["HGET", "{c7}:meta", "time"]).await;
        redis::from_redis_value(time).unwrap()
    }

    /// Two days later: the logs' clocks are ahead, what is remembered for a day is gone.
    pub(super) async fn two_days_later(&self) {
        let later = (self.clock().await + 2 * DAY).to_string();
        for log in ["{c7}", "{w00}", "{w01}", "{w02}", "{w03}"] {
            self.redis(&["HSET", &format!("{log}:meta"), "time", &later]).await;
        }
        while self.store.tidy(CONCERT, Millis(self.clock().await - DAY), soon()).await.unwrap() > 0 {}
        while self.store.tidy_wallets(soon()).await.unwrap() > 0 {}
    }

    /// A round by a process of its own, ten days after the last entry: everything is over.
    pub(super) async fn retain(&self) -> Round {
        self.retention().run(Millis(self.clock().await + 10 * DAY)).await.unwrap()
    }

    pub(super) fn retention(&self) -> Retention {
        let store = store_on(&self.redis, SeenLogs::default());
        Retention::new(self.fresh.archive.clone(), store, Some(Duration::from_hours(24)))
    }

    /// Where these bytes are, but for requests: they go by themselves after a day.
    pub(super) async fn names(&self, name: &str) -> Vec<String> {
        self.level().await;
        self.trim_all().await;
        let mut found = traces(&self.redis.url(), &self.fresh.pool, name).await;
        found.retain(|path| !path.contains("idem"));
        found
    }

    /// Nothing is wrong with anything; and each place is his whom its entry names, which an audit asks of those only that have not ended.
    pub(super) async fn is_whole(&self) {
        let report = self.audit().await;
        assert!(report.ok, "{report:#?}");
        let mut joined = BTreeMap::new();
        let entries = self.fresh.archive.entries_after(LogName::Concert(CONCERT), 0, 10_000).await.unwrap();
        for (_, text) in &entries {
            for event in Entry::decode(LogKind::Concert, text).unwrap().events {
                if let Event::Joined { seq, user } = event {
                    joined.insert(seq, user.to_owned());
                }
            }
        }
        let rows = sqlx::query_as("select seq, user from queue_tokens where concert = 7");
        let rows: Vec<(u64, Vec<u8>)> = rows.fetch_all(&self.fresh.pool).await.unwrap();
        let rows = rows.into_iter().map(|(seq, user)| (seq, String::from_utf8(user).unwrap())).collect();
        assert_eq!(joined, rows);
    }

    /// As if it were tomorrow: partitions that were looked through today may be again.
    pub(super) async fn look_again(&self) {
        let update = "update retentions set done_at = 0 where done_at is not null";
        sqlx::query(update).execute(&self.fresh.pool).await.unwrap();
    }

    /// A round has begun with the concert, has found nothing live in it, and broke off.
    pub(super) async fn is_idle(&self) {
        let (log, key, archive) = (LogName::Concert(CONCERT), RetentionKey([3; 32]), &self.fresh.archive);
        archive.begin_retention(log, key, now()).await.unwrap();
        let number = archive.offset(log).await.unwrap().unwrap().offset.number;
        let seq = archive.last_place(CONCERT).await.unwrap();
        let state = RetentionState { log, key, since: None, upto: None };
        assert!(archive.note_idle(&state, number, seq).await.unwrap());
    }

    /// Everybody who looked on, waits or is active leaves.
    pub(super) async fn everybody_leaves(&self) {
        let places = self.fresh.archive.open_places(CONCERT, Millis(i64::MAX), 0, 1000).await.unwrap();
        for (seq, user) in places {
            self.store.leave(CONCERT, &user, seq, soon()).await.unwrap();
        }
        self.level().await;
    }
}

#[tokio::test]
async fn a_concert_that_is_over_names_nobody_and_an_empty_balance_neither() {
    let sale = Sale::with_shows(50).await;
    let store = &sale.store;
    buys_for_all(store, "anna@", 0).await;
    charge(store, "ben@", "c").await;
    let of_ben = hold(store, "ben@", 4).await.unwrap();
    pay(store, "ben@", of_ben).await;
    let of_carla = hold(store, "carla@", 5).await.unwrap();
    pay_by_card(store, "carla@", of_carla, (Verdict::Authorised, Some(Done::Captured))).await;
    let of_dora = hold(store, "dora@", 6).await.unwrap();
    store.release(of_dora, &user("dora@"), soon()).await.unwrap();
    store.join(CONCERT, &user("emil@"), soon()).await.unwrap();
    top_up::all_kinds(store, "gus@").await;
    sale.level().await;
    let books = sale.books().await;

    let too_young = sale.retention().run(now()).await.unwrap();
    assert_eq!((too_young.rows, too_young.waiting.len()), (0, 0), "nobody was idle for so long");
    sale.two_days_later().await;
    let round = sale.retain().await;
    assert!(round.waiting.is_empty() && round.rows > 20, "{round:?}");
    sale.level().await;
    assert_eq!(sale.books().await[..5], books[..5]);
    sale.is_whole().await;
    for name in ["anna@", "carla@", "dora@", "emil@"] {
        assert_eq!(sale.names(name).await, Vec::<String>::new(), "{name}");
    }
    // He has money, and a charge under way has no end: neither is in the concert any more.
    assert!(sale.names("ben@").await.iter().all(|path| !path.contains("res") && !path.contains("c7")));
    assert_eq!(sale.store.balance(&user("ben@"), soon()).await.unwrap().amount, PRICE);
    assert!(sale.names("gus@").await.contains(&"top_ups.user".to_owned()));
    sale.is_whole().await;
    let named = "select count(distinct user) from reservations where user like 'anonymous-%'";
    assert_eq!(sale.number(named).await, 4);
    assert_eq!(sale.number("select count(*) from retentions where name_key is not null").await, 0);

    let tables = sale.fresh.tables().await;
    for _ in 0..2 {
        assert_eq!(sale.retain().await.rows, 0);
    }
    let concert = LogName::Concert(CONCERT);
    assert_eq!(
        sale.fresh.archive.concerts_over(Millis(i64::MAX)).await.unwrap(),
        [],
        "{concert} is done with"
    );
    assert_eq!(sale.fresh.tables().await, tables);

    // Whose balance paid it nobody knows; a card does.
    let owner = |reservation: ReservationId| {
        format!("select user from reservations where reservation = '{}'", reservation.id)
    };
    let name = async |reservation| -> String {
        let user: Vec<u8> =
            sqlx::query_scalar(AssertSqlSafe(owner(reservation))).fetch_one(&sale.fresh.pool).await.unwrap();
        String::from_utf8(user).unwrap()
    };
    let request = RefundRequest {
        reservation: of_ben,
        user: user(&name(of_ben).await),
        refund: store.new_id(),
        seats: Vec::new(),
        by: None,
        fingerprint: Mark(4),
    };
    let refused = store.refund(request, soon()).await;
    let anonymous = Refusal::InvalidReservation(InvalidReason::Anonymous);
    assert!(matches!(refused, Err(Failure::Refused(refusal)) if refusal == anonymous));
    refund(store, &name(of_carla).await, of_carla, &[]).await;
    sale.level().await;
    sale.is_whole().await;
}

#[tokio::test]
async fn what_is_live_keeps_all_names_and_has_no_end_by_it() {
    let sale = Sale::with_shows(50).await;
    buys_for_all(&sale.store, "anna@", 0).await;
    let held = hold(&sale.store, "zoe@", 7).await.unwrap();
    sale.level().await;
    let concert = LogName::Concert(CONCERT);
    let round = sale.retain().await;
    assert!(round.waiting.contains_key(&concert), "{round:?}");
    sale.level().await;
    assert!(sale.names("anna@").await.contains(&"reservations.user".to_owned()));
    assert!(sale.names("zoe@").await.iter().any(|path| path.contains("res/")));
    sale.is_whole().await;
    sale.store.release(held, &user("zoe@"), soon()).await.unwrap();
    sale.level().await;
    sale.two_days_later().await;
    assert!(sale.retain().await.waiting.is_empty());
    sale.level().await;
    assert_eq!(sale.names("zoe@").await, Vec::<String>::new());
    sale.is_whole().await;
}

/// Between the moment from which on nothing was live and his turn he buys again: he keeps his name until he has gone once more.
#[tokio::test]
async fn a_buyer_who_comes_back_meanwhile_is_waited_for() {
    let sale = Sale::with_shows(50).await;
    for (name, seat) in [("anna@", 0), ("ben@", 2)] {
        buys_for_all(&sale.store, name, seat).await;
    }
    sale.everybody_leaves().await;
    let concert = LogName::Concert(CONCERT);
    sale.is_idle().await;
    let held = hold(&sale.store, "ben@", 10).await.unwrap();
    store_joined(&sale, "looks on@").await;
    sale.level().await;
    assert!(sale.retain().await.waiting.contains_key(&concert));
    sale.level().await;
    sale.is_whole().await;
    sale.store.release(held, &user("ben@"), soon()).await.unwrap();
    sale.everybody_leaves().await;
    sale.two_days_later().await;
    assert!(!sale.retain().await.waiting.contains_key(&concert));
    sale.level().await;
    sale.is_whole().await;
    // Who came only then is renamed when the concert is over once more, which it is at once: the test's clock runs ahead.
    for name in ["anna@", "ben@", "looks on@"] {
        assert_eq!(sale.names(name).await, Vec::<String>::new(), "{name}");
    }
}

pub(super) async fn store_joined(sale: &Sale, name: &str) {
    sale.store.join(CONCERT, &user(name), soon()).await.unwrap();
}

/// Forgotten by the command while a retention waits: his name of then is good in both.
#[tokio::test]
async fn somebody_may_be_forgotten_meanwhile() {
    let sale = Sale::with_shows(50).await;
    for (name, seat) in [(ANNA, 0), ("ben@", 2), ("carla@", 4)] {
        buys_for_all(&sale.store, name, seat).await;
    }
    let held = hold(&sale.store, "carla@", 10).await.unwrap();
    sale.level().await;
    sale.retain().await;
    assert!(matches!(sale.forget("ben@", true).await, Outcome::Forgotten { .. }));
    sale.store.release(held, &user("carla@"), soon()).await.unwrap();
    sale.everybody_leaves().await;
    let (concert, archive) = (LogName::Concert(CONCERT), &sale.fresh.archive);
    let state = archive.retentions_under_way().await.unwrap()[0];
    assert_eq!((state.log, state.since), (concert, None));
    let number = archive.offset(concert).await.unwrap().unwrap().offset.number;
    let seq = archive.last_place(CONCERT).await.unwrap();
    assert!(archive.note_idle(&state, number, seq).await.unwrap());
    assert!(matches!(sale.forget(ANNA, true).await, Outcome::Forgotten { .. }));
    sale.two_days_later().await;
    sale.look_again().await;
    assert!(sale.retain().await.waiting.is_empty());
    sale.level().await;
    sale.is_whole().await;
    for name in [ANNA, "ben@", "carla@"] {
        assert_eq!(sale.names(name).await, Vec::<String>::new(), "{name}");
    }
}

/// Some pages have the new names and some the old: whoever would read both waits for whoever goes on with it.
#[tokio::test]
async fn an_audit_and_a_forgetting_wait_while_a_log_is_rewritten() {
    let sale = Sale::with_shows(50).await;
    buys_for_all(&sale.store, "anna@", 0).await;
    sale.everybody_leaves().await;
    sale.two_days_later().await;
    let archive = &sale.fresh.archive;
    // Nobody can rewrite this entry, so a process ends in the midst of it.
    let mut blocking = sale.fresh.pool.begin().await.unwrap();
    let entry = "select number from events where log = 'c7' and number = 4 for update";
    sqlx::query(entry).fetch_one(&mut *blocking).await.unwrap();
    let (retention, at) = (sale.retention(), Millis(sale.clock().await + 10 * DAY));
    let killed = tokio::spawn(async move { retention.run(at).await });
    wait_until("it rewrites", async || archive.rewriting().await.unwrap().is_some()).await;
    killed.abort();

    let refused = sale.forgetter().forget(&user("anna@"), true).await;
    assert!(matches!(refused, Err(ForgettingError::Rewriting(LogName::Concert(CONCERT)))), "{refused:?}");
    let store = store_on(&sale.redis, SeenLogs::default());
    let (audited, tail) = (archive.clone(), tail_on(&sale.redis));
    let mut audit = tokio::spawn(async move { audit::run(&audited, &store, &tail).await.unwrap() });
    // An audit that read on would find rows of one name and entries of the other, and be done within this.
    let early = timeout(Duration::from_secs(1), &mut audit).await;
    assert!(early.is_err(), "{early:?}");
    blocking.rollback().await.unwrap();
    let finished = async || {
        sale.retain().await;
        archive.rewriting().await.unwrap().is_none()
    };
    wait_until("the next round has gone on with it", finished).await;
    let report = audit.await.unwrap();
    assert!(report.ok, "{report:#?}");
    assert_eq!(sale.names("anna@").await, Vec::<String>::new());
}

/// Each time a little later, until it is through; the next round, by another process, goes on with it.
#[tokio::test]
async fn a_round_that_breaks_off_anywhere_is_gone_on_with() {
    let sale = Sale::with_shows(50).await;
    let mut broken = 0;
    for round in 0..14_u32 {
        let names: Vec<_> = (0..4).map(|n| format!("{n} of {round}@")).collect();
        for (name, n) in names.iter().zip(0..) {
            buys_for_all(&sale.store, name, 8 * round + 2 * n).await;
        }
        let only = format!("only looks {round}@");
        store_joined(&sale, &only).await;
        sale.everybody_leaves().await;
        sale.two_days_later().await;
        let limit = Duration::from_millis(u64::from(round) * 10);
        sale.look_again().await;
        if timeout(limit, sale.retention().run(Millis(sale.clock().await + 10 * DAY))).await.is_err() {
            broken += 1;
            sale.level().await;
            if sale.fresh.archive.rewriting().await.unwrap().is_none() {
                sale.is_whole().await;
            }
        }
        // Once more for the partitions that were looked through before the concert was over.
        for _ in 0..2 {
            sale.look_again().await;
            let unfinished = "select count(*) from retentions where name_key is not null";
            wait_until("nobody else is at it", async || {
                sale.retain().await;
                sale.number(unfinished).await == 0
            })
            .await;
        }
        sale.level().await;
        sale.is_whole().await;
        for name in names.iter().chain([&only]) {
            assert_eq!(sale.names(name).await, Vec::<String>::new(), "{name}");
        }
    }
    assert!(broken > 3, "{broken} broke off");
}
