//! The application as the commands see it: schema, catalog, server and loops.
//!
//! Composes the parts and owns their order: logs are born before anything is shown, views are warm before anything is
//! served, the loops run until the last request is answered.

mod audit;
mod close_refund;
mod forget;
mod import;
mod installation;
mod operations;
mod serve;
mod tell;
mod work;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::archive::{self, Archive};
use crate::clearing::Clearing;
use crate::config::{self, Config, GatewayKind, Mysql};
use crate::domain::export_key::ExportKey;
use crate::domain::ids::{ConcertId, ShowId};
use crate::follow::LiveFollower;
use crate::gateway::{self, Gateway, WebhookSecret};
use crate::http::{InvalidKey, ServeError};
use crate::live::Live;
use crate::loops::{self, CatalogError, CatalogLoop};
use crate::metrics::{self, Exposition};
use crate::opening::OpeningError;
use crate::store::log::ReadError;
use crate::store::{EngineError, Failure, SeenLogs};

pub use self::audit::audit;
pub use self::close_refund::close_refund;
pub use self::forget::forget;
pub use self::import::{PlanImport, import, import_plan};
use self::installation::Installation;

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
    /// The archive.
    #[error("MySQL can't be used")]
    Archive(#[from] archive::Error),
    /// The store.
    #[error("Redis can't be used")]
    Store(#[from] Failure),
    /// The engine's settings.
    #[error("Redis is not fit")]
    Engine(#[from] EngineError),
    /// The logs.
    #[error("the logs can't be read")]
    Read(#[from] ReadError),
    /// The birth of a log, a show or a policy.
    #[error("a sale can't be opened")]
    Opening(#[from] OpeningError),
    /// The catalog in MySQL.
    #[error("the catalog can't be read")]
    Catalog(#[from] CatalogError),
    /// The audit could not be made.
    #[error("the audit could not be made")]
    Audit(#[from] crate::audit::AuditError),
    /// A user could not be forgotten, or not everywhere.
    #[error("he is not forgotten everywhere; the same again goes on where it stopped")]
    Forgetting(#[from] crate::forgetting::ForgettingError),
    /// A file of the catalog.
    #[error("{file} is no catalog")]
    File {
        /// The file.
        file: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file of the catalog that can't be imported over what is there.
    #[error("{file} can't be imported")]
    Import {
        /// The file.
        file: String,
        /// Which show, and why not.
        source: archive::ImportRefused,
    },
    /// Two imports at once.
    #[error("another import of concert {0} ran meanwhile: import the file that is to count again")]
    TwoImports(ConcertId),
    /// A seating plan.
    #[error("{file} can't be the seating plan of that show")]
    Plan {
        /// The file.
        file: String,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A show that does not exist.
    #[error("there is no show {0}")]
    NoShow(ShowId),
    /// A secret.
    #[error("a key can't be read")]
    Key(#[from] config::Error),
    /// An identity key.
    #[error("an identity key can't be used")]
    IdentityKey(#[from] InvalidKey),
    /// The payment gateway's client.
    #[error("the payment gateway can't be used")]
    Gateway(#[from] gateway::Error),
    /// A listener.
    #[error("can't listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The recorder of metrics.
    #[error("metrics can't be recorded")]
    Metrics(#[from] metrics::InstallError),
    /// The server.
    #[error("the HTTP server failed")]
    Serve(#[from] ServeError),
    /// A loop ended by itself; with its panic, if it was one.
    #[error("a loop of the application ended")]
    Loop(#[source] Option<tokio::task::JoinError>),
}

/// What operators see of a process. Cheap to clone.
#[derive(Clone)]
struct Observed {
    exposition: Exposition,
    live: Live,
    seen: SeenLogs,
    /// Whether Redis answers.
    redis: watch::Receiver<bool>,
    /// Whether MySQL answers.
    mysql: watch::Receiver<bool>,
    /// Whether Kafka takes what it is told, if this process tells it.
    kafka: watch::Receiver<bool>,
}

/// How long a start may wait for each of its parts.
const START: Duration = Duration::from_secs(30);

/// Catalog changes that wait for the loop; one more waits in its follower.
const CHANGES: usize = 64;

/// Brings the schema up to date.
pub async fn migrate(mysql: &Mysql) -> Result<(), Error> {
    Ok(Archive::connect(mysql).await?.migrate().await?)
}

/// What both engines are set to, by the configuration key of their address; neither hides the other's.
pub async fn engine_settings(
    config: &Config,
) -> [(&'static str, Result<Vec<config::EngineSetting>, Error>); 2] {
    let (redis, mysql) =
        tokio::join!(installation::look_at_redis(config), installation::look_at_mysql(config));
    [("redis.url", redis), ("mysql.url", mysql)]
}

/// Starts what looks whether Redis and MySQL answer; each says so.
fn watch_engines(
    config: &Config,
    installation: &Installation,
    tasks: &mut JoinSet<()>,
    stopping: &watch::Receiver<bool>,
) -> Result<(watch::Receiver<bool>, watch::Receiver<bool>), Error> {
    let (redis_well, redis) = watch::channel(true);
    let (mysql_well, mysql) = watch::channel(true);
    let watched = Archive::lazy(&Mysql { max_connections: 1, ..config.mysql.clone() })?;
    tasks.spawn(loops::mysql(watched, mysql_well, stopping.clone()));
    tasks.spawn(loops::memory(installation.store()?, redis_well, stopping.clone()));
    Ok((redis, mysql))
}

/// Runs until `shutdown` says true and all that was begun is finished. Says on `ready` where it serves.
pub async fn run(
    config: Config,
    roles: Roles,
    ready: oneshot::Sender<SocketAddr>,
    shutdown: watch::Receiver<bool>,
) -> Result<(), Error> {
    // Before anything makes a handle.
    let exposition = if config.telemetry.metrics { metrics::install()? } else { metrics::uncounted()? };
    let installation = Installation::connect(&config).await?;
    let live = views(&config)?;
    loops::load(&installation.archive, &installation.seen, &live).await?;

    // The loops outlive the server: what its last requests did still reaches the archive.
    let (stop, stopping) = watch::channel(false);
    let (kafka_well, kafka) = watch::channel(true);
    let (changed_in, changed) = mpsc::channel(CHANGES);
    let mut tasks = JoinSet::new();
    let follower = LiveFollower::new(live.clone(), installation.store()?, installation.tail()?, changed_in);
    tasks.spawn(follower.run(stopping.clone()));
    let (archive, store) = (installation.archive.clone(), installation.store()?);
    let catalog = CatalogLoop { archive, live: live.clone(), store, changed };
    tasks.spawn(catalog.run(stopping.clone()));
    let (redis, mysql) = watch_engines(&config, &installation, &mut tasks, &stopping)?;
    let seen = installation.seen.clone();
    let observed = Observed { exposition, live: live.clone(), seen, redis, mysql, kafka };
    tasks.spawn(loops::gauges(observed.gauges(), stopping.clone()));
    let clearing = clearing(&config, &installation, &live)?;
    warm(&live).await;
    if let Some(clearing) = clearing.clone().filter(|_| roles.work) {
        let period = Duration::from_millis(config.gateway.check_interval_ms);
        let store = installation.store()?;
        tasks.spawn(loops::top_ups(clearing.clone(), store.clone(), period, stopping.clone()));
        tasks.spawn(loops::clearing(clearing, store, live.clone(), period, stopping.clone()));
    }
    let (archived, told) = if roles.work {
        let archived = work::start(&config, &installation, &live, &mut tasks, &stopping).await?;
        let telling = tell::Telling {
            config: &config,
            installation: &installation,
            live: &live,
            archived: &archived,
            stopping: &stopping,
            kafka_well,
        };
        let told = telling.start(&mut tasks)?;
        (Some(archived), told)
    } else {
        (None, Vec::new())
    };
    let backlog = loops::Backlog {
        tail: installation.tail()?,
        seen: installation.seen.clone(),
        live: live.clone(),
        archived: archived.clone(),
        told,
    };
    tasks.spawn(loops::backlog(backlog, stopping.clone()));
    let serving = async {
        if roles.serve {
            let parts =
                serve::Parts { config: &config, installation: &installation, observed: &observed, clearing };
            return serve::serve(parts, ready, shutdown).await;
        }
        work::run(&config, &observed, shutdown).await
    };
    let outcome = tokio::select! {
        outcome = serving => outcome,
        // None of them ends before it is told to: without it the process would go on half alive.
        ended = tasks.join_next() => Err(Error::Loop(ended.and_then(Result::err))),
    };
    if let Some(archived) = archived.filter(|_| outcome.is_ok()) {
        work::drain(&installation, archived).await;
    }
    stop.send_replace(true);
    while tasks.join_next().await.is_some() {}
    outcome
}

/// No views yet, with the names that users have outside.
fn views(config: &Config) -> Result<Live, Error> {
    let live = Live::new();
    if let Some(secret) = config.privacy.read_export_key()? {
        live.name_users_by(ExportKey::new(secret.expose()));
    }
    Ok(live)
}

/// What takes card payments, if anything does; one for server and loops, since a sandbox inside them is one, too.
fn clearing(config: &Config, installation: &Installation, live: &Live) -> Result<Option<Clearing>, Error> {
    let settings = &config.gateway;
    let timeout = Duration::from_millis(settings.timeout_ms);
    let gateway = match settings.kind {
        GatewayKind::None => return Ok(None),
        GatewayKind::Sandbox if settings.url.is_empty() => Gateway::inside(),
        GatewayKind::Sandbox => Gateway::sandbox(&settings.url, timeout)?,
        GatewayKind::Stripe => Gateway::stripe(&settings.url, settings.read_secret_key()?.expose(), timeout)?,
    };
    let secret = settings.read_webhook_secret()?;
    let webhooks = secret.map(|secret| WebhookSecret::new(secret.expose()));
    Ok(Some(Clearing::new(
        installation.store()?,
        live.clone(),
        installation.archive.clone(),
        gateway,
        webhooks,
    )))
}

impl Observed {
    fn gauges(&self) -> loops::Gauges {
        let Self { exposition, live, seen, mysql, .. } = self.clone();
        loops::Gauges { live, seen, mysql, exposition }
    }
}

/// Waits until every view of a selling concert is whole. One that does not become so keeps no other from being served.
async fn warm(live: &Live) {
    let deadline = Instant::now() + START;
    for view in live.concerts().iter() {
        let mut changes = view.changes();
        let whole = async {
            while !view.warm() && !view.recovering() {
                // Its sender lives as long as the view; going warm may come without an entry.
                let _ = tokio::time::timeout(Duration::from_millis(10), changes.changed()).await;
            }
        };
        if timeout_at(deadline, whole).await.is_err() {
            tracing::warn!(concert = %view.concert().concert, "its view is not whole yet");
        }
    }
}
