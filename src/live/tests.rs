//! The views as their readers see them, fed with entries as the log holds them.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::snapshot::{Filling, Head, Place};
use super::*;
use crate::domain::catalog::Section;
use crate::domain::event::{Entry, LogKind};
use crate::domain::ids::Offset;
use crate::domain::policy::{Policy, PolicyState};
use crate::domain::time::Millis;

pub(crate) const LOG_ID: Mark = Mark(0xabc);
const OPENS: Millis = Millis(1_780_000_000_000);

pub(crate) fn concert(id: u32) -> Arc<Concert> {
    Arc::new(Concert {
        concert: ConcertId(id),
        org: "demo".into(),
        title: format!("Concert {id}"),
        artist: "A".into(),
        venue: "V".into(),
        opens_at: None,
        closes_at: None,
        policy: Policy::default(),
        version: 1,
    })
}

pub(crate) fn show(concert: u32, id: u32, seats: u32, price: i64) -> Arc<Show> {
    let section =
        Section { name: "A\"1".into(), price, rows: Some(1), seats_per_row: Some(seats), seats: None };
    let (sections, seats) = Show::layout(&[section]).unwrap();
    Arc::new(Show {
        show: ShowId(id),
        concert: ConcertId(concert),
        starts_at: OPENS,
        currency: "KRW".into(),
        sections,
        by_label: Show::index(&seats),
        seats,
    })
}

/// The mark of entry `number` in the logs of these tests.
pub(crate) fn mark(number: u64) -> Mark {
    Mark(if number == 0 { 0 } else { number + 0x1000 })
}

/// The text of entry `number`, made `number` seconds after `OPENS`.
pub(crate) fn entry(number: u64, events: &str) -> String {
    let at = OPENS.0 + i64::try_from(number).unwrap() * 1000;
    format!("1 {} {} {at}\n{events}", mark(number), mark(number - 1))
}

/// Applies the next entry to the view.
fn apply(view: &ConcertView, events: &str) -> Applied {
    let number = view.number() + 1;
    let text = entry(number, events);
    view.apply(number, &Entry::decode(LogKind::Concert, &text).unwrap()).unwrap()
}

/// The line of a `held` event.
pub(crate) fn held(show: u32, seats: &str) -> String {
    format!("held 00000000000000000007 {show} 1:u 100 1780000300000 1 {seats} 0: -\n")
}

fn paid(show: u32, seats: &str) -> String {
    format!("paid 00000000000000000007 {show} 1:u 00000000000000000008 100 0 {seats} 0: -\n")
}

/// A concert with one show, number 10 times its own, on sale.
fn on_sale(live: &Live, id: u32, seats: u32) -> (Arc<ConcertView>, Arc<ShowView>) {
    live.publish(concert(id), vec![show(id, id * 10, seats, 100)], LOG_ID);
    let view = live.concert(ConcertId(id)).unwrap();
    apply(&view, &format!("opened {LOG_ID} 0\n"));
    let moved = apply(&view, &format!("show {} {seats} 1\n", id * 10));
    assert_eq!(moved, Applied::Moved { catalog: Some(1) });
    (view, live.show(ShowId(id * 10)).unwrap().1)
}

fn json(encoded: &Encoded) -> Value {
    assert!(gzip::unpack(&encoded.gzip) == encoded.json, "gzip holds the same");
    serde_json::from_slice(&encoded.json).unwrap()
}

#[test]
fn the_forms_of_a_seat_map() {
    let live = Live::new();
    let (view, show) = on_sale(&live, 1, 3);
    apply(&view, &held(10, "1:100"));
    let full = show.body(SeatsForm::Full);
    assert_eq!(full.version, format!("{LOG_ID}.3"));
    let body = json(&full);
    assert_eq!((&body["showId"], &body["version"]), (&10.into(), &full.version.as_str().into()));
    let seat = serde_json::json!({"seat": "A\"1-1-2", "section": "A\"1", "row": 1, "number": 2, "price": 100, "status": "HELD"});
    assert_eq!((&body["seats"][1], body["seats"].as_array().unwrap().len()), (&seat, 3));
    let status = show.body(SeatsForm::Status);
    assert_eq!(json(&status), serde_json::json!({"version": full.version, "status": "010"}));
    let layout = show.body(SeatsForm::Layout);
    assert_eq!(json(&layout)["seats"][2]["price"], 100);
    assert_eq!(json(&layout)["seats"][2].get("status"), None);
    let etags = [&full.etag, &status.etag, &layout.etag];
    assert!(etags.iter().all(|etag| etag.starts_with('"') && etag.ends_with('"')));
    assert_ne!(full.etag, status.etag);
    for body in [&full, &status, &layout] {
        assert_eq!(body.gzip_etag, body.etag.trim_end_matches('"').to_owned() + "-gzip\"");
    }
}

#[test]
fn a_version_is_encoded_once_and_rests_while_it_changes() {
    let live = Live::new();
    let (view, show) = on_sale(&live, 1, 50_000);
    let start = std::time::Instant::now();
    let first = show.body(SeatsForm::Full);
    for _ in 0..100 {
        assert!(Arc::ptr_eq(&first, &show.body(SeatsForm::Full)));
    }
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| show.body(SeatsForm::Status));
        }
    });
    show.body(SeatsForm::Layout);
    assert_eq!(show.encodings(), [1, 1, 1]);

    for seat in 0..100 {
        apply(&view, &held(10, &format!("{}:100", seat * 499)));
    }
    let old = show.body(SeatsForm::Full);
    // 50,000 seats rest 100 ms at least; a machine too busy to get here by then proves nothing either way.
    let rested = start.elapsed() < std::time::Duration::from_millis(100);
    assert!(!rested || Arc::ptr_eq(&first, &old), "the old body with its own version and etag");
    let new = show.body_at_least(SeatsForm::Full, view.number());
    assert!(!rested || show.encodings() == [2, 1, 1]);
    assert_eq!(new.version, show.version());
    let body = json(&new);
    let held = body["seats"].as_array().unwrap().iter();
    assert_eq!(held.filter(|seat| seat["status"] == "HELD").count(), 100);
    assert_ne!(first.etag, new.etag);
}

#[test]
fn a_new_price_changes_the_full_form_and_nothing_else_does() {
    let live = Live::new();
    let (_, view) = on_sale(&live, 1, 3);
    let (full, layout) = (view.body(SeatsForm::Full), view.body(SeatsForm::Layout));
    live.publish(concert(1), vec![show(1, 10, 3, 100)], LOG_ID);
    assert!(Arc::ptr_eq(&full, &view.body(SeatsForm::Full)), "the same catalog again");
    live.publish(concert(1), vec![show(1, 10, 3, 200)], LOG_ID);
    let (dearer, new_layout) = (view.body(SeatsForm::Full), view.body(SeatsForm::Layout));
    assert_eq!(full.version, dearer.version);
    assert_ne!(full.etag, dearer.etag);
    assert_ne!(layout.etag, new_layout.etag);
    assert_eq!(json(&dearer)["seats"][0]["price"], 200);
}

#[test]
fn changes_are_told_since_a_version_of_the_same_log() {
    let live = Live::new();
    let (view, show) = on_sale(&live, 1, 9);
    let old = show.version();
    apply(&view, &held(10, "4:100,2:100"));
    assert_eq!(show.changes_since(&old), Some((show.version(), vec![(2, b'1'), (4, b'1')])));
    for foreign in ["", "x", "0000000000000001.2", &format!("{LOG_ID}.99"), &format!("{LOG_ID}.x")] {
        assert_eq!(show.changes_since(foreign), None, "{foreign}");
    }
}

#[test]
fn of_several_states_the_first_that_applies_is_shown() {
    let live = Live::new();
    let (view, _) = on_sale(&live, 1, 1);
    let now = Millis(OPENS.0 + 50_000);
    let policy = |opens: i64, closes: i64, paused| {
        let state = PolicyState {
            opens_at: Some(Millis(OPENS.0 + opens)),
            closes_at: Some(Millis(OPENS.0 + closes)),
            paused,
            ..PolicyState::default()
        };
        let json = serde_json::to_string(&state).unwrap();
        apply(&view, &format!("policy 1 {}:{json}\n", json.len()));
        view.state(now)
    };
    assert_eq!(policy(0, 90_000, false), SaleState::Open);
    assert_eq!(policy(60_000, 90_000, false), SaleState::Announced);
    assert_eq!(policy(50_000, 90_000, false), SaleState::Open, "open from opensAt on");
    assert_eq!(policy(60_000, 90_000, true), SaleState::Paused);
    apply(&view, &held(10, "0:100"));
    assert_eq!(view.state(now), SaleState::Paused, "what is held may come back");
    apply(&view, &paid(10, "0:100"));
    assert_eq!(view.state(now), SaleState::SoldOut);
    assert_eq!(policy(0, 50_000, true), SaleState::Closed);
    view.mark_recovering();
    assert_eq!(view.state(now), SaleState::Recovering);
}

#[test]
fn rankings_order_by_seats_and_by_speed() {
    let live = Live::new();
    for (id, seats) in [(1, 1), (2, 3), (3, 1)] {
        let (view, _) = on_sale(&live, id, seats);
        apply(&view, &held(id * 10, "0:100"));
        if id == 1 {
            apply(&view, "joined 1 1:u\n");
        }
        apply(&view, &paid(id * 10, "0:100"));
        assert_eq!(view.sales().revenue, 100);
    }
    apply(&live.concert(ConcertId(2)).unwrap(), &(held(20, "1:100") + &paid(20, "1:100")));
    let ids = |ranking: Vec<Ranked>| -> Vec<_> {
        let entry = |ranked: Ranked| (ranked.rank, ranked.concert.concert().concert.0);
        ranking.into_iter().map(entry).collect()
    };
    assert_eq!(ids(live.ranking_by_booked()), [(1, 2), (2, 1), (3, 3)]);
    assert_eq!(live.ranking_by_sold_out()[1].sold_out_in_seconds, Some(2));
    assert_eq!(ids(live.ranking_by_sold_out()), [(1, 3), (2, 1)]);
}

#[test]
fn an_entry_that_does_not_continue_the_log_is_refused() {
    let live = Live::new();
    let (view, _) = on_sale(&live, 1, 1);
    let apply = |number: u64, text: &str| {
        let entry = Entry::decode(LogKind::Concert, text).unwrap();
        view.apply(number, &entry)
    };
    assert!(matches!(apply(2, &entry(2, "joined 5 1:u\n")), Ok(Applied::Known)));
    assert_eq!(view.place(5), PlaceView::Unknown, "an entry is applied once");
    assert!(apply(4, &entry(4, "joined 1 1:u\n")).is_err(), "one is missing");
    let other = entry(3, "joined 1 1:u\n").replacen(&mark(2).to_string(), &Mark(7).to_string(), 1);
    assert!(apply(3, &other).is_err(), "the one before was another");
    let other = entry(2, "joined 1 1:u\n").replacen(&mark(2).to_string(), &Mark(7).to_string(), 1);
    assert!(apply(2, &other).is_err(), "the same number in another history");
    assert!(apply(3, &entry(3, "joined 1 1:u\n")).is_ok());
}

#[test]
fn a_snapshot_is_whole_when_its_last_page_is_caught_up_with() {
    let live = Live::new();
    live.publish(concert(1), vec![show(1, 10, 4, 100)], LOG_ID);
    let view = live.concert(ConcertId(1)).unwrap();
    let head = Head {
        log_id: LOG_ID,
        epoch: 2,
        offset: Offset { number: 7, mark: mark(7) },
        policy_version: 3,
        policy_json: r#"{"policy":{"maxActive":9},"paused":true}"#.into(),
        seq: 3,
        revenue: 500,
        show_versions: vec![(ShowId(10), 5)],
        cancelled: vec![],
    };
    let mut filling = Filling::start(&head).unwrap();
    // Entry 8 admits number 2 and holds seat 1; entry 9 books it. The pages of the line saw neither, that of the seats both.
    filling.add_waiting(7, &[2, 3]).unwrap();
    filling.add_places(7, [Place { seq: 1, end: OPENS, claim_by: Millis(0) }]);
    filling.add_seats(9, ShowId(10), 0, b"2200").unwrap();
    filling.close_pages();
    for (number, events) in [
        (8, "admitted 2 1:u 1780000600000 1780000060000\n".to_owned() + &held(10, "1:100")),
        (9, paid(10, "1:100")),
    ] {
        assert!(!filling.is_complete());
        let text = entry(number, &events);
        filling.apply(number, &Entry::decode(LogKind::Concert, &text).unwrap()).unwrap();
    }
    assert!(filling.is_complete() && !view.warm());
    view.install(filling);
    assert!(view.warm());
    assert_eq!((view.number(), view.epoch(), view.policy().paused), (9, 2, true));
    assert_eq!((view.policy_version(), view.policy().policy.max_active), (3, 9));
    let sales = view.sales();
    assert_eq!((sales.available, sales.held, sales.booked, sales.revenue), (2, 0, 2, 600));
    assert_eq!(view.place(3), PlaceView::Waiting { position: 1 });
    let admitted = PlaceView::Active { end: Millis(1_780_000_600_000), claimed: false };
    assert_eq!(view.place(2), admitted);
    assert_eq!(view.sold_out_in_seconds(), None);
}

#[test]
fn a_recovered_log_ends_recovering_and_a_snapshot_of_the_same_does_not() {
    let live = Live::new();
    let (view, _) = on_sale(&live, 1, 1);
    view.mark_recovering();
    let mut head = Head {
        log_id: LOG_ID,
        epoch: 0,
        offset: view.offset(),
        policy_version: 1,
        policy_json: r#"{"policy":{}}"#.into(),
        seq: 0,
        revenue: 0,
        show_versions: vec![],
        cancelled: vec![],
    };
    view.install(Filling::start(&head).unwrap());
    assert!(view.recovering());
    head.epoch = 1;
    view.install(Filling::start(&head).unwrap());
    assert!(!view.recovering());
    live.publish(concert(1), vec![], Mark(5));
    assert!(!view.warm(), "another log: what is shown is of the old one");
}

#[tokio::test]
async fn readers_wait_for_an_entry_until_their_deadline() {
    let live = Live::new();
    let (view, _) = on_sale(&live, 1, 1);
    let soon = Instant::now() + Duration::from_millis(10);
    assert!(view.reached(2, soon).await);
    assert!(!view.reached(3, soon).await);
    let waiting = tokio::spawn({
        let view = Arc::clone(&view);
        async move { view.reached(3, Instant::now() + Duration::from_secs(10)).await }
    });
    tokio::task::yield_now().await;
    apply(&view, "joined 1 1:u\n");
    assert!(waiting.await.unwrap());
}
