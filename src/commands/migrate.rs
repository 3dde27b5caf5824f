//! `migrate`: the schema, before the first server of a new version starts.

use std::process::ExitCode;

use clap::Args;

use super::{Error, source::Source};
use crate::{app, telemetry};

/// Options of `migrate`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
}

impl Arguments {
    /// Brings the schema up to date; nothing happens where it is.
    pub(super) async fn execute(self) -> Result<ExitCode, Error> {
        let config = self.source.load()?;
        let _telemetry = telemetry::start(&config.telemetry)?;
        app::migrate(&config.mysql).await?;
        Ok(ExitCode::SUCCESS)
    }
}
