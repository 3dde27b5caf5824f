//! What the process says about itself on stderr. Stdout belongs to the answers of commands.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, Telemetry};

/// Why there are no log lines.
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
    /// Somebody else has done it already in this process.
    #[error("log lines go elsewhere already")]
    Taken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Sends all log lines of this process to stderr. To be called once, before threads are started.
pub fn start(config: &Telemetry) -> Result<(), Error> {
    let filter = EnvFilter::try_new(&config.level)
        .map_err(|source| Error::Level { level: config.level.clone(), source })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match config.format {
        LogFormat::Pretty => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    }
    .map_err(Error::Taken)
}
