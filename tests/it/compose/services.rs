//! Every service of onsale, started with the words and the environment that compose gives it.

use serde_json::{Value, json};

use super::compose;
use super::file::Service;
use super::machine::Machine;
use crate::support::http::Client;

fn said(output: &std::process::Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What is started here; the test below starts each of them.
const OURS: [&str; 4] = ["catalog", "migrate", "server", "worker"];

fn finish(machine: &Machine, service: Service<'_>) {
    let words = service.command();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let output = machine.finish(service, &words);
    assert!(output.status.success(), "{}: {}", service.name, said(&output));
}

#[tokio::test]
async fn together_they_sell() {
    let compose = compose(&[]);
    let ours: Vec<_> = compose.services().filter(|service| !service.get("build").is_null()).collect();
    assert_eq!(ours.iter().map(|service| service.name).collect::<Vec<_>>(), OURS);
    let machine = Machine::start(&compose).await;
    let (server, worker) = (compose.service("server"), compose.service("worker"));
    assert!(!machine.is_healthy(server), "nobody is there yet");
    finish(&machine, compose.service("migrate"));
    finish(&machine, compose.service("catalog"));
    let mut working = machine.run(worker);
    let mut serving = machine.run(server);
    let client = Client::new(&serving.ready().await);
    machine.healthy(worker).await;
    machine.healthy(server).await;

    let token = machine.finish(server, &["token", "--user", "alice"]);
    assert!(token.status.success(), "{}", said(&token));
    let bearer = format!("Bearer {}", said(&token).trim());
    let joined = client
        .send("POST", "/v1/queue/tokens", &[("authorization", &bearer)], Some(&json!({"concertId": 1})))
        .await
        .unwrap();
    assert_eq!(joined.outcome(), (201, ""), "{}", joined.body);
    let status =
        client.send("POST", "/v1/users/me/balance", &[("authorization", &bearer)], None).await.unwrap();
    assert_eq!(status.status, 403, "nobody charges his own balance: {}", status.body);

    let audit = machine.finish(worker, &["audit"]);
    let report: Value = serde_json::from_slice(&audit.stdout).unwrap_or_else(|_| panic!("{}", said(&audit)));
    assert_eq!(report["ok"], true, "{report:#}");
    assert!(serving.terminate().success(), "{}", serving.log());
    assert!(working.terminate().success(), "{}", working.log());
    assert!(!machine.is_healthy(server));
}

#[tokio::test]
async fn a_rehearsal_needs_to_be_asked_for() {
    let free_money = compose(&[("TOP_UP", "self")]);
    let machine = Machine::start(&free_money).await;
    let refused = machine.finish(free_money.service("server"), &["serve"]);
    assert!(!refused.status.success() && said(&refused).contains("wallet.top_up"), "{}", said(&refused));

    let rehearsal = compose(&[("TOP_UP", "self"), ("SERVE", "--dev")]);
    let server = rehearsal.service("server");
    assert_eq!(machine.command(server), ["serve", "--dev"]);
    let checked = machine.finish(server, &["check-config", "--dev"]);
    assert!(checked.status.success(), "{}", said(&checked));
    // The tokens that the load tests sign name the key by this.
    let kid = &rehearsal.service("k6").environment()["IDENTITY_KEY_ID"];
    assert!(said(&checked).contains(&format!("kid = \"{kid}\"")), "{}", said(&checked));
}
