//! The command line: one file for each command.
//!
//! Answers go to stdout, everything else to stderr. Exit codes: 0 done, 1 failed (or an audit that found something, or a
//! user who is not forgotten because something of his is live), 2 not understood.

mod audit;
mod check_config;
mod close_refund;
mod forget;
mod health;
mod import;
mod migrate;
mod run;
mod signals;
mod source;
mod token;
mod up;

use std::{io::Write, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{app, config, embedded, telemetry};

/// Sells seats when everybody comes at once.
#[derive(Debug, Parser)]
#[command(name = "onsale", version)]
pub struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs everything on this machine: a private Redis and MariaDB, the server and the loops.
    Up(up::Arguments),
    /// Runs the HTTP server.
    Serve(run::ServeArguments),
    /// Runs the loops: admission, expiry, followers of the logs.
    Work(run::WorkArguments),
    /// Brings the schema in MySQL up to date.
    Migrate(migrate::Arguments),
    /// Brings the catalog up to a file in YAML; the same file again changes nothing.
    Import(import::Arguments),
    /// Prints an identity token for development.
    Token(token::Arguments),
    /// Proves that Redis and MySQL agree and no invariant is broken; prints a report in JSON.
    Audit(audit::Arguments),
    /// Notes that a refund which the gateway refuses was paid to its buyer otherwise.
    CloseRefund(close_refund::Arguments),
    /// Gives a user another, random name wherever his id is kept; what he bought and paid stays. Prints what was changed, in JSON.
    Forget(forget::Arguments),
    /// Asks a running server or worker whether it is ready; fails when it is not.
    Health(health::Arguments),
    /// Prints the effective configuration without its secrets, and what is wrong with it or with the engines.
    CheckConfig(check_config::Arguments),
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error("the configuration can't be used: {}", listed(.0))]
    Problems(Vec<config::Problem>),
    #[error("{0} is no instance yet: `onsale up` makes it one")]
    NoInstance(String),
    #[error(transparent)]
    Telemetry(#[from] telemetry::Error),
    #[error(transparent)]
    Embedded(#[from] embedded::Error),
    #[error(transparent)]
    App(#[from] app::Error),
    #[error("the configuration has no HS256 key to sign an identity token with")]
    NoSigningKey,
    #[error("the identity token can't be signed")]
    Sign(#[source] jsonwebtoken::errors::Error),
    #[error("{address} does not answer")]
    Unreachable { address: std::net::SocketAddr, source: std::io::Error },
    #[error("no runtime, or no signals")]
    System(#[source] std::io::Error),
    #[error("stdout is closed")]
    Output(#[source] std::io::Error),
    #[error("stopped before it was done")]
    Interrupted,
    #[error("still not stopped after {seconds} s")]
    Stuck { seconds: u64 },
}

/// Reads the command line and does what it says. To be called on the main thread: engines die with the thread that
/// started them.
pub fn execute() -> ExitCode {
    let command = Command::parse();
    match command.verb.execute() {
        Ok(code) => code,
        Err(error) => {
            // With stderr closed the exit code still says it.
            drop(writeln!(std::io::stderr(), "onsale: {}", with_causes(&error)));
            ExitCode::FAILURE
        }
    }
}

impl Verb {
    fn execute(self) -> Result<ExitCode, Error> {
        // One thread: commands wait, and what serves has runtimes of its own.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Error::System)?;
        runtime.block_on(async {
            match self {
                Self::Up(arguments) => arguments.execute().await,
                Self::Serve(arguments) => arguments.execute().await,
                Self::Work(arguments) => arguments.execute().await,
                Self::Migrate(arguments) => arguments.execute().await,
                Self::Import(arguments) => arguments.execute().await,
                Self::Token(arguments) => arguments.execute(),
                Self::Audit(arguments) => arguments.execute().await,
                Self::CloseRefund(arguments) => arguments.execute().await,
                Self::Forget(arguments) => arguments.execute().await,
                Self::Health(arguments) => arguments.execute().await,
                Self::CheckConfig(arguments) => arguments.execute().await,
            }
        })
    }
}

/// Writes one answer to stdout.
fn answer(text: &str) -> Result<(), Error> {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(Error::Output)
}

/// An error and what caused it, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        line = format!("{line}: {source}");
        cause = source.source();
    }
    line
}

fn listed(problems: &[config::Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("; ")
}
