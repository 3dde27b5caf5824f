//! The way to Redis breaks under the store: replies are lost, scripts forgotten. Every call has one effect.

use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use onsale::domain::ids::{Mark, ReservationId, UserId};
use onsale::domain::policy::Policy;
use onsale::domain::reservation::Seats;
use onsale::store::{ChargeRequest, HoldRequest, Limits, PayRequest, Settings, Store};

use crate::store::{CONCERT, SHOW, on_sale, soon, user};
use crate::support::proxy::Proxy;
use crate::support::redis::Redis;
use crate::support::wait_until;

const BUYERS: u32 = 48;

/// A concert for everybody, and a store that comes to it through the proxy.
async fn behind(redis: &Redis) -> (Proxy, Store) {
    let policy = Policy { max_active: 10_000, admit_per_second: 100_000.0, ..Policy::default() };
    let direct = on_sale(redis, policy, 1000).await;
    let proxy = Proxy::start(&redis.socket());
    let second = Duration::from_secs(1);
    let settings = Settings { url: proxy.url(), response_timeout: second, connect_timeout: second };
    let limits = Limits { batch_weight: 128, queue_requests: 20_000 };
    let store = Store::new(settings, limits, 4, direct.seen().clone()).unwrap();
    (proxy, store)
}

/// Buys one seat; answers the balance that is left and whether any answer was a first one told again.
async fn buy(store: &Store, number: u32) -> (i64, bool) {
    let name: UserId = user(&format!("user-{number}-"));
    let charge = ChargeRequest {
        by: name.clone(),
        user: name.clone(),
        charge: store.new_id(),
        amount: 30_000,
        key: format!("charge-{number}-"),
        refusal: None,
        fingerprint: Mark(1),
    };
    let charged = store.charge(charge, soon()).await.unwrap();
    let seq = store.join(CONCERT, &name, soon()).await.unwrap().value.seq;
    let request = HoldRequest {
        show: SHOW,
        user: name.clone(),
        seq: Some(seq),
        catalog: 1,
        seats: Seats(vec![(number, 10_000)]),
        reservation: store.new_id().with_seats(1),
        key: None,
        fingerprint: Mark(2),
    };
    let id = request.reservation;
    let held = store.hold(CONCERT, request, soon()).await.unwrap();
    assert_eq!(held.value.reservation, id);
    let reservation = ReservationId { concert: CONCERT, show: SHOW, id };
    let key = Some(format!("pay-{number}-"));
    let pay = PayRequest { reservation, user: name, payment: store.new_id(), key, fingerprint: Mark(3) };
    let payment = pay.payment;
    let paid = store.pay(pay, soon()).await.unwrap();
    assert_eq!(paid.value.payment, payment);
    (paid.value.balance, charged.replayed || held.replayed || paid.replayed)
}

async fn buy_all(store: &Store) -> usize {
    let tasks = (0..BUYERS).map(|number| {
        let store = store.clone();
        tokio::spawn(async move { buy(&store, number).await })
    });
    let mut replayed = 0;
    for task in tasks.collect::<Vec<_>>() {
        let (balance, again) = task.await.unwrap();
        assert_eq!(balance, 20_000);
        replayed += usize::from(again);
    }
    replayed
}

async fn ask<T: redis::FromRedisValue>(redis: &Redis, words: &[&str]) -> T {
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd(words[0]).arg(&words[1..]).query_async(&mut connection).await.unwrap()
}

/// How often events with this word stand in the concert's log and in the wallets'.
async fn events(redis: &Redis, word: &str) -> usize {
    let mut count = 0;
    for key in ["{c7}:log", "{w00}:log", "{w01}:log", "{w02}:log", "{w03}:log"] {
        let read: redis::streams::StreamRangeReply = ask(redis, &["XRANGE", key, "-", "+"]).await;
        let texts = read.ids.iter().map(|entry| entry.get::<String>("e").unwrap());
        count += texts.map(|text| text.lines().filter(|line| line.starts_with(word)).count()).sum::<usize>();
    }
    count
}

async fn assert_bought_once(redis: &Redis) {
    let buyers = BUYERS as usize;
    for (word, times) in [("charged ", 1), ("joined ", 1), ("held ", 1), ("paid ", 2)] {
        assert_eq!(events(redis, word).await, times * buyers, "{word}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_reply_is_lost_is_sent_again_and_has_one_effect() {
    let redis = Redis::start().await;
    let (proxy, store) = behind(&redis).await;
    for verb in ["charge-7-", "user-11-", "pay-13-", "charge-17-", "pay-19-"] {
        proxy.lose_reply_to(verb);
    }
    let replayed = buy_all(&store).await;
    assert_eq!(proxy.still_to_lose(), 0);
    assert!(replayed >= 2, "{replayed} of the lost answers were told again");
    assert_bought_once(&redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_that_redis_forgets_under_load_are_loaded_again() {
    let redis = Redis::start().await;
    let (_proxy, store) = behind(&redis).await;
    let buying = tokio::spawn(async move { buy_all(&store).await });
    let mut flushed = 0;
    while !buying.is_finished() {
        let () = ask(&redis, &["SCRIPT", "FLUSH"]).await;
        flushed += 1;
    }
    buying.await.unwrap();
    assert!(flushed > 1);
    assert_bought_once(&redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_is_served_and_harms_nobody() {
    let redis = Redis::start().await;
    let (proxy, store) = behind(&redis).await;
    proxy.hold_all();
    let join = |number| {
        let store = store.clone();
        Box::pin(async move { store.join(CONCERT, &user(&format!("user-{number}-")), soon()).await })
    };
    let mut callers: Vec<_> = (0..BUYERS).map(join).collect();
    // Once each: the first is under way and does not come back, the others stand before it.
    for caller in &mut callers {
        let asked = poll_fn(|context| Poll::Ready(caller.as_mut().poll(context).is_pending()));
        assert!(asked.await);
    }
    let staying = callers.split_off(BUYERS as usize / 3);
    drop(callers);
    proxy.pass();
    for caller in staying {
        caller.await.unwrap();
    }
    wait_until("those who went away are in line as well", async || {
        events(&redis, "joined ").await == BUYERS as usize
    })
    .await;
}
