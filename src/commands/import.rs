//! `import`: the catalog from a file, beside running servers or before the first.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::{Error, source::Source};
use crate::{app, telemetry};

/// Options of `import`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// The catalog, in YAML.
    file: PathBuf,
}

impl Arguments {
    /// Brings the catalog up to the file.
    pub(super) async fn execute(self) -> Result<ExitCode, Error> {
        let config = self.source.load()?;
        let _telemetry = telemetry::start(&config.telemetry)?;
        app::import(&config, &self.file).await?;
        Ok(ExitCode::SUCCESS)
    }
}
