//! Live views that follow a real Redis: what they show is what Redis holds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use onsale::domain::catalog::{Concert, Section, Show};
use onsale::domain::ids::{ConcertId, LogName, Mark, ShowId, UserId};
use onsale::domain::policy::{Policy, PolicyState};
use onsale::domain::reservation::Seats;
use onsale::domain::time::Millis;
use onsale::follow::LiveFollower;
use onsale::live::{ConcertView, Live, PlaceView, SaleState, SeatsForm};
use onsale::store::log::Tail;
use onsale::store::{HoldRequest, Limits, SeenLogs, Settings, ShowOpening, Store};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::support::redis::{Persistence, Redis};
use crate::support::{SOON, wait_until};

const CONCERT: ConcertId = ConcertId(7);
const SHOW: ShowId = ShowId(12);
const LOG_ID: Mark = Mark(0xabc);
const SEATS: u32 = 1_200;
fn deadline() -> Instant {
    Instant::now() + SOON
}

fn settings(redis: &Redis) -> Settings {
    Settings {
        url: redis.url(),
        response_timeout: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(5),
    }
}

/// A sale in a private Redis and, once followed, its view.
struct Sale {
    redis: Redis,
    seen: SeenLogs,
    store: Store,
    live: Live,
    catalog_changed: Option<mpsc::Receiver<ConcertId>>,
    stop: watch::Sender<bool>,
}

impl Sale {
    async fn open(persistence: Persistence, max_active: u32) -> Self {
        let redis = Redis::start_with(persistence, &[]).await;
        let seen = SeenLogs::default();
        let limits = Limits { batch_weight: 128, queue_requests: 20_000 };
        let store = Store::new(settings(&redis), limits, 1, seen.clone()).unwrap();
        let policy = Policy { max_active, admit_per_second: 10_000.0, ..Policy::default() };
        let state = PolicyState { policy, ..PolicyState::default() };
        let birth = store.open_concert(CONCERT, LOG_ID, &state, deadline()).await.unwrap();
        seen.register(LogName::Concert(CONCERT), LOG_ID, birth.at);
        let opening = ShowOpening { show: SHOW, seats: SEATS, catalog: 1 };
        store.open_show(CONCERT, opening, deadline()).await.unwrap();
        let (stop, _) = watch::channel(false);
        Self { redis, seen, store, live: Live::new(), catalog_changed: None, stop }
    }

    /// Publishes the concert and follows it; answers once the view is warm.
    async fn follow(&mut self) -> Arc<ConcertView> {
        let limits = Limits { batch_weight: 128, queue_requests: 20_000 };
        let store = Store::new(settings(&self.redis), limits, 1, self.seen.clone()).unwrap();
        let (changed, catalog_changed) = mpsc::channel(8);
        self.catalog_changed = Some(catalog_changed);
        let tail = Tail::new(&settings(&self.redis)).unwrap();
        let follower = LiveFollower::new(self.live.clone(), store, tail, changed);
        tokio::spawn(follower.run(self.stop.subscribe()));
        self.live.publish(Arc::new(concert(CONCERT)), vec![Arc::new(show())], LOG_ID);
        let view = self.live.concert(CONCERT).unwrap();
        wait_until("the view is warm", || async { view.warm() }).await;
        view
    }

    async fn join(&self, user: &str) -> u64 {
        let user = UserId::new(user).unwrap();
        self.store.join(CONCERT, &user, deadline()).await.unwrap().value.seq
    }

    async fn hold(&self, user: &str, seq: u64, seat: u32) -> u64 {
        let request = HoldRequest {
            show: SHOW,
            user: UserId::new(user).unwrap(),
            seq: Some(seq),
            catalog: 1,
            seats: Seats(vec![(seat, 100)]),
            reservation: self.store.new_id(),
            key: None,
            fingerprint: Mark(1),
        };
        self.store.hold(CONCERT, request, deadline()).await.unwrap().at.number
    }

    /// Compares the view, once it has come to the end of the log, with the pages of Redis.
    async fn compare(&self, view: &ConcertView) {
        let head = self.store.snapshot_head(CONCERT, deadline()).await.unwrap();
        assert!(view.reached(head.offset.number, deadline()).await, "the view follows");
        let mut expected = HashMap::new();
        let mut next = Some(0);
        while let Some(after) = next {
            let page = self.store.snapshot_queue(CONCERT, after, deadline()).await.unwrap();
            for seq in page.items {
                let position = expected.len() as u64 + 1;
                expected.insert(seq, PlaceView::Waiting { position });
            }
            next = page.next;
        }
        let waiting = expected.len() as u64;
        let mut next = Some(0);
        while let Some(cursor) = next {
            let page = self.store.snapshot_places(CONCERT, cursor, deadline()).await.unwrap();
            for place in page.items {
                let active = PlaceView::Active { end: place.end, claimed: place.claim_by == Millis(0) };
                expected.insert(place.seq, active);
            }
            next = page.next;
        }
        let line = view.line();
        assert_eq!((line.waiting, line.waiting + line.active), (waiting, expected.len() as u64));
        for seq in 1..=head.seq {
            let place = expected.get(&seq).copied().unwrap_or(PlaceView::Gone);
            assert_eq!(view.place(seq), place, "place {seq}");
        }
        assert_eq!(view.place(head.seq + 1), PlaceView::Unknown);
        self.compare_seats(view, head.offset.number).await;
    }

    async fn compare_seats(&self, view: &ConcertView, number: u64) {
        let mut seats = String::new();
        let mut next = Some(0);
        while let Some(first) = next {
            let page = self.store.snapshot_seats(CONCERT, SHOW, first, deadline()).await.unwrap();
            seats.push_str(std::str::from_utf8(&page.items).unwrap());
            next = page.next;
        }
        let body = view.shows()[0].body_at_least(SeatsForm::Status, number);
        let body: serde_json::Value = serde_json::from_slice(&body.json).unwrap();
        assert_eq!(body["status"], seats);
        let head = self.store.snapshot_head(CONCERT, deadline()).await.unwrap();
        assert_eq!(view.shows()[0].version(), format!("{LOG_ID}.{}", head.show_versions[0].1));
    }
}

impl Drop for Sale {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

fn concert(concert: ConcertId) -> Concert {
    Concert {
        concert,
        org: "demo".into(),
        title: "T".into(),
        artist: "A".into(),
        venue: "V".into(),
        opens_at: None,
        closes_at: None,
        policy: Policy::default(),
        version: 1,
    }
}

fn show() -> Show {
    let section =
        Section { name: "A".into(), price: 100, rows: Some(1), seats_per_row: Some(SEATS), seats: None };
    let (sections, seats) = Show::layout(&[section]).unwrap();
    Show {
        show: SHOW,
        concert: CONCERT,
        starts_at: Millis(0),
        currency: "KRW".into(),
        sections,
        by_label: Show::index(&seats),
        seats,
    }
}

#[tokio::test]
async fn a_view_starts_from_pages_and_goes_on_with_the_log() {
    let mut sale = Sale::open(Persistence::None, 20).await;
    // More than one page of the line, with a gap in it; active places; seats on every page of the map.
    let store = sale.store.clone();
    let joins = (0..1_300).map(|user| {
        let store = store.clone();
        tokio::spawn(async move {
            let user = UserId::new(&format!("u{user}")).unwrap();
            (user.clone(), store.join(CONCERT, &user, deadline()).await.unwrap().value.seq)
        })
    });
    let mut users = HashMap::new();
    for join in joins.collect::<Vec<_>>() {
        let (user, seq) = join.await.unwrap();
        users.insert(seq, user);
    }
    for seq in [1, 700] {
        store.leave(CONCERT, &users[&seq], seq, deadline()).await.unwrap();
    }
    for (seq, seat) in [(2, 0), (3, 650), (4, 1_199)] {
        sale.hold(users[&seq].as_str(), seq, seat).await;
    }
    let view = sale.follow().await;
    sale.compare(&view).await;

    let late = sale.join("late").await;
    store.leave(CONCERT, &users[&900], 900, deadline()).await.unwrap();
    store.admit(CONCERT, deadline()).await.unwrap();
    let at = sale.hold(users[&5].as_str(), 5, 3).await;
    assert!(view.reached(at, deadline()).await);
    sale.compare(&view).await;
    assert!(matches!(view.place(late), PlaceView::Waiting { .. }));
    assert_eq!(sale.seen.get(LogName::Concert(CONCERT)).unwrap().offset(), view.offset());
}

#[tokio::test]
async fn a_view_outlives_a_restart_of_redis() {
    let mut sale = Sale::open(Persistence::Always, 5).await;
    let view = sale.follow().await;
    let seq = sale.join("before").await;
    wait_until("the join is seen", || async { view.place(seq) != PlaceView::Unknown }).await;
    sale.redis.kill();
    assert!(matches!(view.place(seq), PlaceView::Active { .. }), "reads go on");
    sale.redis.restart();
    let user = UserId::new("after").unwrap();
    // A call on the old connection may be the one that finds out.
    let joins = || async { sale.store.join(CONCERT, &user, deadline()).await.is_ok() };
    wait_until("Redis answers again", joins).await;
    let seq = sale.join("after").await;
    wait_until("the log goes on", || async { view.place(seq) != PlaceView::Unknown }).await;
    sale.compare(&view).await;
    assert!(!view.recovering());
}

#[tokio::test]
async fn a_lost_log_stops_the_concert_and_reads_go_on() {
    let mut sale = Sale::open(Persistence::None, 5).await;
    let view = sale.follow().await;
    let seq = sale.join("u").await;
    wait_until("the join is seen", || async { view.place(seq) != PlaceView::Unknown }).await;
    sale.redis.kill();
    sale.redis.restart();
    wait_until("the loss is found", || async { view.recovering() }).await;
    assert_eq!(view.state(Millis(0)), SaleState::Recovering);
    assert!(view.warm() && matches!(view.place(seq), PlaceView::Active { .. }));
    assert!(sale.seen.get(LogName::Concert(CONCERT)).unwrap().is_lost());
}

#[tokio::test]
async fn a_newer_catalog_is_told_of_and_its_seats_are_there() {
    let mut sale = Sale::open(Persistence::None, 5).await;
    let view = sale.follow().await;
    let before = view.shows()[0].counts().available;
    let opening = ShowOpening { show: SHOW, seats: SEATS + 10, catalog: 2 };
    sale.store.open_show(CONCERT, opening, deadline()).await.unwrap();
    let told = sale.catalog_changed.as_mut().unwrap().recv();
    assert_eq!(tokio::time::timeout(SOON, told).await.unwrap(), Some(CONCERT));
    assert_eq!(view.shows()[0].counts().available, before + 10);
}

#[tokio::test]
async fn views_are_level_only_while_every_one_of_them_follows() {
    let mut sale = Sale::open(Persistence::None, 20).await;
    let view = sale.follow().await;
    let is_level = || async { sale.live.staleness().is_some_and(|stale| stale < Duration::from_millis(500)) };
    wait_until("the views are level", is_level).await;

    // Redis knows nothing of the second: there is no snapshot to follow from.
    let second = ConcertId(8);
    sale.live.publish(Arc::new(concert(second)), Vec::new(), Mark(0xdef));
    wait_until("the views grow stale", || async {
        sale.live.staleness().is_some_and(|stale| stale > Duration::from_secs(1))
    })
    .await;
    sale.join("late").await;
    let head = sale.store.snapshot_head(CONCERT, deadline()).await.unwrap();
    assert!(view.reached(head.offset.number, deadline()).await, "the first goes on");
    assert!(!is_level().await);

    let birth =
        sale.store.open_concert(second, Mark(0xdef), &PolicyState::default(), deadline()).await.unwrap();
    sale.seen.register(LogName::Concert(second), Mark(0xdef), birth.at);
    wait_until("the views are level again", is_level).await;
}
