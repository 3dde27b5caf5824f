//! Where a command takes its configuration from.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Error;
use crate::{
    config::{Config, named_file},
    embedded::config_file,
};

/// Options of every command that reads the configuration.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// The configuration file; otherwise the one that `ONSALE_CONFIG` names.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder of an instance of `up`, for its configuration.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    data_dir: Option<PathBuf>,
}

impl Source {
    /// The data folder, if the configuration is that of an instance.
    pub(super) fn data_dir(&self) -> Option<&Path> {
        self.data_dir.as_deref()
    }

    /// Whether neither the command line nor the environment names a configuration.
    pub(super) fn is_unnamed(&self) -> bool {
        self.data_dir.is_none() && self.config.is_none() && named_file().is_none()
    }

    /// Reads the configuration, whatever its values.
    pub(super) fn read(&self) -> Result<Config, Error> {
        if let Some(folder) = &self.data_dir {
            let file = config_file(folder);
            if !file.exists() {
                return Err(Error::NoInstance(folder.display().to_string()));
            }
            return Ok(Config::load(Some(&file))?);
        }
        let file = self.config.clone().or_else(named_file);
        Ok(Config::load(file.as_deref())?)
    }

    /// Reads the configuration and refuses one whose values don't go together.
    pub(super) fn load(&self) -> Result<Config, Error> {
        checked(self.read()?)
    }
}

/// Refuses a configuration whose values don't go together.
pub(super) fn checked(config: Config) -> Result<Config, Error> {
    let problems = config.problems();
    if problems.is_empty() { Ok(config) } else { Err(Error::Problems(problems)) }
}
