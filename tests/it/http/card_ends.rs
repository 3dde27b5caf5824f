//! How a card payment ended stays what it was, whatever becomes of its reservation and however far MySQL is behind.

use onsale::gateway::Standing;
use serde_json::json;
use sqlx::{MySql, Transaction};

use super::app::{App, WEBHOOK_KEY};
use super::card::{by_card, held, on_sale, payment, start, webhook};
use super::client::Caller;
use crate::support::gateway::Gateway;
use crate::support::wait_until;

/// Nothing is written to MySQL from any log until this is dropped.
pub(super) async fn still(app: &App) -> Transaction<'static, MySql> {
    let mut lock = app.mysql.begin().await.unwrap();
    sqlx::query("select log from log_offsets for update").fetch_all(&mut *lock).await.unwrap();
    lock
}

/// A card payment that its buyer's bank has refused.
async fn decline(app: &App, gateway: &Gateway, buyer: &mut Caller, reservation: &str) -> String {
    let begun = buyer.post("/v1/payments", &by_card(reservation)).await;
    assert_eq!(begun.text("status"), "REQUIRES_ACTION", "{begun:?}");
    let declined = begun.text("paymentId");
    gateway.sandbox().answer(&declined, false);
    assert_eq!(webhook(app, WEBHOOK_KEY, &declined).await.status, 204);
    assert_eq!(gateway.standing(&declined), Standing::Voided);
    assert_eq!(payment(buyer, &declined).await["status"], "FAILED");
    declined
}

async fn pay_from_balance(buyer: &mut Caller, reservation: &str) {
    buyer.post_once("c", "/v1/users/me/balance", &json!({"amount": 100_000})).await;
    let paid = buyer.post("/v1/payments", &json!({"reservationId": reservation})).await;
    assert_eq!(paid.status, 200, "{paid:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_payment_stays_failed_while_the_archive_stands_still() {
    let (app, gateway) = start().await;
    let sale = on_sale(&app).await;
    let archive = still(&app).await;

    let (mut twice, hold) = held(&app, sale, "twice", "A-1-1").await;
    let id = hold.text("reservationId");
    let mut failed = Vec::new();
    for _ in 0..2 {
        failed.push(decline(&app, &gateway, &mut twice, &id).await);
        assert_eq!(payment(&mut twice, &failed[0]).await["status"], "FAILED", "another was tried");
    }
    pay_from_balance(&mut twice, &id).await;

    let (mut other_card, hold) = held(&app, sale, "other card", "A-1-2").await;
    let id = hold.text("reservationId");
    let first = decline(&app, &gateway, &mut other_card, &id).await;
    let second = other_card.post("/v1/payments", &by_card(&id)).await.text("paymentId");
    gateway.sandbox().answer(&second, true);
    assert_eq!(webhook(&app, WEBHOOK_KEY, &second).await.status, 204);
    assert_eq!(payment(&mut other_card, &second).await["status"], "CONFIRMED");

    let (mut released, hold) = held(&app, sale, "released", "A-1-3").await;
    let id = hold.text("reservationId");
    let given_back = decline(&app, &gateway, &mut released, &id).await;
    assert_eq!(released.delete(&format!("/v1/reservations/{id}")).await.status, 204);

    let mut all = async || {
        for declined in &failed {
            let told = payment(&mut twice, declined).await;
            assert_eq!((&told["status"], &told["amount"]), (&json!("FAILED"), &json!(50_002)), "{told}");
        }
        assert_eq!(payment(&mut other_card, &first).await["status"], "FAILED");
        assert_eq!(payment(&mut released, &given_back).await["status"], "FAILED");
        let stranger = payment(&mut released, &first).await;
        assert_eq!(stranger["code"], "not_found", "{stranger}");
    };
    all().await;
    drop(archive);
    app.audit().await;
    all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_payment_stays_failed_once_another_has_its_seat() {
    let (app, gateway) = start().await;
    let sale = on_sale(&app).await;
    let _archive = still(&app).await;
    let (mut late, hold) = held(&app, sale, "late", "A-1-1").await;
    let id = hold.text("reservationId");
    let declined = decline(&app, &gateway, &mut late, &id).await;
    // Its time is over.
    let (key, name) = (format!("{{c{}}}:res", sale.0), id.rsplit('-').next().unwrap());
    let record: String = app.redis(&["HGET", &key, name]).await;
    let mut fields: Vec<_> = record.splitn(6, ' ').collect();
    fields[4] = "1";
    let () = app.redis(&["HSET", &key, name, &fields.join(" ")]).await;
    assert_eq!(payment(&mut late, &declined).await["status"], "FAILED");
    let (mut other, _) = held(&app, sale, "other", "A-1-1").await;
    assert_eq!(payment(&mut late, &declined).await["status"], "FAILED");
    assert_eq!(payment(&mut other, &declined).await["code"], "not_found");
    let made = late.get(&format!("/v1/reservations/{id}")).await;
    assert_eq!(made.text("status"), "EXPIRED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_the_balance_overtook_stays_voided() {
    let (app, gateway) = start().await;
    let sale = on_sale(&app).await;
    let archive = still(&app).await;
    let (mut buyer, hold) = held(&app, sale, "u", "A-1-1").await;
    let id = hold.text("reservationId");
    let declined = decline(&app, &gateway, &mut buyer, &id).await;
    let begun = buyer.post("/v1/payments", &by_card(&id)).await.text("paymentId");
    pay_from_balance(&mut buyer, &id).await;
    assert_eq!(webhook(&app, WEBHOOK_KEY, &begun).await.status, 204);
    wait_until("it is voided", async || gateway.standing(&begun) == Standing::Voided).await;
    let all = [(&begun, "VOIDED"), (&declined, "FAILED")];
    for (name, status) in all {
        assert_eq!(payment(&mut buyer, name).await["status"], status);
    }
    drop(archive);
    app.audit().await;
    let mut boss = app.boss().await;
    let path = format!("/v1/admin/reservations/{id}/refund");
    let back = boss.post_once("f", &path, &json!({})).await;
    assert_eq!((back.status, back.text("method")), (200, "BALANCE".into()), "{back:?}");
    for (name, status) in all {
        assert_eq!(payment(&mut buyer, name).await["status"], status);
    }
    assert_eq!(buyer.get("/v1/users/me/balance").await.number("balance"), 100_000);
    app.audit().await;

    // What a server of before had written is right, too, and told from the archive.
    let (key, name) = (format!("{{c{}}}:res", sale.0), id.rsplit('-').next().unwrap());
    let record: String = app.redis(&["HGET", &key, name]).await;
    let (before, after) = record.split_once(",overtaken=").unwrap();
    let (_, refunded) = after.split_once(",refunded=").unwrap();
    let () = app.redis(&["HSET", &key, name, &format!("{before},refunded={refunded}")]).await;
    app.audit().await;
    for (name, status) in all {
        assert_eq!(payment(&mut buyer, name).await["status"], status);
    }
}
