//! Source design 002: the amusement park's line, dates and seats for ACTIVE places alone, a place that ends with the
//! reservation, and a payment that comes later without one.

use onsale::domain::time::Millis;
use serde_json::json;

use super::{Person, Sale, archived, changes, items, seat_of};
use crate::support::wait_until;

#[tokio::test(flavor = "multi_thread")]
async fn source_design_002() {
    let sale = Sale::open("002", &[]).await;
    let [mut first, mut second, mut third] = ["first", "second", "third"].map(|user| sale.person(user));
    none_sees_nothing(&sale, &first).await;
    wait_for_a_turn(&mut first, &mut second, &mut third).await;
    look_as_active(&second).await;

    let reservation = reserve(&first).await;
    expire_with_the_reservation(&sale, &mut first, &second).await;
    charge_points(&first).await;
    pay(&sale, &first, &second, &reservation).await;

    let boss = sale.organiser();
    let cancelled = cancel_unpaid(&sale, &boss, &second, &third).await;
    expire_by_time(&boss, &sale).await;
    assert_eq!(boss.history(&reservation, 2).await, changes(&[("HELD", ""), ("CONFIRMED", "")]));
    assert_eq!(boss.history(&cancelled, 2).await, changes(&[("HELD", ""), ("AUTO_RELEASE", "EXPIRED")]));
    let mysql = sale.mysql();
    archived(&mysql, "select count(*) from queue_tokens where end_reason = 'reserved'", 3).await;
    archived(&mysql, "select count(*) from queue_tokens where end_reason = 'lapsed'", 1).await;
    sale.close().await;
}

/// State NONE: who has not registered sees neither dates nor seats. That there is a concert is no secret.
async fn none_sees_nothing(sale: &Sale, none: &Person) {
    assert_eq!(items(&sale.get("/v1/concerts").await).len(), 1);
    assert_eq!(items(&sale.get("/v1/shows").await).len(), 0);
    for path in ["/v1/concerts/1/shows", "/v1/shows/1/seats"] {
        assert_eq!(sale.get(path).await.outcome(), (401, "unauthenticated"), "{path}");
        assert_eq!(none.get(path).await.outcome(), (401, "queue_token_invalid"), "{path}");
    }
}

/// NONE to WAIT to ACTIVE: n at each interval, whoever is inside; the poll tells it.
async fn wait_for_a_turn(first: &mut Person, second: &mut Person, third: &mut Person) {
    assert_eq!(first.join(1).await.text("status"), "ACTIVE");
    for (person, position) in [(&mut *second, 1), (third, 2)] {
        let joined = person.join(1).await;
        assert_eq!((joined.status, joined.text("status")), (201, "WAITING"), "{joined:?}");
        assert_eq!(joined.body["position"], position);
    }
    for path in ["/v1/concerts/1/shows", "/v1/shows/1/seats"] {
        let early = third.get(path).await;
        assert_eq!(early.outcome(), (403, "queue_token_not_active"), "{path}: {early:?}");
    }
    let [before, one, other] = [&*first, second, third];
    let ends =
        [before.poll_until("ACTIVE").await, one.poll_until("ACTIVE").await, other.poll_until("ACTIVE").await];
    let ends = ends.map(|active| Millis::from_rfc3339(active.text("activeUntil")).unwrap().0);
    assert!(ends[1] - ends[0] >= 1999 && ends[2] - ends[1] >= 1999, "one every two seconds: {ends:?}");
}

/// Section 2: concert, show, seats, in this order, with the token.
async fn look_as_active(second: &Person) {
    let dates = items(&second.get("/v1/concerts/1/shows").await);
    let starts: Vec<_> = dates.iter().map(|date| date["startsAt"].as_str().unwrap()).collect();
    assert_eq!(starts, ["2027-07-03T10:00:00.000Z", "2027-07-04T10:00:00.000Z"]);
    let seats = second.get("/v1/shows/1/seats").await;
    assert_eq!(seat_of(&seats, "A-1-1")["status"], "AVAILABLE");
}

/// Section 3: Available to Reserved, None to Request.
async fn reserve(first: &Person) -> String {
    let held = first.hold(1, "A-1-1").await;
    assert_eq!((held.status, held.text("status")), (201, "PENDING"), "{held:?}");
    held.text("reservationId").to_owned()
}

/// ACTIVE to EXPIRE, told by the reservation itself; asking again is a new place at the end.
async fn expire_with_the_reservation(sale: &Sale, first: &mut Person, second: &Person) {
    second.seat_until(1, "A-1-1", "HELD").await;
    first.poll_until_expired().await;
    for path in ["/v1/concerts/1/shows", "/v1/shows/1/seats"] {
        assert_eq!(first.get(path).await.outcome(), (401, "queue_token_expired"), "{path}");
    }
    let more = first.hold(1, "A-1-2").await;
    assert_eq!(more.outcome(), (401, "queue_token_expired"), "{more:?}");
    // A seat that is temporarily or finally reserved can't be reserved.
    let taken = second.hold(1, "A-1-1").await;
    assert_eq!(taken.outcome(), (409, "seat_unavailable"), "{taken:?}");
    archived(&sale.mysql(), "select count(*) from queue_tokens where end_reason = 'reserved'", 1).await;
}

/// Section 5.
async fn charge_points(first: &Person) {
    assert_eq!(first.balance().await, 0);
    assert_eq!(first.charge(30_000).await.body["currentBalance"], 30_000);
    assert_eq!(first.balance().await, 30_000);
}

/// Section 4: Request to Confirm, Reserved to Booked, points less; the place has ended before.
async fn pay(sale: &Sale, first: &Person, second: &Person, reservation: &str) {
    let poor = first.pay(reservation).await;
    assert_eq!(poor.outcome(), (400, "insufficient_balance"), "{poor:?}");
    assert_eq!(first.charge(30_000).await.status, 200);
    // Twice at the same moment: the source asks whether a lock against double payment is too much.
    let (one, other) = tokio::join!(first.pay(reservation), first.pay(reservation));
    let mut outcomes = [one.outcome(), other.outcome()];
    outcomes.sort_unstable();
    assert_eq!(outcomes, [(200, ""), (400, "invalid_reservation")]);
    assert_eq!(first.balance().await, 10_000);
    assert_eq!(first.reservation(reservation).await.text("status"), "CONFIRMED");
    second.seat_until(1, "A-1-1", "BOOKED").await;
    // The command to the user's service: points and their history, in the same step.
    let kinds = async || {
        let entries = items(&first.get("/v1/users/me/ledger").await);
        let kinds: Vec<_> = entries.iter().map(|entry| entry["type"].as_str().unwrap().to_owned()).collect();
        kinds == ["PAYMENT", "CHARGE", "CHARGE"]
    };
    wait_until("the ledger", kinds).await;
    archived(&sale.mysql(), "select count(*) from payments where amount = 50000", 1).await;
}

/// Section 4's state diagram: Request to Cancel without a payment, and back to Available.
async fn cancel_unpaid(sale: &Sale, boss: &Person, second: &Person, third: &Person) -> String {
    boss.set_policy(1, json!({"holdSeconds": 1})).await;
    let reservation = second.held(1, "A-2-2").await;
    second.reservation_until(&reservation, "EXPIRED").await;
    let late = second.pay(&reservation).await;
    assert_eq!((late.outcome(), late.text("reason")), ((400, "invalid_reservation"), "expired"));
    // "No reservation, or a cancelled one": the next may have it.
    boss.set_policy(1, json!({"holdSeconds": 300})).await;
    third.held(1, "A-2-2").await;
    archived(&sale.mysql(), "select count(*) from reservations where status = 'expired'", 1).await;
    reservation
}

/// ACTIVE to EXPIRE because the time is over.
async fn expire_by_time(boss: &Person, sale: &Sale) {
    boss.set_policy(1, json!({"activeSeconds": 1})).await;
    let mut slow = sale.person("slow");
    assert_eq!(slow.join(1).await.status, 201);
    slow.poll_until_expired().await;
    assert_eq!(slow.get("/v1/shows/1/seats").await.outcome(), (401, "queue_token_expired"));
}
