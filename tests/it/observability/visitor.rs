//! Somebody who buys, gives back, or leaves: the load under which dashboards have something to show.

use std::path::Path;
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use serde_json::{Value, json};

use crate::support::SOON;
use crate::support::http::Client;

/// The stadium of the demonstration, with 80 rows of 100 on the floor: more than come before all has been shown.
const CONCERT: u32 = 3;
const SHOW: u32 = 4;
const ROWS: usize = 80;
const SEATS: usize = 100;

/// The public listener of an instance, and what signs its identity tokens.
pub(super) struct Shop {
    client: Client,
    key: EncodingKey,
}

impl Shop {
    /// The instance in `data_dir` that listens at `http://…`.
    pub(super) fn new(url: &str, data_dir: &Path) -> Self {
        let secret = std::fs::read_to_string(data_dir.join("keys/identity.key")).unwrap();
        Self { client: Client::new(url), key: EncodingKey::from_secret(secret.trim().as_bytes()) }
    }

    /// Joins, waits, charges, holds a seat of his own, and: pays, gives it back, or leaves with it held.
    pub(super) async fn visit(&self, number: usize) {
        let user = format!("visitor-{number}");
        let claims = json!({"sub": user, "roles": [], "org": "demo", "exp": get_current_timestamp() + 600});
        let header = Header { kid: Some("development".to_owned()), ..Header::new(Algorithm::HS256) };
        let bearer = format!("Bearer {}", encode(&header, &claims, &self.key).unwrap());
        let joined =
            self.post("/v1/queue/tokens", &[("authorization", &bearer)], json!({"concertId": CONCERT})).await;
        let place = text(&joined["token"]);
        let as_bearer = format!("Bearer {place}");
        let who = [("authorization", bearer.as_str()), ("queue-token", place.as_str())];
        let asked = async {
            while self.call("GET", "/v1/queue/status", &[("authorization", &as_bearer)], None).await["status"]
                != "ACTIVE"
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(SOON, asked).await.expect("visitors are admitted");

        let keyed = [who[0], ("idempotency-key", "charge")];
        self.post("/v1/users/me/balance", &keyed, json!({"amount": 200_000})).await;
        let seat = format!("Floor-{}-{}", number / SEATS % ROWS + 1, number % SEATS + 1);
        let held = self.post("/v1/reservations", &who, json!({"showId": SHOW, "seats": [seat]})).await;
        let reservation = text(&held["reservationId"]);
        match number % 3 {
            0 => drop(self.post("/v1/payments", &who, json!({"reservationId": reservation})).await),
            1 => {
                let path = format!("/v1/reservations/{reservation}");
                self.call("GET", &path, &who, None).await;
                self.call("DELETE", &path, &who, None).await;
            }
            _ => drop(self.call("DELETE", "/v1/queue/tokens", &who, None).await),
        }
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: Value) -> Value {
        self.call("POST", path, headers, Some(body)).await
    }

    async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Value {
        let answer = self.client.send(method, path, headers, body.as_ref()).await.unwrap();
        assert!((200..300).contains(&answer.status), "{path}: {} {}", answer.status, answer.body);
        answer.body
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
