//! `up`: everything on one machine, in one folder; one signal stops it all, a second start finds everything.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;

use super::{Error, answer, run, signals::Signals, source::checked};
use crate::{
    app::{self, Roles},
    config::Config,
    embedded::{Engines, Instance, Overrides, RedisProgram},
    telemetry,
};

/// Options of `up`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where everything is kept.
    #[arg(long, value_name = "DIR", default_value = "data")]
    data_dir: PathBuf,
    /// Where buyers and organisers come in; kept for the next start.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where health and metrics are; kept for the next start.
    #[arg(long, value_name = "ADDRESS")]
    ops_listen: Option<SocketAddr>,
    /// A catalog to import before the server starts.
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// The Redis to start; otherwise the one that is installed.
    #[arg(long, value_name = "PROGRAM")]
    engine: Option<RedisProgram>,
    /// Starts nothing but Redis and MariaDB, for `serve --dev` and `work` beside it.
    #[arg(long, conflicts_with = "catalog")]
    engines_only: bool,
}

impl Arguments {
    /// Runs until a signal, or until an engine dies.
    pub(super) async fn execute(self) -> Result<ExitCode, Error> {
        let overrides = Overrides { listen: self.listen, ops_listen: self.ops_listen };
        let instance = Instance::open(&self.data_dir, overrides)?;
        let config = checked(Config::load(Some(&instance.config_file()))?)?;
        let problems = config.serving_problems(true);
        if !problems.is_empty() {
            return Err(Error::Problems(problems));
        }
        let _telemetry = telemetry::start(&config.telemetry)?;
        let mut signals = Signals::listen()?;
        let program = self.engine.unwrap_or_else(RedisProgram::installed);
        let mut engines = tokio::select! {
            engines = Engines::start(&instance, program) => engines?,
            () = signals.stop_asked() => return Err(Error::Interrupted),
        };
        let ended = self.on_engines(config, &instance, &mut engines, &mut signals).await;
        let stopped = engines.stop().await;
        ended?;
        stopped?;
        Ok(ExitCode::SUCCESS)
    }

    async fn on_engines(
        &self,
        config: Config,
        instance: &Instance,
        engines: &mut Engines,
        signals: &mut Signals,
    ) -> Result<(), Error> {
        if self.engines_only {
            answer(&format!("ready {}", instance.folder().display()))?;
            return tokio::select! {
                error = engines.died() => Err(error.into()),
                () = signals.stop_asked() => Ok(()),
            };
        }
        tokio::select! {
            prepared = prepare(&config, self.catalog.as_deref()) => prepared?,
            error = engines.died() => return Err(error.into()),
            () = signals.stop_asked() => return Err(Error::Interrupted),
        }
        let trouble = async { engines.died().await.into() };
        run::run(config, Roles { serve: true, work: true }, signals, trouble).await
    }
}

async fn prepare(config: &Config, catalog: Option<&Path>) -> Result<(), Error> {
    app::migrate(&config.mysql).await?;
    if let Some(file) = catalog {
        app::import(config, file).await?;
    }
    Ok(())
}
