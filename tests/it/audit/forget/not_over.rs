//! What keeps a retention that was begun from its end (decision 0015), and nobody from what is his.

use onsale::store::HoldRequest;

use super::retention::{DAY, buys_for_all, now, store_joined};
use super::*;
use onsale::domain::reservation::Seats;
use onsale::domain::time::Millis;
use onsale::retention::{Retention, Round, UnderWay, Waiting};

impl Sale {
    async fn adds_a_show(&self) {
        let show = "insert into shows (show_id, concert, starts_at, currency, sections, seats_total) \
                    values (13, 7, 99999999999999, 'KRW', '[]', 10)";
        self.sql(show).await;
    }

    /// A round of now, of an installation that keeps names for a month.
    async fn retain_for_a_month(&self) -> Round {
        let store = store_on(&self.redis, SeenLogs::default());
        let keep = Some(Duration::from_hours(24 * 30));
        Retention::new(self.fresh.archive.clone(), store, keep).run(now()).await.unwrap()
    }

    /// For what the concert waits at a time, and how long everything will have been under way three days later, by the setting and
    /// without one.
    async fn waits(&self, at: Millis) -> (Option<Waiting>, [UnderWay; 2]) {
        let waiting = self.retention().run(at).await.unwrap().waiting.remove(&LogName::Concert(CONCERT));
        let store = store_on(&self.redis, SeenLogs::default());
        let unset = Retention::new(self.fresh.archive.clone(), store, None);
        let later = Millis(at.0 + 3 * DAY);
        let set = self.retention().under_way(later).await.unwrap();
        (waiting, [set, unset.under_way(later).await.unwrap()])
    }

    async fn reservations_of(&self, name: &str) -> i64 {
        self.number(&format!("select count(*) from reservations where user = '{name}'")).await
    }
}

/// Nothing is remembered of him.
async fn buys_without_a_key(store: &Store, name: &str, seat: u32) {
    charge(store, name, "c").await;
    let joined = store.join(CONCERT, &user(name), soon()).await.unwrap().value;
    let request = HoldRequest {
        show: SHOW,
        user: user(name),
        seq: Some(joined.seq),
        catalog: 1,
        seats: Seats(vec![(seat, PRICE)]),
        reservation: store.new_id(),
        key: None,
        fingerprint: Mark(1),
    };
    let id = store.hold(CONCERT, request, soon()).await.unwrap().value.reservation;
    let reservation = ReservationId { concert: CONCERT, show: SHOW, id };
    let request = PayRequest {
        reservation,
        user: user(name),
        payment: store.new_id(),
        key: None,
        fingerprint: Mark(2),
    };
    store.pay(request, soon()).await.unwrap();
}

#[tokio::test]
async fn a_concert_that_gets_another_show_is_not_over() {
    let sale = Sale::with_shows(50).await;
    buys_for_all(&sale.store, "anna@", 0).await;
    let held = hold(&sale.store, "zoe@", 7).await.unwrap();
    sale.level().await;
    let concert = LogName::Concert(CONCERT);
    assert!(sale.retain().await.waiting.contains_key(&concert));
    sale.store.release(held, &user("zoe@"), soon()).await.unwrap();
    sale.adds_a_show().await;
    hold(&sale.store, "carl@", 20).await.unwrap();
    store_joined(&sale, "dan@").await;
    sale.level().await;
    assert!(sale.retain().await.waiting.contains_key(&concert));
    sale.level().await;
    let places = sale.fresh.archive.open_places(CONCERT, Millis(i64::MAX), 0, 100).await.unwrap();
    let names: Vec<_> = places.iter().map(|(_, user)| user.as_str()).collect();
    assert_eq!(names, ["carl@", "dan@"], "they are in its line");
    assert!(sale.fresh.archive.retentions_under_way().await.unwrap().is_empty(), "it begins anew one day");
    sale.is_whole().await;
}

#[tokio::test]
async fn for_what_it_waits_and_how_long_is_known() {
    const NOTHING: UnderWay = UnderWay { logs: 0, oldest: Duration::ZERO };
    const FOR_DAYS: UnderWay = UnderWay { logs: 1, oldest: Duration::from_hours(72) };
    let sale = Sale::with_shows(50).await;
    buys_for_all(&sale.store, "anna@", 0).await;
    let held = hold(&sale.store, "zoe@", 7).await.unwrap();
    sale.level().await;
    let at = Millis(sale.clock().await + 10 * DAY);
    let (waiting, under_way) = sale.waits(at).await;
    assert!(matches!(waiting, Some(Waiting::Live { left: 1, .. })), "{waiting:?}");
    assert_eq!(under_way, [FOR_DAYS, NOTHING], "nothing goes on without the setting");
    sale.store.release(held, &user("zoe@"), soon()).await.unwrap();
    sale.store.cancel_show(CONCERT, SHOW, "rain", soon()).await.unwrap();
    sale.level().await;
    let (waiting, under_way) = sale.waits(at).await;
    assert!(matches!(waiting, Some(Waiting::Unpaid)), "{waiting:?}");
    assert_eq!(under_way, [FOR_DAYS, NOTHING], "it counts from its beginning");
    sale.sql("update log_offsets set state = 'recovering' where log = 'c7'").await;
    let (waiting, under_way) = sale.waits(at).await;
    assert!(matches!(waiting, Some(Waiting::Unusable(_))), "{waiting:?}");
    assert_eq!(under_way[0], FOR_DAYS);
    sale.adds_a_show().await;
    assert_eq!(sale.waits(at).await.1, [NOTHING; 2], "it is not over any more");
    sale.sql("update retentions set since = 1, seq = 0, upto = 1 where log = 'c7'").await;
    let later = Millis(at.0 + 3 * DAY);
    assert_eq!(sale.retention().under_way(later).await.unwrap(), FOR_DAYS, "half rewritten, it goes on");
    // As where a show was cancelled long after everybody had got his name.
    sale.sql("update reservations set user = 'anonymous-abcdefghijklmnopqrst' where concert = 7").await;
    assert!(!sale.fresh.archive.owes_for_cancelled(CONCERT).await.unwrap(), "nobody can be paid back");
}

#[tokio::test]
async fn who_buys_behind_the_beginning_keeps_his_name() {
    let sale = Sale::with_shows(50).await;
    buys_for_all(&sale.store, "anna@", 0).await;
    sale.everybody_leaves().await;
    sale.is_idle().await;
    buys_without_a_key(&sale.store, "carl@", 20).await;
    sale.everybody_leaves().await;
    // By the setting alone: no show lies ahead.
    assert!(sale.retain_for_a_month().await.waiting.contains_key(&LogName::Concert(CONCERT)));
    sale.level().await;
    assert_eq!(sale.reservations_of("carl@").await, 1);
    // And with one.
    sale.adds_a_show().await;
    sale.two_days_later().await;
    sale.retain().await;
    sale.level().await;
    assert_eq!((sale.reservations_of("carl@").await, sale.reservations_of("anna@").await), (1, 2));
    sale.is_whole().await;
}

#[tokio::test]
async fn what_is_owed_to_a_card_is_waited_for() {
    let sale = Sale::with_shows(50).await;
    let of_carla = hold(&sale.store, "carla@", 5).await.unwrap();
    pay_by_card(&sale.store, "carla@", of_carla, (Verdict::Authorised, Some(Done::Captured))).await;
    sale.everybody_leaves().await;
    sale.two_days_later().await;
    sale.is_idle().await;
    let owed = PaymentId { reservation: of_carla, id: refund(&sale.store, "carla@", of_carla, &[]).await };
    sale.level().await;
    assert!(sale.retain().await.waiting.contains_key(&LogName::Concert(CONCERT)));
    sale.level().await;
    sale.is_whole().await;
    assert!(sale.store.settle(owed, Done::Returned, soon()).await.unwrap());
    sale.level().await;
    sale.two_days_later().await;
    assert!(sale.retain().await.waiting.is_empty());
    sale.level().await;
    sale.is_whole().await;
    assert_eq!(sale.names("carla@").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_cancelled_show_is_paid_back_first() {
    let sale = Sale::with_shows(50).await;
    buys_for_all(&sale.store, "anna@", 0).await;
    sale.everybody_leaves().await;
    sale.store.cancel_show(CONCERT, SHOW, "rain", soon()).await.unwrap();
    sale.level().await;
    sale.two_days_later().await;
    let concert = LogName::Concert(CONCERT);
    assert!(sale.retain().await.waiting.contains_key(&concert));
    let page = sale.store.clear(CONCERT, SHOW, 0, soon()).await.unwrap();
    assert_eq!(page.confirmed.len(), 2);
    for (id, owner) in page.confirmed {
        refund(&sale.store, owner.as_str(), ReservationId { concert: CONCERT, show: SHOW, id }, &[]).await;
    }
    sale.level().await;
    sale.two_days_later().await;
    assert!(sale.retain().await.waiting.is_empty());
    sale.level().await;
    sale.is_whole().await;
    assert_eq!(sale.store.balance(&user("anna@"), soon()).await.unwrap().amount, 2 * PRICE);
}

/// An identity provider may call its guests so.
#[tokio::test]
async fn an_id_that_begins_like_a_pseudonym_is_none() {
    let sale = Sale::with_shows(50).await;
    for (name, seat) in
        [("anonymous-bob@", 0), ("forgotten-eva@", 2), ("anonymous-of-more-letters-than-30", 4)]
    {
        buys_for_all(&sale.store, name, seat).await;
    }
    sale.everybody_leaves().await;
    sale.two_days_later().await;
    assert!(sale.retain().await.waiting.is_empty());
    sale.level().await;
    sale.is_whole().await;
    for name in ["anonymous-bob@", "forgotten-eva@", "anonymous-of-more-letters-than-30"] {
        assert_eq!(sale.names(name).await, Vec::<String>::new(), "{name}");
    }
}

/// Between the look at what is live and that at the last number.
#[tokio::test]
async fn who_joins_meanwhile_is_called_what_his_entry_says() {
    let sale = Sale::with_shows(50).await;
    buys_for_all(&sale.store, "anna@", 0).await;
    sale.everybody_leaves().await;
    sale.two_days_later().await;
    sale.is_idle().await;
    store_joined(&sale, "eve@").await;
    buys_for_all(&sale.store, "anna@", 10).await;
    sale.everybody_leaves().await;
    // As it is where the archive was behind: the numbers of both are among those of before.
    sale.sql("update retentions set seq = seq + 2 where log = 'c7'").await;
    sale.two_days_later().await;
    let retention = sale.retention();
    let at = Millis(sale.clock().await + 10 * DAY);
    assert!(retention.run(at).await.unwrap().waiting.is_empty());
    sale.level().await;
    sale.is_whole().await;
    let told =
        "select count(*) from queue_tokens q join reservations r on r.user = q.user where q.concert = 7";
    assert!(sale.number(told).await > 0, "a place and what was bought in it are one person's");
    assert_eq!(sale.names("anna@").await, Vec::<String>::new());
}

/// Redis has them still, by their owners' ids.
#[tokio::test]
async fn ended_reservations_that_are_not_tidied_are_waited_for() {
    let sale = Sale::with_shows(50).await;
    let of_dora = hold(&sale.store, "dora@", 6).await.unwrap();
    sale.store.release(of_dora, &user("dora@"), soon()).await.unwrap();
    sale.everybody_leaves().await;
    assert!(sale.retain().await.waiting.contains_key(&LogName::Concert(CONCERT)));
    sale.level().await;
    sale.is_whole().await;
}
