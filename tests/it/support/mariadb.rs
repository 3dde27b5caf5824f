//! One MariaDB server for the whole test process, and a fresh database in it for every test that asks.

use std::{
    fs::{self, File},
    io::Read,
    os::unix::{fs::MetadataExt, net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use onsale::config::find_program;
use sqlx::{ConnectOptions, Connection, Executor, mysql::MySqlConnectOptions};
use tempfile::TempDir;

use super::{
    SOON,
    spawner::{Running, bound_to_us, spawn},
    wait_until_blocking,
};

/// A server. [`MariaDb::database`] is what most tests want; one of its own is for those that kill it.
#[derive(Debug)]
pub(crate) struct MariaDb {
    folder: PathBuf,
    options: Vec<String>,
    running: Option<Running>,
    /// Removes the folder; absent for the shared one, which a shell removes after us.
    temporary: Option<TempDir>,
}

impl MariaDb {
    /// The address of a fresh, empty database (utf8mb4) in the server of this test process.
    pub(crate) async fn database() -> String {
        static SHARED: OnceLock<MariaDb> = OnceLock::new();
        let server = tokio::task::spawn_blocking(|| SHARED.get_or_init(Self::start_shared));
        server.await.expect("the server of this test process starts").create_database().await
    }

    /// A server of one test's own, to be killed and started again.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// As [`MariaDb::start`], with further options, like `["--max-connections=10"]`.
    pub(crate) async fn start_with(options: &[String]) -> Self {
        let options = options.to_owned();
        tokio::task::spawn_blocking(|| Self::start_in_its_own_folder(options)).await.expect("MariaDB starts")
    }

    /// The address of a fresh, empty database (utf8mb4) in this server.
    pub(crate) async fn create_database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let options = MySqlConnectOptions::new().username("root").socket(self.socket());
        let mut connection = options.connect().await.expect("the server answers");
        let create = format!("create database {name} character set utf8mb4");
        connection.execute(sqlx::AssertSqlSafe(create)).await.expect("root may create a database");
        connection.close().await.expect("a connection at rest can be closed");
        format!("mysql://root@localhost/{name}?socket={}", self.socket().display())
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("mysql.sock")
    }

    /// SIGKILL: the address of its databases leads nowhere until [`MariaDb::restart`].
    pub(crate) fn kill(&mut self) {
        self.running.take().expect("it is running").kill();
    }

    /// SIGTERM, and waits for the end.
    pub(crate) fn stop(&mut self) {
        let mut running = self.running.take().expect("it is running");
        running.terminate();
        running.wait();
    }

    /// Starts it again on what is in its folder, at the same address; ends the running one first.
    pub(crate) fn restart(&mut self) {
        self.running = None;
        let log = self.folder.join("mariadb.log");
        let program = find_program("mariadbd").expect("install MariaDB: make install");
        let mut command = self.order(&program);
        command.arg(format!("--socket={}", self.socket().display()));
        command.arg(format!("--pid-file={}", self.folder.join("mariadb.pid").display()));
        command.args(["--skip-networking", "--skip-name-resolve", "--max-connections=500"]).args(as_root());
        command.args(["--innodb-buffer-pool-size=64M", "--innodb-log-file-size=16M"]);
        // A test that kills it loses nothing by this: what was written is in the system's cache.
        command.arg("--innodb-flush-log-at-trx-commit=2").args(&self.options);
        let log_file = File::create(&log).expect("its folder is ours");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log_file);
        let mut running = Running::new(spawn(command).expect("setpriv is installed"), log);
        let socket = self.socket();
        wait_until_blocking("MariaDB greets", || {
            assert!(running.ended().is_none(), "MariaDB ended: {}", running.log());
            greets(&socket)
        });
        self.running = Some(running);
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn start_in_its_own_folder(options: Vec<String>) -> Self {
        let temporary = tempfile::Builder::new().prefix("onsale-mariadb-").tempdir();
        let temporary = temporary.expect("a temporary folder");
        let folder = temporary.path().to_owned();
        let mut server = Self { folder, options, running: None, temporary: Some(temporary) };
        server.install();
        server.restart();
        server
    }

    /// The server of this process. Statics are never dropped, so a shell waits for our end and then clears away.
    fn start_shared() -> Self {
        let mut server = Self::start_in_its_own_folder(Vec::new());
        server.folder = server.temporary.take().expect("just made").keep();
        let id = server.running.as_ref().expect("just started").id().to_string();
        let clear = "cat; while kill -0 \"$1\" 2>/dev/null; do sleep 0.1; done; rm -rf \"$2\"";
        let mut command = Command::new("sh");
        command.args(["-c", clear, "sh", &id]).arg(&server.folder);
        // Its stdin is a pipe that only we hold open: it ends when we do, however that comes about.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let shell = command.process_group(0).spawn().expect("there is a shell");
        std::mem::forget(shell);
        server
    }

    /// A command of MariaDB's on our folders. It sweeps the folder for temporary files when it starts: in a shared one
    /// it would take another's away.
    fn order(&self, program: &Path) -> Command {
        let mut command = bound_to_us(program);
        command.arg("--no-defaults").arg(format!("--datadir={}", self.data().display()));
        command.env("TMPDIR", &self.folder);
        command
    }

    fn install(&self) {
        let program = find_program("mariadb-install-db").expect("install MariaDB: make install");
        let log = self.folder.join("install.log");
        let log_file = File::create(&log).expect("its folder is ours");
        fs::create_dir(self.data()).expect("its folder is ours");
        let mut command = self.order(&program);
        command.args(["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]);
        command.args(["--innodb-log-file-size=16M"]).args(as_root());
        command.stdin(Stdio::null()).stdout(log_file).stderr(Stdio::null());
        let mut installing = Running::new(spawn(command).expect("setpriv is installed"), log);
        let status = installing.wait();
        assert!(status.success(), "MariaDB can't be installed: {}", installing.log());
    }
}

/// MariaDB refuses to run as root unless it is told that this is meant.
fn as_root() -> Option<&'static str> {
    let ours = fs::metadata("/proc/self").expect("there is /proc").uid();
    (ours == 0).then_some("--user=root")
}

/// Whether a server at `socket` sends its greeting (protocol version 10).
fn greets(socket: &Path) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(SOON))?;
        let mut packet = [0; 5];
        stream.read_exact(&mut packet)?;
        Ok(packet[4] == 10)
    };
    ask().unwrap_or(false)
}
