//! An organiser's endpoint: remembers what it was sent, and fails, delays or dies as told.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What it does with what it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// 204.
    Takes,
    /// This status; a redirect leads to itself.
    Answers(u16),
    /// 204, but not before.
    Slow(Duration),
    /// Nothing, ever.
    Silent,
}

/// A request, and whether it was taken.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) id: String,
    pub(crate) timestamp: u64,
    signature: String,
    body: Bytes,
    pub(crate) taken: bool,
}

impl Sent {
    pub(crate) fn event(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether it was signed with this secret, `whsec_…`.
    pub(crate) fn is_signed(&self, secret: &str) -> bool {
        let secret = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
        mac.update(format!("{}.{}.", self.id, self.timestamp).as_bytes());
        mac.update(&self.body);
        self.signature == format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[derive(Clone)]
struct Seen {
    mood: Arc<Mutex<Mood>>,
    sent: Arc<Mutex<Vec<Sent>>>,
}

/// It, alive or dead.
pub(crate) struct Receiver {
    address: SocketAddr,
    seen: Seen,
    listening: Option<JoinHandle<()>>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let seen = Seen { mood: Arc::new(Mutex::new(Mood::Takes)), sent: Arc::default() };
        let mut receiver = Self { address: ([127, 0, 0, 1], 0).into(), seen, listening: None };
        receiver.revive().await;
        receiver
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook?of=demo", self.address)
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.seen.mood.lock().unwrap() = mood;
    }

    /// All that it was ever sent.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.seen.sent.lock().unwrap().clone()
    }

    /// Closes its port and breaks its connections.
    pub(crate) async fn die(&mut self) {
        let listening = self.listening.take().expect("it lives");
        listening.abort();
        drop(listening.await);
    }

    /// Listens where it listened before.
    pub(crate) async fn revive(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        self.listening = Some(tokio::spawn(listen(listener, self.seen.clone())));
    }
}

async fn listen(listener: TcpListener, seen: Seen) {
    // Its connections end with it.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let seen = seen.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| take(request, seen.clone()));
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn take(request: Request<Incoming>, seen: Seen) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    assert_eq!((head.method.as_str(), head.uri.path()), ("POST", "/hook"));
    let header = |name: &str| head.headers[name].to_str().unwrap().to_owned();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let mood = *seen.mood.lock().unwrap();
    assert_eq!(header("content-type"), "application/cloudevents+json; charset=UTF-8");
    seen.sent.lock().unwrap().push(Sent {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp").parse().unwrap(),
        signature: header("webhook-signature"),
        body,
        taken: matches!(mood, Mood::Takes | Mood::Slow(_)),
    });
    let status = match mood {
        Mood::Takes => 204,
        Mood::Answers(status) => status,
        Mood::Slow(delay) => {
            tokio::time::sleep(delay).await;
            204
        }
        Mood::Silent => std::future::pending().await,
    };
    let response = Response::builder().status(status).header("location", "/hook");
    Ok(response.body(Full::default()).unwrap())
}
