//! Source design 003: one at a time. Rank 0 is ACTIVE, rank n waits; dates need the token, a payment expires it.

use serde_json::json;

use super::{Person, Sale, archived, items, seat_of, seconds_between};
use crate::support::wait_until;

#[tokio::test(flavor = "multi_thread")]
async fn source_design_003() {
    let sale = Sale::open("003", &[]).await;
    let mut line: Vec<_> = (0..4).map(|rank| sale.person(&format!("rank-{rank}"))).collect();
    generate_tokens(&mut line).await;
    check_status(&line).await;

    let [first, next, ..] = &line[..] else { unreachable!("four of them") };
    enter(&sale, first, next).await;
    let reservation = reserve(first).await;
    charge(first).await;
    pay(first, &reservation).await;
    move_up(&line).await;

    let mysql = sale.mysql();
    archived(&mysql, "select count(*) from queue_tokens where end_reason = 'paid'", 1).await;
    archived(&mysql, "select count(*) from reservations where status = 'confirmed'", 1).await;
    archived(&mysql, "select count(*) from booked_seats", 1).await;
    sale.close().await;
}

/// 1: a token and a position; rank n is position n.
async fn generate_tokens(line: &mut [Person]) {
    for (rank, person) in line.iter_mut().enumerate() {
        let joined = person.join(1).await;
        assert_eq!(joined.status, 201, "{joined:?}");
        assert_eq!(joined.body["position"], json!(rank));
        assert_eq!(joined.text("status"), if rank == 0 { "ACTIVE" } else { "WAITING" });
    }
}

/// 2: ACTIVE for rank 0, WAITING with the rank for all others.
async fn check_status(line: &[Person]) {
    for (rank, person) in line.iter().enumerate() {
        let told = person.status().await;
        assert_eq!(told.text("status"), if rank == 0 { "ACTIVE" } else { "WAITING" }, "{told:?}");
        assert_eq!(told.body["position"], json!(rank));
    }
}

/// 3: the dates, verified against the token.
async fn enter(sale: &Sale, first: &Person, next: &Person) {
    let dates = items(&first.get("/v1/concerts/1/shows").await);
    let starts: Vec<_> = dates.iter().map(|date| date["startsAt"].as_str().unwrap()).collect();
    assert_eq!(starts, ["2027-08-07T10:00:00.000Z", "2027-08-08T10:00:00.000Z"]);
    let early = next.get("/v1/concerts/1/shows").await;
    assert_eq!(early.outcome(), (403, "queue_token_not_active"), "{early:?}");
    assert_eq!(early.body["position"], 1);
    assert_eq!(sale.get("/v1/concerts/1/shows").await.outcome(), (401, "unauthenticated"));
}

/// 4: AVAILABLE to `TEMP_RESERVED`, PENDING, five minutes to pay.
async fn reserve(first: &Person) -> String {
    let held = first.hold(2, "A-3-7").await;
    assert_eq!((held.status, held.text("status")), (201, "PENDING"), "{held:?}");
    assert!((seconds_between(&held, "createdAt", "expiresAt") - 300.0).abs() < 1e-9, "{held:?}");
    assert_eq!(seat_of(&first.get("/v1/shows/2/seats").await, "A-3-7")["status"], "HELD");
    let again = first.hold(2, "A-3-7").await;
    assert_eq!(again.outcome(), (409, "seat_unavailable"), "{again:?}");
    held.text("reservationId").to_owned()
}

/// 5: points.
async fn charge(first: &Person) {
    let charged = first.charge(50_000).await;
    assert_eq!(charged.body, json!({"chargedAmount": 50_000, "currentBalance": 50_000}));
}

/// 6: point, reservation, seat and token in one step.
async fn pay(first: &Person, reservation: &str) {
    let paid = first.pay(reservation).await;
    assert_eq!((paid.status, paid.text("status")), (200, "CONFIRMED"), "{paid:?}");
    assert_eq!(paid.body["balance"], 0);
    assert_eq!(first.reservation(reservation).await.text("status"), "CONFIRMED");
    assert_eq!(seat_of(&first.get("/v1/shows/2/seats").await, "A-3-7")["status"], "BOOKED");
    first.poll_until_expired().await;
    assert_eq!(first.get("/v1/concerts/1/shows").await.outcome(), (401, "queue_token_expired"));
    let more = first.hold(2, "A-3-8").await;
    assert_eq!(more.outcome(), (401, "queue_token_expired"), "{more:?}");
}

/// The polling loop of the next: his rank comes to 0, all others move up by one.
async fn move_up(line: &[Person]) {
    line[1].poll_until("ACTIVE").await;
    for (rank, person) in line[1..].iter().enumerate().skip(1) {
        let moved = async || person.status().await.body["position"] == json!(rank);
        wait_until("the line moves up", moved).await;
    }
    assert_eq!(line[1].get("/v1/concerts/1/shows").await.status, 200);
}
