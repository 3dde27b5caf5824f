//! Redis forgets what was decided of card payments whose money is taken: it goes back, and the seats are free for others.

use onsale::gateway::{Standing, WebhookSecret};
use serde_json::json;

use super::buyer::Buyer;
use super::loss::{copy_of, replace};
use super::site::{Server, Site};
use crate::support::gateway::Gateway;
use crate::support::mariadb::MariaDb;
use crate::support::process::Process;
use crate::support::redis::Redis;
use crate::support::wait_until;

const KEY: &str = "the key of the gateway's webhooks";

/// A buyer with a seat of the first show, and his reservation.
async fn held(site: &Site, server: &Server, number: usize) -> (Buyer, String) {
    let mut buyer = Buyer::new(&format!("u{number}"), &site.folder().join("identity.key"));
    buyer.join(&server.client, 1).await.unwrap();
    let held = buyer.hold(&server.client, 1, number, "h").await.unwrap();
    assert_eq!(held.status, 201, "{:?}", held.body);
    (buyer, held.text("reservationId").to_owned())
}

/// The answer to what the gateway sends of a payment.
async fn told(server: &Server, payment: &str) -> u16 {
    let body = json!({ "payment": payment });
    let now = jsonwebtoken::get_current_timestamp();
    let signature = WebhookSecret::new(KEY.as_bytes()).sign(body.to_string().as_bytes(), now);
    let headers = [("onsale-signature", signature.as_str())];
    server.client.send("POST", "/v1/gateway/webhooks/sandbox", &headers, Some(&body)).await.unwrap().status
}

async fn by_card(server: &Server, buyer: &Buyer, reservation: &str) -> u16 {
    let body = json!({"reservationId": reservation, "method": "CARD"});
    buyer.post(&server.client, "/v1/payments", "p", &body).await.unwrap().status
}

fn payment_of(gateway: &Gateway, reservation: &str) -> String {
    gateway.begun().into_iter().find(|payment| payment.contains(&reservation[1..])).expect("it has begun")
}

/// Of two payments Redis loses how they were decided, and of one of them that it ever began. No archive has seen it.
#[tokio::test(flavor = "multi_thread")]
async fn money_that_was_taken_in_a_log_that_is_lost_goes_back() {
    let (mut redis, mysql, gateway) =
        (Redis::start_durable().await, MariaDb::database().await, Gateway::start().await);
    let more = format!(
        "gateway = {{ kind = 'sandbox', url = '{}', check_interval_ms = 100, timeout_ms = 30000, \
         webhook_secret_file = 'gateway.key' }}\n",
        gateway.url()
    );
    let site = Site::open_with(&redis.url(), &mysql, &more).await;
    std::fs::write(site.folder().join("gateway.key"), KEY).unwrap();
    let server = site.serve().await;
    let (known, known_id) = held(&site, &server, 0).await;
    let (unknown, unknown_id) = held(&site, &server, 1).await;
    gateway.hold("begin");
    assert_eq!(by_card(&server, &known, &known_id).await, 202);
    let older = copy_of(&redis);
    gateway.hold("");
    assert_eq!(by_card(&server, &unknown, &unknown_id).await, 202);
    let payments = [&known_id, &unknown_id].map(|id| payment_of(&gateway, id));
    for payment in &payments {
        wait_until("the money is taken", async || gateway.standing(payment) == Standing::Captured).await;
    }
    server.kill();
    redis.kill();
    replace(&redis, Some(older.path()));
    redis.restart();

    let server = site.serve().await;
    let path = format!("/v1/reservations/{known_id}");
    let released = server.client.send("DELETE", &path, &known.headers(""), None).await.unwrap();
    assert_eq!(released.status, 204, "{:?}", released.body);
    // Nobody knows whether MySQL will know it.
    assert_eq!(told(&server, &payments[1]).await, 503);
    assert_eq!(gateway.sandbox().refunds(), []);
    let mut worker = site.work();
    wait_until("the gateway is heard", async || told(&server, &payments[1]).await == 204).await;
    wait_until("both are given back", async || gateway.sandbox().refunds().len() == 2).await;
    for payment in &payments {
        assert!(gateway.sandbox().refunds().contains(&(payment.clone(), payment.clone(), 10_000)));
        assert_eq!(told(&server, payment).await, 204);
    }
    assert_eq!(gateway.sandbox().refunds().len(), 2);

    // The one seat is another's, the other still held and paid anew.
    let mut newcomer = Buyer::new("v", &site.folder().join("identity.key"));
    newcomer.join(&server.client, 1).await.unwrap();
    assert_eq!(newcomer.hold(&server.client, 1, 0, "h").await.unwrap().status, 201);
    assert_eq!(by_card(&server, &unknown, &unknown_id).await, 202);
    let confirmed =
        async || unknown.reservation(&server.client, &unknown_id).await.text("status") == "CONFIRMED";
    wait_until("it is paid", confirmed).await;
    assert_eq!(known.reservation(&server.client, &known_id).await.text("status"), "CANCELLED");
    let folder = site.folder().to_owned();
    let audit = move || Process::run(&folder, &["audit", "--config", "site.toml"]);
    let audit = tokio::task::spawn_blocking(audit).await.unwrap();
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stdout));
    assert!(worker.terminate().success(), "{}", worker.log());
}
