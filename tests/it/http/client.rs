//! A client with one connection that it keeps, and what it is answered.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::HeaderMap;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// An answer, whole.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Answered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// A text of the body; empty if there is none of that name.
    pub(crate) fn text(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_default().to_owned()
    }

    /// A number of the body that must be there.
    pub(crate) fn number(&self, name: &str) -> u64 {
        self.json()[name].as_u64().unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    /// Status, and the problem's code if it is one.
    pub(crate) fn outcome(&self) -> (u16, String) {
        (self.status, self.text("code"))
    }

    pub(crate) fn is(&self, status: u16, code: &str) -> bool {
        self.outcome() == (status, code.to_owned())
    }
}

/// A connection, and the headers that go with every request on it.
pub(crate) struct Caller {
    sender: SendRequest<Full<Bytes>>,
    headers: Vec<(String, String)>,
}

impl Caller {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { sender, headers: Vec::new() }
    }

    /// The same with another header, in place of one of that name.
    pub(crate) fn with(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// A header that goes with every request.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answered {
        self.send("GET", path, &[], None).await
    }

    pub(crate) async fn delete(&mut self, path: &str) -> Answered {
        self.send("DELETE", path, &[], None).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Answered {
        self.send("POST", path, &[], Some(&body.to_string())).await
    }

    /// A POST with this `Idempotency-Key`.
    pub(crate) async fn post_once(&mut self, key: &str, path: &str, body: &Value) -> Answered {
        self.send("POST", path, &[("idempotency-key", key)], Some(&body.to_string())).await
    }

    /// Sends a request with the headers of this connection and these.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Answered {
        let mut request = hyper::Request::builder().method(method).uri(path).header("host", "test");
        let kept = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in kept.chain(headers.iter().copied()) {
            request = request.header(name, value);
        }
        if body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        let body = Full::new(Bytes::from(body.unwrap_or_default().to_owned()));
        self.sender.ready().await.unwrap();
        let response = self.sender.send_request(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answered { status: parts.status.as_u16(), headers: parts.headers, bytes }
    }
}
