//! Servers that are killed while what a card paid goes back: a worker tells the gateway what they decided, and it gives back once.

use std::path::Path;
use std::process::Output;

use serde_json::json;

use super::buyer::Buyer;
use super::ledger::Ledger;
use super::site::{Server, Site};
use crate::support::gateway::Gateway;
use crate::support::mariadb::MariaDb;
use crate::support::process::Process;
use crate::support::redis::Redis;
use crate::support::wait_until;

const BUYERS: usize = 12;

async fn site(redis: &Redis, mysql: &str, gateway: &Gateway) -> Site {
    let more = format!(
        "gateway = {{ kind = 'sandbox', url = '{}', check_interval_ms = 100, timeout_ms = 30000 }}\n",
        gateway.url()
    );
    Site::open_with(&redis.url(), mysql, &more).await
}

/// A reservation of this many buyers, each paid by card.
async fn paid(site: &Site, server: &Server, buyers: usize) -> Vec<String> {
    let mut reservations = Vec::new();
    for number in 0..buyers {
        let mut buyer = Buyer::new(&format!("u{number}"), &site.folder().join("identity.key"));
        buyer.join(&server.client, 1).await.unwrap();
        let held = buyer.hold(&server.client, 1, number, "h").await.unwrap();
        let id = held.text("reservationId").to_owned();
        let body = json!({"reservationId": id, "method": "CARD"});
        assert_eq!(buyer.post(&server.client, "/v1/payments", "p", &body).await.unwrap().status, 202);
        reservations.push(id);
    }
    reservations
}

async fn run(folder: &Path, arguments: &[&str]) -> Output {
    let (folder, arguments) = (folder.to_owned(), arguments.iter().map(|word| (*word).to_owned()));
    let arguments: Vec<_> = arguments.collect();
    let run = move || Process::run(&folder, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// Server and worker die when refunds are decided and the gateway has been told of none, or has done them and not said so.
async fn killed_while_the_gateway(does: bool) {
    let (redis, mysql, gateway) = (Redis::start().await, MariaDb::database().await, Gateway::start().await);
    let site = site(&redis, &mysql, &gateway).await;
    // The gateway is told once MySQL has a refund.
    let (server, mut worker) = (site.serve().await, site.work());
    let reservations = paid(&site, &server, BUYERS).await;
    if does {
        gateway.hold("refunds");
    } else {
        gateway.fail(1000, 0);
    }
    let boss = Buyer::with_roles("boss", &["organiser"], &site.folder().join("identity.key"));
    for id in &reservations {
        let path = format!("/v1/admin/reservations/{id}/refund");
        let refund = boss.post(&server.client, &path, "r", &json!({})).await.unwrap();
        assert_eq!((refund.status, refund.text("method")), (200, "CARD"), "{refund:?}");
    }
    // The worker waits for the answers to what it has told before it tells more.
    let told = if does { 1 } else { BUYERS };
    wait_until("the gateway is told", async || gateway.count("refunds") >= told).await;
    server.kill();
    worker.kill();
    assert_eq!(gateway.sandbox().refunds().is_empty(), !does);
    gateway.hold("");
    gateway.fail(0, 2);

    let (ledger, mut worker) = (Ledger::open(&redis.url(), &mysql).await, site.work());
    let open = async || ledger.ask::<usize>(&["HLEN", "{c1}:cards"]).await;
    wait_until("nothing is left to tell", async || open().await == 0).await;
    let refunds = gateway.sandbox().refunds();
    assert!(refunds.len() == BUYERS && refunds.iter().all(|(_, _, amount)| *amount == 10_000), "{refunds:?}");
    ledger.level().await;
    let zero =
        "select cast(coalesce(sum(amount), 0) as signed) from ledger_entries where account = 'gateway'";
    assert_eq!(ledger.count(zero).await, 0);
    let audit = run(site.folder(), &["audit", "--config", "site.toml"]).await;
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stdout));
    assert!(worker.terminate().success(), "{}", worker.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_between_decision_and_telling_costs_nobody_his_refund() {
    killed_while_the_gateway(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_before_it_hears_of_the_refund_pays_nobody_twice() {
    killed_while_the_gateway(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_refund_that_the_gateway_refuses_is_closed_by_hand() {
    let (redis, mysql, gateway) = (Redis::start().await, MariaDb::database().await, Gateway::start().await);
    let site = site(&redis, &mysql, &gateway).await;
    let server = site.serve().await;
    let [id] = &paid(&site, &server, 1).await[..] else { panic!("one has paid") };
    let boss = Buyer::with_roles("boss", &["organiser"], &site.folder().join("identity.key"));
    gateway.say(Some(("refunds", r#"{"status": "pending"}"#)));
    let path = format!("/v1/admin/reservations/{id}/refund");
    let refund = boss.post(&server.client, &path, "r", &json!({})).await.unwrap();
    assert_eq!(refund.status, 200, "{refund:?}");
    let name = format!("p{}-{}", &id[1..], refund.text("refundId"));
    let close = async || run(site.folder(), &["close-refund", "--config", "site.toml", &name]).await;
    let (ledger, mut worker) = (Ledger::open(&redis.url(), &mysql).await, site.work());
    let refused = close().await;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");

    gateway.say(Some(("refunds", r#"{"status": "refused", "reason": "card_closed"}"#)));
    let state = async || {
        let record: Option<String> = ledger.ask(&["HGET", "{c1}:cards", refund.text("refundId")]).await;
        record.map(|record| record.split(' ').next().unwrap().to_owned())
    };
    wait_until("it is refused", async || state().await.as_deref() == Some("refused")).await;
    let closed = close().await;
    assert!(closed.status.success(), "{closed:?}");
    assert_eq!(String::from_utf8_lossy(&closed.stdout), format!("closed {name}\n"));
    assert_eq!(state().await, None);
    assert_eq!(close().await.status.code(), Some(1));
    assert_eq!(gateway.sandbox().refunds(), []);
    ledger.level().await;
    let audit = run(site.folder(), &["audit", "--config", "site.toml"]).await;
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stdout));
    assert!(worker.terminate().success(), "{}", worker.log());
}
