//! Stripe's HTTP: forms there, JSON back, and what its errors mean.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::{Error, GivenBack};

/// The version of Stripe's interface that this is written for; the OpenAPI of the stripe-mock in the Makefile is of the same.
const VERSION: &str = "2026-08-26.dahlia";

/// A client of one account.
#[derive(Debug)]
pub(super) struct Wire {
    client: Client,
    url: String,
}

/// A PaymentIntent, as far as it matters here. Amounts are Stripe's.
#[derive(Debug, Deserialize)]
pub(super) struct PaymentIntent {
    pub(super) id: String,
    pub(super) status: String,
    #[serde(default)]
    pub(super) amount_capturable: i64,
    #[serde(default)]
    pub(super) amount_received: i64,
    pub(super) client_secret: Option<String>,
    /// Unix seconds.
    pub(super) created: u64,
    pub(super) last_payment_error: Option<Trouble>,
    #[serde(default)]
    pub(super) metadata: Metadata,
}

impl PaymentIntent {
    /// Whether money is reserved or taken by it.
    pub(super) fn has_money(&self) -> bool {
        self.amount_capturable > 0 || self.amount_received > 0
    }
}

/// What we write on Stripe's objects.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Metadata {
    /// The name of a payment.
    pub(super) onsale: Option<String>,
    /// The name of a refund.
    #[serde(rename = "onsale_refund")]
    pub(super) refund: Option<String>,
}

/// A refund.
#[derive(Debug, Deserialize)]
pub(super) struct Refund {
    status: Option<String>,
    failure_reason: Option<String>,
    #[serde(default)]
    pub(super) metadata: Metadata,
}

impl Refund {
    /// Whether nothing comes of it any more.
    pub(super) fn has_failed(&self) -> bool {
        self.status.as_deref().is_some_and(is_failure)
    }

    pub(super) fn given_back(&self) -> GivenBack {
        match self.status.as_deref() {
            Some("succeeded") => GivenBack::Done,
            Some(status) if is_failure(status) => {
                GivenBack::Refused { reason: self.failure_reason.as_deref().unwrap_or(status).to_owned() }
            }
            // `pending`, `requires_action`.
            _ => GivenBack::Pending,
        }
    }
}

/// Whether nothing comes any more of a refund with this status.
pub(super) fn is_failure(status: &str) -> bool {
    ["failed", "canceled"].contains(&status)
}

/// A page of a list or of what a search found.
#[derive(Debug, Deserialize)]
pub(super) struct Listed<T> {
    pub(super) data: Vec<T>,
    pub(super) has_more: bool,
}

/// What Stripe says is wrong.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Trouble {
    #[serde(rename = "type")]
    kind: String,
    code: Option<String>,
    decline_code: Option<String>,
    message: Option<String>,
    param: Option<String>,
    /// The one that it is about, as it stands.
    payment_intent: Option<Box<PaymentIntent>>,
}

impl Trouble {
    /// Why, in a word.
    pub(super) fn reason(&self) -> String {
        let word = self.decline_code.as_ref().or(self.code.as_ref()).or(self.param.as_ref());
        word.unwrap_or(&self.kind).clone()
    }
}

#[derive(Deserialize)]
struct Body {
    error: Trouble,
}

/// An answer that says no, and does not change by asking again.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    trouble: Trouble,
    /// What Stripe's logs call the request.
    request: String,
}

impl Refusal {
    /// Why, in a word.
    pub(super) fn reason(&self) -> String {
        self.trouble.reason()
    }

    /// Whether no payment of this amount and currency is ever taken, or no card that could pay it.
    pub(super) fn is_for_good(&self) -> bool {
        let Trouble { kind, code, param, .. } = &self.trouble;
        let says =
            |code: &Option<String>, words: &[&str]| code.as_deref().is_some_and(|code| words.contains(&code));
        let amounts = ["amount_too_small", "amount_too_large", "invalid_charge_amount_no_decimal_compatible"];
        kind == "card_error"
            || kind == "invalid_request_error"
                && (says(code, &amounts) || says(param, &["amount", "currency"]))
    }

    /// Whether money can't go back by this payment any more.
    pub(super) fn gives_nothing_back(&self) -> bool {
        let codes = [
            "charge_already_refunded",
            "charge_disputed",
            "refund_disputed_payment",
            "payment_intent_unexpected_state",
        ];
        self.trouble.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// How the PaymentIntent stands that does not do what it was told; itself, if it tells of none.
    pub(super) fn stands(mut self: Box<Self>) -> Result<PaymentIntent, Box<Self>> {
        self.trouble.payment_intent.take().map(|found| *found).ok_or(self)
    }

    fn words(&self) -> String {
        let Trouble { kind, code, message, .. } = &self.trouble;
        let (code, message) = (code.as_deref().unwrap_or(kind), message.as_deref().unwrap_or("no message"));
        format!("{} {code}: {message} (request {})", self.status.as_u16(), self.request)
    }
}

/// A call that did not do what it should.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing is known.
    Failed(Error),
    /// A failure of Stripe's that it keeps, and answers again under this key.
    Kept(Error),
    /// Stripe says no.
    Refused(Box<Refusal>),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Failed(error) | Failure::Kept(error) => error,
            Failure::Refused(refusal) => Self::Unexpected(refusal.words()),
        }
    }
}

/// What Stripe answers to a call that has a key.
#[derive(Debug)]
pub(super) struct Answer<T> {
    pub(super) value: T,
    /// Told before: as it was then.
    pub(super) replayed: bool,
}

impl Wire {
    pub(super) fn new(url: &str, key: &[u8], timeout: Duration) -> Result<Self, Error> {
        let no_header = |_| Error::Unexpected("a key that fits no header".to_owned());
        let mut secret = HeaderValue::from_bytes(&[b"Bearer ", key].concat()).map_err(no_header)?;
        secret.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, secret);
        headers.insert("stripe-version", HeaderValue::from_static(VERSION));
        let agent = concat!("onsale/", env!("CARGO_PKG_VERSION"));
        let client = Client::builder().timeout(timeout).redirect(Policy::none()).user_agent(agent);
        let client = client.default_headers(headers).build().map_err(unanswered)?;
        Ok(Self { client, url: url.trim_end_matches('/').to_owned() })
    }

    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Failure> {
        let url = format!("{}{path}?{}", self.url, form(query));
        ask(self.client.get(url.trim_end_matches('?'))).await.map(|answer| answer.value)
    }

    /// With a key it happens once, however often it is asked for.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        key: Option<&str>,
    ) -> Result<Answer<T>, Failure> {
        let mut request = self.client.post(format!("{}{path}", self.url));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        ask(request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form(fields))).await
    }
}

/// No answer, or one after which it is as unknown what has happened.
pub(super) fn unanswered(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Unanswered(Box::new(error))
}

fn form(fields: &[(&str, &str)]) -> String {
    let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

async fn ask<T: DeserializeOwned>(request: RequestBuilder) -> Result<Answer<T>, Failure> {
    let failed = |error| Failure::Failed(unanswered(error));
    let response = request.send().await.map_err(failed)?;
    let status = response.status();
    let header =
        |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (replayed, request) = (header("idempotent-replayed") == "true", header("request-id").to_owned());
    let body = response.bytes().await.map_err(failed)?;
    if status.is_success() {
        let read = serde_json::from_slice(&body).map(|value| Answer { value, replayed });
        return read
            .map_err(|error| Failure::Failed(Error::Unexpected(format!("{error} (request {request})"))));
    }
    let trouble = serde_json::from_slice(&body).map(|Body { error }| error).unwrap_or_default();
    let refusal = Refusal { status, trouble, request };
    if !may_come_later(status) {
        return Err(Failure::Refused(Box::new(refusal)));
    }
    let error = unanswered(Error::Unexpected(refusal.words()));
    Err(if status.is_server_error() && replayed { Failure::Kept(error) } else { Failure::Failed(error) })
}

/// Another call with this key is under way or holds the object, too many calls come, or Stripe or what it stands on is in trouble.
fn may_come_later(status: StatusCode) -> bool {
    let later = [
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::CONFLICT,
        StatusCode::FAILED_DEPENDENCY,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    status.is_server_error() || later.contains(&status)
}
