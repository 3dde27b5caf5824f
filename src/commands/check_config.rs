//! `check-config`: what a server would run with, and on what.

use std::{io::Write, process::ExitCode};

use clap::Args;

use super::{Error, answer, source::Source, with_causes};
use crate::{
    app,
    config::{Config, Fitness},
};

/// Options of `check-config`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Lets keys and settings pass that are for one machine only.
    #[arg(long)]
    dev: bool,
    /// Asks Redis and MySQL for their settings too; prints each with what it has to be.
    #[arg(long)]
    engines: bool,
}

impl Arguments {
    /// Prints the configuration to stdout, the engines' settings behind it as comments, and each problem to stderr; fails
    /// when there is one. A setting that only weakens what is promised is no problem.
    pub(super) async fn execute(self) -> Result<ExitCode, Error> {
        let config = self.source.read()?;
        answer(config.to_redacted_toml().trim_end())?;
        let mut problems = self.problems(&config);
        if self.engines {
            problems.extend(engine_problems(&config).await?);
        }
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
            named(config.gateway.secret_key_file.is_some(), config.gateway.read_secret_key().err()),
            named(true, config.gateway.read_webhook_secret().err()),
        ];
        problems.extend(unreadable.into_iter().flatten().map(|error| error.to_string()));
        problems
    }
}

/// Prints what the engines are set to. Answers what a process would refuse to start on.
async fn engine_problems(config: &Config) -> Result<Vec<String>, Error> {
    let mut problems = Vec::new();
    for (key, looked) in app::engine_settings(config).await {
        match looked {
            Ok(settings) => {
                for setting in settings {
                    answer(&format!("# {setting}"))?;
                    if setting.fitness == Fitness::Unfit {
                        problems.push(setting.to_string());
                    }
                }
            }
            Err(error) => problems.push(format!("{key}: {}", with_causes(&error))),
        }
    }
    Ok(problems)
}
