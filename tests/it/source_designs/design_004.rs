//! Source design 004: WAITING to READY to expired, a hold that takes over a lapsed one in the same step, and the ranking.

use serde_json::json;

use super::{Person, Sale, archived, changes, items, seat_of, seconds_between};
use crate::support::wait_until;

/// Nothing is swept while the test runs: who meets a lapsed hold must find the seat free by himself.
const SETTINGS: [(&str, &str); 1] = [("ONSALE__WORKER__EXPIRE_INTERVAL_MS", "3600000")];

#[tokio::test(flavor = "multi_thread")]
async fn source_design_004() {
    let sale = Sale::open("004", &SETTINGS).await;
    let (mut holder, mut buyer) = (sale.person("holder"), sale.person("buyer"));
    take_tokens(&mut holder, &mut buyer).await;

    let boss = sale.organiser();
    let lapsed = hold(&boss, &holder).await;
    let reservation = take_over(&boss, &holder, &mut buyer, &lapsed).await;
    pay(&buyer, &reservation).await;
    expire(&boss, &mut holder).await;
    rank(&sale).await;

    assert_eq!(boss.history(&lapsed, 2).await, changes(&[("HELD", ""), ("AUTO_RELEASE", "EXPIRED")]));
    archived(&sale.mysql(), "select count(*) from queue_tokens where end_reason = 'paid'", 3).await;
    sale.close().await;
}

/// 1 and 2: issued as WAITING behind whoever is inside; polling says waiting, ready or expired.
async fn take_tokens(holder: &mut Person, buyer: &mut Person) {
    assert_eq!(holder.join(1).await.text("status"), "ACTIVE");
    let joined = buyer.join(1).await;
    assert_eq!((joined.status, joined.text("status")), (201, "WAITING"), "{joined:?}");
    let waiting = buyer.status().await;
    assert_eq!((waiting.text("status"), &waiting.body["position"]), ("WAITING", &json!(1)));
    let early = buyer.hold(1, "A-1-1").await;
    assert_eq!(early.outcome(), (403, "queue_token_not_active"), "{early:?}");
}

/// 3: held, with heldUntil; a second hold of the same seat fails.
async fn hold(boss: &Person, holder: &Person) -> String {
    boss.set_policy(1, json!({"holdSeconds": 1, "maxActive": 2})).await;
    let held = holder.hold(1, "A-1-1").await;
    assert_eq!((held.status, held.text("status")), (201, "PENDING"), "{held:?}");
    assert!((seconds_between(&held, "createdAt", "expiresAt") - 1.0).abs() < 1e-9, "{held:?}");
    let taken = holder.hold(1, "A-1-1").await;
    assert_eq!(taken.outcome(), (409, "seat_unavailable"), "{taken:?}");
    held.text("reservationId").to_owned()
}

/// 3, the last branch: the hold that is there has lapsed; it is deleted, and the retry holds, in one request.
async fn take_over(boss: &Person, holder: &Person, buyer: &mut Person, lapsed: &str) -> String {
    buyer.poll_until("ACTIVE").await;
    holder.reservation_until(lapsed, "EXPIRED").await;
    // Nobody has swept it: the map still shows it held.
    buyer.seat_until(1, "A-1-1", "HELD").await;
    boss.set_policy(1, json!({"holdSeconds": 300})).await;
    let held = buyer.hold(1, "A-1-1").await;
    assert_eq!(held.status, 201, "{held:?}");
    assert!((seconds_between(&held, "createdAt", "expiresAt") - 300.0).abs() < 1e-9, "{held:?}");
    let late = holder.pay(lapsed).await;
    assert_eq!((late.outcome(), late.text("reason")), ((400, "invalid_reservation"), "expired"));
    held.text("reservationId").to_owned()
}

/// 4: too little money fails and costs nothing, not even the token; a payment expires it.
async fn pay(buyer: &Person, reservation: &str) {
    let poor = buyer.pay(reservation).await;
    assert_eq!(poor.outcome(), (400, "insufficient_balance"), "{poor:?}");
    assert_eq!(buyer.status().await.text("status"), "ACTIVE");
    assert_eq!(buyer.charge(50_000).await.status, 200);
    let paid = buyer.pay(reservation).await;
    assert_eq!((paid.status, paid.text("status")), (200, "CONFIRMED"), "{paid:?}");
    buyer.poll_until_expired().await;
    assert_eq!(seat_of(&buyer.get("/v1/shows/1/seats").await, "A-1-1")["status"], "BOOKED");
}

/// 2, the first branch: a token that is over is told so; asking again gives another place.
async fn expire(boss: &Person, holder: &mut Person) {
    holder.leave().await;
    holder.poll_until_expired().await;
    boss.set_policy(1, json!({"activeSeconds": 1})).await;
    let again = holder.join(1).await;
    assert_eq!((again.status, again.text("status")), (201, "ACTIVE"), "{again:?}");
    holder.poll_until_expired().await;
}

/// The ranking that its reports are about: by seats booked, and by how fast a concert was sold out.
async fn rank(sale: &Sale) {
    for (user, seat) in [("early", "A-1-1"), ("late", "A-1-2")] {
        let mut fan = sale.person(user);
        fan.join(2).await;
        fan.poll_until("ACTIVE").await;
        let reservation = fan.held(2, seat).await;
        assert_eq!(fan.charge(30_000).await.status, 200);
        assert_eq!(fan.pay(&reservation).await.status, 200);
    }
    let titles = |list: &[serde_json::Value]| -> Vec<u64> {
        list.iter().map(|item| item["concertId"].as_u64().unwrap()).collect()
    };
    let booked = async || items(&sale.get("/v1/rankings/concerts?by=booked").await);
    let both = async || booked().await.iter().map(|item| item["booked"].as_u64()).eq([Some(2), Some(1)]);
    wait_until("three seats are booked", both).await;
    assert_eq!(titles(&booked().await), [2, 1]);
    assert_eq!(titles(&items(&sale.get("/v1/concerts?sort=popular").await)), [2, 1]);
    let sold_out = items(&sale.get("/v1/rankings/concerts?by=sold-out").await);
    assert_eq!((titles(&sold_out), &sold_out[0]["rank"]), (vec![2], &json!(1)));
    assert!(sold_out[0]["soldOutInSeconds"].as_u64().unwrap() < 60, "{sold_out:?}");
    assert_eq!(items(&sale.get("/v1/concerts").await)[1]["state"], "SOLD_OUT");
    assert_eq!(items(&sale.get("/v1/shows?available=true").await).len(), 1);
    let refused = sale.person("too-late").join(2).await;
    assert_eq!(refused.outcome(), (409, "sold_out"), "{refused:?}");
}
