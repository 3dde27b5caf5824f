//! Payments by card over Stripe: bought, declined and tried again, too late; and whatever fails between.

use std::time::{Duration, Instant};

use onsale::gateway::WebhookSecret;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::app::{App, Setup, WEBHOOK_KEY};
use super::client::{Answered, Caller};
use crate::support::stripe::Stripe;
use crate::support::wait_until;

pub(super) async fn start() -> (App, Stripe, (u64, u64)) {
    let stripe = Stripe::start().await;
    let gateway = Some(format!("stripe+{}", stripe.url()));
    let app = App::start_with(Setup { gateway, ..Setup::default() }).await;
    let policy = json!({"maxSeatsPerUser": 50, "admitPerSecond": 10_000});
    let sale = app.seats_on_sale(policy, 40).await;
    (app, stripe, sale)
}

/// A buyer who holds this seat, and his reservation.
pub(super) async fn held(app: &App, sale: (u64, u64), user: &str, seat: &str) -> (Caller, String) {
    with_seats(app, sale, user, &[seat]).await
}

async fn with_seats(app: &App, (concert, show): (u64, u64), user: &str, seats: &[&str]) -> (Caller, String) {
    let mut buyer = app.in_line(user, concert).await;
    let held = buyer.post("/v1/reservations", &json!({"showId": show, "seats": seats})).await;
    assert_eq!(held.status, 201, "{held:?}");
    (buyer, held.text("reservationId"))
}

fn by_card(reservation: &str) -> Value {
    json!({"reservationId": reservation, "method": "CARD"})
}

/// What Stripe sends.
pub(super) async fn event(app: &App, kind: &str, object: Value) -> Answered {
    let body =
        json!({"id": "evt_1", "object": "event", "type": kind, "data": {"object": object}}).to_string();
    let now = jsonwebtoken::get_current_timestamp();
    let signature = WebhookSecret::new(WEBHOOK_KEY).sign(body.as_bytes(), now);
    let headers = [("stripe-signature", signature.as_str())];
    app.send("POST", "/v1/gateway/webhooks/stripe", &headers, Some(&body)).await
}

/// What it sends when a payment has moved.
async fn moved(app: &App, stripe: &Stripe, name: &str) -> Answered {
    let (id, status) = (stripe.id(name), stripe.of(name)[0]);
    let object =
        json!({"id": id, "object": "payment_intent", "status": status, "metadata": {"onsale": name}});
    event(app, "payment_intent.amount_capturable_updated", object).await
}

async fn payment(buyer: &mut Caller, id: &str) -> Value {
    buyer.get(&format!("/v1/payments/{id}")).await.json()
}

/// The name of a payment that has paid this reservation of his.
pub(super) async fn bought(app: &App, stripe: &Stripe, buyer: &mut Caller, reservation: &str) -> String {
    let name = buyer.post("/v1/payments", &by_card(reservation)).await.text("paymentId");
    stripe.confirm(&name, true);
    assert_eq!(moved(app, stripe, &name).await.status, 204);
    assert_eq!(payment(buyer, &name).await["status"], "CONFIRMED");
    name
}

/// Stripe takes so many reads a second, and a buyer's client asks as often as it likes.
#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_at_his_bank_costs_a_read_in_a_while_and_is_served_at_once() {
    let (app, stripe, sale) = start().await;
    let (mut buyer, id) = held(&app, sale, "u", "A-1-1").await;
    let name = buyer.post("/v1/payments", &by_card(&id)).await.text("paymentId");
    // The worker looks every 100 ms, or would.
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        assert_eq!(payment(&mut buyer, &name).await["status"], "REQUIRES_ACTION");
    }
    assert_eq!(stripe.count("standing"), 0);
    stripe.confirm(&name, false);
    assert_eq!(moved(&app, &stripe, &name).await.status, 204);
    let told = payment(&mut buyer, &name).await;
    assert_eq!(told["nextAction"]["declined"], "insufficient_funds", "{told}");
    stripe.confirm(&name, true);
    assert_eq!(moved(&app, &stripe, &name).await.status, 204);
    assert_eq!(payment(&mut buyer, &name).await["status"], "CONFIRMED");
    assert_eq!(stripe.count("standing"), 2);
}

/// Of a dinar Stripe takes hundredths, though it counts in thousandths: two of these seats, not one.
#[tokio::test(flavor = "multi_thread")]
async fn a_sum_that_stripe_can_not_give_back_is_refused_before_anything_happens() {
    let (app, stripe, (concert, _)) = start().await;
    let mut boss = app.boss().await;
    let section = json!({"name": "A", "rows": 1, "seatsPerRow": 4, "price": 5005});
    let show = json!({"startsAt": "2030-01-01T00:00:00Z", "currency": "KWD", "sections": [section]});
    let made = boss.post(&format!("/v1/admin/concerts/{concert}/shows"), &show).await;
    let show = made.number("showId");
    let (mut buyer, id) = with_seats(&app, (concert, show), "u", &["A-1-1", "A-1-2"]).await;
    let name = bought(&app, &stripe, &mut buyer, &id).await;
    let path = format!("/v1/admin/reservations/{id}/refund");
    let refused = boss.post_once("k", &path, &json!({"seats": ["A-1-2"]})).await;
    assert!(refused.is(400, "invalid_request") && refused.text("field") == "seats", "{refused:?}");
    assert!(refused.text("detail").contains("5005 minor units of KWD"), "{refused:?}");
    let map = buyer.get(&format!("/v1/shows/{show}/seats?view=status")).await;
    assert_eq!(map.text("status"), "2200");
    assert_eq!(payment(&mut buyer, &name).await["status"], "CONFIRMED");

    for body in [json!({"seats": ["A-1-1", "A-1-2"]}), json!({})] {
        let all = boss.post_once(&body.to_string(), &path, &body).await;
        assert!(all.status == 200 || all.is(400, "invalid_reservation"), "{all:?}");
    }
    wait_until("it is given back", async || stripe.refunds().len() == 1).await;
    assert_eq!(stripe.refunds()[0].1, 10_010);
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seat_is_bought_with_the_second_card() {
    let (app, stripe, sale) = start().await;
    let (mut buyer, id) = held(&app, sale, "u", "A-1-1").await;
    let begun = buyer.post_once("k", "/v1/payments", &by_card(&id)).await;
    assert_eq!((begun.status, begun.text("status")), (202, "REQUIRES_ACTION".into()), "{begun:?}");
    let paid = begun.text("paymentId");
    let next = &begun.json()["nextAction"];
    assert_eq!((&next["type"], &next["clientSecret"]), (&json!("stripe"), &json!("pi_0_secret_50000")));

    stripe.confirm(&paid, false);
    assert_eq!(moved(&app, &stripe, &paid).await.status, 204);
    let declined = async || {
        let told = payment(&mut app.caller("u", &[]).await, &paid).await;
        told["nextAction"]["declined"] == "insufficient_funds" && told["status"] == "REQUIRES_ACTION"
    };
    wait_until("he is told that the card was declined", declined).await;
    stripe.confirm(&paid, true);
    for _ in 0..3 {
        assert_eq!(moved(&app, &stripe, &paid).await.status, 204);
    }
    assert_eq!(stripe.of(&paid), ["succeeded"]);
    assert_eq!(payment(&mut buyer, &paid).await["status"], "CONFIRMED");
    let made = buyer.get(&format!("/v1/reservations/{id}")).await;
    assert_eq!(made.text("status"), "CONFIRMED");
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_is_taken_too_late_is_let_go() {
    let (app, stripe, sale) = start().await;
    let (mut buyer, id) = held(&app, sale, "u", "A-1-1").await;
    let begun = buyer.post("/v1/payments", &by_card(&id)).await.text("paymentId");
    stripe.hold("cancel");
    assert_eq!(buyer.delete(&format!("/v1/reservations/{id}")).await.status, 204);
    stripe.confirm(&begun, true);
    stripe.hold("");
    let voided = async || stripe.of(&begun) == ["canceled"];
    assert!(matches!(moved(&app, &stripe, &begun).await.status, 204 | 503));
    wait_until("it is canceled", voided).await;
    app.audit().await;
    assert_eq!(payment(&mut buyer, &begun).await["status"], "VOIDED");
    assert_eq!(stripe.count("capture"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_others_are_taken_and_passed_over_and_strangers_are_refused() {
    let (app, stripe, sale) = start().await;
    let (mut buyer, id) = held(&app, sale, "u", "A-1-1").await;
    let begun = buyer.post("/v1/payments", &by_card(&id)).await.text("paymentId");
    for (kind, object) in [
        ("customer.created", json!({"id": "cus_1", "object": "customer", "metadata": {}})),
        ("charge.refunded", json!({"id": "ch_1", "object": "charge", "metadata": {"onsale": begun}})),
        ("refund.updated", json!({"id": "re_1", "object": "refund", "metadata": {"onsale": "p9-9-x"}})),
        ("balance.available", json!({"object": "balance"})),
    ] {
        assert_eq!(event(&app, kind, object).await.status, 204, "{kind}");
    }
    let body = json!({"data": {"object": {"metadata": {"onsale": begun}}}}).to_string();
    let now = jsonwebtoken::get_current_timestamp();
    let theirs = WebhookSecret::new(b"another").sign(body.as_bytes(), now);
    let ours = WebhookSecret::new(WEBHOOK_KEY).sign(body.as_bytes(), now - 600);
    let fresh = WebhookSecret::new(WEBHOOK_KEY).sign(body.as_bytes(), now);
    for header in [
        ("stripe-signature", theirs.as_str()),
        ("stripe-signature", ours.as_str()),
        ("onsale-signature", fresh.as_str()),
    ] {
        let refused = app.send("POST", "/v1/gateway/webhooks/stripe", &[header], Some(&body)).await;
        assert!(refused.is(401, "unauthenticated"), "{refused:?}");
    }
    let other = app.send("POST", "/v1/gateway/webhooks/sandbox", &[], Some("{}")).await;
    assert!(other.is(404, "not_found"), "{other:?}");
    assert_eq!(stripe.of(&begun), ["requires_payment_method"]);
}

/// Calls that never arrive, answers that get lost or are failures that Stripe keeps, buyers whose cards are taken, are not, or who give up;
/// events thrice: each payment is captured with its seat, or canceled without.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_between_each_payment_comes_to_its_one_end() {
    let (app, stripe, sale) = start().await;
    let mut buyers = JoinSet::new();
    for number in 0..24_u32 {
        let (mut buyer, id) = held(&app, sale, &format!("u{number}"), &format!("A-1-{}", number + 1)).await;
        buyers.spawn(async move {
            buyer.post_once("k", "/v1/payments", &by_card(&id)).await;
            (number, buyer, id)
        });
        stripe.fail(number % 3, number % 4);
        stripe.keep_failing(u32::from(number % 8 == 0));
    }
    let mut bought = Vec::new();
    while let Some(buyer) = buyers.join_next().await {
        bought.push(buyer.unwrap());
    }
    for (number, buyer, id) in &mut bought {
        stripe.fail(0, 0);
        let again = buyer.post_once("k", "/v1/payments", &by_card(id)).await;
        assert_eq!(again.status, 202, "{again:?}");
        let name = again.text("paymentId");
        wait_until("it is begun", async || !stripe.of(&name).is_empty()).await;
        stripe.fail(*number % 2, *number % 3);
        match *number % 6 {
            0 => {
                stripe.confirm(&name, true);
                // Somebody who looks meanwhile may have given him the seat.
                let gone = buyer.delete(&format!("/v1/reservations/{id}")).await;
                assert!(gone.status == 204 || gone.is(409, "reservation_not_pending"), "{gone:?}");
            }
            1 => stripe.confirm(&name, false),
            _ => stripe.confirm(&name, true),
        }
        for _ in 0..3 {
            assert!(matches!(moved(&app, &stripe, &name).await.status, 204 | 503));
        }
        if *number % 6 == 1 {
            assert_eq!(buyer.delete(&format!("/v1/reservations/{id}")).await.status, 204);
        }
    }
    let open = format!("{{c{}}}:cards", sale.0);
    let ended = async || app.redis::<u64>(&["HLEN", &open]).await == 0;
    wait_until("each payment is at its end", ended).await;
    let mut captured = 0;
    for (_, buyer, id) in &mut bought {
        let status = buyer.get(&format!("/v1/reservations/{id}")).await.text("status");
        let payments: Vec<_> = stripe.all().into_iter().filter(|(name, _)| name.contains(&id[1..])).collect();
        let [(_, is)] = payments[..] else { panic!("one PaymentIntent each: {payments:?}") };
        assert_eq!(is, if status == "CONFIRMED" { "succeeded" } else { "canceled" }, "{status}");
        captured += usize::from(is == "succeeded");
    }
    // One that the buyer gives up while its confirmation is on its way may go either way.
    assert!((16..=20).contains(&captured), "{captured}");
    app.audit().await;
}

/// Refunds in parts, of a payment that is still to be captured, with answers that get lost: each moves its money once.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_card_paid_goes_back_to_it_once() {
    let (app, stripe, sale) = start().await;
    let mut expected = Vec::new();
    for number in 0..6_u32 {
        let (mut buyer, id) = held(&app, sale, &format!("u{number}"), &format!("A-1-{}", number + 1)).await;
        let name = buyer.post("/v1/payments", &by_card(&id)).await.text("paymentId");
        stripe.confirm(&name, true);
        stripe.fail(number % 3, number % 2);
        let confirmed = async || {
            // Stripe sends it again until it is heard.
            moved(&app, &stripe, &name).await;
            let user = format!("u{number}");
            app.caller(&user, &[]).await.get(&format!("/v1/reservations/{id}")).await.text("status")
                == "CONFIRMED"
        };
        wait_until("the card has paid", confirmed).await;
        stripe.fail(number % 3, number % 4);
        for _ in 0..2 {
            let refunded = app
                .boss()
                .await
                .post_once("k", &format!("/v1/admin/reservations/{id}/refund"), &json!({}))
                .await;
            assert_eq!((refunded.status, refunded.text("status")), (200, "REFUNDED".into()), "{refunded:?}");
            expected.push((refunded.text("refundId"), 50_000));
        }
        let open = format!("{{c{}}}:cards", sale.0);
        let ended = async || app.redis::<u64>(&["HLEN", &open]).await == 0;
        wait_until("all is given back", ended).await;
        assert_eq!(payment(&mut buyer, &name).await["status"], "REFUNDED");
    }
    expected.sort();
    expected.dedup();
    let mut refunds = stripe.refunds();
    refunds.sort();
    assert_eq!(refunds, expected);
    app.audit().await;
}
