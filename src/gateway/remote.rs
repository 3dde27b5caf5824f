//! The sandbox behind an address: `/payments/{payment}`, JSON, the payment's id as the key of idempotency.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Error, GivenBack, Intent, Standing};

/// A client of a sandbox.
#[derive(Debug)]
pub(super) struct Remote {
    client: Client,
    url: String,
}

impl Remote {
    pub(super) fn new(url: &str, timeout: Duration) -> Result<Self, Error> {
        // From the first byte to the last: whoever waits for the gateway waits no longer.
        let client = Client::builder().timeout(timeout).build().map_err(unanswered)?;
        Ok(Self { client, url: url.trim_end_matches('/').to_owned() })
    }

    pub(super) async fn begin(&self, intent: &Intent) -> Result<Standing, Error> {
        let body = json!({ "amount": intent.amount, "currency": intent.currency });
        ask(self.client.post(self.path(intent)).body(body.to_string())).await
    }

    pub(super) async fn standing(&self, intent: &Intent) -> Result<Standing, Error> {
        ask(self.client.get(self.path(intent))).await
    }

    pub(super) async fn tell(&self, intent: &Intent, what: &str) -> Result<Standing, Error> {
        ask(self.client.post(format!("{}/{what}", self.path(intent)))).await
    }

    pub(super) async fn refund(
        &self,
        intent: &Intent,
        refund: &str,
        amount: i64,
    ) -> Result<GivenBack, Error> {
        let body = json!({ "amount": amount });
        ask(self.client.post(format!("{}/refunds/{refund}", self.path(intent))).body(body.to_string())).await
    }

    fn path(&self, intent: &Intent) -> String {
        format!("{}/payments/{}", self.url, intent.name)
    }
}

async fn ask<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, Error> {
    let response = request.send().await.map_err(unanswered)?;
    let status = response.status();
    let body = response.bytes().await.map_err(unanswered)?;
    if status.is_server_error()
        || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status)
    {
        return Err(unanswered(Error::Unexpected(status.to_string())));
    }
    if !status.is_success() {
        return Err(Error::Unexpected(status.to_string()));
    }
    serde_json::from_slice(&body).map_err(|error| Error::Unexpected(error.to_string()))
}

fn unanswered(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Unanswered(Box::new(error))
}
