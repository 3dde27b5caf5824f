//! Seating plans over HTTP and the command line: what they add and change, and what they may not drop.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use onsale::domain::catalog::Section;
use serde_json::{Value, json};
use sqlx::ConnectOptions as _;
use tokio::sync::Mutex;

use super::app::{App, Setup};
use super::client::{Answered, Caller};
use super::organiser::of;
use crate::support::process::Process;

/// A plan in the form that pretix publishes: seats are `[guid, number, category]` of one row.
fn plan(seats: &[[&str; 3]]) -> Value {
    let seat = |[guid, number, category]: &[&str; 3]| json!({"seat_guid": guid, "seat_number": number, "position": {"x": 1, "y": 2}, "category": category});
    let seats: Vec<_> = seats.iter().map(seat).collect();
    let row = json!({"row_number": "1", "row_number_position": "both", "position": {"x": 0, "y": 0}, "seats": seats});
    let zone = json!({"name": "A", "position": {"x": 0, "y": 0}, "rows": [row], "areas": []});
    let category = |name: &str| json!({"name": name, "color": "red"});
    let categories = [category("Stalls"), category("Balcony")];
    let size = json!({"width": 10, "height": 10});
    json!({"name": "Hall", "size": size, "categories": categories, "zones": [zone]})
}

async fn put(caller: &mut Caller, show: u64, body: &Value) -> Answered {
    let path = format!("/v1/admin/shows/{show}/seating-plan");
    caller.send("PUT", &path, &[], Some(&body.to_string())).await
}

async fn seats(app: &App, show: u64) -> Vec<[String; 4]> {
    let mut anyone = app.caller("anyone", &[]).await;
    let map = anyone.get(&format!("/v1/shows/{show}/seats")).await.json();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let seat = |seat: &Value| ["seat", "section", "price", "status"].map(|name| text(&seat[name]));
    map["seats"].as_array().unwrap().iter().map(seat).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_adds_seats_and_moves_them_and_sells_at_once() {
    let app = App::start().await;
    // Seats A-1-1 to A-1-3 in section A, for 50,000.
    let (concert, show) = app.seats_on_sale(json!({}), 3).await;
    let mut boss = app.boss().await;
    let known = [["g1", "1", "Balcony"], ["g2", "2", "Stalls"], ["g3", "3", "Stalls"], ["g4", "4", "Stalls"]];
    let body = json!({"pretix": plan(&known), "prices": {"Stalls": 70_000, "Balcony": 30_000}});
    let done = put(&mut boss, show, &body).await;
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!(done.json(), json!({"showId": show, "seatsTotal": 4, "added": 1, "changed": 3}));
    let row = |[seat, section, price]: [&str; 3]| [seat, section, price, "AVAILABLE"].map(str::to_owned);
    let expected = [
        ["A-1-1", "Balcony", "30000"],
        ["A-1-2", "Stalls", "70000"],
        ["A-1-3", "Stalls", "70000"],
        ["A-1-4", "Stalls", "70000"],
    ];
    assert_eq!(seats(&app, show).await, expected.map(row));
    let again = put(&mut boss, show, &body).await;
    assert_eq!(again.json(), json!({"showId": show, "seatsTotal": 4, "added": 0, "changed": 0}));

    let mut buyer = app.in_line("ann", concert).await;
    let held = buyer.post("/v1/reservations", &json!({"showId": show, "seats": ["A-1-4", "A-1-1"]})).await;
    assert_eq!((held.status, held.number("amount")), (201, 100_000), "{held:?}");

    // Held seats are named, in the order of the map; what lacks only free ones is refused as well.
    let lacks = json!({"sections": [{"name": "A", "price": 1, "seats": ["A-1-2"]}]});
    let refused = put(&mut boss, show, &lacks).await;
    assert!(refused.is(409, "seat_unavailable"), "{refused:?}");
    assert_eq!(refused.json()["seats"], json!(["A-1-1", "A-1-4"]));
    let lacks = json!({"sections": [{"name": "A", "price": 1, "seats": ["A-1-1", "A-1-3", "A-1-4"]}]});
    let refused = put(&mut boss, show, &lacks).await;
    assert!(refused.is(400, "invalid_request") && refused.text("detail").contains("A-1-2"), "{refused:?}");
    assert_eq!(seats(&app, show).await.len(), 4);
    // The hold keeps its price, whatever the plan says now.
    let dearer = json!({"pretix": plan(&known), "prices": {"Stalls": 90_000, "Balcony": 90_000}});
    assert_eq!(put(&mut boss, show, &dearer).await.number("changed"), 4);
    let kept = buyer.get(&format!("/v1/reservations/{}", held.text("reservationId"))).await;
    assert_eq!(kept.number("amount"), 100_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_makes_no_seat_map_is_refused_and_large_ones_are_taken() {
    let app = App::start_alone().await;
    let (_, show) = app.seats_on_sale(json!({}), 1).await;
    let mut boss = app.boss().await;
    let twice = plan(&[["g1", "1", "Stalls"], ["g2", "1", "Stalls"]]);
    let prices = json!({"Stalls": 5});
    let sections = |count: usize| -> Vec<_> {
        let seat =
            |number| json!({"name": format!("N{number}"), "price": number, "seats": [format!("n{number}")]});
        (0..count).map(seat).collect()
    };
    for (body, field) in [
        (json!({}), "sections"),
        (json!({"sections": sections(1001)}), "sections"),
        (json!({"sections": [], "prices": prices}), "sections"),
        (json!({"pretix": plan(&[["g1", "1", "Stalls"]])}), "pretix"),
        (json!({"pretix": plan(&[["g1", "1", "Box"]]), "prices": prices}), "pretix"),
        (json!({"pretix": twice, "prices": prices}), "sections"),
        (json!({"pretix": {"zones": []}, "prices": prices}), "pretix.categories"),
        (json!({"sections": [{"name": "A", "price": 1, "rows": 1}]}), "sections"),
    ] {
        let refused = put(&mut boss, show, &body).await;
        assert_eq!((refused.status, refused.text("field")), (400, field.to_owned()), "{body}: {refused:?}");
    }
    assert!(put(&mut of(&app, "demo", "operator").await, show, &json!({})).await.is(403, "forbidden"));
    let whole = json!({"sections": [{"name": "A", "price": 1, "rows": 1, "seatsPerRow": 1}]});
    assert!(put(&mut of(&app, "rival", "organiser").await, show, &whole).await.is(404, "not_found"));

    let section = |name: &str, first: usize, step: usize| {
        let labels = (first..=20_000).step_by(step).map(|number| format!("A-1-{number}")).collect();
        Section { name: name.into(), price: 7, rows: None, seats_per_row: None, seats: Some(labels) }
    };
    let large = json!({"sections": [section("A", 1, 1)]});
    assert!(large.to_string().len() > 200_000);
    assert_eq!(put(&mut boss, show, &large).await.number("added"), 19_999);

    // The concert's row waits for all of these: 10,000 seats, no two of them neighbours.
    let asked = app.questions().await;
    let alternating = json!({"sections": [section("A", 1, 2), section("B", 2, 2)]});
    assert_eq!(put(&mut boss, show, &alternating).await.number("changed"), 10_000);
    let asked = app.questions().await - asked;
    assert!(asked < 500, "{asked} statements");
    let moved = "select count(*) from seats where section = 1 and seat_index % 2 = 1 and label like 'A-1-%' and price = 7";
    assert_eq!(app.count(moved).await, 10_000);
    assert_eq!(app.count("select count(*) from seats").await, 20_000);
}

/// Whether a buyer waits on the same core while a call refuses sections: for the better half of it. A core that does the work itself makes
/// him wait each time; a busy machine does now and then.
async fn waits_beside<F>(app: &App, call: impl Fn() -> F) -> bool
where
    F: Future<Output = Answered> + Send + 'static,
{
    let mut buyer = app.caller("u", &[]).await;
    for _ in 0..10 {
        let call = tokio::spawn(call());
        let (begun, mut slowest) = (Instant::now(), Duration::ZERO);
        while !call.is_finished() {
            let asked = Instant::now();
            assert_eq!(buyer.get("/v1/concerts").await.status, 200);
            slowest = slowest.max(asked.elapsed());
        }
        let took = begun.elapsed();
        let refused = call.await.unwrap();
        assert_eq!((refused.status, refused.text("field")), (400, "sections".into()), "{refused:?}");
        if slowest * 2 < took {
            return false;
        }
    }
    true
}

/// The core that reads it has buyers.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_plan_keeps_nobody_waiting() {
    let mut setup = Setup::default();
    setup.settings.cores = 1;
    let app = App::start_with(setup).await;
    let (concert, show) = app.seats_on_sale(json!({}), 1).await;
    // One label is there twice: they are read and laid out, and MySQL is not asked.
    let labels: Vec<_> = (1..200_000).chain([1]).map(|number| format!("A-1-{number:055}")).collect();
    let plan = Arc::new(json!({"sections": [{"name": "A", "price": 7, "seats": labels}]}));
    let rows = json!({"name": "A", "price": 7, "rows": 399, "seatsPerRow": 500});
    let short = json!([rows, {"name": "B", "price": 7, "seats": ["A-399-500"]}]);
    let new = Arc::new(json!({"startsAt": "2030-01-01T00:00:00Z", "currency": "KRW", "sections": short}));
    let boss = Arc::new(Mutex::new(app.boss().await));
    let shows: Arc<str> = format!("/v1/admin/concerts/{concert}/shows").into();
    let planned = || {
        let (boss, plan) = (Arc::clone(&boss), Arc::clone(&plan));
        async move { put(&mut *boss.lock().await, show, &plan).await }
    };
    assert!(!waits_beside(&app, planned).await, "buyers wait for a plan");
    let asked = || {
        let (boss, new, shows) = (Arc::clone(&boss), Arc::clone(&new), Arc::clone(&shows));
        async move { boss.lock().await.post(&shows, &new).await }
    };
    assert!(!waits_beside(&app, asked).await, "buyers wait for a show");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_show_has_a_currency_that_there_is() {
    let app = App::start_alone().await;
    let (concert, _) = app.seats_on_sale(json!({}), 1).await;
    let mut boss = app.boss().await;
    let path = format!("/v1/admin/concerts/{concert}/shows");
    let section = json!({"name": "A", "rows": 1, "seatsPerRow": 1, "price": 1});
    for (currency, status) in [("KWD", 201), ("KRV", 400), ("krw", 400), ("", 400)] {
        let show = json!({"startsAt": "2030-01-01T00:00:00Z", "currency": currency, "sections": [section]});
        let answer = boss.post(&path, &show).await;
        assert_eq!(answer.status, status, "{currency}: {answer:?}");
        assert!(status == 201 || answer.text("field") == "currency", "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_of_a_large_plan_is_small() {
    let app = App::start().await;
    let (_, show) = app.seats_on_sale(json!({}), 1).await;
    let mut boss = app.boss().await;
    let seats = |number: usize| match number {
        0 => json!(["A-1-1"]),
        _ => json!([format!("n{number}")]),
    };
    let section = |number| json!({"name": format!("N{number}"), "price": number, "seats": seats(number)});
    let sections: Vec<_> = (0..900).map(section).collect();
    assert_eq!(put(&mut boss, show, &json!({"sections": sections})).await.number("added"), 899);
    let kept = boss.get("/v1/admin/actions?limit=1").await.json();
    let details = &kept["items"][0]["details"];
    assert_eq!((&details["seats"], &details["sections"]), (&json!(900), &json!(900)), "{kept}");
    assert_eq!(details["prices"].as_object().unwrap().len(), 50);
    // Sections that no seat is in any more count, too.
    let others: Vec<_> = sections.iter().map(|section| json!({"name": format!("{} b", section["name"]), "price": 1, "seats": section["seats"]})).collect();
    let refused = put(&mut boss, show, &json!({"sections": others})).await;
    assert_eq!((refused.status, refused.text("field")), (400, "sections".into()), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_takes_a_plan_too() {
    let app = App::start().await;
    let (_, show) = app.seats_on_sale(json!({}), 2).await;
    let folder = tempfile::tempdir().unwrap();
    let mysql = app.mysql.connect_options().to_url_lossy();
    let config = format!("redis.url = '{}'\nmysql.url = '{mysql}'\nwallet.partitions = 4\n", app.redis.url());
    fs::write(folder.path().join("site.toml"), config).unwrap();
    let import = |plan: Value, names: &'static str| {
        let (path, show) = (folder.path().to_owned(), show.to_string());
        fs::write(path.join("plan.json"), plan.to_string()).unwrap();
        let prices = ["--price", "Stalls=9", "--price", "Balcony=3", "--seat-names", names];
        let head = ["import", "--config", "site.toml", "plan.json", "--pretix", "--show", &show];
        let arguments: Vec<String> = head.iter().chain(&prices).map(|word| (*word).to_owned()).collect();
        tokio::task::spawn_blocking(move || Process::run(&path, &arguments))
    };
    let whole = plan(&[["A-1-2", "2", "Balcony"], ["A-1-1", "1", "Stalls"], ["A-1-3", "3", "Stalls"]]);
    for (names, said) in [
        ("place", "3 seats, 1 new, 2 with another section or price"),
        ("guid", "3 seats, 0 new, 0 with another section or price"),
    ] {
        let done = import(whole.clone(), names).await.unwrap();
        let answer = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && answer.trim() == format!("show {show}: {said}"), "{done:?}");
    }
    let refused = import(plan(&[["A-1-2", "2", "Balcony"]]), "place").await.unwrap();
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && error.contains("A-1-1, A-1-3"), "{refused:?}");
    assert_eq!(app.count("select count(*) from seats").await, 3);
}
