//! `audit`: whether anything is wrong, beside running traffic.

use std::process::ExitCode;

use clap::Args;

use super::{Error, answer, source::Source};
use crate::{app, telemetry};

/// Options of `audit`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
}

impl Arguments {
    /// Prints the report; fails when its `ok` is anything but true.
    pub(super) async fn execute(self) -> Result<ExitCode, Error> {
        let config = self.source.load()?;
        let _telemetry = telemetry::start(&config.telemetry)?;
        let report = app::audit(&config).await?;
        answer(&format!("{report:#}"))?;
        let fine = report.get("ok").and_then(serde_json::Value::as_bool) == Some(true);
        Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
