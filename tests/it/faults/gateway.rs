//! Servers that are killed while a card payment is under way: a worker finishes what they began.

use onsale::gateway::Standing;
use serde_json::json;

use super::buyer::Buyer;
use super::site::Site;
use crate::support::gateway::Gateway;
use crate::support::mariadb::MariaDb;
use crate::support::process::Process;
use crate::support::redis::Redis;
use crate::support::wait_until;

/// What has come of the call that a server dies in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    /// The gateway has not heard of it.
    Unheard,
    /// It has done what it says.
    Done,
}

/// A server dies while the gateway works at a call of `kind`, and a worker comes after it. Twenty buyers each.
async fn killed_during(kind: &'static str, call: Call) {
    let (redis, mysql, gateway) = (Redis::start().await, MariaDb::database().await, Gateway::start().await);
    let more = format!(
        "gateway = {{ kind = 'sandbox', url = '{}', check_interval_ms = 100, timeout_ms = 30000 }}\n",
        gateway.url()
    );
    let site = Site::open_with(&redis.url(), &mysql, &more).await;
    let server = site.serve().await;
    match call {
        Call::Unheard => gateway.ignore(kind),
        Call::Done => gateway.hold(kind),
    }
    let mut buyers = Vec::new();
    for number in 0..20 {
        let mut buyer = Buyer::new(&format!("u{number}"), &site.folder().join("identity.key"));
        buyer.join(&server.client, 1).await.unwrap();
        let held = buyer.hold(&server.client, 1, number, "h").await.unwrap();
        let id = held.body["reservationId"].as_str().unwrap().to_owned();
        let body = json!({"reservationId": id, "method": "CARD"});
        let (client, paying) = (server.client.clone(), buyer.clone());
        let sent = body.clone();
        tokio::spawn(async move { paying.post(&client, "/v1/payments", "p", &sent).await.ok() });
        buyers.push((buyer, id, body));
    }
    wait_until("every payment is in the gateway's hands", async || gateway.count(kind) >= 20).await;
    server.kill();
    if call == Call::Unheard {
        let unheard = gateway.sandbox().all().iter().all(|(_, standing)| *standing == Standing::Authorised);
        assert!(unheard && (kind != "begin" || gateway.sandbox().all().is_empty()));
    }
    gateway.hold("");
    gateway.ignore("");

    let mut worker = site.work();
    let captured = |(_, standing): &(String, Standing)| *standing == Standing::Captured;
    let all = async || gateway.sandbox().all().iter().filter(|payment| captured(payment)).count() == 20;
    wait_until("every payment is captured", all).await;
    let server = site.serve().await;
    for (buyer, id, body) in &buyers {
        assert_eq!(buyer.reservation(&server.client, id).await.text("status"), "CONFIRMED");
        let again = buyer.post(&server.client, "/v1/payments", "p", body).await.unwrap();
        assert_eq!(again.status, 202, "{again:?}");
    }
    assert_eq!(gateway.sandbox().all().len(), 20);
    let audited = async || {
        let folder = site.folder().to_owned();
        let audit = move || Process::run(&folder, &["audit", "--config", "site.toml"]);
        tokio::task::spawn_blocking(audit).await.unwrap()
    };
    let audit = audited().await;
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stdout));
    assert!(worker.terminate().success(), "{}", worker.log());
}

/// As [`killed_during`], of charges through the gateway.
async fn killed_while_charging_during(kind: &'static str) {
    let (redis, mysql, gateway) = (Redis::start().await, MariaDb::database().await, Gateway::start().await);
    let more = format!(
        "gateway = {{ kind = 'sandbox', url = '{}', check_interval_ms = 100, timeout_ms = 30000 }}\n",
        gateway.url()
    );
    let site = Site::open_with(&redis.url(), &mysql, &more).await.set("WALLET__TOP_UP", "gateway");
    // Money is taken once MySQL has the charge.
    let (server, mut worker) = (site.serve().await, site.work());
    gateway.hold(kind);
    let body = json!({"amount": 50_000});
    let mut users = Vec::new();
    for number in 0..20 {
        let user = Buyer::new(&format!("u{number}"), &site.folder().join("identity.key"));
        let (client, charging, sent) = (server.client.clone(), user.clone(), body.clone());
        tokio::spawn(async move { charging.post(&client, "/v1/users/me/balance", "c", &sent).await.ok() });
        users.push(user);
    }
    // Whoever finds a charge not archived yet leaves it to the worker, which waits for those that it has told.
    let begun = async || gateway.count("begin") >= 20 && gateway.count(kind) > 0;
    wait_until("charges are in the gateway's hands", begun).await;
    server.kill();
    worker.kill();
    gateway.hold("");

    let mut worker = site.work();
    let credited = async || {
        let mut open = 0;
        for partition in 0..4 {
            let client = redis::Client::open(redis.url()).unwrap();
            let mut connection = client.get_multiplexed_async_connection().await.unwrap();
            let key = format!("{{w{partition:02}}}:top_ups");
            open += redis::cmd("HLEN").arg(key).query_async::<u64>(&mut connection).await.unwrap();
        }
        open == 0
    };
    wait_until("every charge is at its end", credited).await;
    let server = site.serve().await;
    for user in &users {
        let again = user.post(&server.client, "/v1/users/me/balance", "c", &body).await.unwrap();
        assert_eq!((again.status, &again.body["currentBalance"]), (200, &json!(50_000)), "{again:?}");
    }
    let all = gateway.sandbox().all();
    assert!(all.len() == 20 && all.iter().all(|(_, standing)| *standing == Standing::Captured), "{all:?}");
    let folder = site.folder().to_owned();
    let audit = move || Process::run(&folder, &["audit", "--config", "site.toml"]);
    let audit = tokio::task::spawn_blocking(audit).await.unwrap();
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stdout));
    assert!(worker.terminate().success(), "{}", worker.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_before_a_charge_is_decided_costs_nobody_his_money() {
    killed_while_charging_during("begin").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_between_capture_and_credit_costs_nobody_his_money() {
    killed_while_charging_during("capture").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_before_the_gateway_heard_of_a_payment_costs_nobody_his_seat() {
    killed_during("begin", Call::Unheard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_between_authorisation_and_confirmation_costs_nobody_his_seat() {
    killed_during("begin", Call::Done).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_between_confirmation_and_capture_costs_nobody_his_seat() {
    killed_during("capture", Call::Unheard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_between_capture_and_its_answer_costs_nobody_his_seat() {
    killed_during("capture", Call::Done).await;
}
