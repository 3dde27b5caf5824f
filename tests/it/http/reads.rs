//! Reads: what they cost Redis and MySQL (nothing), and what clients are spared.

use serde_json::json;

use super::app::App;

/// Each GET of a warm server, so many times.
const EACH: i64 = 200;

#[tokio::test(flavor = "multi_thread")]
async fn warm_reads_touch_neither_redis_nor_mysql() {
    let app = App::start_alone().await;
    let (concert, show) = app.on_sale(json!({"maxActive": 0})).await;
    let mut waiting = app.in_line("waiting", concert).await;
    let paths = [
        format!("/v1/shows/{show}/seats"),
        format!("/v1/shows/{show}/seats?view=status"),
        format!("/v1/concerts/{concert}/shows"),
        format!("/v1/concerts/{concert}"),
        "/v1/concerts?sort=popular".into(),
        "/v1/shows?available=true".into(),
        "/v1/rankings/concerts".into(),
        "/v1/queue/status".into(),
    ];
    for path in &paths {
        assert_eq!(waiting.get(path).await.status, 200, "{path}");
    }
    // What the loops ask for: their own commands, at their own pace.
    let scripts = async || {
        let told: String = app.redis(&["INFO", "commandstats"]).await;
        let calls = |name: &str| -> u64 {
            let line = told.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls=")));
            line.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or(0)
        };
        ["eval", "evalsha", "get", "hget", "hmget", "zrank", "zscore", "bitfield"].map(calls)
    };
    for path in &paths {
        let (before, asked) = (scripts().await, app.questions().await);
        for _ in 0..EACH {
            let answer = waiting.get(path).await;
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
        }
        assert_eq!(scripts().await, before, "{EACH} reads of {path} asked Redis");
        let questions = app.questions().await - asked;
        // The loops' own: a dozen a second.
        assert!(questions < EACH / 2, "{EACH} reads of {path} asked MySQL {questions} times");
    }
}

/// One look at MySQL answers all who ask for ids that nobody has.
#[tokio::test(flavor = "multi_thread")]
async fn however_many_ask_for_what_is_not_there_mysql_is_asked_the_same() {
    let app = App::start_alone().await;
    app.on_sale(json!({})).await;
    let (callers, times) = (40, 20);
    let before = app.questions().await;
    let mut asking = tokio::task::JoinSet::new();
    for caller in 0..callers {
        let mut stranger = app.caller("u", &[]).await;
        asking.spawn(async move {
            for time in 0..times {
                let answer =
                    stranger.get(&format!("/v1/shows/{}/seats", 4_000_000 + times * caller + time)).await;
                assert!(answer.is(404, "not_found"), "{answer:?}");
            }
        });
    }
    while let Some(done) = asking.join_next().await {
        done.unwrap();
    }
    let questions = app.questions().await - before;
    // Three a look, and the loops' own: a dozen a second.
    assert!(
        questions < i64::from(callers * times) / 2,
        "{callers} times {times} asked MySQL {questions} times"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_form_of_a_seat_map_has_a_tag_of_its_own() {
    let app = App::start().await;
    let (_, show) = app.on_sale(json!({"gated": []})).await;
    let mut user = app.caller("u", &[]).await;
    for view in ["full", "status", "layout"] {
        let path = format!("/v1/shows/{show}/seats?view={view}");
        let gzip = ("accept-encoding", "gzip");
        let plain = user.get(&path).await;
        let packed = user.send("GET", &path, &[gzip], None).await;
        assert_eq!((plain.header("content-encoding"), packed.header("content-encoding")), ("", "gzip"));
        let (tag, packed_tag) = (plain.header("etag").to_owned(), packed.header("etag").to_owned());
        assert_ne!(tag, packed_tag);
        assert!(!tag.starts_with("W/") && !packed_tag.starts_with("W/"));
        assert!(plain.header("vary").eq_ignore_ascii_case("accept-encoding"));
        for tag in [&tag, &packed_tag] {
            for headers in [vec![("if-none-match", tag.as_str())], vec![("if-none-match", tag), gzip]] {
                let same = user.send("GET", &path, &headers, None).await;
                assert_eq!((same.status, same.bytes.len(), same.header("etag")), (304, 0, tag.as_str()));
                assert!(same.header("vary").eq_ignore_ascii_case("accept-encoding"));
            }
        }
        let other = user.send("GET", &path, &[("if-none-match", "\"x\"")], None).await;
        assert_eq!((other.status, other.bytes), (200, plain.bytes));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_gets_nothing_older_than_what_it_has_seen() {
    let app = App::start().await;
    let (concert, show) = app.on_sale(json!({"gated": []})).await;
    let mut user = app.caller("u", &[]).await;
    let status = format!("/v1/shows/{show}/seats?view=status");
    let before = user.get(&status).await;
    let mut expected = "0000000000".to_owned();
    let mut seen = String::new();
    for seat in 1..=4 {
        let wanted = json!({"showId": show, "seats": [format!("A-1-{seat}")]});
        let held = user.post("/v1/reservations", &wanted).await;
        seen = held.header("onsale-version").to_owned();
        expected.replace_range(seat - 1..seat, "1");
        let version = [("onsale-version", seen.as_str())];
        let map = user.send("GET", &status, &version, None).await;
        assert_eq!(map.text("status"), expected);
        let shows = user.send("GET", &format!("/v1/concerts/{concert}/shows"), &version, None).await;
        assert_eq!(shows.json()["items"][0]["seatsAvailable"], 10 - seat);
        let since =
            user.send("GET", &format!("{status}&since={}", before.text("version")), &version, None).await;
        assert_eq!(since.json()["changes"].as_array().unwrap().len(), seat);
        assert_eq!(since.json()["changes"][0], json!({"seat": "A-1-1", "status": "HELD"}));
    }
    // Nonsense and another log's version are ignored; too old a version gets the full form.
    for version in ["", "x", "0000000000000001.99999999"] {
        let map = user.send("GET", &status, &[("onsale-version", version)], None).await;
        assert_eq!(map.status, 200, "{version}");
    }
    let full = user
        .send("GET", &format!("/v1/shows/{show}/seats?since=x.1"), &[("onsale-version", &seen)], None)
        .await;
    assert_eq!(
        full.json()["seats"][4],
        json!({
            "seat": "A-1-5", "section": "A", "row": 1, "number": 5, "price": 50_000, "status": "AVAILABLE"
        })
    );
    assert_eq!(full.number("showId"), show);
}

#[tokio::test(flavor = "multi_thread")]
async fn gated_reads_need_an_active_place() {
    let app = App::start().await;
    let (concert, show) = app.on_sale(json!({"gated": ["shows", "seats", "reserve"], "maxActive": 1})).await;
    let mut inside = app.in_line("inside", concert).await;
    let mut waiting = app.in_line("waiting", concert).await;
    let mut outside = app.caller("outside", &[]).await;
    for path in [format!("/v1/concerts/{concert}/shows"), format!("/v1/shows/{show}/seats")] {
        assert_eq!(inside.get(&path).await.status, 200, "{path}");
        let early = waiting.get(&path).await;
        assert!(early.is(403, "queue_token_not_active") && early.number("position") == 1, "{early:?}");
        assert!(outside.get(&path).await.is(401, "queue_token_invalid"), "{path}");
        assert!(app.send("GET", &path, &[], None).await.is(401, "unauthenticated"), "{path}");
    }
    assert_eq!(outside.get("/v1/shows").await.json()["items"], json!([]));
    assert_eq!(outside.get(&format!("/v1/concerts/{concert}")).await.status, 200);
    let left = inside.delete("/v1/queue/tokens").await;
    assert_eq!(left.status, 204);
    let seen = [("onsale-version", left.header("onsale-version"))];
    for path in [format!("/v1/concerts/{concert}/shows"), format!("/v1/shows/{show}/seats")] {
        assert!(inside.send("GET", &path, &seen, None).await.is(401, "queue_token_expired"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_cut_into_pages_and_narrowed() {
    let app = App::start().await;
    let (first, show) = app.on_sale(json!({})).await;
    let (second, other) = app.on_sale(json!({})).await;
    let mut user = app.caller("u", &[]).await;
    let ids = |list: &serde_json::Value, name: &str| -> Vec<u64> {
        let items = list["items"].as_array().unwrap();
        items.iter().map(|item| item[name].as_u64().unwrap()).collect()
    };
    for (path, name, expected) in [
        ("/v1/concerts", "concertId", [first, second]),
        ("/v1/shows", "showId", [show, other]),
        ("/v1/rankings/concerts", "concertId", [first, second]),
    ] {
        let whole = user.get(path).await.json();
        assert_eq!((ids(&whole, name), &whole["nextCursor"]), (expected.to_vec(), &json!(null)), "{path}");
        let page = user.get(&format!("{path}?limit=1")).await.json();
        assert_eq!(ids(&page, name), expected[..1], "{path}");
        let cursor = page["nextCursor"].as_str().unwrap();
        let page = user.get(&format!("{path}?limit=1&cursor={cursor}")).await.json();
        assert_eq!((ids(&page, name), &page["nextCursor"]), (expected[1..].to_vec(), &json!(null)), "{path}");
    }
    for (query, count) in [
        ("from=2030-01-01T00:00:00Z", 2),
        ("from=2030-01-01T09:00:00%2B09:00", 2),
        ("from=2030-01-01T00:00:00.001Z", 0),
        ("to=2030-01-01T00:00:00Z", 0),
        ("from=2029-12-31T00:00:00Z&to=2030-01-02T00:00:00Z&available=true", 2),
    ] {
        let found = user.get(&format!("/v1/shows?{query}")).await.json();
        assert_eq!(found["items"].as_array().unwrap().len(), count, "{query}");
    }
    let concert = user.get(&format!("/v1/concerts/{first}")).await.json();
    for name in ["title", "artist", "venue", "opensAt", "closesAt", "state"] {
        assert!(concert.get(name).is_some(), "{name}");
    }
    assert_eq!(
        concert["policy"],
        json!({
            "maxActive": 500, "admitPerSecond": 100.0, "activeSeconds": 600, "claimSeconds": 60,
            "holdSeconds": 300, "maxSeatsPerReservation": 4, "maxSeatsPerUser": 8,
            "gated": ["reserve", "pay"], "endTokenOn": "payment", "order": "fifo",
        })
    );
}
