//! The second listener, for operators and probes: `/livez`, `/readyz`, `/metrics`, `/version`.
//!
//! Never the public one: metrics tell how a sale goes. A concert, Redis or MySQL in trouble shows as `degraded`, it does
//! not make a server unready: all servers would leave the balancer at once, and those who can still buy with them.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep};

use crate::live::Live;
use crate::metrics::Exposition;

/// Open connections of the listener: scrapers and probes are few.
const CONNECTIONS_MAX: usize = 64;
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);

/// What this process can do, as probes see it.
#[derive(Default)]
pub struct Health {
    serving: watch::Sender<bool>,
    draining: AtomicBool,
    degraded: Mutex<BTreeSet<String>>,
}

impl Health {
    /// All cores serve, or none.
    pub fn set_serving(&self, serving: bool) {
        self.serving.send_replace(serving);
    }

    /// Waits until all cores serve.
    pub async fn wait_serving(&self) {
        // The sender is ours: it does not go away meanwhile.
        let _ = self.serving.subscribe().wait_for(|serving| *serving).await;
    }

    /// It was told to stop. There is no way back.
    pub fn set_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Names something that is in trouble (`mysql`), or well again.
    pub fn set_degraded(&self, what: &str, degraded: bool) {
        let mut all = self.degraded.lock().unwrap_or_else(PoisonError::into_inner);
        if degraded {
            all.insert(what.to_owned());
        } else {
            all.remove(what);
        }
    }

    /// Whether all cores serve and nobody told it to stop.
    pub fn is_ready(&self) -> bool {
        *self.serving.borrow() && !self.draining.load(Ordering::Relaxed)
    }

    fn degraded(&self) -> Vec<String> {
        let all = self.degraded.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().cloned().collect()
    }
}

/// What the listener answers from.
#[derive(Clone)]
pub struct Operations {
    /// The metrics.
    pub exposition: Exposition,
    /// Whether this process serves.
    pub health: Arc<Health>,
    /// Which concerts are in trouble.
    pub live: Live,
}

impl Operations {
    /// Serves until `shutdown` turns true: later than the public listener's, so that probes see it drain.
    pub async fn run(self, listener: TcpListener, mut shutdown: watch::Receiver<bool>) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stopped(&mut shutdown) => return,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                    Ok((stream, _)) => { connections.spawn(self.clone().serve(stream)); }
                    Err(error) => {
                        tracing::warn!(%error, "an operations connection could not be accepted");
                        sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
    }

    async fn serve(self, stream: TcpStream) {
        let service = service_fn(|request: hyper::Request<Incoming>| {
            let response = self.answer(request.method(), request.uri().path());
            async move { Ok::<_, Infallible>(response) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_READ_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = connection.await {
            tracing::debug!(%error, "an operations connection ended early");
        }
    }

    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if ![Method::GET, Method::HEAD].contains(method) {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "these are read\n".into());
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match path {
            "/livez" => plain(StatusCode::OK, "alive\n".into()),
            "/readyz" => self.readyz(),
            "/metrics" => plain(StatusCode::OK, self.exposition.render()),
            "/version" => {
                let version = json!({"version": env!("CARGO_PKG_VERSION")});
                typed(StatusCode::OK, "application/json", version.to_string())
            }
            _ => plain(StatusCode::NOT_FOUND, "there are /livez /readyz /metrics /version\n".into()),
        }
    }

    fn readyz(&self) -> Response<Full<Bytes>> {
        let mut degraded = self.health.degraded();
        let concerts = self.live.concerts();
        let recovering = concerts.iter().filter(|view| view.recovering());
        degraded.extend(recovering.map(|view| format!("concert {}", view.concert().concert)));
        let (status, word) = if self.health.is_ready() {
            (StatusCode::OK, "ready")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "unready")
        };
        let body = json!({"status": word, "degraded": degraded});
        typed(status, "application/json", body.to_string())
    }
}

/// Waits for the word to stop; its sender gone means the same.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}

fn plain(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    typed(status, "text/plain; version=0.0.4; charset=utf-8", body)
}

fn typed(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_while_it_serves_and_does_not_drain() {
        let health = Health::default();
        assert!(!health.is_ready());
        health.set_serving(true);
        health.set_degraded("mysql", true);
        assert!(health.is_ready());
        assert_eq!(health.degraded(), ["mysql"]);
        health.set_degraded("mysql", false);
        assert!(health.degraded().is_empty());
        health.set_draining();
        assert!(!health.is_ready());
    }
}
