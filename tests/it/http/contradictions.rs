//! What a gateway does otherwise than was decided is counted, of whichever money, and whoever hears of it.

use onsale::clearing::{Clearing, ClearingError};
use onsale::gateway::{Gateway, Standing};
use onsale::live::Live;
use onsale::loops::load;
use onsale::metrics;
use onsale::store::SeenLogs;
use serde_json::json;

use super::app::{App, WEBHOOK_KEY};
use super::card_refund::metric;
use super::{card, stripe, top_up};
use crate::store::store_on;
use crate::support::stripe::{KEY, Stripe};
use crate::support::{SOON, wait_until};

fn contradictions(kind: &str, told: &str) -> f64 {
    metric(&format!("onsale_gateway_contradictions_total{{kind=\"{kind}\",told=\"{told}\"}}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_is_not_captured_is_counted_and_shows_how_long() {
    metrics::install().unwrap();
    let (app, gateway) = top_up::start().await;
    let before = contradictions("top_up", "capture");
    gateway.say(Some(("capture", r#"{"status": "authorised"}"#)));
    let mut user = app.caller("u", &[]).await;
    let charged = top_up::charge(&mut user, "k", 50_000).await;
    assert_eq!((charged.status, charged.text("status")), (202, "PROCESSING".into()), "{charged:?}");
    let counted = async || contradictions("top_up", "capture") > before + 2.0;
    wait_until("it is counted at each look", counted).await;
    let open = async || metric("onsale_top_up_open{state=\"capture\"}") > 0.0;
    wait_until("it is shown as left to do", open).await;
    let overdue = async || metric("onsale_top_up_overdue_seconds") > 1.0;
    wait_until("and for how long", overdue).await;
    gateway.say(None);
    top_up::none_is_open(&app).await;
    assert_eq!(user.get("/v1/users/me/balance").await.number("balance"), 50_000);
    let none = async || metric("onsale_top_up_overdue_seconds") == 0.0;
    wait_until("nothing is overdue", none).await;

    let before = contradictions("top_up", "void");
    gateway.say(Some(("void", r#"{"status": "authorised"}"#)));
    let declined = top_up::charge(&mut user, "k2", 50_001).await;
    assert_eq!(declined.status, 202, "{declined:?}");
    let counted = async || contradictions("top_up", "void") > before;
    wait_until("so is one that is not let go", counted).await;
    gateway.say(None);
    top_up::none_is_open(&app).await;
    app.audit().await;
}

/// Redis and MySQL don't know the payment, only the reservation that it names.
#[tokio::test(flavor = "multi_thread")]
async fn money_that_nobody_remembers_and_that_stays_taken_is_counted() {
    metrics::install().unwrap();
    let (app, gateway) = card::start().await;
    let sale = card::on_sale(&app).await;
    let (_, held) = card::held(&app, sale, "u", "C-1-1").await;
    let payment = format!("p{}-{}", &held.text("reservationId")[1..], "9".repeat(20));
    gateway.sandbox().begin(&payment, 50_000);
    let before = contradictions("card", "void");
    gateway.say(Some(("void", r#"{"status": "captured"}"#)));
    let told = card::webhook(&app, WEBHOOK_KEY, &payment).await;
    assert_eq!(told.status, 503, "{told:?}");
    assert!(contradictions("card", "void") > before);
    gateway.say(None);
    assert_eq!(card::webhook(&app, WEBHOOK_KEY, &payment).await.status, 204);
    assert_eq!(gateway.standing(&payment), Standing::Voided);
}

/// Of a process that has begun nothing and knows what MySQL knows.
async fn another(app: &App, stripe: &Stripe) -> Clearing {
    let (seen, live) = (SeenLogs::default(), Live::new());
    load(&app.archive, &seen, &live).await.unwrap();
    let gateway = Gateway::stripe(stripe.url(), KEY.as_bytes(), SOON).unwrap();
    Clearing::new(store_on(&app.redis, seen), live, app.archive.clone(), gateway, None)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_fails_after_it_had_succeeded_is_counted() {
    metrics::install().unwrap();
    let (app, at_stripe, sale) = stripe::start().await;
    let (mut buyer, id) = stripe::held(&app, sale, "u", "A-1-1").await;
    let name = stripe::bought(&app, &at_stripe, &mut buyer, &id).await;
    let path = format!("/v1/admin/reservations/{id}/refund");
    at_stripe.refund_as("pending");
    let refund = app.boss().await.post_once("k", &path, &json!({})).await.text("refundId");
    wait_until("Stripe is told", async || at_stripe.refunds().len() == 1).await;
    let event = async |refund: &str| {
        let object = json!({
            "id": "re_0", "object": "refund", "status": "failed", "payment_intent": at_stripe.id(&name),
            "metadata": {"onsale": name, "onsale_refund": refund},
        });
        stripe::event(&app, "refund.failed", object).await.status
    };
    let clearing = another(&app, &at_stripe).await;
    let hear = async |refund: &str| clearing.hear_of_failed_refund(name.parse().unwrap(), refund).await;
    // Not at its end: whoever looks at it sees to it.
    hear(&refund).await.unwrap();
    at_stripe.refund_as("succeeded");
    let open = format!("{{c{}}}:cards", sale.0);
    let told = async || app.redis::<u64>(&["HLEN", &open]).await == 0;
    wait_until("it is given back", told).await;
    // An old message.
    hear(&refund).await.unwrap();
    assert_eq!(event(&refund).await, 204);

    at_stripe.refund_as("failed");
    let failed = hear(&refund).await.unwrap_err();
    assert!(matches!(failed, ClearingError::RefundFailed { .. }), "{failed}");
    let before = contradictions("card", "refund");
    assert_eq!(event(&refund).await, 204);
    assert!(contradictions("card", "refund") > before);
    assert_eq!(at_stripe.refunds().len(), 1, "it is not made again");
    for others in ["9".repeat(20), "nonsense".to_owned()] {
        hear(&others).await.unwrap();
        assert_eq!(event(&others).await, 204);
    }
    // The name of what is given back of money that was taken for nothing.
    let failed = hear(&name).await.unwrap_err();
    assert!(matches!(failed, ClearingError::RefundFailed { .. }), "{failed}");
    app.audit().await;
}
