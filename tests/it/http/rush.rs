//! Everybody at once: one seat has one buyer, fifty seats have fifty, and every won is accounted for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::app::{App, Setup, token};
use super::client::Caller;
use crate::support::wait_until;

const PRICE: i64 = 50_000;

fn crowded() -> Setup {
    let mut setup = Setup::default();
    setup.settings.max_connections = 2000;
    setup.settings.request_deadline = Duration::from_mins(1);
    setup
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_clients_at_once_want_one_seat() {
    let app = Arc::new(App::start_with(crowded()).await);
    let (_, show) = app.on_sale(json!({"gated": []})).await;
    let body = json!({"showId": show, "seats": ["A-1-5"]});
    let start = Arc::new(Barrier::new(1000));
    let mut tasks = JoinSet::new();
    for number in 0..1000 {
        let (app, start, body) = (Arc::clone(&app), Arc::clone(&start), body.clone());
        tasks.spawn(async move {
            let mut caller = app.caller(&format!("u{number}"), &[]).await;
            start.wait().await;
            caller.post("/v1/reservations", &body).await
        });
    }
    let answers = tasks.join_all().await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(won.len(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert!(answer.is(409, "seat_unavailable"), "{answer:?}");
        assert_eq!(answer.json()["seats"], json!(["A-1-5"]));
    }
}

/// Two thousand buyers and what became of them.
#[derive(Default)]
struct Crowd {
    next: AtomicU32,
    charged: AtomicU32,
}

impl Crowd {
    const BUYERS: u32 = 2000;
    const CONNECTIONS: u32 = 64;

    /// Serves buyers on one connection until there are none left; gives the seats that they paid.
    async fn buy(&self, app: &App, show: u64, seats: u32) -> Vec<String> {
        let mut caller = Caller::connect(app.address).await;
        let mut booked = Vec::new();
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= Self::BUYERS {
                return booked;
            }
            caller =
                caller.with("authorization", format!("Bearer {}", token(&format!("buyer {number}"), &[])));
            let charge = json!({ "amount": 70_000 });
            let charged = caller.post_once("c", "/v1/users/me/balance", &charge).await;
            assert_eq!(charged.status, 200, "{charged:?}");
            self.charged.fetch_add(1, Ordering::Relaxed);
            // Some come back for another seat; all of them together want each seat forty times.
            for attempt in 0..2 {
                let seat = format!("A-1-{}", (number * 7 + attempt * 13) % seats + 1);
                let held = caller.post("/v1/reservations", &json!({"showId": show, "seats": [seat]})).await;
                if held.status == 409 {
                    assert_eq!(held.json()["seats"], json!([seat]), "{held:?}");
                    continue;
                }
                assert_eq!(held.status, 201, "{held:?}");
                let pay = json!({"reservationId": held.text("reservationId")});
                let paid = caller.post_once("p", "/v1/payments", &pay).await;
                assert_eq!((paid.status, paid.number("balance")), (200, 20_000), "{paid:?}");
                booked.push(seat);
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_buyers_share_fifty_seats_and_every_won_is_found() {
    let app = Arc::new(App::start_with(crowded()).await);
    let (concert, show) = app.seats_on_sale(json!({"gated": []}), 50).await;
    let crowd = Arc::new(Crowd::default());
    let mut tasks = JoinSet::new();
    for _ in 0..Crowd::CONNECTIONS {
        let (app, crowd) = (Arc::clone(&app), Arc::clone(&crowd));
        tasks.spawn(async move { crowd.buy(&app, show, 50).await });
    }
    let booked: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(crowd.charged.load(Ordering::Relaxed), Crowd::BUYERS);
    assert_eq!(booked.len(), 50, "{booked:?}");
    assert_eq!(booked.iter().collect::<BTreeSet<_>>().len(), 50, "a seat was paid twice");

    let charged = i64::from(Crowd::BUYERS) * 70_000;
    let revenue = 50 * PRICE;
    let mut boss = app.boss().await;
    let live = format!("/v1/admin/concerts/{concert}/live");
    wait_until("the view has all of it", || async {
        let live = app.send("GET", &live, &[("authorization", boss.header("authorization"))], None).await;
        live.number("booked") == 50 && live.number("held") == 0
    })
    .await;
    assert_eq!(boss.get(&live).await.json()["revenue"], revenue);
    let map = boss.get(&format!("/v1/shows/{show}/seats?view=status")).await;
    assert_eq!(map.text("status"), "2".repeat(50));
    assert_eq!(balances(&app).await + revenue, charged);

    wait_until("the archive has all of it", || async {
        app.count("select count(*) from ledger_transactions").await == i64::from(Crowd::BUYERS) + 50
            && app.count("select count(*) from payments").await == 50
    })
    .await;
    assert_eq!(app.count("select count(*) from booked_seats").await, 50);
    assert_eq!(app.count("select count(distinct show_id, seat_index) from booked_seats").await, 50);
    for (select, sum) in [
        ("select cast(sum(amount) as signed) from payments", revenue),
        ("select cast(sum(amount) as signed) from ledger_entries", 0),
        ("select cast(sum(amount) as signed) from ledger_entries where account = 'cash'", -charged),
        ("select cast(sum(amount) as signed) from ledger_entries where account = 'concert'", revenue),
        ("select cast(sum(amount) as signed) from ledger_entries where account = 'user'", charged - revenue),
        ("select count(*) from reservations where status = 'confirmed'", 50),
        ("select count(*) from reservations where status <> 'confirmed'", 0),
    ] {
        assert_eq!(app.count(select).await, sum, "{select}");
    }
}

/// All balances in Redis together.
async fn balances(app: &App) -> i64 {
    let mut sum = 0;
    for partition in 0..4 {
        let records: Vec<String> = app.redis(&["HVALS", &format!("{{w{partition:02}}}:balances")]).await;
        let amount = |record: &String| record.split(' ').next().unwrap().parse::<i64>().unwrap();
        sum += records.iter().map(amount).sum::<i64>();
    }
    sum
}
