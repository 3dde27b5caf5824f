//! The line over HTTP: waiting, coming in, and what a place is told.

use std::time::{Duration, Instant};

use onsale::domain::queue_token::Keys;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::app::{App, QUEUE_KEY, Setup};
use super::client::{Answered, Caller};
use crate::support::wait_until;

const STATUS: &str = "/v1/queue/status";

/// Polls until the status is this; the position never grows on the way.
async fn poll_until(caller: &mut Caller, status: &str) -> Value {
    let end = Instant::now() + Duration::from_secs(10);
    let mut position = u64::MAX;
    loop {
        let answer = caller.get(STATUS).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.number("position") <= position, "{answer:?} after {position}");
        assert_eq!(answer.number("position"), answer.number("queuePosition"));
        position = answer.number("position");
        if answer.text("status") == status {
            return answer.json();
        }
        assert!(Instant::now() < end, "never {status}: {answer:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A poll of one who waits, who is told the same by joining again.
async fn told(waiting: &mut Caller, concert: u64, seen: &Answered) -> Answered {
    let seen = [("onsale-version", seen.header("onsale-version"))];
    let polled = waiting.send("GET", STATUS, &seen, None).await;
    let joined = waiting.post("/v1/queue/tokens", &json!({ "concertId": concert })).await;
    assert_eq!(joined.status, 200, "{joined:?}");
    let (told, again) = (polled.json(), joined.json());
    for name in ["status", "position", "queuePosition", "activeUntil", "held", "reason"] {
        assert_eq!(again[name], told[name], "{name}: {joined:?} and {polled:?}");
    }
    assert_eq!((again["concertId"].as_u64(), again["token"].is_string()), (Some(concert), true));
    for name in ["estimatedWaitSeconds", "pollAfterSeconds"] {
        assert!(again.get(name).is_some(), "{name}: {joined:?}");
    }
    polled
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_waits_behind_a_full_room_comes_in_and_buys() {
    let app = App::start().await;
    let (concert, show) = app.on_sale(json!({"maxActive": 1, "claimSeconds": 30})).await;
    let mut inside = app.in_line("inside", concert).await;
    let mut ahead = app.in_line("ahead", concert).await;
    let mut buyer = app.caller("buyer", &[]).await;
    let join = json!({ "concertId": concert });
    let joined = buyer.post("/v1/queue/tokens", &join).await;
    assert_eq!((joined.status, joined.text("status")), (201, "WAITING".into()));
    assert_eq!((joined.number("position"), joined.number("concertId")), (2, concert));
    assert!(joined.json()["activeUntil"].is_null());
    // One place that lapses after 600 s at the latest: nobody was seen to be let in behind anybody yet, or one was.
    assert!(joined.number("estimatedWaitSeconds") > 0, "{joined:?}");
    assert!((1..=10).contains(&joined.number("pollAfterSeconds")), "{joined:?}");
    let mut buyer = buyer.with("queue-token", joined.text("token"));
    let again = buyer.post("/v1/queue/tokens", &join).await;
    assert_eq!((again.status, again.number("position")), (200, 2));
    assert_eq!(poll_until(&mut buyer, "WAITING").await["position"], 2);
    let wanted = json!({"showId": show, "seats": ["A-1-1"]});
    let early = buyer.post("/v1/reservations", &wanted).await;
    assert!(early.is(403, "queue_token_not_active"), "{early:?}");
    assert_eq!(early.number("position"), 2);

    assert_eq!(inside.delete("/v1/queue/tokens").await.status, 204);
    let left = inside.delete("/v1/queue/tokens").await;
    assert_eq!(left.status, 204);
    let seen = [("onsale-version", left.header("onsale-version"))];
    assert!(inside.send("GET", STATUS, &seen, None).await.is(401, "queue_token_expired"));
    poll_until(&mut ahead, "ACTIVE").await;
    assert_eq!(poll_until(&mut buyer, "WAITING").await["position"], 1);
    assert_eq!(ahead.delete("/v1/queue/tokens").await.status, 204);
    let active = poll_until(&mut buyer, "ACTIVE").await;
    assert_eq!((&active["position"], &active["estimatedWaitSeconds"]), (&json!(0), &json!(0)));
    assert!(active["activeUntil"].is_string());

    assert_eq!(buyer.post_once("c", "/v1/users/me/balance", &json!({"amount": 50_000})).await.status, 200);
    let held = buyer.post("/v1/reservations", &wanted).await;
    // A log just born is found within a second; from then on the archive follows at once.
    wait_until("the archive follows this concert", || async {
        app.count("select count(*) from reservations").await == 1
    })
    .await;
    let paid = buyer.post("/v1/payments", &json!({"reservationId": held.text("reservationId")})).await;
    assert_eq!(paid.status, 200, "{paid:?}");
    let answered = Instant::now();
    wait_until("the payment is in MySQL", || async {
        app.count("select count(*) from payments").await == 1
            && app.count("select count(*) from booked_seats").await == 1
    })
    .await;
    assert!(answered.elapsed() < Duration::from_secs(1), "it took {:?}", answered.elapsed());
    let rejoined = inside.post("/v1/queue/tokens", &join).await;
    assert_eq!((rejoined.status, rejoined.text("status")), (201, "ACTIVE".into()), "{rejoined:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_told_what_the_sale_has_come_to() {
    let app = App::start().await;
    let (concert, show) = app.seats_on_sale(json!({"maxActive": 1}), 1).await;
    let mut inside = app.in_line("inside", concert).await;
    let mut waiting = app.in_line("waiting", concert).await;
    let mut boss = app.boss().await;
    assert_eq!(inside.post_once("c", "/v1/users/me/balance", &json!({"amount": 50_000})).await.status, 200);
    let held = inside.post("/v1/reservations", &json!({"showId": show, "seats": ["A-1-1"]})).await;
    assert_eq!(held.status, 201, "{held:?}");
    let pending = told(&mut waiting, concert, &held).await;
    assert_eq!((pending.text("status"), pending.number("held")), ("SOLD_OUT_PENDING".into(), 1));
    assert!(
        pending.json()["estimatedWaitSeconds"].is_number()
            || pending.json()["estimatedWaitSeconds"].is_null()
    );
    let pause = format!("/v1/admin/concerts/{concert}/queue/pause");
    for reason in ["a\nb", &"x".repeat(201)] {
        let refused = boss.post(&pause, &json!({ "reason": reason })).await;
        assert!(refused.is(400, "invalid_request") && refused.text("field") == "reason", "{refused:?}");
    }
    assert_eq!(boss.post(&pause, &json!({"reason": "rain"})).await.status, 200);
    let state = boss.get(&format!("/v1/concerts/{concert}")).await;
    assert_eq!(state.text("state"), "PAUSED");

    let paid = inside.post("/v1/payments", &json!({"reservationId": held.text("reservationId")})).await;
    let sold = told(&mut waiting, concert, &paid).await;
    assert_eq!(sold.text("status"), "SOLD_OUT");
    let seen = [("onsale-version", paid.header("onsale-version"))];
    let state = boss.send("GET", &format!("/v1/concerts/{concert}"), &seen, None).await;
    assert_eq!(state.text("state"), "SOLD_OUT");
    for path in [format!("/v1/concerts/{concert}/shows"), "/v1/shows".into()] {
        let shows = boss.send("GET", &path, &seen, None).await.json();
        assert_eq!(
            (&shows["items"][0]["seatsAvailable"], &shows["items"][0]["seatsTotal"]),
            (&json!(0), &json!(1))
        );
        let free = boss.send("GET", &format!("{path}?available=true"), &seen, None).await.json();
        assert_eq!(free["items"], json!([]));
    }
    let late = app.caller("late", &[]).await.post("/v1/queue/tokens", &json!({ "concertId": concert })).await;
    assert!(late.is(409, "sold_out"), "{late:?}");
    let mut ranking = boss.send("GET", "/v1/rankings/concerts?by=sold-out", &seen, None).await.json();
    assert_eq!(ranking["items"][0]["soldOutInSeconds"].take(), json!(0));
    let live = boss.send("GET", &format!("/v1/admin/concerts/{concert}/live"), &seen, None).await;
    assert_eq!((live.number("revenue"), live.number("booked"), live.number("waiting")), (50_000, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_joins_a_line_that_is_stopped_is_told_so() {
    let app = App::start().await;
    let (concert, _) = app.on_sale(json!({"maxActive": 1})).await;
    app.in_line("inside", concert).await;
    let mut waiting = app.in_line("waiting", concert).await;
    let pause = format!("/v1/admin/concerts/{concert}/queue/pause");
    let paused = app.boss().await.post(&pause, &json!({"reason": "rain"})).await;
    assert_eq!(paused.status, 200, "{paused:?}");
    let told = told(&mut waiting, concert, &paused).await;
    assert_eq!((told.text("status"), told.text("reason")), ("PAUSED".into(), "rain".into()));
    let late = app.caller("late", &[]).await.post("/v1/queue/tokens", &json!({ "concertId": concert })).await;
    assert_eq!((late.status, late.text("status"), late.number("position")), (201, "PAUSED".into(), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn from_its_end_on_a_sale_has_no_line() {
    let app = App::start().await;
    let (concert, show) = app.on_sale(json!({"maxActive": 1})).await;
    let mut inside = app.in_line("inside", concert).await;
    let mut waiting = app.in_line("waiting", concert).await;
    let mut boss = app.boss().await;
    let admin = format!("/v1/admin/concerts/{concert}");
    let closed = json!({"closesAt": "2020-01-01T00:00:00Z"}).to_string();
    let changed = boss.send("PATCH", &admin, &[], Some(&closed)).await;
    assert_eq!(changed.text("state"), "CLOSED", "{changed:?}");
    assert!(inside.get(STATUS).await.is(401, "queue_token_expired"));
    let late = inside.post("/v1/reservations", &json!({"showId": show, "seats": ["A-1-1"]})).await;
    assert!(late.is(409, "sale_not_open"), "{late:?}");
    let joined =
        app.caller("late", &[]).await.post("/v1/queue/tokens", &json!({ "concertId": concert })).await;
    assert!(joined.is(409, "sale_not_open"), "{joined:?}");
    for known in [&mut inside, &mut waiting] {
        let again = known.post("/v1/queue/tokens", &json!({ "concertId": concert })).await;
        assert!(
            again.is(409, "sale_not_open"),
            "a client that rejoins on 401 must come to an end: {again:?}"
        );
    }

    // Opened again: the places are still there, and their tokens as good as before.
    let open = json!({"closesAt": "2999-01-01T00:00:00Z"}).to_string();
    assert_eq!(boss.send("PATCH", &admin, &[], Some(&open)).await.text("state"), "OPEN");
    for (caller, word) in [(&mut inside, "ACTIVE"), (&mut waiting, "WAITING")] {
        let status = caller.get(STATUS).await;
        assert_eq!((status.text("status"), status.text("token")), (word.into(), String::new()));
        let joined = caller.post("/v1/queue/tokens", &json!({ "concertId": concert })).await;
        assert_eq!((joined.status, joined.text("status")), (200, word.into()), "{joined:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_in_which_nothing_happens_is_told_so() {
    let app = App::start().await;
    let (concert, _) = app.on_sale(json!({"maxActive": 2, "activeSeconds": 600, "claimSeconds": 0})).await;
    for user in ["a", "b"] {
        app.in_line(user, concert).await;
    }
    let mut waiting = app.in_line("waiting", concert).await;
    let mut boss = app.boss().await;
    let admin = format!("/v1/admin/concerts/{concert}");
    let closed = json!({"policy": {"maxActive": 0}}).to_string();
    assert_eq!(boss.send("PATCH", &admin, &[], Some(&closed)).await.status, 200);
    let told = waiting.get(STATUS).await;
    assert_eq!((told.text("status"), &told.json()["estimatedWaitSeconds"]), ("WAITING".into(), &Value::Null));
    assert_eq!(told.number("pollAfterSeconds"), 30, "as seldom as can be");

    let narrow = json!({"policy": {"maxActive": 2}}).to_string();
    assert_eq!(boss.send("PATCH", &admin, &[], Some(&narrow)).await.status, 200);
    let boss = Mutex::new(boss);
    wait_until("the last admission is too long ago to count", || async {
        let live = boss.lock().await.get(&format!("{admin}/live")).await;
        live.json()["admittedPerSecond"] == 0.0
    })
    .await;
    // Two places that lapse every 600 s.
    let told = waiting.get(STATUS).await;
    assert_eq!((told.number("estimatedWaitSeconds"), told.number("pollAfterSeconds")), (300, 30), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_pays_while_he_waits_gives_his_place_to_the_next() {
    let app = App::start().await;
    let (concert, show) = app.on_sale(json!({"gated": ["pay"], "maxActive": 1})).await;
    app.in_line("inside", concert).await;
    let mut payer = app.in_line("payer", concert).await;
    let mut next = app.in_line("next", concert).await;
    assert_eq!(payer.post_once("c", "/v1/users/me/balance", &json!({"amount": 100_000})).await.status, 200);
    let mut holds = Vec::new();
    for seat in ["A-1-1", "A-1-2"] {
        let held = payer.post("/v1/reservations", &json!({"showId": show, "seats": [seat]})).await;
        assert_eq!(held.status, 201, "{held:?}");
        holds.push(held.text("reservationId"));
    }
    for (reservation, outcome) in holds.iter().zip([(200, ""), (401, "queue_token_expired")]) {
        let paid = payer.post("/v1/payments", &json!({ "reservationId": reservation })).await;
        assert_eq!(paid.status, 200, "{paid:?}");
        let seen = [("onsale-version", paid.header("onsale-version"))];
        let status = payer.send("GET", STATUS, &seen, None).await;
        assert!(status.is(outcome.0, outcome.1), "while he holds it is his: {status:?}");
    }
    assert_eq!(next.get(STATUS).await.number("position"), 1);
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_previous_key_is_replaced_and_stays_good() {
    let new = vec![8; 32];
    let queue_keys = vec![new.clone(), QUEUE_KEY.to_vec()];
    let app = App::start_with(Setup { queue_keys, ..Setup::default() }).await;
    let (concert, _) = app.on_sale(json!({"maxActive": 0})).await;
    let current = app.in_line("u", concert).await;
    let place = Keys::new(&[new]).verify(current.header("queue-token"), 0).unwrap();
    let old = Keys::new(&[QUEUE_KEY.to_vec()]).sign(&place);
    let mut caller = current.with("queue-token", &old);
    let status = caller.get(STATUS).await;
    assert_eq!((status.status, status.text("status")), (200, "WAITING".into()));
    assert!(status.json()["estimatedWaitSeconds"].is_null(), "nobody is let in: nobody can know");
    let fresh = status.text("token");
    assert_ne!(fresh, old);
    assert_eq!(caller.get(STATUS).await.status, 200);
    let next = caller.with("queue-token", &fresh).get(STATUS).await;
    assert_eq!((next.number("position"), next.text("token")), (1, String::new()));
}
