//! Everything dies at once, under load: what was acknowledged is there after the next start, and seats were sold once.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use onsale::config::Config;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::buyer::Buyer;
use super::ledger::Ledger;
use super::site::{CATALOG, seat};
use crate::support::http::{Answer, Client};
use crate::support::process::Process;
use crate::support::{free_address, wait_until};

const BUYERS: usize = 24;

/// Few enough that buyers meet.
const SEATS: usize = 1000;

/// A request with an answer, if one came.
#[derive(Clone, Debug)]
struct Sent {
    buyer: Buyer,
    path: &'static str,
    key: String,
    body: Value,
    answer: Option<Answer>,
}

/// What all buyers have sent with a key, refusals left out: those are decided anew.
#[derive(Clone, Default)]
struct Memory {
    sent: Arc<Mutex<Vec<Sent>>>,
    acknowledged: Arc<AtomicUsize>,
}

impl Memory {
    /// Sends and remembers. `None`: the server is gone.
    async fn send(
        &self,
        client: &Client,
        buyer: &Buyer,
        what: (&'static str, String, Value),
    ) -> Option<Answer> {
        let (path, key, body) = what;
        let answer = buyer.post(client, path, &key, &body).await.ok();
        let refused = answer.as_ref().is_some_and(|answer| answer.status >= 300);
        if !refused {
            self.acknowledged.fetch_add(usize::from(answer.is_some()), Ordering::Relaxed);
            let sent = Sent { buyer: buyer.clone(), path, key, body, answer: answer.clone() };
            self.sent.lock().unwrap().push(sent);
        }
        answer
    }
}

/// Buys until the server is gone.
async fn buy(client: Client, mut buyer: Buyer, memory: Memory) -> Option<()> {
    for turn in 0.. {
        let charge = ("/v1/users/me/balance", format!("c{turn}"), json!({"amount": 20_000}));
        assert_eq!(memory.send(&client, &buyer, charge).await?.status, 200);
        let joined = buyer.join(&client, 1).await.ok()?;
        assert_eq!(joined.text("status"), "ACTIVE", "{:?}", joined.body);
        let wanted = json!({"showId": 1, "seats": [seat(rand::random_range(0..SEATS))]});
        let held = memory.send(&client, &buyer, ("/v1/reservations", format!("h{turn}"), wanted)).await?;
        if held.status != 201 {
            assert_eq!(held.outcome(), (409, "seat_unavailable"));
            continue;
        }
        let pay = json!({"reservationId": held.text("reservationId")});
        let paid = memory.send(&client, &buyer, ("/v1/payments", format!("p{turn}"), pay)).await?;
        assert_eq!(paid.status, 200, "{:?}", paid.body);
    }
    Some(())
}

/// `onsale up` and its engines, by their process ids.
fn family(up: &Process) -> Vec<String> {
    let parent = up.id().to_string();
    let output = Command::new("ps").args(["-o", "pid=", "--ppid", &parent]).output().unwrap();
    let children = String::from_utf8(output.stdout).unwrap();
    let ids: Vec<_> =
        std::iter::once(&*parent).chain(children.split_whitespace()).map(str::to_owned).collect();
    assert_eq!(ids.len(), 3, "the server, Redis and MariaDB: {ids:?}");
    ids
}

async fn up(folder: &Path) -> (Process, Client) {
    let mut up = Process::start(folder, &["up", "--data-dir", "data", "--catalog", "catalog.yaml"]);
    let client = Client::new(&up.ready().await);
    (up, client)
}

/// Asks for everything again: what was answered is answered the same, what was not is decided now.
async fn ask_again(client: &Client, all: &[Sent]) -> Vec<Sent> {
    let mut settled = Vec::new();
    for sent in all {
        let again = sent.buyer.post(client, sent.path, &sent.key, &sent.body).await.unwrap();
        if let Some(first) = &sent.answer {
            assert_eq!((again.status, &again.body), (first.status, &first.body), "{sent:?}");
            assert!(again.is_replay(), "{sent:?}");
        }
        if again.status < 300 {
            settled.push(Sent { answer: Some(again), ..sent.clone() });
        }
    }
    settled
}

/// Balances and seats are what the settled answers say.
async fn check(client: &Client, settled: &[Sent]) {
    let mut balances: HashMap<&str, (&Buyer, i64)> = HashMap::new();
    let mut owners: HashMap<&str, &str> = HashMap::new();
    for sent in settled {
        let answer = sent.answer.as_ref().unwrap();
        let balance = balances.entry(&sent.buyer.name).or_insert((&sent.buyer, 0));
        balance.1 += answer.body["chargedAmount"].as_i64().unwrap_or(0);
        if sent.path == "/v1/payments" {
            balance.1 -= answer.body["amount"].as_i64().unwrap();
            let seat = answer.body["seats"][0].as_str().unwrap();
            assert_eq!(owners.insert(seat, &sent.buyer.name), None, "{seat} was sold twice");
            let id = answer.text("reservationId");
            assert_eq!(sent.buyer.reservation(client, id).await.text("status"), "CONFIRMED");
        }
    }
    for (buyer, balance) in balances.into_values() {
        assert_eq!(buyer.balance(client).await, balance, "{}", buyer.name);
    }
    let map = client.get("/v1/shows/1/seats?view=status").await.unwrap();
    assert_eq!(map.text("status").matches('2').count(), owners.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_outlives_a_kill_of_everything() {
    let folder = tempfile::Builder::new().prefix("onsale-crash-").tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("catalog.yaml"), CATALOG).unwrap();
    let operations = free_address().to_string();
    let token = Process::run(folder, &["token", "--user", "x", "--data-dir", "data"]);
    assert!(token.status.success(), "{token:?}");
    let config = folder.join("data/onsale.toml");
    let listeners =
        format!("server = {{ drain_seconds = 0, listen = '127.0.0.1:0', ops_listen = '{operations}' }}");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("server = { drain_seconds = 0 }", &listeners)).unwrap();

    let memory = Memory::default();
    let mut settled = Vec::new();
    for round in 0..2 {
        let (mut running, client) = up(folder).await;
        let mut buyers = JoinSet::new();
        for number in 0..BUYERS {
            let buyer = Buyer::new(&format!("r{round}-u{number}"), &folder.join("data/keys/identity.key"));
            buyers.spawn(buy(client.clone(), buyer, memory.clone()));
        }
        let enough = memory.acknowledged.load(Ordering::Relaxed) + rand::random_range(200..600);
        wait_until("there is load", async || memory.acknowledged.load(Ordering::Relaxed) >= enough).await;
        let killed = Command::new("kill").arg("-KILL").args(family(&running)).status().unwrap();
        assert!(killed.success());
        running.wait();
        while let Some(bought) = buyers.join_next().await {
            bought.unwrap();
        }

        let (mut running, client) = up(folder).await;
        settled.append(&mut memory.sent.lock().unwrap());
        settled = ask_again(&client, &settled).await;
        check(&client, &settled).await;
        let config = Config::load(Some(&config)).unwrap();
        let ledger = Ledger::open(config.redis.url.expose(), config.mysql.url.expose()).await;
        ledger.level().await;
        ledger.check().await;
        assert!(running.terminate().success(), "{}", running.log());
    }
}
