//! What the process says about itself: log lines on stderr, and traces to a collector if there is one.
//!
//! Stdout belongs to the answers of commands. Without a collector there is no layer for traces, and nothing is
//! filtered twice.

pub mod traces;

use std::io::IsTerminal;

use tracing::Subscriber;
use tracing_subscriber::fmt::Layer as Lines;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry};

use self::traces::Traces;
use crate::config::{LogFormat, Telemetry as Config};

/// Why there are no log lines or traces.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `telemetry.level` is no level and no list of `module=level`.
    #[error("telemetry.level {level:?}")]
    Level {
        /// What it says.
        level: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// `telemetry.otlp_endpoint` can't be used.
    #[error("telemetry.otlp_endpoint {endpoint:?}")]
    Collector {
        /// What it says.
        endpoint: String,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Somebody else has done it already in this process.
    #[error("log lines go elsewhere already")]
    Taken(#[source] tracing_subscriber::util::TryInitError),
}

/// Holds what is still to be sent; dropped at the end of the command, it sends it.
#[must_use = "dropped, it ends the traces"]
pub struct Telemetry {
    _traces: Option<Traces>,
}

/// Sends all log lines of this process to stderr, and its traces to the collector. To be called once, before threads are
/// started.
pub fn start(config: &Config) -> Result<Telemetry, Error> {
    let filter = EnvFilter::try_new(&config.level)
        .map_err(|source| Error::Level { level: config.level.clone(), source })?;
    let traces = if config.otlp_endpoint.is_empty() { None } else { Some(Traces::to(config)?) };
    let registry = tracing_subscriber::registry();
    match &traces {
        None => registry.with(lines(config.format)).with(filter).try_init(),
        Some(traces) => {
            let lines = lines::<Registry>(config.format).with_filter(filter);
            registry.with(lines).with(traces.layer()).try_init()
        }
    }
    .map_err(Error::Taken)?;
    Ok(Telemetry { _traces: traces })
}

fn lines<S: Subscriber + for<'a> LookupSpan<'a>>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync> {
    let lines = Lines::default().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Pretty => lines.boxed(),
        // A request's id stands in its `span`, and not again in the list of spans.
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    }
}
