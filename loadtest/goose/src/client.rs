//! One call and its answer, judged by what the contract lets the caller expect.
//!
//! Goose takes every status from 400 on for a failure; a 409 about a seat that somebody else was faster to take is none. A 503 says that
//! nothing has happened and when to come back: the buyer does, with the same key. Metrics are named by route, never by id.

use std::time::Duration;

use goose::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// How often a buyer asks again.
const ASKS_MAX: u32 = 5;
/// Where an answer that asks for patience doesn't say how much, seconds.
const RETRY_SECONDS: u64 = 1;

/// A call that has not been sent.
pub(crate) struct Call {
    method: GooseMethod,
    name: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<Value>,
    conflict: Option<&'static str>,
}

/// What came back, as the caller expected.
pub(crate) enum Answer {
    /// 2xx, and its body.
    Done(String),
    /// The conflict that the caller can live with.
    Conflict,
}

/// What came back once.
struct Received {
    status: u16,
    retry_after: u64,
    body: String,
    request: goose::metrics::GooseRequestMetric,
}

impl Call {
    /// A read.
    pub(crate) fn get(name: &'static str, path: String) -> Self {
        Self { method: GooseMethod::Get, name, path, headers: Vec::new(), body: None, conflict: None }
    }

    /// A change, with the body as JSON.
    pub(crate) fn post(
        name: &'static str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Self, Box<TransactionError>> {
        let body = serde_json::to_value(body).map_err(|error| error.to_string())?;
        Ok(Self { method: GooseMethod::Post, body: Some(body), ..Self::get(name, path.to_owned()) })
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// An identity token, or a queue token where that is the identity.
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// A problem's code that is no failure.
    pub(crate) fn or(mut self, code: &'static str) -> Self {
        self.conflict = Some(code);
        self
    }

    /// Sends, and asks again while the server says that nothing has happened (503) or that nobody knows (504).
    pub(crate) async fn send(self, user: &mut GooseUser) -> Result<Answer, Box<TransactionError>> {
        for asked in 1.. {
            let mut received = self.send_once(user).await?;
            if (200..300).contains(&received.status) {
                return Ok(Answer::Done(received.body));
            }
            if self.conflict.is_some_and(|code| is_problem(&received.body, code)) {
                received.count_as_success(user)?;
                return Ok(Answer::Conflict);
            }
            if !matches!(received.status, 503 | 504) || asked == ASKS_MAX {
                return Err(format!(
                    "{:?} {} answered {}: {}",
                    self.method, self.name, received.status, received.body
                )
                .into());
            }
            received.count_as_success(user)?;
            tokio::time::sleep(Duration::from_secs(received.retry_after)).await;
        }
        Err("asked too often".into())
    }

    async fn send_once(&self, user: &mut GooseUser) -> Result<Received, Box<TransactionError>> {
        let mut builder = user.get_request_builder(&self.method, &self.path)?;
        for (name, value) in &self.headers {
            builder = builder.header(*name, value);
        }
        if let Some(body) = &self.body {
            builder = builder.json(body);
        }
        let request = GooseRequest::builder()
            .method(self.method)
            .path(self.path.as_str())
            .name(self.name)
            .set_request_builder(builder)
            .build();
        let answered = user.request(request).await?;
        let response = answered.response?;
        let retry_after =
            response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        Ok(Received {
            status: response.status().as_u16(),
            retry_after: retry_after.unwrap_or(RETRY_SECONDS),
            body: response.text().await?,
            request: answered.request,
        })
    }
}

impl Received {
    /// Goose still lists the status among its errors, but once, and fails nothing on it.
    fn count_as_success(&mut self, user: &mut GooseUser) -> TransactionResult {
        self.request.error.clear();
        user.set_success(&mut self.request)
    }
}

impl Answer {
    /// The body of a 2xx.
    pub(crate) fn read<T: DeserializeOwned>(self) -> Result<T, Box<TransactionError>> {
        match self {
            Self::Done(body) => {
                serde_json::from_str(&body).map_err(|error| format!("{error}: {body}").into())
            }
            Self::Conflict => Err("a conflict has no body to read".into()),
        }
    }
}

fn is_problem(body: &str, code: &str) -> bool {
    let problem: Option<Value> = serde_json::from_str(body).ok();
    problem.is_some_and(|problem| problem.get("code").and_then(Value::as_str) == Some(code))
}
