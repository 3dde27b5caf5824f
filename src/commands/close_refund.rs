//! `close-refund`: what the gateway refuses to give back was paid to the buyer otherwise.

use std::process::ExitCode;

use clap::Args;

use super::{Error, answer, source::Source};
use crate::{app, domain::ids::PaymentId, telemetry};

/// Options of `close-refund`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// As the worker's log names it: `p<concert>-<show>-<reservation>-<refundId>`.
    #[arg(value_parser = name)]
    name: PaymentId,
}

fn name(text: &str) -> Result<PaymentId, String> {
    text.parse().map_err(|_| "expected p<concert>-<show>-<reservation>-<refundId>".to_owned())
}

impl Arguments {
    /// Fails when the gateway has refused no refund of that name, or it was closed before.
    pub(super) async fn execute(self) -> Result<ExitCode, Error> {
        let config = self.source.load()?;
        let _telemetry = telemetry::start(&config.telemetry)?;
        if app::close_refund(&config, self.name).await? {
            answer(&format!("closed {}", self.name))?;
            return Ok(ExitCode::SUCCESS);
        }
        answer(&format!("{} is no refund that the gateway has refused", self.name))?;
        Ok(ExitCode::FAILURE)
    }
}
