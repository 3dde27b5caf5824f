//! Catalog files by the command, beside a running server: what a file changes, what it may not, and imports that break off.

use std::fs;
use std::process::Output;

use serde_json::{Value, json};
use sqlx::ConnectOptions as _;
use tempfile::TempDir;

use super::app::App;
use crate::archive::Fresh;
use crate::support::mariadb::MariaDb;
use crate::support::process::Process;
use crate::support::redis::Redis;
use crate::support::wait_until;

/// A folder with the configuration of an installation and a file `catalog.yaml`.
struct Folder(TempDir);

impl Folder {
    fn new(redis: &str, mysql: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = format!("redis.url = '{redis}'\nmysql.url = '{mysql}'\nwallet.partitions = 4\n");
        fs::write(folder.path().join("site.toml"), config).unwrap();
        Self(folder)
    }

    fn of(app: &App) -> Self {
        Self::new(&app.redis.url(), app.mysql.connect_options().to_url_lossy().as_str())
    }

    async fn run(&self, arguments: &'static [&'static str]) -> Output {
        let path = self.0.path().to_owned();
        tokio::task::spawn_blocking(move || Process::run(&path, arguments)).await.unwrap()
    }

    fn write(&self, catalog: &Value) {
        fs::write(self.0.path().join("catalog.yaml"), catalog.to_string()).unwrap();
    }

    async fn import(&self, catalog: &Value) -> Output {
        self.write(catalog);
        self.run(&["import", "--config", "site.toml", "catalog.yaml"]).await
    }

    async fn imported(&self, catalog: &Value) {
        let done = self.import(catalog).await;
        assert!(done.status.success(), "{done:?}");
    }

    /// What the command says of a file that it refuses.
    async fn refused(&self, catalog: &Value) -> String {
        let refused = self.import(catalog).await;
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let said = String::from_utf8(refused.stderr).unwrap();
        said.lines().last().unwrap_or_default().to_owned()
    }
}

fn rows(name: &str, rows: u32, seats: u32, price: i64) -> Value {
    json!({"name": name, "rows": rows, "seatsPerRow": seats, "price": price})
}

fn named(name: &str, labels: &[&str], price: i64) -> Value {
    json!({"name": name, "seats": labels, "price": price})
}

/// A file of one concert with one show, both with the number 1.
fn catalog(title: &str, hold_seconds: u32, sections: &[Value]) -> Value {
    let show =
        json!({"showId": 1, "startsAt": "2030-01-01T00:00:00Z", "currency": "KRW", "sections": sections});
    let policy = json!({"holdSeconds": hold_seconds});
    json!({"concerts": [
        {"concertId": 1, "title": title, "artist": "A", "venue": "V", "policy": policy, "shows": [show]},
    ]})
}

/// One whose seats stay the same.
fn sized(title: &str, hold_seconds: u32) -> Value {
    catalog(title, hold_seconds, &[rows("A", 1, 3, 50_000)])
}

/// Waits until the server shows a concert like this.
async fn shows(app: &App, title: &str, venue: &str, hold_seconds: u64) {
    wait_until(&format!("the server shows {title} with {hold_seconds} s"), || async {
        let shown = app.send("GET", "/v1/concerts/1", &[], None).await.json();
        let policy = &shown["policy"]["holdSeconds"];
        shown["title"] == title && shown["venue"] == venue && *policy == hold_seconds
    })
    .await;
}

/// Label, section, price and status of all seats, by index.
async fn seats(app: &App) -> Vec<[String; 4]> {
    let map = app.send("GET", "/v1/shows/1/seats", &[], None).await.json();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let seat = |seat: &Value| ["seat", "section", "price", "status"].map(|name| text(&seat[name]));
    map["seats"].as_array().into_iter().flatten().map(seat).collect()
}

async fn has_seats(app: &App, count: usize) {
    wait_until(&format!("the server shows {count} seats"), || async { seats(app).await.len() == count })
        .await;
}

/// All that an import writes: the catalog, the logs as archived, and how far Redis has got with the concert.
async fn state(app: &App) -> Vec<Vec<String>> {
    let fresh = Fresh { archive: app.archive.clone(), pool: app.mysql.clone() };
    let mut state = Vec::new();
    for table in ["concerts", "shows", "seats", "log_offsets", "events"] {
        state.push(fresh.rows(table).await);
    }
    let meta: Vec<String> = app.redis(&["HMGET", "{c1}:meta", "number", "mark", "catalog", "policy"]).await;
    state.push(meta);
    state
}

/// The same once the archive has all of the log.
async fn settled(app: &App) -> Vec<Vec<String>> {
    app.audit().await;
    state(app).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_file_takes_back_what_a_newer_one_changed_and_the_same_changes_nothing() {
    let app = App::start().await;
    let folder = Folder::of(&app);
    let (one, two) = (sized("One", 300), sized("Two", 180));
    for _ in 0..2 {
        folder.imported(&one).await;
        shows(&app, "One", "V", 300).await;
        folder.imported(&two).await;
        shows(&app, "Two", "V", 180).await;
    }
    let before = settled(&app).await;
    folder.imported(&two).await;
    assert_eq!(settled(&app).await, before);

    let mut boss = app.boss().await;
    let changed = json!({"venue": "Elsewhere", "policy": {"holdSeconds": 77}});
    let patched = boss.send("PATCH", "/v1/admin/concerts/1", &[], Some(&changed.to_string())).await;
    assert_eq!(patched.status, 200, "{patched:?}");
    assert_eq!(boss.post("/v1/admin/concerts/1/queue/pause", &json!({})).await.status, 200);
    let before = settled(&app).await;
    folder.imported(&two).await;
    assert_eq!(settled(&app).await, before);
    shows(&app, "Two", "Elsewhere", 77).await;

    // Another file brings all of its own, but a pause is nobody's file's.
    folder.imported(&sized("Three", 180)).await;
    shows(&app, "Three", "V", 180).await;
    assert_eq!(boss.get("/v1/concerts/1").await.text("state"), "PAUSED");
    let policies = async || app.redis::<u64>(&["HGET", "{c1}:meta", "policy"]).await;
    let known = policies().await;
    folder.imported(&sized("Four", 180)).await;
    shows(&app, "Four", "V", 180).await;
    assert_eq!(policies().await, known);
    app.audit().await;
}

/// MySQL has the first file's policy all the while.
#[tokio::test(flavor = "multi_thread")]
async fn what_no_worker_has_archived_yet_is_taken_back_too() {
    let (redis, mysql) = (Redis::start().await, MariaDb::database().await);
    let folder = Folder::new(&redis.url(), &mysql);
    assert!(folder.run(&["migrate", "--config", "site.toml"]).await.status.success());
    let mut connection =
        redis::Client::open(redis.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    for hold_seconds in [300, 180, 300] {
        folder.imported(&sized("One", hold_seconds)).await;
        let mut read = redis::cmd("HGET");
        let held: u32 = read.arg("{c1}:policy").arg("hold_ms").query_async(&mut connection).await.unwrap();
        assert_eq!(held, hold_seconds * 1000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn seats_are_added_anywhere_and_change_section_while_others_are_held() {
    let app = App::start().await;
    let folder = Folder::of(&app);
    folder
        .imported(&catalog("One", 300, &[rows("A", 1, 2, 50_000), named("V", &["V1", "V2"], 90_000)]))
        .await;
    has_seats(&app, 4).await;
    let mut buyer = app.in_line("ann", 1).await;
    let held = buyer.post("/v1/reservations", &json!({"showId": 1, "seats": ["A-1-2", "V1"]})).await;
    assert_eq!((held.status, held.number("amount")), (201, 140_000), "{held:?}");

    let more = [rows("A", 2, 3, 60_000), named("Best", &["V2", "V0", "V1"], 90_000)];
    let file = catalog("One", 300, &more);
    folder.imported(&file).await;
    has_seats(&app, 9).await;
    let row = |[seat, section, price, status]: [&str; 4]| [seat, section, price, status].map(str::to_owned);
    let expected = [
        ["A-1-1", "A", "60000", "AVAILABLE"],
        ["A-1-2", "A", "60000", "HELD"],
        ["V1", "Best", "90000", "HELD"],
        ["V2", "Best", "90000", "AVAILABLE"],
        ["A-1-3", "A", "60000", "AVAILABLE"],
        ["A-2-1", "A", "60000", "AVAILABLE"],
        ["A-2-2", "A", "60000", "AVAILABLE"],
        ["A-2-3", "A", "60000", "AVAILABLE"],
        ["V0", "Best", "90000", "AVAILABLE"],
    ];
    assert_eq!(seats(&app).await, expected.map(row));

    // A seating plan of the same sections is the same.
    let before = settled(&app).await;
    let plan = json!({"sections": more});
    let mut boss = app.boss().await;
    let put = boss.send("PUT", "/v1/admin/shows/1/seating-plan", &[], Some(&plan.to_string())).await;
    assert_eq!((put.number("added"), put.number("changed")), (0, 0), "{put:?}");
    folder.imported(&file).await;
    assert_eq!(settled(&app).await, before);

    let kept = buyer.get(&format!("/v1/reservations/{}", held.text("reservationId"))).await;
    assert_eq!((kept.text("status"), kept.number("amount")), ("PENDING".to_owned(), 140_000), "{kept:?}");
    let more = buyer.post("/v1/reservations", &json!({"showId": 1, "seats": ["V0", "A-1-3"]})).await;
    assert_eq!((more.status, more.number("amount")), (201, 150_000), "{more:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_lacks_a_seat_is_refused_as_a_whole_in_words_of_its_own() {
    let app = App::start().await;
    let folder = Folder::of(&app);
    let (hall, vip) = (rows("A", 1, 2, 50_000), named("V", &["V1", "V2"], 90_000));
    let older = catalog("One", 300, std::slice::from_ref(&hall));
    folder.imported(&older).await;
    folder.imported(&catalog("Two", 180, &[hall.clone(), vip.clone()])).await;
    has_seats(&app, 4).await;
    let mut buyer = app.in_line("ann", 1).await;
    let held = buyer.post("/v1/reservations", &json!({"showId": 1, "seats": ["V1"]})).await;
    assert_eq!(held.status, 201, "{held:?}");
    let before = settled(&app).await;

    let of = |concert, reason: &str| {
        format!("onsale: catalog.yaml can't be imported: concert {concert}, show 1: {reason}")
    };
    let lacking = |seats: &str| of(1, &format!("{seats}; a seat can't be dropped"));
    let mut elsewhere = older.clone();
    elsewhere["concerts"][0]["concertId"] = json!(2);
    let mut currency = catalog("Three", 60, &[hall.clone(), vip]);
    currency["concerts"][0]["shows"][0]["currency"] = json!("USD");
    let mut showless = older.clone();
    showless["concerts"][0]["shows"] = json!([]);
    for (file, said) in [
        (older, lacking("the file lacks 2 seats that it has: V1, V2")),
        (
            catalog("Three", 60, &[hall, named("V", &["V1"], 1)]),
            lacking("the file lacks 1 seat that it has: V2"),
        ),
        (elsewhere, of(2, "it belongs to concert 1")),
        (currency, of(1, "its currency can't change")),
        (showless, of(1, "it is missing; a show can't be dropped")),
    ] {
        // What comes before it in the file must not stay behind either.
        let mut whole = file.clone();
        let new = json!({"concertId": 9, "title": "New", "artist": "A", "venue": "V", "shows": []});
        whole["concerts"].as_array_mut().unwrap().insert(0, new);
        assert_eq!(folder.refused(&whole).await, said);
        assert_eq!(state(&app).await, before, "{said}");
    }
    let invalid = folder.refused(&json!({"concerts": [{"concertId": 1}]})).await;
    assert_eq!(invalid.matches("missing field").count(), 1, "{invalid}");
}

async fn in_mysql(app: &App, title: &str) -> bool {
    let select = "select title from concerts where concert = 1";
    sqlx::query_scalar::<_, String>(select).fetch_one(&app.mysql).await.unwrap() == title
}

/// Between MySQL and Redis: the next import of whatever file does all of it.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_breaks_off_is_done_again_in_full() {
    let app = App::start().await;
    let folder = Folder::of(&app);
    folder.imported(&sized("One", 300)).await;
    shows(&app, "One", "V", 300).await;
    let stands = || async { app.redis::<u32>(&["HGET", "{c1}:policy", "hold_ms"]).await / 1000 };

    // Killed while Redis takes no writes.
    for (title, again) in [("Two", "Two"), ("Three", "Two")] {
        let before = stands().await;
        folder.write(&catalog(title, before + 60, &[rows("A", 1, 3, 50_000)]));
        app.redis::<()>(&["CLIENT", "PAUSE", "600000", "WRITE"]).await;
        let arguments = ["import", "--config", "site.toml", "catalog.yaml"];
        let mut import = Process::start(folder.0.path(), &arguments);
        wait_until("MySQL has the file", || in_mysql(&app, title)).await;
        import.kill();
        app.redis::<()>(&["CLIENT", "UNPAUSE"]).await;
        assert_eq!(stands().await, before);
        folder.imported(&sized(again, 360)).await;
        shows(&app, again, "V", 360).await;
    }

    // Refused by Redis.
    let grown = catalog("Four", 90, &[rows("A", 1, 4, 50_000)]);
    app.redis::<()>(&["CONFIG", "SET", "min-replicas-to-write", "1"]).await;
    let failed = folder.import(&grown).await;
    app.redis::<()>(&["CONFIG", "SET", "min-replicas-to-write", "0"]).await;
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    assert!(in_mysql(&app, "Four").await && stands().await == 360);
    folder.imported(&grown).await;
    shows(&app, "Four", "V", 90).await;
    has_seats(&app, 4).await;
    let before = settled(&app).await;
    folder.imported(&grown).await;
    assert_eq!(settled(&app).await, before);
}
