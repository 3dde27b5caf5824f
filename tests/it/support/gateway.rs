//! The sandbox gateway behind a listener of its own, so that the adapter is real and it outlives servers that are killed; and
//! what can go wrong between.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Collected, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use onsale::gateway::{Sandbox, Standing};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A gateway.
#[derive(Clone)]
pub(crate) struct Gateway(Arc<Inner>);

struct Inner {
    url: String,
    sandbox: Sandbox,
    /// Every call in order: `capture p7-…`.
    calls: Mutex<Vec<String>>,
    /// So many calls get 503, and nothing happens.
    refuse: AtomicU32,
    /// So many calls do what they say, and their answer is lost.
    lose: AtomicU32,
    /// Calls of this kind do what they say and are not answered meanwhile.
    held: watch::Sender<&'static str>,
    /// Calls of this kind do nothing, and are not answered meanwhile.
    deaf: watch::Sender<&'static str>,
    /// Calls of this kind do nothing and get this answer.
    says: Mutex<Option<(&'static str, &'static str)>>,
}

fn take(count: &AtomicU32) -> bool {
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Inner {
            url,
            sandbox: Sandbox::default(),
            calls: Mutex::default(),
            refuse: AtomicU32::new(0),
            lose: AtomicU32::new(0),
            held: watch::channel("").0,
            deaf: watch::channel("").0,
            says: Mutex::default(),
        };
        let gateway = Self(Arc::new(inner));
        let serving = gateway.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let gateway = serving.clone();
                let service = service_fn(move |request| gateway.clone().serve(request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        gateway
    }

    /// Its base address.
    pub(crate) fn url(&self) -> &str {
        &self.0.url
    }

    /// What it knows of payments.
    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.0.sandbox
    }

    pub(crate) fn standing(&self, payment: &str) -> Standing {
        self.0.sandbox.standing(payment)
    }

    /// How often it was called so (`capture`, …), for whatever payment.
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.0.calls.lock().unwrap().iter().filter(|call| call.starts_with(kind)).count()
    }

    /// The payments that it was asked to begin, each once.
    pub(crate) fn begun(&self) -> Vec<String> {
        let calls = self.0.calls.lock().unwrap();
        let mut begun: Vec<_> =
            calls.iter().filter_map(|call| call.strip_prefix("begin ")).map(str::to_owned).collect();
        begun.sort();
        begun.dedup();
        begun
    }

    /// The next calls fail: so many before anything happens, then so many after it.
    pub(crate) fn fail(&self, refuse: u32, lose: u32) {
        self.0.refuse.store(refuse, Ordering::Relaxed);
        self.0.lose.store(lose, Ordering::Relaxed);
    }

    /// Calls of this kind are not answered until it holds another.
    pub(crate) fn hold(&self, kind: &'static str) {
        self.0.held.send_replace(kind);
    }

    /// Calls of this kind do nothing, and are refused once it ignores another.
    pub(crate) fn ignore(&self, kind: &'static str) {
        self.0.deaf.send_replace(kind);
    }

    /// Calls of this kind do nothing and are answered so until it says something else; `None`: it does as it is told again.
    pub(crate) fn say(&self, answer: Option<(&'static str, &'static str)>) {
        *self.0.says.lock().unwrap() = answer;
    }

    async fn serve(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let path = request.uri().path().trim_start_matches("/payments/").to_owned();
        let begins = request.method() == "POST";
        let (payment, kind) = match path.split_once('/') {
            Some((payment, kind)) => (payment.to_owned(), kind.to_owned()),
            None => (path, if begins { "begin".to_owned() } else { "standing".to_owned() }),
        };
        self.0.calls.lock().unwrap().push(format!("{kind} {payment}"));
        let mut response = Response::new(Full::default());
        if take(&self.0.refuse) {
            *response.status_mut() = hyper::StatusCode::SERVICE_UNAVAILABLE;
            return Ok(response);
        }
        let body = request.into_body().collect().await.map(Collected::to_bytes).unwrap_or_default();
        let form: Value = serde_json::from_slice(&body).unwrap_or_default();
        if *self.0.deaf.borrow() == kind {
            let _ = self.0.deaf.subscribe().wait_for(|deaf| *deaf != kind).await;
            *response.status_mut() = hyper::StatusCode::SERVICE_UNAVAILABLE;
            return Ok(response);
        }
        let said = *self.0.says.lock().unwrap();
        let said = said.filter(|(of, _)| kind.starts_with(of)).map(|(_, answer)| answer.as_bytes().to_vec());
        let answer = said.unwrap_or_else(|| self.answer(&payment, &kind, &form));
        if take(&self.0.lose) {
            // What the client gets is no answer of a gateway.
            *response.status_mut() = hyper::StatusCode::GATEWAY_TIMEOUT;
            return Ok(response);
        }
        let mut held = self.0.held.subscribe();
        let _ = held.wait_for(|held| held.is_empty() || !kind.starts_with(held)).await;
        *response.body_mut() = Full::new(answer.into());
        Ok(response)
    }

    /// What the sandbox says to a call, as it goes over the wire.
    fn answer(&self, payment: &str, kind: &str, form: &Value) -> Vec<u8> {
        let sandbox = &self.0.sandbox;
        let amount = || form["amount"].as_i64().unwrap();
        let standing = match kind {
            "begin" => sandbox.begin(payment, amount()),
            "standing" => sandbox.standing(payment),
            "capture" => sandbox.capture(payment),
            "void" => sandbox.void(payment),
            other => {
                let refund = other.strip_prefix("refunds/").unwrap_or_else(|| panic!("nobody calls {other}"));
                return serde_json::to_vec(&sandbox.refund(payment, refund, amount())).unwrap();
            }
        };
        serde_json::to_vec(&standing).unwrap()
    }
}
