//! What the adapter promises of a payment, whatever gets lost, and whichever process asks.

use std::time::Duration;

use onsale::gateway::{Error, Gateway, GivenBack, Intent, Standing};

use super::{intent, process};
use crate::support::stripe::Stripe;
use crate::support::wait_until;

fn waits(standing: &Standing) -> bool {
    matches!(standing, Standing::RequiresAction { .. })
}

/// One that is authorised, begun by a process that is gone.
async fn authorised(stripe: &Stripe, name: &str) {
    assert!(waits(&process(stripe).begin(&intent(name)).await.unwrap()));
    stripe.confirm(name, true);
}

#[tokio::test]
async fn a_payment_is_made_confirmed_captured_and_given_back_once() {
    let stripe = Stripe::start().await;
    let (gateway, payment) = (process(&stripe), intent("p"));
    let Standing::RequiresAction { next } = gateway.begin(&payment).await.unwrap() else {
        panic!("the buyer has something to do")
    };
    assert_eq!((&next["type"], &next["paymentIntent"]), (&"stripe".into(), &"pi_0".into()));
    assert_eq!((&next["clientSecret"], next["declined"].is_null()), (&"pi_0_secret_50000".into(), true));

    stripe.confirm("p", false);
    let Standing::RequiresAction { next } = gateway.standing(&payment).await.unwrap() else {
        panic!("he may take another card")
    };
    assert_eq!(next["declined"], "insufficient_funds");
    stripe.confirm("p", true);
    for gateway in [gateway, process(&stripe), process(&stripe)] {
        assert!(matches!(gateway.begin(&payment).await.unwrap(), Standing::Authorised | Standing::Captured));
        assert_eq!(gateway.capture(&payment).await.unwrap(), Standing::Captured);
        assert_eq!(gateway.standing(&payment).await.unwrap(), Standing::Captured);
        assert_eq!(gateway.void(&payment).await.unwrap(), Standing::Captured);
        assert_eq!(gateway.refund(&payment, "r1", 20_000).await.unwrap(), GivenBack::Done);
        assert_eq!(gateway.refund(&payment, "r2", 30_000).await.unwrap(), GivenBack::Done);
    }
    let too_much = process(&stripe).refund(&payment, "r3", 1).await.unwrap();
    assert_eq!(too_much, GivenBack::Refused { reason: "charge_already_refunded".to_owned() });
    assert_eq!(stripe.refunds(), [("r1".to_owned(), 20_000), ("r2".to_owned(), 30_000)]);
    assert_eq!(stripe.of("p"), ["succeeded"]);
}

/// Keys are one space for all that Stripe is asked, and a payment may be given back under its own name.
#[tokio::test]
async fn a_refund_may_be_named_as_its_payment() {
    let stripe = Stripe::start().await;
    authorised(&stripe, "p").await;
    let gateway = process(&stripe);
    gateway.capture(&intent("p")).await.unwrap();
    assert_eq!(gateway.refund(&intent("p"), "p", 50_000).await.unwrap(), GivenBack::Done);
    assert_eq!(gateway.refund(&intent("p"), "p", 50_000).await.unwrap(), GivenBack::Done);
    assert_eq!(stripe.refunds(), [("p".to_owned(), 50_000)]);
}

#[tokio::test]
async fn a_refund_that_failed_is_made_anew() {
    let stripe = Stripe::start().await;
    authorised(&stripe, "p").await;
    let gateway = process(&stripe);
    gateway.capture(&intent("p")).await.unwrap();
    stripe.refund_as("failed");
    for _ in 0..2 {
        let refused = gateway.refund(&intent("p"), "r", 50_000).await.unwrap();
        assert!(matches!(refused, GivenBack::Refused { .. }), "{refused:?}");
    }
    stripe.refund_as("succeeded");
    for _ in 0..2 {
        assert_eq!(process(&stripe).refund(&intent("p"), "r", 50_000).await.unwrap(), GivenBack::Done);
    }
    assert_eq!(stripe.refunds().len(), 2, "the first had failed");
}

#[tokio::test]
async fn what_was_voided_never_begins() {
    let stripe = Stripe::start().await;
    assert_eq!(process(&stripe).void(&intent("never-begun")).await.unwrap(), Standing::Voided);
    authorised(&stripe, "p").await;
    for name in ["never-begun", "p"] {
        for _ in 0..2 {
            assert_eq!(process(&stripe).void(&intent(name)).await.unwrap(), Standing::Voided);
        }
        assert_eq!(process(&stripe).begin(&intent(name)).await.unwrap(), Standing::Voided);
        stripe.confirm(name, true);
        assert_eq!(process(&stripe).standing(&intent(name)).await.unwrap(), Standing::Voided);
        assert_eq!(process(&stripe).capture(&intent(name)).await.unwrap(), Standing::Voided);
        assert_eq!(stripe.of(name), ["canceled"]);
    }
    let refund = process(&stripe).refund(&intent("p"), "r", 1).await.unwrap();
    assert!(matches!(refund, GivenBack::Refused { .. }), "{refund:?}");
}

#[tokio::test]
async fn an_answer_that_is_lost_changes_nothing() {
    let stripe = Stripe::start().await;
    let payment = intent("p");
    let unanswered = |error: Error| assert!(matches!(error, Error::Unanswered(_)), "{error}");
    stripe.fail(0, 1);
    unanswered(process(&stripe).begin(&payment).await.unwrap_err());
    assert!(waits(&process(&stripe).begin(&payment).await.unwrap()));
    stripe.confirm("p", true);
    // One of these answers tells which PaymentIntent it is, the other that it is captured.
    for _ in 0..2 {
        let gateway = process(&stripe);
        assert_eq!(gateway.standing(&payment).await.unwrap(), Standing::Authorised);
        stripe.fail(0, 1);
        unanswered(gateway.standing(&payment).await.unwrap_err());
    }
    let gateway = process(&stripe);
    gateway.standing(&payment).await.unwrap();
    stripe.fail(0, 1);
    unanswered(gateway.capture(&payment).await.unwrap_err());
    assert_eq!(process(&stripe).capture(&payment).await.unwrap(), Standing::Captured);

    gateway.refund(&payment, "r1", 1).await.unwrap();
    stripe.fail(0, 2);
    unanswered(gateway.refund(&payment, "r2", 2).await.unwrap_err());
    unanswered(gateway.refund(&payment, "r2", 2).await.unwrap_err());
    assert_eq!(gateway.refund(&payment, "r2", 2).await.unwrap(), GivenBack::Done);
    assert_eq!(stripe.refunds(), [("r1".to_owned(), 1), ("r2".to_owned(), 2)]);

    let other = intent("q");
    gateway.begin(&other).await.unwrap();
    stripe.fail(0, 1);
    unanswered(gateway.void(&other).await.unwrap_err());
    assert_eq!(process(&stripe).void(&other).await.unwrap(), Standing::Voided);
    assert_eq!((stripe.of("p"), stripe.of("q")), (vec!["succeeded"], vec!["canceled"]));
}

/// Stripe forgets a key after a day, and search lags for up to an hour: one of both knows every payment.
#[tokio::test]
async fn a_payment_older_than_its_key_is_found() {
    let stripe = Stripe::start().await;
    for name in ["captured", "voided", "looked-at", "refunded"] {
        authorised(&stripe, name).await;
    }
    process(&stripe).capture(&intent("refunded")).await.unwrap();
    stripe.forget_keys();
    assert_eq!(process(&stripe).capture(&intent("captured")).await.unwrap(), Standing::Captured);
    assert_eq!(process(&stripe).void(&intent("voided")).await.unwrap(), Standing::Voided);
    assert_eq!(process(&stripe).standing(&intent("looked-at")).await.unwrap(), Standing::Authorised);
    assert_eq!(process(&stripe).refund(&intent("refunded"), "r", 7).await.unwrap(), GivenBack::Done);
    stripe.forget_keys();
    // By the next process too, which is told the wrong one by the key.
    assert_eq!(process(&stripe).capture(&intent("looked-at")).await.unwrap(), Standing::Captured);
    assert_eq!(process(&stripe).refund(&intent("refunded"), "r", 7).await.unwrap(), GivenBack::Done);
    for name in ["captured", "voided", "looked-at", "refunded"] {
        let money = if name == "voided" { "canceled" } else { "succeeded" };
        let statuses = stripe.of(name);
        assert_eq!(statuses[0], money, "{name}");
        assert!(statuses[1..].iter().all(|status| *status == "canceled"), "{name}: {statuses:?}");
    }
    assert_eq!(stripe.refunds(), [("r".to_owned(), 7)]);
}

/// A process that looks is led by the key to the one that was made to find the true one, and canceled.
#[tokio::test]
async fn a_canceled_replacement_is_not_taken_for_the_payment() {
    let stripe = Stripe::start().await;
    authorised(&stripe, "p").await;
    stripe.forget_keys();
    assert_eq!(process(&stripe).standing(&intent("p")).await.unwrap(), Standing::Authorised);
    assert_eq!(stripe.of("p"), ["requires_capture", "canceled"]);
    assert_eq!(process(&stripe).begin(&intent("p")).await.unwrap(), Standing::Authorised);
    let gateway = process(&stripe);
    let searched = stripe.count("search");
    for _ in 0..2 {
        assert_eq!(gateway.standing(&intent("p")).await.unwrap(), Standing::Authorised);
    }
    assert_eq!(stripe.count("search"), searched + 1, "it is known then");
    assert_eq!(gateway.void(&intent("p")).await.unwrap(), Standing::Voided);
    assert_eq!(process(&stripe).standing(&intent("p")).await.unwrap(), Standing::Voided);
}

/// What gets lost right after the wrong PaymentIntent was made leaves no trust in that.
#[tokio::test]
async fn a_payment_that_was_made_anew_is_not_believed_before_a_search() {
    let stripe = Stripe::start().await;
    for name in ["unsearched", "unanswered"] {
        authorised(&stripe, name).await;
    }
    stripe.forget_keys();
    // The search's answer, twice.
    let (gateway, payment) = (process(&stripe), intent("unsearched"));
    let searching = async || {
        stripe.hold("search");
        let asked = gateway.standing(&payment);
        tokio::time::timeout(Duration::from_millis(200), asked).await.unwrap_err();
    };
    searching().await;
    searching().await;
    stripe.hold("");
    assert_eq!(gateway.standing(&payment).await.unwrap(), Standing::Authorised);
    assert_eq!(stripe.of("unsearched"), ["requires_capture", "canceled"]);
    // The answer that it was made.
    stripe.fail(0, 1);
    process(&stripe).void(&intent("unanswered")).await.unwrap_err();
    assert_eq!(process(&stripe).void(&intent("unanswered")).await.unwrap(), Standing::Voided);
    assert_eq!(stripe.of("unanswered"), ["canceled", "canceled"]);
}

#[tokio::test]
async fn a_failure_that_stripe_keeps_is_passed_by() {
    let stripe = Stripe::start().await;
    stripe.keep_failing(2);
    let payment = intent("p");
    assert!(matches!(process(&stripe).begin(&payment).await.unwrap_err(), Error::Unanswered(_)));
    let second = process(&stripe).begin(&payment).await;
    assert!(matches!(second.unwrap_err(), Error::Unanswered(_)));
    for _ in 0..2 {
        assert!(waits(&process(&stripe).begin(&payment).await.unwrap()));
    }
    assert_eq!(process(&stripe).void(&payment).await.unwrap(), Standing::Voided);
    assert_eq!(stripe.of("p"), ["canceled"]);
}

#[tokio::test]
async fn a_failure_of_a_refund_that_stripe_keeps_is_passed_by() {
    let stripe = Stripe::start().await;
    authorised(&stripe, "p").await;
    process(&stripe).capture(&intent("p")).await.unwrap();
    stripe.keep_failing(2);
    for _ in 0..2 {
        let failed = process(&stripe).refund(&intent("p"), "r", 500).await;
        assert!(matches!(failed.unwrap_err(), Error::Unanswered(_)));
    }
    for _ in 0..2 {
        assert_eq!(process(&stripe).refund(&intent("p"), "r", 500).await.unwrap(), GivenBack::Done);
    }
    assert_eq!(stripe.refunds(), [("r".to_owned(), 500)]);
    stripe.keep_failing(3);
    for _ in 0..4 {
        let failed = process(&stripe).refund(&intent("p"), "r2", 500).await;
        assert!(matches!(failed.unwrap_err(), Error::Unanswered(_)));
    }
}

/// The failure that is kept is another process's, made after this one had looked into the list; and its refund was made all the same.
#[tokio::test]
async fn a_refund_behind_a_failure_that_is_kept_is_found() {
    let stripe = Stripe::start().await;
    authorised(&stripe, "p").await;
    process(&stripe).capture(&intent("p")).await.unwrap();
    stripe.hold("refunds");
    let late = tokio::spawn({
        let gateway = process(&stripe);
        async move { gateway.refund(&intent("p"), "r", 500).await }
    });
    wait_until("it has looked", async || stripe.count("refunds") == 1).await;
    let form = [
        ("payment_intent", stripe.id("p")),
        ("amount", "500".to_owned()),
        ("metadata[onsale]", "p".to_owned()),
        ("metadata[onsale_refund]", "r".to_owned()),
    ];
    stripe.keep_failing_late(1);
    assert_eq!(stripe.post("refunds", "refund-r~0", &form).await, 500);
    assert_eq!(stripe.refunds().len(), 1);
    stripe.hold("");
    assert_eq!(late.await.unwrap().unwrap(), GivenBack::Done);
    assert_eq!(stripe.refunds(), [("r".to_owned(), 500)]);
}

#[tokio::test]
async fn a_refund_that_fails_after_it_had_succeeded_is_told_by_a_webhook() {
    let stripe = Stripe::start().await;
    authorised(&stripe, "p").await;
    let gateway = process(&stripe);
    gateway.capture(&intent("p")).await.unwrap();
    gateway.refund(&intent("p"), "r", 500).await.unwrap();
    assert!(gateway.has_given_back(&intent("p"), "r").await.unwrap());
    stripe.refund_as("failed");
    let object = serde_json::json!({
        "id": "re_0", "object": "refund", "status": "failed", "payment_intent": stripe.id("p"),
        "metadata": { "onsale": "p", "onsale_refund": "r" },
    });
    let event = serde_json::json!({ "type": "refund.failed", "data": { "object": object } }).to_string();
    let hearing = process(&stripe);
    let told = hearing.told(event.as_bytes()).unwrap().unwrap();
    assert_eq!((told.payment.as_str(), told.failed_refund.as_deref()), ("p", Some("r")));
    let calls = stripe.calls().len();
    assert!(!hearing.has_given_back(&intent("p"), "r").await.unwrap());
    assert_eq!(stripe.calls().len(), calls + 1, "the message names the PaymentIntent");
    assert!(!hearing.has_given_back(&intent("p"), "another").await.unwrap());
}

#[tokio::test]
async fn what_stripe_never_takes_is_declined() {
    let stripe = Stripe::start().await;
    for (amount, currency, reason) in [
        (49, "KRW", "amount_too_small"),
        (50_001, "KWD", "amount_not_chargeable"),
        (500, "UGX", "amount_not_chargeable"),
    ] {
        let payment = Intent { name: format!("p{amount}"), amount, currency: currency.to_owned() };
        let declined = Standing::Declined { reason: reason.to_owned() };
        assert_eq!(process(&stripe).begin(&payment).await.unwrap(), declined);
        assert_eq!(process(&stripe).standing(&payment).await.unwrap(), declined);
        assert_eq!(process(&stripe).void(&payment).await.unwrap(), Standing::Voided);
    }
    assert_eq!(stripe.all(), []);
}

#[tokio::test]
async fn a_refund_is_made_once_though_it_takes_days() {
    let stripe = Stripe::start().await;
    authorised(&stripe, "p").await;
    process(&stripe).capture(&intent("p")).await.unwrap();
    stripe.refund_as("pending");
    for _ in 0..3 {
        assert_eq!(process(&stripe).refund(&intent("p"), "r", 500).await.unwrap(), GivenBack::Pending);
        stripe.forget_keys();
    }
    stripe.refund_as("succeeded");
    assert_eq!(process(&stripe).refund(&intent("p"), "r", 500).await.unwrap(), GivenBack::Done);
    stripe.refund_as("failed");
    let failed = GivenBack::Refused { reason: "failed".to_owned() };
    assert_eq!(stripe.refunds(), [("r".to_owned(), 500)]);
    // What failed later is tried anew.
    assert_eq!(process(&stripe).refund(&intent("p"), "r", 500).await.unwrap(), failed);
    assert_eq!(stripe.refunds().len(), 2);
}

#[tokio::test]
async fn troubles_that_pass_are_told_from_those_that_do_not() {
    let stripe = Stripe::start().await;
    let gateway = process(&stripe);
    for _ in 0..4 {
        stripe.fail(4, 0);
        for _ in 0..4 {
            assert!(matches!(gateway.begin(&intent("p")).await.unwrap_err(), Error::Unanswered(_)));
        }
    }
    assert!(waits(&gateway.begin(&intent("p")).await.unwrap()));

    let stranger = Gateway::stripe(stripe.url(), b"sk_test_wrong", Duration::from_secs(5)).unwrap();
    let refused = stranger.begin(&intent("q")).await.unwrap_err();
    let Error::Unexpected(words) = &refused else { panic!("{refused}") };
    assert!(words.starts_with("401 api_key_invalid") && words.ends_with("(request req_1)"), "{words}");
    assert!(!format!("{stranger:?} {refused:?}").contains("sk_test"));
    let other = Intent { amount: 50_001, ..intent("p") };
    let changed = process(&stripe).begin(&other).await.unwrap_err();
    assert!(matches!(changed, Error::Unexpected(_)), "{changed}");
    let gone = Gateway::stripe("http://127.0.0.1:1", b"sk_test_x", Duration::from_secs(5)).unwrap();
    assert!(matches!(gone.begin(&intent("q")).await.unwrap_err(), Error::Unanswered(_)));
}

/// A webhook names the PaymentIntent: who is told by it need not ask which one it is.
#[tokio::test]
async fn a_webhook_tells_which_payment_it_is_about() {
    let stripe = Stripe::start().await;
    authorised(&stripe, "p").await;
    let gateway = process(&stripe);
    let event = |kind: &str, object: serde_json::Value| {
        serde_json::json!({ "id": "evt_1", "object": "event", "type": kind, "data": { "object": object } })
            .to_string()
    };
    let about = serde_json::json!({
        "id": stripe.id("p"),
        "object": "payment_intent",
        "status": "requires_capture",
        "metadata": { "onsale": "p" },
    });
    let told = gateway.told(event("payment_intent.amount_capturable_updated", about).as_bytes()).unwrap();
    assert_eq!(told.map(|told| told.payment).as_deref(), Some("p"));
    let begun = stripe.count("begin");
    assert_eq!(gateway.capture(&intent("p")).await.unwrap(), Standing::Captured);
    assert_eq!(stripe.count("begin"), begun);
    let other = serde_json::json!({ "id": "cus_1", "object": "customer", "metadata": {} });
    assert_eq!(gateway.told(event("customer.created", other).as_bytes()).unwrap(), None);
    assert!(gateway.told(b"{}").is_err());
}
