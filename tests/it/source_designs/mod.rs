//! The five source designs as sales: each test plays the sequence diagrams of one, step by step, on a real `up` that
//! imported the policy file of `docs/source-designs`. `docs/source-designs.md` maps their words to ours.

mod design_000;
mod design_001;
mod design_002;
mod design_003;
mod design_004;
mod mapping;

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jsonwebtoken::{EncodingKey, Header, encode};
use onsale::config::Config;
use serde_json::{Value, json};
use sqlx::mysql::MySqlPool;
use tempfile::TempDir;

use crate::support::http::{Answer, Client};
use crate::support::process::Process;
use crate::support::{SOON, wait_until};

/// Between two looks of somebody who waits.
const LOOK: Duration = Duration::from_millis(20);

/// A running `up` that sells what the file of a design says.
struct Sale {
    folder: TempDir,
    process: Process,
    client: Client,
}

impl Sale {
    /// Opens the sale of `docs/source-designs/<design>.yaml` with these settings in the environment.
    async fn open(design: &str, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("onsale-design-").tempdir().unwrap();
        let catalog = format!("{}/docs/source-designs/{design}.yaml", env!("CARGO_MANIFEST_DIR"));
        let listen = ["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];
        let up = [&["up", "--data-dir", "data", "--catalog", &catalog], &listen[..]].concat();
        let settings: Vec<_> = settings.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        let mut process = Process::start_with(folder.path(), &up, &settings);
        let client = Client::new(&process.ready().await);
        Self { folder, process, client }
    }

    /// Somebody with an identity token of the development kind.
    fn person(&self, user: &str) -> Person {
        self.person_who_is(user, &[])
    }

    /// Who may change the policy while the sale runs: the lengths of the sources are minutes.
    fn organiser(&self) -> Person {
        self.person_who_is("boss", &["organiser"])
    }

    fn person_who_is(&self, user: &str, roles: &[&str]) -> Person {
        let secret = fs::read_to_string(self.folder.path().join("data/keys/identity.key")).unwrap();
        let header = Header { kid: Some("development".to_owned()), ..Header::default() };
        let exp = jsonwebtoken::get_current_timestamp() + 3600;
        let claims = json!({"sub": user, "roles": roles, "org": "demo", "exp": exp});
        let token = encode(&header, &claims, &EncodingKey::from_secret(secret.trim().as_bytes())).unwrap();
        Person {
            client: self.client.clone(),
            identity: format!("Bearer {token}"),
            queue: String::new(),
            seen: Mutex::default(),
            sent: AtomicU64::new(0),
        }
    }

    /// The MySQL that the archive follows into.
    fn mysql(&self) -> MySqlPool {
        let file = self.folder.path().join("data/onsale.toml");
        MySqlPool::connect_lazy(Config::load(Some(&file)).unwrap().mysql.url.expose()).unwrap()
    }

    /// GET without any token.
    async fn get(&self, path: &str) -> Answer {
        self.client.get(path).await.unwrap()
    }

    /// `audit` finds nothing wrong, and the sale stops cleanly.
    async fn close(mut self) {
        let end = Instant::now() + SOON;
        loop {
            let audit = Process::run(self.folder.path(), &["audit", "--data-dir", "data"]);
            if audit.status.success() {
                break;
            }
            assert!(Instant::now() < end, "{}", String::from_utf8_lossy(&audit.stdout));
            tokio::time::sleep(LOOK).await;
        }
        assert!(self.process.terminate().success(), "{}", self.process.log());
    }
}

/// A user, or the organiser, who sends back the versions that he has seen.
struct Person {
    client: Client,
    identity: String,
    queue: String,
    seen: Mutex<String>,
    sent: AtomicU64,
}

impl Person {
    /// Sends with the identity token, the queue token if there is one, and a new key for each POST.
    async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let key = format!("request-{}", self.sent.fetch_add(1, Ordering::Relaxed));
        self.send_once(&key, method, path, body).await
    }

    async fn send_once(&self, key: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let headers = [
            ("authorization", self.identity.as_str()),
            ("queue-token", &self.queue),
            ("onsale-version", &seen),
            ("idempotency-key", key),
        ];
        let is_sent = |(name, value): &(&str, &str)| {
            !value.is_empty() && (*name != "idempotency-key" || method == "POST")
        };
        let headers: Vec<_> = headers.into_iter().filter(is_sent).collect();
        let answer = self.client.send(method, path, &headers, body).await.unwrap();
        // The version of a balance is of another log.
        if !path.starts_with("/v1/users") && !answer.header("onsale-version").is_empty() {
            answer.header("onsale-version").clone_into(&mut self.seen.lock().unwrap());
        }
        answer
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, Some(&body)).await
    }

    async fn leave(&self) {
        assert_eq!(self.send("DELETE", "/v1/queue/tokens", None).await.status, 204);
    }

    /// Asks for a queue token, and has it from then on.
    async fn join(&mut self, concert: u32) -> Answer {
        let answer = self.post("/v1/queue/tokens", json!({ "concertId": concert })).await;
        answer.text("token").clone_into(&mut self.queue);
        answer
    }

    /// Polls as the sources do: the queue token is the Bearer.
    async fn status(&self) -> Answer {
        let bearer = format!("Bearer {}", self.queue);
        self.client.send("GET", "/v1/queue/status", &[("authorization", &bearer)], None).await.unwrap()
    }

    /// Polls until the status is this, and gives that answer.
    async fn poll_until(&self, status: &str) -> Answer {
        let end = Instant::now() + SOON;
        loop {
            let answer = self.status().await;
            if answer.text("status") == status {
                return answer;
            }
            assert!(answer.status == 200 && Instant::now() < end, "never {status}: {answer:?}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Polls until the place has ended.
    async fn poll_until_expired(&self) {
        let end = Instant::now() + SOON;
        loop {
            let answer = self.status().await;
            if answer.outcome() == (401, "queue_token_expired") {
                return;
            }
            assert!(Instant::now() < end, "never over: {answer:?}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Looks until the seat has this status: what another did may be told a moment later.
    async fn seat_until(&self, show: u32, seat: &str, status: &str) {
        let path = format!("/v1/shows/{show}/seats");
        let look = async || seat_of(&self.get(&path).await, seat)["status"] == status;
        wait_until("the seat has the status", look).await;
    }

    async fn hold(&self, show: u32, seat: &str) -> Answer {
        self.post("/v1/reservations", json!({"showId": show, "seats": [seat]})).await
    }

    /// The id of a reservation that must come about.
    async fn held(&self, show: u32, seat: &str) -> String {
        let answer = self.hold(show, seat).await;
        assert_eq!((answer.status, answer.text("status")), (201, "PENDING"), "{answer:?}");
        answer.text("reservationId").to_owned()
    }

    async fn reservation(&self, reservation: &str) -> Answer {
        self.get(&format!("/v1/reservations/{reservation}")).await
    }

    /// Looks until the reservation has this status.
    async fn reservation_until(&self, reservation: &str, status: &str) -> Answer {
        let end = Instant::now() + SOON;
        loop {
            let answer = self.reservation(reservation).await;
            if answer.text("status") == status {
                return answer;
            }
            assert!(Instant::now() < end, "never {status}: {answer:?}");
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn charge(&self, amount: i64) -> Answer {
        self.post("/v1/users/me/balance", json!({ "amount": amount })).await
    }

    async fn pay(&self, reservation: &str) -> Answer {
        self.post("/v1/payments", json!({ "reservationId": reservation })).await
    }

    async fn balance(&self) -> i64 {
        self.get("/v1/users/me/balance").await.body["balance"].as_i64().unwrap()
    }

    /// Changes fields of a policy in the middle of the sale.
    async fn set_policy(&self, concert: u32, policy: Value) {
        let path = format!("/v1/admin/concerts/{concert}");
        let answer = self.send("PATCH", &path, Some(&json!({ "policy": policy }))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// What happened to a reservation, once the archive has so many changes of it: each action with its reason.
    async fn history(&self, reservation: &str, changes: usize) -> Vec<(String, String)> {
        let path = format!("/v1/admin/reservations/{reservation}/history");
        let end = Instant::now() + SOON;
        loop {
            let answer = self.get(&path).await;
            let items = items(&answer);
            if items.len() == changes {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                return items.iter().map(|item| (text(&item["action"]), text(&item["reason"]))).collect();
            }
            assert!(Instant::now() < end, "{changes} changes: {answer:?}");
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The items of a list; none if it is no list (yet).
fn items(answer: &Answer) -> Vec<Value> {
    answer.body["items"].as_array().cloned().unwrap_or_default()
}

/// A seat of a seat map.
fn seat_of(map: &Answer, seat: &str) -> Value {
    let seats = map.body["seats"].as_array().unwrap_or_else(|| panic!("no seat map: {map:?}"));
    seats.iter().find(|item| item["seat"] == seat).unwrap().clone()
}

/// Seconds between two times of an answer.
fn seconds_between(answer: &Answer, from: &str, to: &str) -> f64 {
    let time = |name| {
        let at = onsale::domain::time::Millis::from_rfc3339(answer.text(name));
        at.unwrap_or_else(|| panic!("no {name} in {answer:?}")).0
    };
    Duration::from_millis(u64::try_from(time(to) - time(from)).unwrap()).as_secs_f64()
}

/// A history of a reservation: actions with their reasons, empty where there is none.
fn changes(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|&(action, reason)| (action.to_owned(), reason.to_owned())).collect()
}

/// Looks until a count in MySQL is this.
async fn archived(mysql: &MySqlPool, select: &'static str, count: i64) {
    let look = async || sqlx::query_scalar::<_, i64>(select).fetch_one(mysql).await.unwrap() == count;
    wait_until(select, look).await;
}
