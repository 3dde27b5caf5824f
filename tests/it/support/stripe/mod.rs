//! Stripe with states, on loopback: stripe-mock, the real judge of requests, forgets everything between two calls. Keys of idempotency
//! are kept with their answers as Stripe does; and what can go wrong between.

mod account;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Collected, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use self::account::{Account, Form, Said, error};

/// The secret key of the account.
pub(crate) const KEY: &str = "sk_test_nobody";

/// What a call that does not come through is answered: nothing has happened.
const TROUBLES: [(u16, &str); 4] =
    [(503, "api_error"), (429, "rate_limit"), (409, "idempotency_key_in_use"), (500, "api_error")];

/// A call and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// `begin`, `standing`, `search`, `capture`, `cancel`, `refunds` or `refund`.
    pub(crate) kind: &'static str,
    pub(crate) method: String,
    pub(crate) path_and_query: String,
    pub(crate) version: String,
    /// As sent.
    pub(crate) body: String,
    pub(crate) status: u16,
    pub(crate) answer: Value,
}

/// An account at Stripe.
#[derive(Clone)]
pub(crate) struct Stripe(Arc<Inner>);

struct Inner {
    url: String,
    account: Mutex<Account>,
    /// By key: what was asked, what was answered.
    kept: Mutex<HashMap<String, (String, Said)>>,
    calls: Mutex<Vec<Call>>,
    /// So many calls fail, and nothing happens.
    refuse: AtomicU32,
    /// So many calls do what they say, and their answer is lost.
    lose: AtomicU32,
    /// So many calls with a key fail, and that is kept.
    keep: AtomicU32,
    /// The same, though they do what they say.
    keep_late: AtomicU32,
    /// Calls of this kind do what they say and are not answered meanwhile.
    held: watch::Sender<&'static str>,
}

fn take(count: &AtomicU32) -> Option<u32> {
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).ok()
}

fn decode(form: &str) -> Form {
    let text = |part: &str| percent_decode_str(part).decode_utf8().unwrap().into_owned();
    let pairs = form.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (text(name), text(value))).collect()
}

fn kind(method: &str, path: &str) -> &'static str {
    match (method, path) {
        ("POST", "payment_intents") => "begin",
        ("GET", "payment_intents/search") => "search",
        ("GET", "refunds") => "refunds",
        ("POST", "refunds") => "refund",
        ("POST", path) if path.ends_with("/capture") => "capture",
        ("POST", path) if path.ends_with("/cancel") => "cancel",
        _ => "standing",
    }
}

impl Stripe {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let inner = Inner {
            url: format!("http://{}", listener.local_addr().unwrap()),
            account: Mutex::default(),
            kept: Mutex::default(),
            calls: Mutex::default(),
            refuse: AtomicU32::new(0),
            lose: AtomicU32::new(0),
            keep: AtomicU32::new(0),
            keep_late: AtomicU32::new(0),
            held: watch::channel("").0,
        };
        let stripe = Self(Arc::new(inner));
        let serving = stripe.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let stripe = serving.clone();
                let service = service_fn(move |request| stripe.clone().serve(request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        stripe
    }

    /// Its base address.
    pub(crate) fn url(&self) -> &str {
        &self.0.url
    }

    /// All calls so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.0.calls.lock().unwrap().clone()
    }

    /// How many calls of this kind there were.
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.0.calls.lock().unwrap().iter().filter(|call| call.kind == kind).count()
    }

    /// Names and statuses of all PaymentIntents, the oldest first.
    pub(crate) fn all(&self) -> Vec<(String, &'static str)> {
        let account = self.0.account.lock().unwrap();
        account.intents.iter().map(|intent| (intent.name.clone(), intent.status)).collect()
    }

    /// The statuses of those with this name.
    pub(crate) fn of(&self, name: &str) -> Vec<&'static str> {
        self.all().into_iter().filter(|(other, _)| other == name).map(|(_, status)| status).collect()
    }

    /// The id of the first one with this name.
    pub(crate) fn id(&self, name: &str) -> String {
        let account = self.0.account.lock().unwrap();
        account.intents.iter().find(|intent| intent.name == name).unwrap().id.clone()
    }

    /// Names and amounts of all refunds.
    pub(crate) fn refunds(&self) -> Vec<(String, i64)> {
        let account = self.0.account.lock().unwrap();
        let told = |refund: &Value| {
            let name = refund["metadata"]["onsale_refund"].as_str().unwrap().to_owned();
            (name, refund["amount"].as_i64().unwrap())
        };
        account.refunds.iter().map(told).collect()
    }

    /// The status that all refunds from now on have.
    pub(crate) fn refund_as(&self, status: &'static str) {
        let mut account = self.0.account.lock().unwrap();
        account.refund_status = Some(status);
        for refund in &mut account.refunds {
            refund["status"] = status.into();
        }
    }

    /// The buyer confirms with a card that is taken or not.
    pub(crate) fn confirm(&self, name: &str, taken: bool) {
        self.0.account.lock().unwrap().confirm(name, taken);
    }

    /// An hour passes.
    pub(crate) fn index(&self) {
        self.0.account.lock().unwrap().index();
    }

    /// A day passes.
    pub(crate) fn forget_keys(&self) {
        self.index();
        self.0.kept.lock().unwrap().clear();
    }

    /// The next calls fail: so many before anything happens, then so many after it.
    pub(crate) fn fail(&self, refuse: u32, lose: u32) {
        self.0.refuse.store(refuse, Ordering::Relaxed);
        self.0.lose.store(lose, Ordering::Relaxed);
    }

    /// So many calls under new keys fail, each time they are made.
    pub(crate) fn keep_failing(&self, keys: u32) {
        self.0.keep.store(keys, Ordering::Relaxed);
    }

    /// So many calls under new keys do what they say and fail then, each time they are made.
    pub(crate) fn keep_failing_late(&self, keys: u32) {
        self.0.keep_late.store(keys, Ordering::Relaxed);
    }

    /// What another process posts: the status of its answer.
    pub(crate) async fn post(&self, path: &str, key: &str, form: &[(&str, String)]) -> u16 {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let pairs = form.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        let request = reqwest::Client::new().post(format!("{}/v1/{path}", self.url())).bearer_auth(KEY);
        let request = request.header("idempotency-key", key).header("stripe-version", "any");
        let body = pairs.collect::<Vec<_>>().join("&");
        request.body(body).send().await.unwrap().status().as_u16()
    }

    /// Calls of this kind are not answered until it holds another.
    pub(crate) fn hold(&self, kind: &'static str) {
        self.0.held.send_replace(kind);
    }

    async fn serve(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (asked, body) = request.into_parts();
        let header =
            |name: &str| asked.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
        let body = String::from_utf8(body.to_vec()).unwrap();
        let method = asked.method.as_str().to_owned();
        let path = asked.uri.path().strip_prefix("/v1/").unwrap().to_owned();
        let kind = kind(&method, &path);
        let sent = if method == "GET" { asked.uri.query().unwrap_or_default() } else { &body };
        let authorised = header("authorization") == Some(format!("Bearer {KEY}"));
        let (said, replayed) = match take(&self.0.refuse) {
            _ if !authorised => (error(401, "api_key_invalid", &json!({})), false),
            Some(left) => {
                let (status, code) = TROUBLES[left as usize % TROUBLES.len()];
                (error(status, code, &json!({})), false)
            }
            None => self.once(header("idempotency-key"), &method, &path, sent),
        };
        self.0.calls.lock().unwrap().push(Call {
            kind,
            method,
            path_and_query: asked.uri.path_and_query().unwrap().to_string(),
            version: header("stripe-version").unwrap(),
            body,
            status: said.0,
            answer: said.1.clone(),
        });
        let mut response = Response::new(Full::default());
        if said.0 == 200 && take(&self.0.lose).is_some() {
            // What the client gets is no answer of Stripe's.
            *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
            return Ok(response);
        }
        let mut held = self.0.held.subscribe();
        let _ = held.wait_for(|held| *held != kind).await;
        *response.status_mut() = StatusCode::from_u16(said.0).unwrap();
        response.headers_mut().insert("request-id", "req_1".parse().unwrap());
        if replayed {
            response.headers_mut().insert("idempotent-replayed", "true".parse().unwrap());
        }
        *response.body_mut() = Full::new(said.1.to_string().into());
        Ok(response)
    }

    /// Does it, or answers what was answered under this key before.
    fn once(&self, key: Option<String>, method: &str, path: &str, sent: &str) -> (Said, bool) {
        let form = decode(sent);
        let Some(key) = key else {
            return (self.0.account.lock().unwrap().call(method, path, &form), false);
        };
        let asked = format!("{method} {path} {sent}");
        let mut kept = self.0.kept.lock().unwrap();
        match kept.get(&key) {
            Some((first, said)) if *first == asked => return (said.clone(), true),
            Some(_) => {
                let kind = json!({ "type": "idempotency_error" });
                return (error(400, "idempotency_key_reused", &kind), false);
            }
            None => {}
        }
        let failure = || error(500, "api_error", &json!({ "type": "api_error" }));
        let said = if take(&self.0.keep).is_some() {
            failure()
        } else {
            let said = self.0.account.lock().unwrap().call(method, path, &form);
            if take(&self.0.keep_late).is_some() { failure() } else { said }
        };
        kept.insert(key, (asked, said.clone()));
        (said, false)
    }
}
