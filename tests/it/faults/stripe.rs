//! As `gateway`, over Stripe: servers that are killed before they know which PaymentIntent a payment is, and before it is captured.

use std::fs;

use serde_json::{Value, json};

use super::buyer::Buyer;
use super::site::{Server, Site};
use crate::support::mariadb::MariaDb;
use crate::support::process::Process;
use crate::support::redis::Redis;
use crate::support::stripe::{KEY, Stripe};
use crate::support::wait_until;

const BUYERS: usize = 20;

/// A buyer, his reservation, and what he asks to pay it.
type Paying = (Buyer, String, Value);

async fn open(stripe: &Stripe, redis: &Redis) -> Site {
    let more = format!(
        "gateway = {{ kind = 'stripe', url = '{}', secret_key_file = 'stripe.key', check_interval_ms = 100, \
         timeout_ms = 30000 }}\n",
        stripe.url()
    );
    let site = Site::open_with(&redis.url(), &MariaDb::database().await, &more).await;
    fs::write(site.folder().join("stripe.key"), KEY).unwrap();
    site
}

/// All hold a seat and ask to pay it, without waiting for the answer.
async fn pay(site: &Site, server: &Server) -> Vec<Paying> {
    let mut buyers = Vec::new();
    for number in 0..BUYERS {
        let mut buyer = Buyer::new(&format!("u{number}"), &site.folder().join("identity.key"));
        buyer.join(&server.client, 1).await.unwrap();
        let held = buyer.hold(&server.client, 1, number, "h").await.unwrap();
        let id = held.body["reservationId"].as_str().unwrap().to_owned();
        let body = json!({"reservationId": id, "method": "CARD"});
        let (client, paying, sent) = (server.client.clone(), buyer.clone(), body.clone());
        tokio::spawn(async move { paying.post(&client, "/v1/payments", "p", &sent).await.ok() });
        buyers.push((buyer, id, body));
    }
    buyers
}

fn confirm_all(stripe: &Stripe) {
    for (name, _) in stripe.all() {
        stripe.confirm(&name, true);
    }
}

/// A worker finishes all of it, after the server is gone.
async fn is_finished(site: &Site, stripe: &Stripe, buyers: &[Paying]) {
    let mut worker = site.work();
    // Those that the worker finds wait for their buyers.
    let asked = async || stripe.all().len() == BUYERS;
    wait_until("every payment is at Stripe", asked).await;
    confirm_all(stripe);
    let captured = async || stripe.all().iter().all(|(_, status)| *status == "succeeded");
    wait_until("every payment is captured", captured).await;
    let server = site.serve().await;
    for (buyer, id, body) in buyers {
        assert_eq!(buyer.reservation(&server.client, id).await.text("status"), "CONFIRMED");
        let again = buyer.post(&server.client, "/v1/payments", "p", body).await.unwrap();
        assert_eq!(again.status, 202, "{again:?}");
    }
    assert_eq!(stripe.all().len(), BUYERS);
    let folder = site.folder().to_owned();
    let audit = move || Process::run(&folder, &["audit", "--config", "site.toml"]);
    let audit = tokio::task::spawn_blocking(audit).await.unwrap();
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stdout));
    assert!(worker.terminate().success(), "{}", worker.log());
}

/// Each buyer asks for his payment, without waiting for the answer.
fn look(server: &Server, stripe: &Stripe, buyers: &[Paying]) {
    let payments = stripe.all();
    for (buyer, id, _) in buyers {
        let (name, _) = payments.iter().find(|(name, _)| name.contains(&id[1..])).unwrap();
        let (client, buyer, path) = (server.client.clone(), buyer.clone(), format!("/v1/payments/{name}"));
        tokio::spawn(async move { client.send("GET", &path, &buyer.headers(""), None).await.ok() });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_before_it_knows_its_payments_leaves_them_to_be_found() {
    let (stripe, redis) = (Stripe::start().await, Redis::start().await);
    let site = open(&stripe, &redis).await;
    let server = site.serve().await;
    stripe.hold("begin");
    let buyers = pay(&site, &server).await;
    wait_until("every payment is in Stripe's hands", async || stripe.count("begin") >= BUYERS).await;
    server.kill();
    stripe.hold("");
    is_finished(&site, &stripe, &buyers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_while_stripe_captures_leaves_each_captured_once() {
    let (stripe, redis) = (Stripe::start().await, Redis::start().await);
    let site = open(&stripe, &redis).await;
    let server = site.serve().await;
    let buyers = pay(&site, &server).await;
    wait_until("every payment waits for its buyer", async || stripe.all().len() == BUYERS).await;
    stripe.hold("capture");
    confirm_all(&stripe);
    // Buyers look how their payments stand; that is what has one captured. Stripe is asked of each once a second.
    let captured = async || {
        look(&server, &stripe, &buyers);
        stripe.count("capture") > 0
    };
    wait_until("some are being captured", captured).await;
    server.kill();
    stripe.hold("");
    is_finished(&site, &stripe, &buyers).await;
}
