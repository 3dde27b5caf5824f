//! Payments by card, over a gateway that answers, fails, and answers too late.

use onsale::clearing::{Clearing, ClearingError};
use onsale::gateway::{Standing, WebhookSecret};
use onsale::live::Live;
use onsale::loops::load;
use onsale::store::SeenLogs;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::app::{App, Setup, WEBHOOK_KEY};
use super::client::{Answered, Caller};
use crate::store::{store_on, user};
use crate::support::gateway::Gateway;
use crate::support::{SOON, wait_until};

/// One seat is 50,002: the sandbox waits for the buyer; in section B 50,001: it declines; in C 50,000: at once.
pub(super) async fn on_sale(app: &App) -> (u64, u64) {
    let mut boss = app.boss().await;
    let policy = json!({"maxSeatsPerUser": 50, "admitPerSecond": 10_000});
    let made = boss
        .post("/v1/admin/concerts", &json!({"title": "T", "artist": "A", "venue": "V", "policy": policy}))
        .await;
    let concert = made.number("concertId");
    let section =
        |name: &str, price: u32| json!({"name": name, "rows": 1, "seatsPerRow": 20, "price": price});
    let sections = [section("A", 50_002), section("B", 50_001), section("C", 50_000)];
    let show = json!({"startsAt": "2030-01-01T00:00:00Z", "currency": "KRW", "sections": sections});
    let made = boss.post(&format!("/v1/admin/concerts/{concert}/shows"), &show).await;
    assert_eq!(made.status, 201, "{made:?}");
    (concert, made.number("showId"))
}

pub(super) async fn start() -> (App, Gateway) {
    let gateway = Gateway::start().await;
    let app = App::start_with(Setup { gateway: Some(gateway.url().to_owned()), ..Setup::default() }).await;
    (app, gateway)
}

/// A buyer who holds this seat, and the answer.
pub(super) async fn held(
    app: &App,
    (concert, show): (u64, u64),
    user: &str,
    seat: &str,
) -> (Caller, Answered) {
    let mut buyer = app.in_line(user, concert).await;
    let held = buyer.post("/v1/reservations", &json!({"showId": show, "seats": [seat]})).await;
    assert_eq!(held.status, 201, "{held:?}");
    (buyer, held)
}

pub(super) fn by_card(reservation: &str) -> Value {
    json!({"reservationId": reservation, "method": "CARD"})
}

/// What the gateway sends when a payment has moved.
pub(super) async fn webhook(app: &App, key: &[u8], payment: &str) -> Answered {
    let body = json!({"type": "payment.updated", "payment": payment}).to_string();
    let now = jsonwebtoken::get_current_timestamp();
    let signature = WebhookSecret::new(key).sign(body.as_bytes(), now);
    let headers = [("onsale-signature", signature.as_str())];
    app.send("POST", "/v1/gateway/webhooks/sandbox", &headers, Some(&body)).await
}

pub(super) async fn payment(buyer: &mut Caller, id: &str) -> Value {
    buyer.get(&format!("/v1/payments/{id}")).await.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seat_is_bought_by_card() {
    let (app, gateway) = start().await;
    let sale = on_sale(&app).await;
    let (mut buyer, held) = held(&app, sale, "u", "A-1-1").await;
    let id = held.text("reservationId");
    let begun = buyer.post_once("k", "/v1/payments", &by_card(&id)).await;
    assert_eq!((begun.status, begun.text("status")), (202, "REQUIRES_ACTION".into()), "{begun:?}");
    assert_eq!((begun.number("amount"), begun.text("reservationId")), (50_002, id.clone()));
    let paid = begun.text("paymentId");
    assert_eq!(begun.json()["nextAction"]["payment"], paid);
    assert!(begun.text("expiresAt") > held.text("expiresAt"));

    let other = buyer.post_once("k2", "/v1/payments", &by_card(&id)).await;
    assert!(other.is(409, "request_in_progress"), "{other:?}");
    for _ in 0..20 {
        let again = buyer.post_once("k", "/v1/payments", &by_card(&id)).await;
        assert_eq!((again.json(), again.header("idempotency-replayed")), (begun.json(), "true"));
    }
    assert_eq!(gateway.count("begin"), 1, "who asks again makes no more calls than who looks");
    let reused = buyer.post_once("k", "/v1/payments", &json!({"reservationId": id})).await;
    assert!(reused.is(422, "idempotency_key_reused"), "{reused:?}");
    let stranger = app.caller("x", &[]).await.get(&format!("/v1/payments/{paid}")).await;
    assert!(stranger.is(404, "not_found"), "{stranger:?}");
    assert_eq!(payment(&mut buyer, &paid).await["status"], "REQUIRES_ACTION");

    gateway.sandbox().answer(&paid, true);
    for _ in 0..3 {
        assert_eq!(webhook(&app, WEBHOOK_KEY, &paid).await.status, 204);
    }
    assert_eq!(gateway.standing(&paid), Standing::Captured);
    let told = payment(&mut buyer, &paid).await;
    assert_eq!(
        (&told["status"], &told["amount"], &told["balance"]),
        (&json!("CONFIRMED"), &json!(50_002), &json!(0))
    );
    let made = buyer.get(&format!("/v1/reservations/{id}")).await.json();
    assert_eq!((&made["status"], made["tickets"].as_array().unwrap().len()), (&json!("CONFIRMED"), 1));
    let again = buyer.post_once("k", "/v1/payments", &by_card(&id)).await;
    assert_eq!((again.status, again.text("paymentId")), (202, paid.clone()));

    let mut boss = app.boss().await;
    app.audit().await;
    let history = boss.get(&format!("/v1/admin/reservations/{id}/history")).await.json();
    let actions: Vec<_> = history["items"].as_array().unwrap().iter().map(|item| &item["action"]).collect();
    assert_eq!(actions, ["HELD", "EXTENDED", "CONFIRMED"]);
    let ledger = buyer.get("/v1/users/me/ledger").await.json();
    assert_eq!(ledger["items"], json!([]));
    assert_eq!(
        app.count("select cast(sum(amount) as signed) from ledger_entries where account = 'gateway'").await,
        -50_002
    );
    assert_eq!(app.count("select cast(sum(amount) as signed) from ledger_entries").await, 0);
}

/// What nobody decided is found, wherever it stands.
#[tokio::test(flavor = "multi_thread")]
async fn the_audit_finds_a_card_payment_that_is_not_what_the_log_tells() {
    let (app, _gateway) = start().await;
    let sale = on_sale(&app).await;
    let (mut buyer, held) = held(&app, sale, "u", "A-1-1").await;
    let begun = buyer.post("/v1/payments", &by_card(&held.text("reservationId"))).await.text("paymentId");
    app.audit().await;
    let (key, name) = (format!("{{c{}}}:cards", sale.0), begun.rsplit('-').next().unwrap());
    let record: String = app.redis(&["HGET", &key, name]).await;
    for wrong in [record.replace("authorising", "capture"), record.replace("50002", "50003")] {
        let () = app.redis(&["HSET", &key, name, &wrong]).await;
        assert!(!app.report().await.ok, "{wrong}");
    }
    let () = app.redis(&["HSET", &key, name, &record]).await;
    app.audit().await;
    for wrong in ["state = 'captured'", "amount = amount - 1", "reason = 'paid'"] {
        let kept = "create table kept as select * from card_payments";
        sqlx::raw_sql(kept).execute(&app.mysql).await.unwrap();
        let change = format!("update card_payments set {wrong}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(change)).execute(&app.mysql).await.unwrap();
        assert!(!app.report().await.ok, "{wrong}");
        for back in
            ["delete from card_payments", "insert into card_payments select * from kept", "drop table kept"]
        {
            sqlx::raw_sql(back).execute(&app.mysql).await.unwrap();
        }
    }
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_card_leaves_the_hold_to_be_paid_otherwise() {
    let (app, gateway) = start().await;
    let sale = on_sale(&app).await;
    let (mut buyer, held) = held(&app, sale, "u", "B-1-1").await;
    let id = held.text("reservationId");
    let mut decline = async |key: &str, replayed: &str| {
        let declined = buyer.post_once(key, "/v1/payments", &by_card(&id)).await;
        assert!(declined.is(402, "payment_declined"), "{declined:?}");
        assert_eq!(declined.text("reason"), "card_declined");
        assert_eq!(declined.header("idempotency-replayed"), replayed);
    };
    decline("k", "").await;
    decline("k", "true").await;
    let [begun] = &gateway.begun()[..] else { panic!("one payment was begun") };
    // Another card is no better, and makes the first one none.
    decline("k2", "").await;
    decline("k", "true").await;
    decline("k2", "true").await;
    wait_until("it is voided", async || gateway.standing(begun) == Standing::Voided).await;
    app.audit().await;
    assert_eq!(payment(&mut buyer, begun).await["status"], "FAILED");
    buyer.post_once("c", "/v1/users/me/balance", &json!({"amount": 100_000})).await;
    let paid = buyer.post("/v1/payments", &json!({"reservationId": id})).await;
    assert_eq!((paid.status, paid.number("balance")), (200, 49_999), "{paid:?}");
    app.audit().await;
    let again = buyer.post_once("k", "/v1/payments", &by_card(&id)).await;
    assert!(again.is(402, "payment_declined") && again.text("reason") == "card_declined", "{again:?}");
    assert_eq!(payment(&mut buyer, begun).await["status"], "FAILED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_success_buys_nothing_and_is_let_go() {
    let (app, gateway) = start().await;
    let sale = on_sale(&app).await;
    let (mut buyer, held) = held(&app, sale, "u", "A-1-1").await;
    let id = held.text("reservationId");
    let begun = buyer.post_once("k", "/v1/payments", &by_card(&id)).await.text("paymentId");
    assert_eq!(buyer.delete(&format!("/v1/reservations/{id}")).await.status, 204);
    gateway.sandbox().answer(&begun, true);
    assert_eq!(webhook(&app, WEBHOOK_KEY, &begun).await.status, 204);
    assert_eq!(gateway.standing(&begun), Standing::Voided);
    app.audit().await;
    assert_eq!(payment(&mut buyer, &begun).await["status"], "VOIDED");
    let again = buyer.post_once("k", "/v1/payments", &by_card(&id)).await;
    assert_eq!((again.status, again.text("status"), again.text("paymentId")), (202, "VOIDED".into(), begun));
    assert_eq!((again.header("idempotency-replayed"), &again.json()["expiresAt"]), ("true", &Value::Null));
    assert_eq!(gateway.count("capture"), 0);
    let map = buyer.get(&format!("/v1/shows/{}/seats?view=status", sale.1)).await;
    assert_eq!(map.text("status").matches('0').count(), 60);
}

/// Nobody's money is reserved once more for what he can't have any more.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_back_before_the_gateway_heard_of_it_never_begins() {
    let (app, gateway) = start().await;
    let sale = on_sale(&app).await;
    let (mut buyer, held) = held(&app, sale, "u", "C-1-1").await;
    let id = held.text("reservationId");
    gateway.fail(u32::MAX, 0);
    let begun = buyer.post("/v1/payments", &by_card(&id)).await;
    assert_eq!((begun.status, begun.text("status")), (202, "PROCESSING".into()), "{begun:?}");
    assert_eq!(buyer.delete(&format!("/v1/reservations/{id}")).await.status, 204);
    gateway.fail(0, 0);
    let payment = begun.text("paymentId");
    wait_until("it is voided", async || gateway.standing(&payment) == Standing::Voided).await;
    assert_eq!(gateway.count("begin"), 1, "the call that was refused");
    app.audit().await;
}

/// A payment of this reservation that nobody here remembers, captured or only authorised.
fn lost(gateway: &Gateway, reservation: &str, digit: &str, captured: bool) -> String {
    let payment = format!("p{}-{}", &reservation[1..], digit.repeat(20));
    assert_eq!(gateway.sandbox().begin(&payment, 50_000), Standing::Authorised);
    if captured {
        gateway.sandbox().capture(&payment);
    }
    payment
}

#[tokio::test(flavor = "multi_thread")]
async fn money_of_a_payment_that_was_lost_is_let_go_once_that_is_certain() {
    let (app, gateway) = start().await;
    let sale = on_sale(&app).await;
    let (_, held) = held(&app, sale, "u", "C-1-1").await;
    let id = held.text("reservationId");
    let [taken, reserved] =
        [true, false].map(|captured| lost(&gateway, &id, &u8::from(captured).to_string(), captured));
    for _ in 0..3 {
        for payment in [&taken, &reserved] {
            assert_eq!(webhook(&app, WEBHOOK_KEY, payment).await.status, 204);
        }
    }
    assert_eq!(gateway.standing(&reserved), Standing::Voided);
    assert_eq!(gateway.sandbox().refunds(), [(taken.clone(), taken, 50_000)]);
    // An account may serve others, too.
    let (reservation, _) = id.rsplit_once('-').unwrap();
    let others = lost(&gateway, &format!("{reservation}-{}", "7".repeat(20)), "8", true);
    assert_eq!(webhook(&app, WEBHOOK_KEY, &others).await.status, 204);
    assert_eq!(gateway.standing(&others), Standing::Captured);
    let stop = "update log_offsets set state = 'recovering' where log like 'c%'";
    sqlx::raw_sql(stop).execute(&app.mysql).await.unwrap();
    let unsure = lost(&gateway, &id, "2", true);
    assert_eq!(webhook(&app, WEBHOOK_KEY, &unsure).await.status, 503);
    assert_eq!(gateway.sandbox().refunds().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_the_gateway_did_not_sign_is_refused() {
    let (app, gateway) = start().await;
    let sale = on_sale(&app).await;
    let (_, held) = held(&app, sale, "u", "C-1-1").await;
    // Of one that is not open no loop asks.
    let payment = lost(&gateway, &held.text("reservationId"), "1", true);
    assert!(webhook(&app, b"another", &payment).await.is(401, "unauthenticated"));
    let bare = app.send("POST", "/v1/gateway/webhooks/sandbox", &[], Some("{}")).await;
    assert!(bare.is(401, "unauthenticated"), "{bare:?}");
    let other = app.send("POST", "/v1/gateway/webhooks/stripe", &[], Some("{}")).await;
    assert!(other.is(404, "not_found"), "{other:?}");
    assert_eq!(webhook(&app, WEBHOOK_KEY, "p9-9-nonsense").await.status, 204);
    assert_eq!(gateway.count(""), 0);
    assert_eq!(webhook(&app, WEBHOOK_KEY, &payment).await.status, 204);
    assert_ne!(gateway.count(""), 0);
}

/// A gateway that does not answer costs a bounded number of connections, and its end costs nobody anything.
#[tokio::test(flavor = "multi_thread")]
async fn as_many_as_may_be_are_with_the_gateway_at_once() {
    let (app, gateway) = start().await;
    let (concert, show) = on_sale(&app).await;
    let (seen, live) = (SeenLogs::default(), Live::new());
    load(&app.archive, &seen, &live).await.unwrap();
    let adapter = onsale::gateway::Gateway::sandbox(gateway.url(), SOON).unwrap();
    let clearing = Clearing::new(store_on(&app.redis, seen), live, app.archive.clone(), adapter, None);
    gateway.hold("begin");
    let mut begun = JoinSet::new();
    for number in 0..300_u32 {
        let payment = format!("p{concert}-{show}-{0}-{0}", format!("{number:020}")).parse().unwrap();
        let clearing = clearing.clone();
        begun.spawn(async move { clearing.begin(payment, &user("u"), 50_000).await });
    }
    for _ in 0..300 - 256 {
        let refused = begun.join_next().await.unwrap().unwrap();
        assert!(matches!(refused, Err(ClearingError::Busy)), "{refused:?}");
    }
    wait_until("the others are there", async || gateway.count("begin") == 256).await;
    gateway.hold("");
    while let Some(ended) = begun.join_next().await {
        assert_eq!(ended.unwrap().unwrap(), Standing::Authorised);
    }
    let one = format!("p{concert}-{show}-{0}-{0}", "9".repeat(20)).parse().unwrap();
    assert_eq!(clearing.begin(one, &user("u"), 50_000).await.unwrap(), Standing::Authorised);
}

/// Calls that never arrive, answers that get lost, buyers who say yes, no or nothing in time, messages thrice: each payment is
/// captured with its seat, or voided without.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_between_each_payment_comes_to_its_one_end() {
    let (app, gateway) = start().await;
    let sale = on_sale(&app).await;
    let mut buyers = JoinSet::new();
    for number in 0..20_u32 {
        let section = if number % 5 == 4 {
            "B"
        } else if number % 2 == 0 {
            "A"
        } else {
            "C"
        };
        let (buyer, held) =
            held(&app, sale, &format!("u{number}"), &format!("{section}-1-{}", number + 1)).await;
        let id = held.text("reservationId");
        buyers.spawn(async move {
            let mut buyer = buyer;
            buyer.post_once("k", "/v1/payments", &by_card(&id)).await;
            (number, buyer, id)
        });
        gateway.fail(number % 3, number % 4);
    }
    let mut bought = Vec::new();
    while let Some(buyer) = buyers.join_next().await {
        bought.push(buyer.unwrap());
    }
    for (number, buyer, id) in &mut bought {
        gateway.fail(0, 0);
        let again = buyer.post_once("k", "/v1/payments", &by_card(id)).await;
        assert!(matches!(again.status, 202 | 402), "{again:?}");
        let name = again.text("paymentId");
        let known = async || again.status == 402 || gateway.standing(&name) != Standing::Unknown;
        wait_until("the gateway has heard of it", known).await;
        gateway.fail(*number % 2, *number % 3);
        for payment in gateway.begun().iter().filter(|payment| payment.contains(&id[1..])) {
            match *number % 6 {
                0 => assert_eq!(buyer.delete(&format!("/v1/reservations/{id}")).await.status, 204),
                2 => gateway.sandbox().answer(payment, false),
                _ => gateway.sandbox().answer(payment, true),
            }
            for _ in 0..3 {
                assert!(matches!(webhook(&app, WEBHOOK_KEY, payment).await.status, 204 | 503));
            }
        }
    }
    let open = format!("{{c{}}}:cards", sale.0);
    let ended = async || app.redis::<u64>(&["HLEN", &open]).await == 0;
    wait_until("each payment is at its end", ended).await;
    let (mut captured, mut voided) = (0, 0);
    for (_, buyer, id) in &mut bought {
        let status = buyer.get(&format!("/v1/reservations/{id}")).await.text("status");
        let payments: Vec<_> =
            gateway.sandbox().all().into_iter().filter(|(name, _)| name.contains(&id[1..])).collect();
        let taken = payments.iter().filter(|(_, standing)| *standing == Standing::Captured).count();
        assert_eq!(taken, usize::from(status == "CONFIRMED"), "{status}: {payments:?}");
        captured += taken;
        voided += payments.iter().filter(|(_, standing)| *standing == Standing::Voided).count();
        assert_eq!(payments.len(), 1, "{payments:?}");
    }
    assert_eq!(captured + voided, 20);
    assert!(captured > 8 && voided > 4, "{captured} {voided}");
    app.audit().await;
}
