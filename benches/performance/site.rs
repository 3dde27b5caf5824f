//! A fresh private installation: engines, server and worker as processes of their own, so that CPU is known by process and
//! each can be stopped for a while. Everything in it dies with us.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use onsale::{config::Config, domain::ids::LogName};
use redis::aio::MultiplexedConnection;
use tempfile::TempDir;

use crate::{Result, SOON, hello::free_address, process::Process};

/// For the archive to reach the logs, behind the longest load.
const DRAINED: Duration = Duration::from_mins(5);

/// Between two looks at the archive: each costs the database a connection.
const LOOK: Duration = Duration::from_millis(100);

/// A process of the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Server,
    Worker,
    Redis,
    Mysql,
}

/// The installation.
#[derive(Debug)]
pub(crate) struct Site {
    // In the order in which they go.
    worker: Process,
    server: Process,
    engines: Process,
    redis: u32,
    mysql: u32,
    address: SocketAddr,
    operations: SocketAddr,
    folder: TempDir,
}

impl Site {
    /// Starts one that sells this catalog.
    pub(crate) async fn open(catalog: &str) -> Result<Self> {
        Self::open_with(catalog, &[]).await
    }

    /// The same with settings over those of `up`, as `ONSALE__SECTION__KEY`.
    pub(crate) async fn open_with(catalog: &str, settings: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("onsale-bench-").tempdir()?;
        let (listen, operations, worker_operations) = (free_address()?, free_address()?, free_address()?);
        let data = text(&folder.path().join("data"));
        let [listen_text, operations_text] = [listen, operations].map(|address| address.to_string());
        let mut engines = Process::start(
            folder.path(),
            &[
                "up",
                "--engines-only",
                "--data-dir",
                &data,
                "--listen",
                &listen_text,
                "--ops-listen",
                &operations_text,
            ],
        );
        engines.ready().await;
        fs::write(folder.path().join("catalog.yaml"), catalog)?;
        let config = text(&config_file(folder.path()));
        for arguments in
            [&["migrate", "--config", &config][..], &["import", "--config", &config, "catalog.yaml"]]
        {
            let output = Process::run(folder.path(), arguments);
            if !output.status.success() {
                return Err(format!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
            }
        }
        let mut environment = vec![
            ("ONSALE__TELEMETRY__LEVEL".to_owned(), "warn".to_owned()),
            ("ONSALE__WORKER__OPS_LISTEN".to_owned(), worker_operations.to_string()),
            // Audits are ours, behind each load: one of the worker's would fall on some rounds only.
            ("ONSALE__WORKER__AUDIT_INTERVAL_SECONDS".to_owned(), "0".to_owned()),
        ];
        environment.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let start = |arguments: &[&str]| Process::start_with(folder.path(), arguments, &environment);
        let worker = start(&["work", "--config", &config]);
        let mut server = start(&["serve", "--dev", "--config", &config]);
        server.ready().await;
        let redis = child(engines.id(), "redis-server")?;
        let mysql = child(engines.id(), "mariadbd")?;
        let site = Self { worker, server, engines, redis, mysql, address: listen, operations, folder };
        site.whole().await?;
        Ok(site)
    }

    /// Where buyers come in.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder of the instance, on the disk that is measured.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// With the keys that sign.
    pub(crate) fn config(&self) -> Result<Config> {
        Ok(Config::load(Some(&config_file(self.folder.path())))?)
    }

    /// The process id of a part.
    pub(crate) fn id(&self, part: Part) -> u32 {
        match part {
            Part::Server => self.server.id(),
            Part::Worker => self.worker.id(),
            Part::Redis => self.redis,
            Part::Mysql => self.mysql,
        }
    }

    /// All processes, for a meter: `server`, `worker`, `redis`, `mysql` and `up`, which only watches.
    pub(crate) fn processes(&self) -> [(&'static str, u32); 5] {
        [
            ("server", self.server.id()),
            ("worker", self.worker.id()),
            ("redis", self.redis),
            ("mysql", self.mysql),
            ("up", self.engines.id()),
        ]
    }

    /// Stops these until [`Site::resume`].
    pub(crate) fn pause(&self, parts: &[Part]) -> Result<()> {
        self.signal("STOP", parts)
    }

    /// Lets them go on.
    pub(crate) fn resume(&self, parts: &[Part]) -> Result<()> {
        self.signal("CONT", parts)
    }

    fn signal(&self, signal: &str, parts: &[Part]) -> Result<()> {
        for part in parts {
            let id = self.id(*part).to_string();
            let told = Command::new("sh").args(["-c", "kill -\"$1\" \"$2\"", "sh", signal, &id]).status()?;
            if !told.success() {
                return Err(format!("{part:?} is gone").into());
            }
        }
        Ok(())
    }

    /// A connection to Redis of our own.
    pub(crate) async fn redis(&self) -> Result<MultiplexedConnection> {
        let client = redis::Client::open(self.config()?.redis.url.expose())?;
        let patience = redis::AsyncConnectionConfig::new().set_response_timeout(Some(SOON));
        Ok(client.get_multiplexed_async_connection_with_config(&patience).await?)
    }

    /// What a statement gives: lines of fields between tabs.
    pub(crate) fn sql(&self, statement: &str) -> Result<String> {
        let socket = format!("--socket={}", text(&self.folder().join("run/mysql.sock")));
        let arguments =
            ["--no-defaults", &socket, "--user=root", "--batch", "--skip-column-names", "onsale", "-e"];
        let output = Command::new("mariadb").args(arguments).arg(statement).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Brings the running sale up to this catalog.
    pub(crate) fn import(&self, catalog: &str) -> Result<()> {
        fs::write(self.folder.path().join("catalog.yaml"), catalog)?;
        let config = text(&config_file(self.folder.path()));
        let output = Process::run(self.folder.path(), &["import", "--config", &config, "catalog.yaml"]);
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into()) }
    }

    /// Waits until the archive has all that the logs had when it was asked.
    pub(crate) async fn drained(&self) -> Result<()> {
        let mut redis = self.redis().await?;
        let mut logs = Vec::new();
        for line in self.sql("select log from log_offsets")?.lines() {
            let log: LogName = line.parse()?;
            let number: Option<u64> = redis::cmd("HGET")
                .arg(format!("{{{log}}}:meta"))
                .arg("number")
                .query_async(&mut redis)
                .await?;
            logs.push((log, number.unwrap_or(0)));
        }
        let end = Instant::now() + DRAINED;
        loop {
            let offsets = self.sql("select log, number from log_offsets")?;
            let offset = |log: LogName| {
                let name = log.to_string();
                let of_log = offsets
                    .lines()
                    .filter_map(|line| line.split_once('\t'))
                    .find(|(known, _)| *known == name);
                of_log.and_then(|(_, number)| number.parse().ok()).unwrap_or(0_u64)
            };
            if logs.iter().all(|(log, number)| offset(*log) >= *number) {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(format!("the archive did not reach {logs:?}: {offsets}").into());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What breaks an invariant, if anything does: the report of `onsale audit`.
    pub(crate) fn audit(&self) -> Option<String> {
        let config = text(&config_file(self.folder.path()));
        let output = Process::run(self.folder.path(), &["audit", "--config", &config]);
        let told = || [output.stdout.as_slice(), &output.stderr].map(String::from_utf8_lossy).concat();
        (!output.status.success()).then(told)
    }

    /// Waits until every view of the server is whole.
    async fn whole(&self) -> Result<()> {
        let end = Instant::now() + SOON;
        loop {
            let ready = get(self.operations, "/readyz").unwrap_or_default();
            if ready.contains("200 OK") && ready.contains("\"degraded\":[]") {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(format!("the server is not whole: {ready} {}", self.server.log()).into());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// One GET on a connection of its own: head and body.
pub(crate) fn get(address: SocketAddr, path: &str) -> Result<String> {
    ask(address, path, "")
}

/// The same with a Bearer token.
pub(crate) fn get_as(address: SocketAddr, path: &str, token: &str) -> Result<String> {
    ask(address, path, &format!("Authorization: Bearer {token}\r\n"))
}

fn ask(address: SocketAddr, path: &str, headers: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SOON))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n{headers}\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn config_file(folder: &Path) -> PathBuf {
    folder.join("data/onsale.toml")
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The child of `parent` that runs this program.
fn child(parent: u32, program: &str) -> Result<u32> {
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // `PID (name) state parent …`
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let Some((head, rest)) = stat.rsplit_once(')') else {
            continue;
        };
        let is_child = rest.split_whitespace().nth(1) == Some(&parent.to_string());
        if is_child && head.ends_with(&format!("({program}")) {
            return Ok(id);
        }
    }
    Err(format!("no {program} runs").into())
}
