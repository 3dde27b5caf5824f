//! Charges through the payment gateway: it answers, fails, and answers too late.

use std::time::Duration;

use onsale::gateway::Standing;
use onsale::http::TopUp;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::app::{App, Setup, WEBHOOK_KEY};
use super::card::webhook;
use super::client::{Answered, Caller};
use crate::support::gateway::Gateway;
use crate::support::wait_until;

const PATH: &str = "/v1/users/me/balance";

async fn start_within(within: Duration) -> (App, Gateway) {
    let gateway = Gateway::start().await;
    let mut setup = Setup { gateway: Some(gateway.url().to_owned()), ..Setup::default() };
    setup.settings.wallet.top_up = TopUp::Gateway;
    setup.settings.wallet.top_up_within = within;
    (App::start_with(setup).await, gateway)
}

pub(super) async fn start() -> (App, Gateway) {
    start_within(Duration::from_mins(15)).await
}

/// An amount that ends in 00 is authorised at once, in 01 declined, in 02 and 03 waited for.
pub(super) async fn charge(user: &mut Caller, key: &str, amount: i64) -> Answered {
    user.post_once(key, PATH, &json!({ "amount": amount })).await
}

async fn standing(user: &mut Caller, charge: &str) -> Value {
    user.get(&format!("/v1/users/me/charges/{charge}")).await.json()
}

/// The only one that the gateway was asked for.
fn only(gateway: &Gateway) -> String {
    let [begun] = &gateway.begun()[..] else { panic!("{:?}", gateway.begun()) };
    begun.clone()
}

pub(super) async fn none_is_open(app: &App) {
    let open = async || {
        let mut open = 0;
        for partition in 0..4 {
            open += app.redis::<u64>(&["HLEN", &format!("{{w{partition:02}}}:top_ups")]).await;
        }
        open == 0
    };
    wait_until("each top-up is at its end", open).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_the_gateway_takes_at_once_is_in_the_balance() {
    let (app, gateway) = start().await;
    let mut user = app.caller("u", &[]).await;
    let charged = charge(&mut user, "k", 50_000).await;
    assert_eq!(charged.status, 200, "{charged:?}");
    assert_eq!((charged.number("chargedAmount"), charged.number("currentBalance")), (50_000, 50_000));
    let id = charged.text("chargeId");
    assert_eq!((only(&gateway), gateway.standing(&id)), (id.clone(), Standing::Captured));
    assert_eq!(user.get(PATH).await.number("balance"), 50_000);
    charge(&mut user, "k2", 20_000).await;
    let again = charge(&mut user, "k", 50_000).await;
    assert_eq!((again.status, &again.bytes), (200, &charged.bytes));
    assert_eq!(again.header("idempotency-replayed"), "true");
    let reused = charge(&mut user, "k", 60_000).await;
    assert!(reused.is(422, "idempotency_key_reused"), "{reused:?}");

    let expected = json!({
        "chargeId": id, "amount": 50_000, "currency": "KRW", "status": "CONFIRMED", "nextAction": null,
        "currentBalance": 50_000,
    });
    assert_eq!(standing(&mut user, &id).await, expected);
    app.audit().await;
    // As the archive has it, when Redis has forgotten.
    let partition = &id[1..3];
    let _: u64 = app.redis(&["DEL", &format!("{{w{partition}}}:idem")]).await;
    assert_eq!(standing(&mut user, &id).await, expected);
    for other in ["t00-nonsense", "t99-00000000000000000000", "p1", &id.replace('t', "p")] {
        let other = user.get(&format!("/v1/users/me/charges/{other}")).await;
        assert!(other.is(404, "not_found"), "{other:?}");
    }
    let mut stranger = app.caller("x", &[]).await;
    assert!(stranger.get(&format!("/v1/users/me/charges/{id}")).await.is(404, "not_found"));
    assert!(stranger.get(&format!("/v1/users/u/charges/{id}")).await.is(403, "forbidden"));
    let ledger = user.get("/v1/users/me/ledger").await.json();
    let told: Vec<_> = ledger["items"].as_array().unwrap().iter().map(|item| &item["balanceAfter"]).collect();
    assert_eq!((told, &ledger["items"][1]["type"]), (vec![&json!(70_000), &json!(50_000)], &json!("CHARGE")));
    let sum = "select cast(sum(amount) as signed) from ledger_entries where account = 'gateway'";
    assert_eq!(app.count(sum).await, -70_000);
    assert_eq!(app.count("select cast(sum(amount) as signed) from ledger_entries").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_who_has_to_act_is_credited_when_the_gateway_tells() {
    let (app, gateway) = start().await;
    let mut user = app.caller("u", &[]).await;
    let begun = charge(&mut user, "k", 50_002).await;
    assert_eq!((begun.status, begun.text("status")), (202, "REQUIRES_ACTION".into()), "{begun:?}");
    let id = begun.text("chargeId");
    assert_eq!(begun.json()["nextAction"]["payment"], id);
    let again = charge(&mut user, "k", 50_002).await;
    assert_eq!((again.json(), again.header("idempotency-replayed")), (begun.json(), "true"));
    assert_eq!(user.get(PATH).await.number("balance"), 0);
    for _ in 0..2 {
        assert_eq!(standing(&mut user, &id).await["status"], "REQUIRES_ACTION");
    }

    gateway.sandbox().answer(&id, true);
    assert!(webhook(&app, b"another", &id).await.is(401, "unauthenticated"));
    for _ in 0..3 {
        assert_eq!(webhook(&app, WEBHOOK_KEY, &id).await.status, 204);
    }
    assert_eq!(gateway.standing(&id), Standing::Captured);
    let told = standing(&mut user, &id).await;
    assert_eq!((&told["status"], &told["currentBalance"]), (&json!("CONFIRMED"), &json!(50_002)));
    let again = charge(&mut user, "k", 50_002).await;
    assert_eq!((again.status, again.number("currentBalance")), (200, 50_002), "{again:?}");
    assert_eq!(webhook(&app, WEBHOOK_KEY, "t99-00000000000000000000").await.status, 204);
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_declines_leaves_nothing() {
    let (app, gateway) = start().await;
    let mut user = app.caller("u", &[]).await;
    let declined = charge(&mut user, "k", 50_001).await;
    assert!(declined.is(402, "payment_declined"), "{declined:?}");
    assert_eq!(declined.text("reason"), "card_declined");
    let again = charge(&mut user, "k", 50_001).await;
    assert!(again.is(402, "payment_declined") && again.header("idempotency-replayed") == "true", "{again:?}");
    let id = only(&gateway);
    assert_eq!(standing(&mut user, &id).await["status"], "FAILED");
    assert_eq!((gateway.standing(&id), user.get(PATH).await.number("balance")), (Standing::Voided, 0));
    app.audit().await;
    assert_eq!(app.count("select count(*) from ledger_transactions").await, 0);
}

/// The gateway can't be told anything until the time is over; then the bank says yes.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_success_is_let_go() {
    let (app, gateway) = start_within(Duration::from_secs(1)).await;
    let mut user = app.caller("u", &[]).await;
    let begun = charge(&mut user, "k", 50_003).await;
    assert_eq!((begun.status, begun.text("status")), (202, "PROCESSING".into()), "{begun:?}");
    let id = begun.text("chargeId");
    gateway.fail(1_000_000, 0);
    let end = begun.text("expiresAt");
    let over = async || {
        // Redis answers who knows what time it is there.
        let now: (i64, i64) = app.redis(&["TIME"]).await;
        onsale::domain::time::Millis(now.0 * 1000).to_rfc3339() > end
    };
    wait_until("its time is over", over).await;
    gateway.sandbox().answer(&id, true);
    assert_eq!(gateway.standing(&id), Standing::Authorised);
    gateway.fail(0, 0);
    assert_eq!(webhook(&app, WEBHOOK_KEY, &id).await.status, 204);
    none_is_open(&app).await;
    assert_eq!((gateway.standing(&id), gateway.count("capture")), (Standing::Voided, 0));
    assert_eq!(standing(&mut user, &id).await["status"], "VOIDED");
    let again = charge(&mut user, "k", 50_003).await;
    assert!(again.is(402, "payment_declined"), "{again:?}");
    assert_eq!((again.text("reason"), user.get(PATH).await.number("balance")), ("expired".into(), 0));
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_equal_requests_bring_the_money_once() {
    let (app, gateway) = start().await;
    let mut asking = JoinSet::new();
    for _ in 0..100 {
        let mut user = app.caller("u", &[]).await;
        asking.spawn(async move { charge(&mut user, "k", 50_000).await });
    }
    while let Some(answer) = asking.join_next().await {
        let answer = answer.unwrap();
        assert!(matches!(answer.status, 200 | 202), "{answer:?}");
    }
    none_is_open(&app).await;
    let mut user = app.caller("u", &[]).await;
    assert_eq!((user.get(PATH).await.number("balance"), gateway.begun().len()), (50_000, 1));
    app.audit().await;
    assert_eq!(app.count("select count(*) from ledger_transactions").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_charges_himself_and_a_cashier_anybody() {
    let (app, gateway) = start().await;
    let (mut user, mut cashier) = (app.caller("u", &[]).await, app.caller("till", &["cashier"]).await);
    let form = json!({"amount": 50_000});
    assert!(user.post_once("k", "/v1/users/x/balance", &form).await.is(403, "forbidden"));
    let direct = cashier.post_once("k", "/v1/users/u/balance", &form).await;
    assert_eq!((direct.status, direct.number("currentBalance")), (200, 50_000), "{direct:?}");
    assert_eq!(direct.json().get("chargeId"), None);
    assert_eq!(gateway.begun().len(), 0);
    assert!(user.post(PATH, &form).await.is(400, "idempotency_key_required"));
    let small = charge(&mut user, "k", 9_999).await;
    assert!(small.is(400, "amount_out_of_range"), "{small:?}");
    assert_eq!((small.number("min"), gateway.begun().len()), (10_000, 0));

    let mut setup = Setup::default();
    setup.settings.wallet.top_up = TopUp::Gateway;
    let without = App::start_with(setup).await;
    let mut user = without.caller("u", &[]).await;
    assert!(charge(&mut user, "k", 50_000).await.is(501, "not_implemented"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_place_that_charging_asks_for_is_asked_for_here_too() {
    let gateway = Gateway::start().await;
    let mut setup = Setup { gateway: Some(gateway.url().to_owned()), ..Setup::default() };
    setup.settings.wallet.top_up = TopUp::Gateway;
    setup.settings.wallet.charge_needs_active = true;
    let app = App::start_with(setup).await;
    let (concert, _) = app.on_sale(json!({"maxActive": 1})).await;
    let mut outside = app.caller("outside", &[]).await;
    assert!(charge(&mut outside, "k", 50_000).await.is(401, "queue_token_invalid"));
    let mut active = app.in_line("active", concert).await;
    assert_eq!(charge(&mut active, "k", 50_000).await.status, 200);
    assert_eq!(active.delete("/v1/queue/tokens").await.status, 204);
    assert!(charge(&mut active, "k2", 50_000).await.is(401, "queue_token_expired"));
    assert_eq!(charge(&mut active, "k", 50_000).await.number("currentBalance"), 50_000);
}

/// What nobody decided is found, wherever it stands.
#[tokio::test(flavor = "multi_thread")]
async fn the_audit_finds_a_top_up_that_is_not_what_the_log_tells() {
    let (app, _gateway) = start().await;
    let mut user = app.caller("u", &[]).await;
    let id = charge(&mut user, "k", 50_002).await.text("chargeId");
    charge(&mut user, "k2", 50_000).await;
    app.audit().await;
    let (key, name) = (format!("{{w{}}}:top_ups", &id[1..3]), &id[4..]);
    let record: String = app.redis(&["HGET", &key, name]).await;
    for wrong in [record.replace("authorising", "capture"), record.replace("50002", "50003")] {
        let () = app.redis(&["HSET", &key, name, &wrong]).await;
        assert!(!app.report().await.ok, "{wrong}");
    }
    let () = app.redis(&["HSET", &key, name, &record]).await;
    app.audit().await;
    for wrong in ["state = 'capture'", "amount = amount - 1", "reason = 'declined'", "balance = 1"] {
        for before in ["create table kept as select * from top_ups", &format!("update top_ups set {wrong}")] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(before.to_owned())).execute(&app.mysql).await.unwrap();
        }
        assert!(!app.report().await.ok, "{wrong}");
        for back in ["delete from top_ups", "insert into top_ups select * from kept", "drop table kept"] {
            sqlx::raw_sql(back).execute(&app.mysql).await.unwrap();
        }
    }
    app.audit().await;
}

/// Calls that never arrive, answers that get lost, buyers who say yes, no or nothing in time, messages thrice: what is captured is
/// in the balance, once, and nothing else is.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_between_money_comes_once_or_not_at_all() {
    let (app, gateway) = start_within(Duration::from_secs(5)).await;
    let mut users = JoinSet::new();
    for number in 0..30_i64 {
        let mut user = app.caller(&format!("u{number}"), &[]).await;
        users.spawn(async move {
            charge(&mut user, "k", 50_000 + number % 4).await;
            (number, user)
        });
        gateway.fail(u32::try_from(number % 3).unwrap(), u32::try_from(number % 4).unwrap());
    }
    let mut charged = Vec::new();
    while let Some(user) = users.join_next().await {
        charged.push(user.unwrap());
    }
    for (number, user) in &mut charged {
        gateway.fail(0, 0);
        let again = charge(user, "k", 50_000 + *number % 4).await;
        assert!(matches!(again.status, 200 | 202 | 402), "{again:?}");
        if again.status != 202 {
            continue;
        }
        let id = again.text("chargeId");
        gateway.fail(u32::try_from(*number % 2).unwrap(), u32::try_from(*number % 3).unwrap());
        match *number % 6 {
            0..=1 => {}
            2 => gateway.sandbox().answer(&id, false),
            _ => gateway.sandbox().answer(&id, true),
        }
        for _ in 0..3 {
            assert!(matches!(webhook(&app, WEBHOOK_KEY, &id).await.status, 204 | 503));
        }
    }
    gateway.fail(0, 0);
    none_is_open(&app).await;
    let (mut captured, mut voided) = (0, 0);
    for (number, user) in &mut charged {
        let balance = user.get(PATH).await.number("balance");
        let again = charge(user, "k", 50_000 + *number % 4).await;
        if again.status == 200 {
            assert_eq!(
                (again.number("currentBalance"), balance),
                (balance, u64::try_from(50_000 + *number % 4).unwrap())
            );
            assert_eq!(gateway.standing(&again.text("chargeId")), Standing::Captured);
            captured += 1;
        } else {
            assert!(again.is(402, "payment_declined"), "{again:?}");
            assert_eq!(balance, 0);
            voided += 1;
        }
    }
    let at = |wanted: &Standing| gateway.sandbox().all().iter().filter(|(_, found)| found == wanted).count();
    assert_eq!((at(&Standing::Captured), at(&Standing::Voided)), (captured, voided));
    assert!(captured > 8 && voided > 4, "{captured} {voided}");
    app.audit().await;
}
