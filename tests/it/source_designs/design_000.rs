//! Source design 000: looking, a seat PENDING for 180 s, a payment through the gateway that confirms it, points, a line whose first
//! N may reserve, and what Kafka was told of it.

use std::time::Instant;

use serde_json::json;

use super::{LOOK, Person, Sale, archived, changes, items, seat_of, seconds_between};
use crate::kafka::broker::Broker;
use crate::kafka::consumer::read_all;
use crate::support::gateway::Gateway;
use crate::support::{SOON, wait_until};

const TOPIC: &str = "design-000";

#[tokio::test(flavor = "multi_thread")]
async fn source_design_000() {
    let (broker, gateway) = (Broker::start().await, Gateway::start().await);
    let address = broker.address();
    let settings = [
        ("ONSALE__KAFKA__BROKERS", address.as_str()),
        ("ONSALE__KAFKA__TOPIC", TOPIC),
        ("ONSALE__GATEWAY__KIND", "sandbox"),
        ("ONSALE__GATEWAY__URL", gateway.url()),
    ];
    let sale = Sale::open("000", &settings).await;
    look_around(&sale).await;

    let [mut first, mut second, mut third] = ["first", "second", "third"].map(|user| sale.person(user));
    stand_in_line(&mut first, &mut second, &mut third).await;
    let reservation = reserve(&sale, &first, &second).await;
    charge_points(&first).await;
    pay_by_gateway(&sale, &first, &reservation).await;
    assert_eq!(gateway.count("capture"), 1);
    let boss = sale.organiser();
    let lapsed = let_it_lapse(&boss, &second).await;
    come_in_and_buy(&sale, &first, &mut third).await;
    lose_the_place_by_time(&boss, &mut first, &second).await;

    // What the consumers of the sources write: every change of a reservation, in the database.
    // The hold can't lapse while the gateway is asked.
    let bought = changes(&[("HELD", ""), ("EXTENDED", ""), ("CONFIRMED", "")]);
    assert_eq!(boss.history(&reservation, 3).await, bought);
    assert_eq!(boss.history(&lapsed, 2).await, changes(&[("HELD", ""), ("AUTO_RELEASE", "EXPIRED")]));
    let mysql = sale.mysql();
    archived(&mysql, "select count(*) from reservations where status = 'confirmed'", 2).await;
    archived(&mysql, "select count(*) from reservations where status = 'expired'", 1).await;
    archived(&mysql, "select count(*) from booked_seats", 2).await;
    published(&broker, "payment.succeeded", &["first", "third"]).await;
    published(&broker, "points.charged", &["first", "third"]).await;
    sale.close().await;
}

/// Section 2: concerts, dates, seats; nobody needs a token.
async fn look_around(sale: &Sale) {
    let concerts = sale.get("/v1/concerts").await;
    assert_eq!((concerts.status, items(&concerts).len()), (200, 1), "{concerts:?}");
    assert_eq!(items(&concerts)[0]["state"], "OPEN");
    let dates = items(&sale.get("/v1/concerts/1/shows").await);
    let starts: Vec<_> = dates.iter().map(|date| date["startsAt"].as_str().unwrap()).collect();
    assert_eq!(starts, ["2027-05-29T10:00:00.000Z", "2027-05-30T10:00:00.000Z"]);
    let seats = sale.get("/v1/shows/1/seats").await;
    assert_eq!(seats.body["seats"].as_array().unwrap().len(), 50);
    assert_eq!(seat_of(&seats, "A-1-1")["status"], "AVAILABLE");
}

/// Sections 7 and 8: a token and a position; `position <= N` lets in, all others wait.
async fn stand_in_line(first: &mut Person, second: &mut Person, third: &mut Person) {
    for (person, position) in [(&mut *first, 0), (second, 0), (&mut *third, 1)] {
        let joined = person.join(1).await;
        assert_eq!(joined.status, 201, "{joined:?}");
        assert!(!joined.text("token").is_empty() && joined.body["position"] == position, "{joined:?}");
    }
    // The member is in the set: ZADD of the same one changes nothing.
    let again = third.join(1).await;
    assert_eq!((again.status, &again.body["position"]), (200, &json!(1)));
    assert_eq!(first.status().await.text("status"), "ACTIVE");
    let waiting = third.status().await;
    assert_eq!((waiting.text("status"), &waiting.body["position"]), ("WAITING", &json!(1)));
    let early = third.hold(1, "A-1-1").await;
    assert_eq!(early.outcome(), (403, "queue_token_not_active"), "{early:?}");
    assert_eq!(early.body["position"], 1);
}

/// Section 3: PENDING for 180 s, once; the seat is locked for all others.
async fn reserve(sale: &Sale, first: &Person, second: &Person) -> String {
    let wanted = json!({"showId": 1, "seats": ["A-1-1"]});
    // Both try the lock at the same moment.
    let (one, other) = tokio::join!(
        first.post("/v1/reservations", wanted.clone()),
        second.post("/v1/reservations", wanted.clone())
    );
    let (won, lost, reserver) = if one.status == 201 { (one, other, first) } else { (other, one, second) };
    assert_eq!(won.status, 201, "{won:?}");
    assert_eq!(lost.outcome(), (409, "seat_unavailable"), "{lost:?}");
    assert_eq!(lost.body["seats"], json!(["A-1-1"]));
    assert_eq!(won.text("status"), "PENDING");
    assert!((seconds_between(&won, "createdAt", "expiresAt") - 180.0).abs() < 1e-9, "{won:?}");
    assert_eq!(seat_of(&reserver.get("/v1/shows/1/seats").await, "A-1-1")["status"], "HELD");
    // INSERT INTO reservations (status = PENDING).
    archived(&sale.mysql(), "select count(*) from reservations where status = 'pending'", 1).await;
    let reservation = won.text("reservationId").to_owned();
    if std::ptr::eq(reserver, first) {
        return reservation;
    }
    // The story goes on with the first.
    let back = second.send("DELETE", &format!("/v1/reservations/{reservation}"), None).await;
    assert_eq!(back.status, 204, "{back:?}");
    first.held(1, "A-1-1").await
}

/// Section 6: points are read, charged and read again.
async fn charge_points(first: &Person) {
    assert_eq!(first.balance().await, 0);
    let charged = first.charge(120_000).await;
    assert_eq!((charged.status, &charged.body["currentBalance"]), (200, &json!(120_000)), "{charged:?}");
    assert_eq!(first.balance().await, 120_000);
}

/// Section 4: an intent with the gateway, its approval, and then the seat: confirmed before anybody is told so.
async fn pay_by_gateway(sale: &Sale, first: &Person, reservation: &str) {
    let body = json!({"reservationId": reservation, "method": "CARD"});
    let begun = first.post("/v1/payments", body).await;
    assert_eq!(begun.status, 202, "{begun:?}");
    let payment = format!("/v1/payments/{}", begun.text("paymentId"));
    let end = Instant::now() + SOON;
    let paid = loop {
        let answer = first.get(&payment).await;
        if answer.text("status") == "CONFIRMED" {
            break answer;
        }
        assert!(answer.text("status") == "PROCESSING" && Instant::now() < end, "never paid: {answer:?}");
        tokio::time::sleep(LOOK).await;
    };
    assert_eq!(paid.body["seats"], json!(["A-1-1"]));
    assert_eq!(first.reservation(reservation).await.text("status"), "CONFIRMED");
    assert_eq!(seat_of(&first.get("/v1/shows/1/seats").await, "A-1-1")["status"], "BOOKED");
    assert_eq!(sale.get("/v1/rankings/concerts").await.body["items"][0]["booked"], 1);
    // The points stay: it was the card's money.
    assert_eq!(first.balance().await, 120_000);
    // endTokenOn never: who has paid may reserve again while his place lives.
    assert_eq!(first.status().await.text("status"), "ACTIVE");
}

/// Section 5: no payment within the TTL; the seat frees itself and the reservation says EXPIRED.
async fn let_it_lapse(boss: &Person, second: &Person) -> String {
    boss.set_policy(1, json!({"holdSeconds": 1})).await;
    let reservation = second.held(1, "A-1-2").await;
    second.reservation_until(&reservation, "EXPIRED").await;
    let late = second.pay(&reservation).await;
    assert_eq!(late.outcome(), (400, "invalid_reservation"), "{late:?}");
    assert_eq!(late.text("reason"), "expired");
    second.seat_until(1, "A-1-2", "AVAILABLE").await;
    boss.set_policy(1, json!({"holdSeconds": 180})).await;
    reservation
}

/// Sections 8 and 9: a place before him goes, the next one's position comes to N, and he buys.
async fn come_in_and_buy(sale: &Sale, first: &Person, third: &mut Person) {
    first.leave().await;
    let active = third.poll_until("ACTIVE").await;
    assert_eq!(active.body["position"], 0);
    let reservation = third.held(2, "A-5-10").await;
    let poor = third.pay(&reservation).await;
    assert_eq!(poor.outcome(), (400, "insufficient_balance"), "{poor:?}");
    assert_eq!(third.charge(50_000).await.status, 200);
    assert_eq!(third.pay(&reservation).await.text("status"), "CONFIRMED");
    assert_eq!(third.balance().await, 0);
    let seen = seat_of(&third.get("/v1/shows/2/seats").await, "A-5-10");
    assert_eq!(seen["status"], "BOOKED");
    assert_eq!(items(&sale.get("/v1/concerts").await)[0]["state"], "OPEN");
}

/// Section 7: the TTL of a place.
async fn lose_the_place_by_time(boss: &Person, first: &mut Person, second: &Person) {
    boss.set_policy(1, json!({"activeSeconds": 1, "maxActive": 3})).await;
    // He had left: his old token is over, and asking again is a new place.
    first.poll_until_expired().await;
    assert_eq!(first.join(1).await.status, 201);
    first.poll_until_expired().await;
    let late = first.hold(1, "A-1-3").await;
    assert_eq!(late.outcome(), (401, "queue_token_expired"), "{late:?}");
    // Who came in before the change keeps his ten minutes.
    assert_eq!(second.status().await.text("status"), "ACTIVE");
}

/// Sections 4 and 6: the consumer of the topic learns of each, whose it was.
async fn published(broker: &Broker, kind: &str, users: &[&str]) {
    let told = async || {
        let all = read_all(broker.address(), TOPIC).await;
        let of_kind = all.iter().filter(|told| told.text("type") == kind);
        let mut told: Vec<_> = of_kind.map(|told| told.event["data"]["userId"].to_string()).collect();
        told.sort();
        told.dedup();
        told == users.iter().map(|user| format!("\"{user}\"")).collect::<Vec<_>>()
    };
    wait_until(kind, told).await;
}
