//! `check-config`: what a server would run with.

use std::{io::Write, process::ExitCode};

use clap::Args;

use super::{Error, answer, source::Source};
use crate::config::Config;

/// Options of `check-config`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Lets keys and settings pass that are for one machine only.
    #[arg(long)]
    dev: bool,
}

impl Arguments {
    /// Prints the configuration to stdout and each problem to stderr; fails when there is one.
    pub(super) fn execute(self) -> Result<ExitCode, Error> {
        let config = self.source.read()?;
        answer(config.to_redacted_toml().trim_end())?;
        let problems = self.problems(&config);
        for problem in &problems {
            writeln!(std::io::stderr(), "{problem}").map_err(Error::Output)?;
        }
        Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn problems(&self, config: &Config) -> Vec<String> {
        let mut problems: Vec<String> = config.problems().iter().map(ToString::to_string).collect();
        problems.extend(config.serving_problems(self.dev).iter().map(ToString::to_string));
        // A key that isn't named at all is among the problems already.
        let named = |is_named: bool, read: Option<crate::config::Error>| read.filter(|_| is_named);
        let unreadable = [
            named(true, config.identity.read_keys().err()),
            named(config.queue_token.key_file.is_some(), config.queue_token.read_keys().err()),
            named(config.ticket.signing_key_file.is_some(), config.ticket.read_seed().err()),
        ];
        problems.extend(unreadable.into_iter().flatten().map(|error| error.to_string()));
        problems
    }
}
