//! `forget`: a user's id becomes a random name wherever it is kept; what he bought and paid stays.

use std::process::ExitCode;

use clap::Args;

use super::{Error, answer, source::Source};
use crate::{app, domain::ids::UserId, forgetting::Outcome, telemetry};

/// Options of `forget`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// His id, as identity tokens name him (`sub`).
    #[arg(long, value_name = "ID", value_parser = user)]
    user: UserId,
    /// Even while he holds seats, has a place in line or a balance: holds and place end, the balance is nobody's any more.
    #[arg(long)]
    force: bool,
}

impl Arguments {
    /// Prints what was changed; fails when he was refused because something of his is live.
    pub(super) async fn execute(self) -> Result<ExitCode, Error> {
        let config = self.source.load()?;
        let _telemetry = telemetry::start(&config.telemetry)?;
        let outcome = app::forget(&config, &self.user, self.force).await?;
        let report = serde_json::to_value(&outcome).expect("a report is plain data");
        answer(&format!("{report:#}"))?;
        Ok(if matches!(outcome, Outcome::Refused { .. }) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

fn user(text: &str) -> Result<UserId, &'static str> {
    UserId::new(text).ok_or("not a user id: 1 to 64 bytes without control characters")
}
