//! Traces over OTLP/HTTP: where they go, and the server's span of each request.
//!
//! A caller's `traceparent` (W3C Trace Context) is its span's parent, and decides whether the trace is kept; of others a
//! configured part is. Spans leave in batches from a thread of their own; while the collector is away they are dropped,
//! never waited for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::{Level, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

use super::Error;
use crate::config::Telemetry as Config;

/// For the collector to take a batch, and for the last one when the process ends.
const EXPORT: Duration = Duration::from_secs(3);

static ON: AtomicBool = AtomicBool::new(false);

/// What sends spans; dropped, it sends what is left.
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    /// Traces to the collector that the configuration names.
    pub(super) fn to(config: &Config) -> Result<Self, Error> {
        let endpoint = format!("{}/v1/traces", config.otlp_endpoint.trim_end_matches('/'));
        let exporter =
            SpanExporter::builder().with_http().with_endpoint(endpoint).with_timeout(EXPORT).build();
        let exporter = exporter.map_err(|error| Error::Collector {
            endpoint: config.otlp_endpoint.clone(),
            source: error.into(),
        })?;
        let instance = match config.service_instance.as_str() {
            "" => format!("{:016x}", rand::random::<u64>()),
            named => named.to_owned(),
        };
        let resource = Resource::builder()
            .with_service_name(config.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attribute(KeyValue::new("service.instance.id", instance))
            .build();
        let sampler = Sampler::TraceIdRatioBased(config.otlp_sample_ratio);
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .with_sampler(Sampler::ParentBased(Box::new(sampler)))
            .build();
        ON.store(true, Ordering::Relaxed);
        Ok(Self(provider))
    }

    /// The layer that makes them of our spans, whatever the level of the log lines is.
    pub(super) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("onsale"))
            .with_location(false)
            .with_threads(false)
            .with_filter(Targets::new().with_target("onsale", Level::DEBUG))
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        // Nobody is left to be told that the last spans did not arrive.
        let _ = self.0.shutdown_with_timeout(EXPORT);
    }
}

/// The headers of W3C Trace Context.
struct TraceContext<'a> {
    parent: Option<&'a str>,
    state: Option<&'a str>,
}

impl Extractor for TraceContext<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => self.parent,
            "tracestate" => self.state,
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

/// Makes `span`, not yet entered, the server's span of a request, under its caller's if a header names that.
pub fn begin<'a>(
    span: &Span,
    method: &'static str,
    route: &'static str,
    header: impl Fn(&str) -> Option<&'a str>,
) {
    if !ON.load(Ordering::Relaxed) {
        return;
    }
    let headers = TraceContext { parent: header("traceparent"), state: header("tracestate") };
    let caller = TraceContextPropagator::new().extract_with_context(&Context::new(), &headers);
    // It fails only for a span that nobody keeps.
    let _ = span.set_parent(caller);
    span.record("otel.name", format!("{method} {route}"));
    span.record("otel.kind", "server");
    span.set_attribute("http.request.method", method);
    span.set_attribute("http.route", route);
}

/// Tells what came of the request.
pub fn end(span: &Span, status: u16) {
    if ON.load(Ordering::Relaxed) {
        span.set_attribute("http.response.status_code", i64::from(status));
        if status >= 500 {
            span.set_status(opentelemetry::trace::Status::error(""));
        }
    }
}
