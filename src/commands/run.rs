//! `serve` and `work`: parts of the application on engines that somebody else runs.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use clap::Args;
use tokio::sync::{oneshot, watch};

use super::{Error, answer, signals::Signals, source::Source};
use crate::{
    app::{self, Roles},
    config::Config,
    telemetry,
};

/// What is running when we are told to stop has this long on top of the drain; a payment takes a few milliseconds.
const FINISH_SECONDS: u64 = 30;

/// Options of `serve`.
#[derive(Debug, Args)]
pub(super) struct ServeArguments {
    #[command(flatten)]
    source: Source,
    /// Lets keys and settings pass that are for one machine only.
    #[arg(long)]
    dev: bool,
}

/// Options of `work`.
#[derive(Debug, Args)]
pub(super) struct WorkArguments {
    #[command(flatten)]
    source: Source,
}

impl ServeArguments {
    /// Serves until a signal.
    pub(super) async fn execute(self) -> Result<ExitCode, Error> {
        let config = self.source.load()?;
        let problems = config.serving_problems(self.dev);
        if !problems.is_empty() {
            return Err(Error::Problems(problems));
        }
        run_until_signal(config, Roles { serve: true, work: false }).await
    }
}

impl WorkArguments {
    /// Runs the loops until a signal.
    pub(super) async fn execute(self) -> Result<ExitCode, Error> {
        run_until_signal(self.source.load()?, Roles { serve: false, work: true }).await
    }
}

async fn run_until_signal(config: Config, roles: Roles) -> Result<ExitCode, Error> {
    let _telemetry = telemetry::start(&config.telemetry)?;
    let mut signals = Signals::listen()?;
    run(config, roles, &mut signals, std::future::pending()).await?;
    Ok(ExitCode::SUCCESS)
}

/// Runs the application until a signal, or until `trouble` comes with an error, which is given back once the
/// application has stopped. Prints where it serves. A second signal stops without waiting.
pub(super) async fn run(
    config: Config,
    roles: Roles,
    signals: &mut Signals,
    trouble: impl Future<Output = Error>,
) -> Result<(), Error> {
    let patience = Duration::from_secs(config.server.drain_seconds.saturating_add(FINISH_SECONDS));
    let (ready, is_ready) = oneshot::channel();
    let (stop, shutdown) = watch::channel(false);
    let application = async {
        // Together, not one after the other: the address comes while the application runs.
        let (ended, announced) = tokio::join!(app::run(config, roles, ready, shutdown), announce(is_ready));
        ended?;
        announced
    };
    tokio::pin!(application);
    let reason = tokio::select! {
        ended = &mut application => return ended,
        () = signals.stop_asked() => None,
        error = trouble => Some(error),
    };
    stop.send_replace(true);
    let ended = tokio::select! {
        ended = &mut application => ended,
        () = signals.stop_asked() => Err(Error::Interrupted),
        () = tokio::time::sleep(patience) => Err(Error::Stuck { seconds: patience.as_secs() }),
    };
    reason.map_or(ended, Err)
}

async fn announce(ready: oneshot::Receiver<SocketAddr>) -> Result<(), Error> {
    match ready.await {
        Ok(address) => {
            tracing::info!("buy a seat by hand: curl http://{address}/");
            answer(&format!("ready http://{address}"))
        }
        // It ended before it was ready, and says why itself.
        Err(_) => Ok(()),
    }
}
