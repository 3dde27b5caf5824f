//! Somebody who buys over HTTP and remembers what he was told.

use std::path::Path;

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::site::seat;
use crate::support::http::{Answer, Client, Lost};

/// A user with his identity token and his place in one line.
#[derive(Clone, Debug)]
pub(crate) struct Buyer {
    pub(crate) name: String,
    bearer: String,
    queue_token: String,
}

impl Buyer {
    /// `key_file` holds the secret that identity tokens are signed with.
    pub(crate) fn new(name: &str, key_file: &Path) -> Self {
        Self::with_roles(name, &[], key_file)
    }

    /// The same with these roles.
    pub(crate) fn with_roles(name: &str, roles: &[&str], key_file: &Path) -> Self {
        let secret = std::fs::read_to_string(key_file).expect("the key was made");
        let exp = jsonwebtoken::get_current_timestamp() + 3600;
        let claims = json!({"sub": name, "roles": roles, "org": "demo", "exp": exp});
        let key = EncodingKey::from_secret(secret.trim().as_bytes());
        let token = encode(&Header::default(), &claims, &key).expect("claims are plain data");
        Self { name: name.to_owned(), bearer: format!("Bearer {token}"), queue_token: String::new() }
    }

    /// Joins the line of a concert, and keeps the place.
    pub(crate) async fn join(&mut self, client: &Client, concert: u32) -> Result<Answer, Lost> {
        let answer = self.post(client, "/v1/queue/tokens", "", &json!({ "concertId": concert })).await?;
        if let Some(token) = answer.body["token"].as_str() {
            token.clone_into(&mut self.queue_token);
        }
        Ok(answer)
    }

    /// Where his place stands.
    pub(crate) async fn status(&self, client: &Client) -> Result<Answer, Lost> {
        client.send("GET", "/v1/queue/status", &self.headers(""), None).await
    }

    /// Holds one seat of a show.
    pub(crate) async fn hold(
        &self,
        client: &Client,
        show: u32,
        number: usize,
        key: &str,
    ) -> Result<Answer, Lost> {
        let body = json!({"showId": show, "seats": [seat(number)]});
        self.post(client, "/v1/reservations", key, &body).await
    }

    /// Puts money into his balance.
    pub(crate) async fn charge(&self, client: &Client, amount: i64, key: &str) -> Result<Answer, Lost> {
        self.post(client, "/v1/users/me/balance", key, &json!({ "amount": amount })).await
    }

    /// Pays a reservation.
    pub(crate) async fn pay(&self, client: &Client, reservation: &str, key: &str) -> Result<Answer, Lost> {
        self.post(client, "/v1/payments", key, &json!({ "reservationId": reservation })).await
    }

    /// His balance.
    pub(crate) async fn balance(&self, client: &Client) -> i64 {
        let answer = client.send("GET", "/v1/users/me/balance", &self.headers(""), None).await;
        answer.expect("the server answers").body["balance"].as_i64().expect("a balance is a number")
    }

    /// A reservation of his.
    pub(crate) async fn reservation(&self, client: &Client, id: &str) -> Answer {
        let path = format!("/v1/reservations/{id}");
        client.send("GET", &path, &self.headers(""), None).await.expect("the server answers")
    }

    /// Sends any of the calls above again as it was.
    pub(crate) async fn post(
        &self,
        client: &Client,
        path: &str,
        key: &str,
        body: &Value,
    ) -> Result<Answer, Lost> {
        client.send("POST", path, &self.headers(key), Some(body)).await
    }

    /// Identity, place and key, where there is one.
    pub(crate) fn headers<'a>(&'a self, key: &'a str) -> Vec<(&'a str, &'a str)> {
        let all =
            [("authorization", &*self.bearer), ("queue-token", &*self.queue_token), ("idempotency-key", key)];
        all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }
}
