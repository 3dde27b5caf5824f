//! This machine in the place of compose's containers: secrets made by `make secrets`, private engines started with the words of
//! the file, and every path and address that only a container has replaced by one of here.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output};

use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};
use tempfile::TempDir;

use super::file::{Compose, Service};
use super::{read, root};
use crate::support::free_address;
use crate::support::mariadb::MariaDb;
use crate::support::process::Process;
use crate::support::redis::{Persistence, Redis};
use crate::support::wait_until;

/// A folder with the secrets, and the two engines.
#[derive(Debug)]
pub(super) struct Machine {
    folder: TempDir,
    server_ops: SocketAddr,
    worker_ops: SocketAddr,
    pub(super) redis: Redis,
    _mysql: MariaDb,
}

impl Machine {
    /// Makes the secrets and starts both engines as the file says.
    pub(super) async fn start(compose: &Compose) -> Self {
        let folder = tempfile::Builder::new().prefix("onsale-compose-").tempdir().unwrap();
        let secrets = folder.path().join("secrets");
        make_secrets(&secrets);
        fs::create_dir(folder.path().join("redis")).unwrap();
        let (redis, mysql) =
            tokio::join!(start_redis(compose.service("redis"), &folder), start_mysql(compose, &folder));
        let change = |name: &str, from: &str, to: String| {
            let text = fs::read_to_string(secrets.join(name)).unwrap();
            assert!(text.contains(from), "{name} does not lead to {from}");
            fs::write(secrets.join(name), text.replace(from, &to)).unwrap();
        };
        change(
            "mysql_url",
            "@mysql:3306/onsale",
            format!("@localhost/onsale?socket={}", mysql.socket().display()),
        );
        let password = fs::read_to_string(secrets.join("redis_password")).unwrap();
        let password = password.trim();
        let address = format!("redis://:{password}@redis:6379");
        change("redis_url", &address, format!("{}?pass={password}", redis.url()));
        Self { folder, server_ops: free_address(), worker_ops: free_address(), redis, _mysql: mysql }
    }

    pub(super) fn secret(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join("secrets").join(name)).unwrap().trim().to_owned()
    }

    /// What the container of a service has in its environment: the image's and its own.
    pub(super) fn environment(&self, service: Service<'_>) -> Vec<(String, String)> {
        let all = image_environment().into_iter().chain(service.environment());
        all.map(|(name, value)| (name, self.localised(service, &value))).collect()
    }

    /// Starts a service of onsale.
    pub(super) fn run(&self, service: Service<'_>) -> Process {
        Process::start_with(self.folder.path(), &self.command(service), &self.environment(service))
    }

    /// Runs other words in the place of a service's own, to their end: `docker compose run`, or a health check.
    pub(super) fn finish(&self, service: Service<'_>, words: &[&str]) -> Output {
        let words: Vec<_> = words.iter().map(|word| self.localised(service, word)).collect();
        Process::run_with(self.folder.path(), &words, &self.environment(service))
    }

    pub(super) fn command(&self, service: Service<'_>) -> Vec<String> {
        service.command().iter().map(|word| self.localised(service, word)).collect()
    }

    /// Waits until the health check of a service of onsale passes, as compose does.
    pub(super) async fn healthy(&self, service: Service<'_>) {
        let what = format!("{} is healthy", service.name);
        wait_until(&what, async || self.is_healthy(service)).await;
    }

    pub(super) fn is_healthy(&self, service: Service<'_>) -> bool {
        let words = service.health_check().expect("it has a health check");
        let ("onsale", rest) = (words[0], &words[1..]) else {
            panic!("{words:?} is no command of ours");
        };
        self.finish(service, rest).status.success()
    }

    fn localised(&self, service: Service<'_>, text: &str) -> String {
        let secrets = format!("{}/secrets/", self.folder.path().display());
        let mut text = text
            .replace("/run/secrets/", &secrets)
            .replace("0.0.0.0:8080", "127.0.0.1:0")
            .replace("0.0.0.0:9090", &self.server_ops.to_string())
            .replace("0.0.0.0:9091", &self.worker_ops.to_string())
            .replace("127.0.0.1:9091", &self.worker_ops.to_string());
        for mount in service.mounts() {
            text = text.replace(mount.target, &root().join(mount.source).display().to_string());
        }
        text
    }
}

/// `make secrets` into a folder; a second time changes nothing.
fn make_secrets(folder: &std::path::Path) {
    let make = || {
        let target = format!("SECRETS={}", folder.display());
        let made =
            Command::new("make").args(["--silent", "secrets", &target]).current_dir(root()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<(PathBuf, String)> =
            files.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
        files.sort();
        files
    };
    let first = make();
    assert_eq!(make(), first);
}

async fn start_redis(service: Service<'_>, folder: &TempDir) -> Redis {
    let words = service.command();
    let (program, options) = words.split_first().expect("it has a command");
    assert_eq!(program, "redis-server");
    let data = folder.path().join("redis").display().to_string();
    let secrets = format!("{}/secrets/", folder.path().display());
    let options: Vec<_> =
        options.iter().map(|word| word.replace("/run/secrets/", &secrets).replace("/data", &data)).collect();
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    Redis::start_with(Persistence::None, &options).await
}

/// Starts MariaDB with the words for MySQL and makes what the image makes at its first start: the database and its user.
async fn start_mysql(compose: &Compose, folder: &TempDir) -> MariaDb {
    let service = compose.service("mysql");
    let environment = service.environment();
    let (database, user) = (&environment["MYSQL_DATABASE"], &environment["MYSQL_USER"]);
    let file = environment["MYSQL_PASSWORD_FILE"].replace("/run", &folder.path().display().to_string());
    let server = MariaDb::start_with(&service.command()).await;
    let password = fs::read_to_string(file).unwrap();
    let root = MySqlConnectOptions::new().username("root").socket(server.socket());
    let mut connection = root.connect().await.unwrap();
    for statement in [
        format!("create database {database}"),
        format!("create user {user}@localhost identified by '{}'", password.trim()),
        format!("grant all on {database}.* to {user}@localhost"),
    ] {
        connection.execute(AssertSqlSafe(statement)).await.unwrap();
    }
    server
}

/// What `ENV` in the Dockerfile sets.
fn image_environment() -> Vec<(String, String)> {
    let dockerfile = read("Dockerfile").replace("\\\n", " ");
    let lines = dockerfile.lines().filter_map(|line| line.strip_prefix("ENV "));
    let pairs = lines.flat_map(str::split_whitespace).map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
