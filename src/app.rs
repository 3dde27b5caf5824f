//! The application as the commands see it: schema, catalog, server and loops, audit.

use std::{net::SocketAddr, path::Path};

use tokio::sync::{oneshot, watch};

use crate::config::{Config, Mysql};

/// Which parts run in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// The HTTP server.
    pub serve: bool,
    /// The loops.
    pub work: bool,
}

/// Why the application does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This build has only the platform.
    #[error("this build has no application, only its platform")]
    PlatformOnly,
}

/// Brings the schema up to date.
#[expect(clippy::unused_async, reason = "talks to MySQL in a whole build")]
pub async fn migrate(_config: &Mysql) -> Result<(), Error> {
    Err(Error::PlatformOnly)
}

/// Runs until `shutdown` says true and all that was begun is finished. Says on `ready` where it serves.
#[expect(clippy::unused_async, reason = "serves in a whole build")]
pub async fn run(
    _config: Config,
    _roles: Roles,
    _ready: oneshot::Sender<SocketAddr>,
    _shutdown: watch::Receiver<bool>,
) -> Result<(), Error> {
    Err(Error::PlatformOnly)
}

/// Brings the catalog up to a catalog file.
#[expect(clippy::unused_async, reason = "talks to Redis and MySQL in a whole build")]
pub async fn import(_config: &Config, _file: &Path) -> Result<(), Error> {
    Err(Error::PlatformOnly)
}

/// Proves the invariants; the report's `ok` says whether all of them hold.
#[expect(clippy::unused_async, reason = "talks to Redis and MySQL in a whole build")]
pub async fn audit(_config: &Config) -> Result<serde_json::Value, Error> {
    Err(Error::PlatformOnly)
}
