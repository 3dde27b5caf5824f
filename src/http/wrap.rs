//! Around every request, once: its id, its route, panics, the log line and the metric.
//!
//! A panic costs one request, not the connection. hyper drops what it awaits when the client hangs up: a call that is one
//! script needs no more care, since its batch runs in a task of its own (`store`); one of several steps (an organiser's) is
//! spawned here, so that it runs to its end. A task for every request would cost 0.8 µs each.

use std::convert::Infallible;
use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderName, HeaderValue};
use tokio::sync::mpsc;
use tracing::{Instrument as _, Span, field::Empty};

use super::context::Context;
use super::problem::{Code, Problem};
use super::request::{Request, RequestId};
use super::response::{self, Response};
use super::router::{self, Verb};
use crate::metrics::{self, Gauge, Histogram};
use crate::telemetry::traces;

/// What every task holds a clone of: when all are dropped, all work is done.
pub(super) type Alive = mpsc::Sender<Infallible>;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Label of requests that no route fits: paths are never labels.
const NO_ROUTE: (&str, &str) = ("_OTHER", "unmatched");

/// Answers one request, whatever happens.
pub(super) async fn answer(
    ctx: Arc<Context>,
    alive: Alive,
    request: hyper::Request<Incoming>,
    draining: bool,
) -> Response {
    let started = Instant::now();
    let id = RequestId::new(rand::random());
    let _active = ctx.meters.active.enter();
    let (labels, span, outcome) = match routed(&ctx, request, started, &id) {
        Ok(request) => {
            let labels = (request.verb.as_str(), request.route);
            let span = span(&request, &id);
            let outcome = if request.endpoint.has_steps() {
                Box::pin(to_the_end(Arc::clone(&ctx), alive, request).instrument(span.clone())).await
            } else {
                run(&ctx, request).instrument(span.clone()).await
            };
            (labels, span, outcome)
        }
        Err(problem) => (NO_ROUTE, Span::none(), Err(problem)),
    };
    let mut response = outcome.unwrap_or_else(|problem| {
        report(&problem, labels, &id);
        problem.into_response(&id)
    });
    response::set(&mut response, REQUEST_ID, id.as_str());
    if draining {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }

    let took = started.elapsed();
    let status = response.status().as_u16();
    ctx.meters.record(labels, status, took);
    traces::end(&span, status);
    tracing::debug!(
        method = labels.0,
        route = labels.1,
        status,
        duration_ms = took.as_secs_f64() * 1000.0,
        request_id = id.as_str(),
        "answered a request"
    );
    response
}

fn routed(
    ctx: &Context,
    request: hyper::Request<Incoming>,
    arrived: Instant,
    id: &RequestId,
) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    let found = router::find(&parts.method, parts.uri.path())?;
    Ok(Request {
        verb: found.verb,
        endpoint: found.endpoint,
        route: found.route,
        id: found.id.to_owned(),
        second_id: found.second_id.to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: Some(body),
        deadline: tokio::time::Instant::from_std(arrived) + ctx.settings.request_deadline,
        instance: id.clone(),
        noted: None,
    })
}

async fn run(ctx: &Context, request: Request) -> Result<Response, Problem> {
    let handling = AssertUnwindSafe(router::dispatch(ctx, request)).catch_unwind();
    // What a handler may leave half changed lies in `store` and `live`, which say how they bear it.
    handling.await.unwrap_or_else(|panic| Err(Problem::caused(Code::Internal, said(panic.as_ref()))))
}

/// Runs a call of several steps in a task of its own.
async fn to_the_end(ctx: Arc<Context>, alive: Alive, request: Request) -> Result<Response, Problem> {
    let handling = async move {
        let outcome = router::dispatch(&ctx, request).await;
        drop(alive);
        outcome
    };
    let task = tokio::spawn(handling.in_current_span());
    // Nobody aborts it: an error is a panic, or the runtime's end.
    task.await.unwrap_or_else(|error| Err(Problem::caused(Code::Internal, error)))
}

/// What a panic said.
fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("a handler panicked: {}", text.unwrap_or_default())
}

/// The span of a request, with its id for the log lines of what it does. Polls and seat maps, which do nothing that is worth
/// a line, have one only where somebody wants to see them.
fn span(request: &Request, id: &RequestId) -> Span {
    let (method, route, request_id) = (request.verb.as_str(), request.route, id.as_str());
    let span = if request.verb == Verb::Get {
        tracing::debug_span!("request", method, route, request_id, otel.name = Empty, otel.kind = Empty)
    } else {
        tracing::info_span!("request", method, route, request_id, otel.name = Empty, otel.kind = Empty)
    };
    traces::begin(&span, method, route, |name| request.headers.get(name)?.to_str().ok());
    span
}

fn report(problem: &Problem, (method, route): (&str, &str), id: &RequestId) {
    let Some(cause) = &problem.cause else {
        return;
    };
    let (request_id, code, cause) = (id.as_str(), problem.code.name(), chain(cause.as_ref()));
    if problem.code == Code::Internal {
        tracing::error!(method, route, request_id, code, cause, "a request met a fault of ours");
    } else {
        tracing::warn!(method, route, request_id, code, cause, "a request failed");
    }
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// Handles of one core.
pub(super) struct Meters {
    /// Each made once. A core answers some thirty different ways: looking through them is faster than hashing.
    durations: Mutex<Vec<(Labels, u16, Histogram)>>,
    /// Requests under way.
    active: Level,
    /// Connections that are open.
    pub(super) connections: Level,
}

/// Method and route.
type Labels = (&'static str, &'static str);

impl Meters {
    pub(super) fn new() -> Self {
        Self {
            durations: Mutex::default(),
            active: Level::new(metrics::HTTP_ACTIVE_REQUESTS.handle()),
            connections: Level::new(metrics::HTTP_OPEN_CONNECTIONS.handle()),
        }
    }

    /// Tells what is there now; to be called several times a second, by the core alone.
    pub(super) fn tell(&self) {
        self.active.tell();
        self.connections.tell();
    }

    fn record(&self, labels: Labels, status: u16, took: Duration) {
        let mut handles = self.durations.lock().unwrap_or_else(PoisonError::into_inner);
        // Routes are told apart by where their text lies; one text in two places would only be two handles of one series.
        let same = |(known, of, _): &(Labels, u16, Histogram)| {
            *of == status && std::ptr::eq(known.1, labels.1) && std::ptr::eq(known.0, labels.0)
        };
        if let Some((_, _, handle)) = handles.iter().find(|known| same(known)) {
            return handle.record(took);
        }
        let names = [labels.0.to_owned(), labels.1.to_owned(), status.to_string()];
        let handle = metrics::HTTP_REQUEST_DURATION.with(names);
        handle.record(took);
        handles.push((labels, status, handle));
    }
}

/// A number of things that are there now: counted by the core, told to the gauge that all cores share now and then. Moving
/// that gauge twice a request would pass its cache line between cores each time.
pub(super) struct Level {
    here: Arc<AtomicI32>,
    told: AtomicI32,
    gauge: Gauge,
}

/// One of them. hyper drops what a client left behind: it is counted until then, however it ends.
pub(super) struct Present(Arc<AtomicI32>);

impl Level {
    fn new(gauge: Gauge) -> Self {
        Self { here: Arc::default(), told: AtomicI32::new(0), gauge }
    }

    pub(super) fn enter(&self) -> Present {
        self.here.fetch_add(1, Ordering::Relaxed);
        Present(Arc::clone(&self.here))
    }

    fn tell(&self) {
        let here = self.here.load(Ordering::Relaxed);
        self.gauge.increment(f64::from(here) - f64::from(self.told.swap(here, Ordering::Relaxed)));
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
