//! Source design 001: a line with positions and estimates, charging behind the queue, holds of five minutes, a release
//! history with reasons, and one winner of a seat that all want.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Person, Sale, archived, changes, items, seat_of, seconds_between};
use crate::support::wait_until;

/// Of all that the source gates, charging alone is a setting of the installation.
const SETTINGS: [(&str, &str); 1] = [("ONSALE__WALLET__CHARGE_NEEDS_ACTIVE", "true")];

#[tokio::test(flavor = "multi_thread")]
async fn source_design_001() {
    let sale = Sale::open("001", &SETTINGS).await;
    read_without_a_token(&sale).await;

    let mut buyer = sale.person("user-123");
    let (mut rival, mut last) = (sale.person("rival"), sale.person("last"));
    assert_eq!(buyer.join(1).await.text("status"), "ACTIVE");
    queue_up(&sale, &mut rival, &mut last).await;
    poll(&mut rival, &last).await;
    let gone = sale.person("stranger").hold(1, "15").await;
    assert_eq!(gone.outcome(), (401, "queue_token_invalid"), "a token must be asked for: {gone:?}");

    let reservation = reserve(&buyer).await;
    charge(&buyer, &last).await;
    read_the_balance(&buyer, &rival).await;
    pay(&sale, &mut buyer, &reservation).await;

    let boss = sale.organiser();
    let lapsed = release_by_itself(&boss, &rival).await;
    collide(&sale, &boss).await;

    assert_eq!(boss.history(&reservation, 2).await, changes(&[("HELD", ""), ("CONFIRMED", "")]));
    assert_eq!(boss.history(&lapsed, 2).await, changes(&[("HELD", ""), ("AUTO_RELEASE", "EXPIRED")]));
    sale.close().await;
}

/// Diagram 3, open to all: the dates that can be reserved, and the seats by number.
async fn read_without_a_token(sale: &Sale) {
    let dates = sale.get("/v1/shows?available=true&from=2027-06-01T00:00:00Z&to=2027-07-01T00:00:00Z").await;
    let starts: Vec<_> = items(&dates).iter().map(|show| show["startsAt"].to_string()).collect();
    assert_eq!(starts, ["\"2027-06-01T10:00:00.000Z\"", "\"2027-06-15T10:00:00.000Z\""]);
    let seats = sale.get("/v1/shows/1/seats").await;
    let listed = seats.body["seats"].as_array().unwrap();
    assert_eq!((listed.len(), &listed[0]["seat"], &listed[49]["seat"]), (50, &json!("1"), &json!("50")));
    let first = seat_of(&seats, "1");
    assert_eq!((&first["status"], &first["price"]), (&json!("AVAILABLE"), &json!(50_000)));
}

/// Diagram 1: identity first, then a token, a position and how long it will take; each is a row in the database.
async fn queue_up(sale: &Sale, rival: &mut Person, last: &mut Person) {
    let nobody = sale.client.send("POST", "/v1/queue/tokens", &[], Some(&json!({"concertId": 1}))).await;
    assert_eq!(nobody.unwrap().outcome(), (401, "unauthenticated"));
    let mut crowd: Vec<_> = (0..148).map(|number| sale.person(&format!("crowd-{number}"))).collect();
    let joined = rival.join(1).await;
    assert_eq!((joined.status, joined.text("status")), (201, "WAITING"), "{joined:?}");
    assert_eq!(joined.body["queuePosition"], 1);
    let joins = join_all(crowd.iter_mut().map(|person| person.join(1))).await;
    assert!(joins.iter().all(|joined| joined.status == 201));
    let joined = last.join(1).await;
    assert_eq!(joined.status, 201, "{joined:?}");
    assert!(!joined.text("token").is_empty());
    check_estimate(&joined.body);
    let position = joined.body["queuePosition"].as_u64().unwrap();
    // The 150th, unless six seconds have passed and one was let in.
    assert!((145..=150).contains(&position), "{joined:?}");
    archived(&sale.mysql(), "select count(*) from queue_tokens", 151).await;
}

/// Ten a minute: the 150th waits 15 minutes, the 120th 12.
fn check_estimate(standing: &Value) {
    let number = |name: &str| standing[name].as_u64().unwrap_or_else(|| panic!("no {name} in {standing}"));
    assert_eq!(number("estimatedWaitSeconds"), number("queuePosition") * 6, "{standing}");
}

/// Diagram 2: polls every 30 seconds; waiting, then active until a time; a bad token is 401.
async fn poll(rival: &mut Person, last: &Person) {
    let waiting = last.status().await;
    assert_eq!((waiting.text("status"), &waiting.body["pollAfterSeconds"]), ("WAITING", &json!(30)));
    check_estimate(&waiting.body);
    let early = last.hold(1, "15").await;
    assert_eq!(early.outcome(), (403, "queue_token_not_active"), "{early:?}");

    let active = rival.poll_until("ACTIVE").await;
    assert!(!active.text("activeUntil").is_empty(), "{active:?}");
    let token = std::mem::replace(&mut rival.queue, "q1.forged.token".to_owned());
    assert_eq!(rival.status().await.outcome(), (401, "queue_token_invalid"));
    rival.queue = token;
}

/// Diagram 4: the seat is temporarily assigned for five minutes; everybody else is told that it is taken.
async fn reserve(buyer: &Person) -> String {
    let held = buyer.hold(1, "15").await;
    assert_eq!((held.status, held.text("status")), (201, "PENDING"), "{held:?}");
    assert!((seconds_between(&held, "createdAt", "expiresAt") - 300.0).abs() < 1e-9, "{held:?}");
    assert_eq!(seat_of(&buyer.get("/v1/shows/1/seats").await, "15")["status"], "HELD");
    let taken = buyer.hold(1, "15").await;
    assert_eq!(taken.outcome(), (409, "seat_unavailable"), "{taken:?}");
    held.text("reservationId").to_owned()
}

/// Diagram 5: 10,000 to 1,000,000, with an active token.
async fn charge(buyer: &Person, last: &Person) {
    let outside = last.charge(100_000).await;
    assert_eq!(outside.outcome(), (403, "queue_token_not_active"), "{outside:?}");
    for amount in [-1, 0, 9_999, 1_000_001] {
        let refused = buyer.charge(amount).await;
        assert_eq!(refused.outcome(), (400, "amount_out_of_range"), "{amount}: {refused:?}");
        assert_eq!((&refused.body["min"], &refused.body["max"]), (&json!(10_000), &json!(1_000_000)));
    }
    // currentBalance 150000 after chargedAmount 100000, as the source shows it.
    assert_eq!(buyer.charge(50_000).await.status, 200);
    let charged = buyer.charge(100_000).await;
    assert_eq!(charged.body, json!({"chargedAmount": 100_000, "currentBalance": 150_000}));
}

/// Diagram 6: no token is needed, and it is one's own.
async fn read_the_balance(buyer: &Person, rival: &Person) {
    let identity = [("authorization", buyer.identity.as_str())];
    let told = buyer.client.send("GET", "/v1/users/user-123/balance", &identity, None).await.unwrap();
    assert_eq!((told.status, told.text("userId"), &told.body["balance"]), (200, "user-123", &json!(150_000)));
    assert!(!told.text("updatedAt").is_empty(), "{told:?}");
    assert_eq!(rival.get("/v1/users/user-123/balance").await.outcome(), (403, "forbidden"));
}

/// Diagram 7: the payment, its two refusals, and the token that ends with it.
async fn pay(sale: &Sale, buyer: &mut Person, reservation: &str) {
    let token = std::mem::take(&mut buyer.queue);
    assert_eq!(buyer.pay(reservation).await.outcome(), (401, "queue_token_invalid"));
    buyer.queue = token;

    let paid = buyer.pay(reservation).await;
    assert_eq!((paid.status, paid.text("status")), (200, "CONFIRMED"), "{paid:?}");
    assert_eq!((&paid.body["amount"], &paid.body["seats"]), (&json!(50_000), &json!(["15"])));
    assert_eq!(paid.body["balance"], 100_000);
    let payment = buyer.get(&format!("/v1/payments/{}", paid.text("paymentId"))).await;
    assert_eq!(payment.body, paid.body);
    assert_eq!(seat_of(&buyer.get("/v1/shows/1/seats").await, "15")["status"], "BOOKED");
    // Paid already, nobody's, and another's.
    let twice = buyer.pay(reservation).await;
    assert_eq!((twice.outcome(), twice.text("reason")), ((400, "invalid_reservation"), "already_paid"));
    buyer.poll_until_expired().await;
    // Its entries: two charges and the payment.
    let ledger = "/v1/users/me/ledger";
    wait_until("the ledger", async || items(&buyer.get(ledger).await).len() == 3).await;
    let entries = items(&buyer.get(ledger).await);
    let kinds: Vec<_> =
        entries.iter().map(|entry| (&entry["type"], entry["amount"].as_i64().unwrap())).collect();
    let expected = [("PAYMENT", -50_000), ("CHARGE", 100_000), ("CHARGE", 50_000)];
    let expected = expected.map(|(kind, amount)| (json!(kind), amount));
    assert!(
        kinds.iter().zip(&expected).all(|(one, other)| (one.0, one.1) == (&other.0, other.1)),
        "{kinds:?}"
    );
    archived(&sale.mysql(), "select count(*) from queue_tokens where end_reason = 'paid'", 1).await;
}

/// Diagrams 7 and 8: without the money, then out of time: the seat comes back, and the history says why.
async fn release_by_itself(boss: &Person, rival: &Person) -> String {
    boss.set_policy(1, json!({"holdSeconds": 2})).await;
    let reservation = rival.held(1, "16").await;
    let poor = rival.pay(&reservation).await;
    assert_eq!(poor.outcome(), (400, "insufficient_balance"), "{poor:?}");
    assert_eq!((&poor.body["currentBalance"], &poor.body["requiredAmount"]), (&json!(0), &json!(50_000)));
    rival.reservation_until(&reservation, "EXPIRED").await;
    let late = rival.pay(&reservation).await;
    assert_eq!((late.outcome(), late.text("reason")), ((400, "invalid_reservation"), "expired"));
    rival.seat_until(1, "16", "AVAILABLE").await;
    boss.set_policy(1, json!({"holdSeconds": 300})).await;
    reservation
}

/// Diagram 9: two want seat 15 of the other date at the same moment; one has it.
async fn collide(sale: &Sale, boss: &Person) {
    // Who waits comes in at once from here on.
    boss.set_policy(1, json!({"admitPerSecond": 1000, "maxActive": 1000})).await;
    let mut rivals = ["user-a", "user-b"].map(|user| sale.person(user));
    for rival in &mut rivals {
        rival.join(1).await;
        rival.poll_until("ACTIVE").await;
    }
    let [one, other] = &rivals;
    let (one, other) = tokio::join!(one.hold(2, "15"), other.hold(2, "15"));
    let mut outcomes = [one.outcome(), other.outcome()];
    outcomes.sort_unstable();
    assert_eq!(outcomes, [(201, ""), (409, "seat_unavailable")]);
}
