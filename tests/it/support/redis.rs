//! A Redis server of one test's own, on a unix socket.

use std::{
    fs::File,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Stdio,
};

use tempfile::TempDir;

use super::{
    SOON,
    spawner::{Running, bound_to_us, spawn},
    wait_until_blocking,
};

/// How a server keeps what it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// In memory only: the fastest, for tests that never restart it.
    None,
    /// `appendfsync always`, as `onsale up` runs it.
    Always,
}

/// A private server. Its data lives in a temporary folder and survives [`Redis::kill`] and [`Redis::stop`], not the
/// end of the test.
#[derive(Debug)]
pub(crate) struct Redis {
    folder: TempDir,
    persistence: Persistence,
    options: Vec<String>,
    running: Option<Running>,
}

impl Redis {
    /// An empty server that keeps nothing.
    pub(crate) async fn start() -> Self {
        Self::start_with(Persistence::None, &[]).await
    }

    /// An empty server that keeps everything: what was answered is there after [`Redis::kill`].
    pub(crate) async fn start_durable() -> Self {
        Self::start_with(Persistence::Always, &[]).await
    }

    /// An empty server with further options, like `["--maxmemory", "4mb"]`.
    pub(crate) async fn start_with(persistence: Persistence, options: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("onsale-redis-").tempdir().expect("a temporary folder");
        let options = options.iter().map(|&option| option.to_owned()).collect();
        let mut server = Self { folder, persistence, options, running: None };
        let start = || {
            server.restart();
            server
        };
        tokio::task::spawn_blocking(start).await.expect("Redis starts")
    }

    /// `unix:///…/redis.sock`.
    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// Its folder, with the append-only files in `appendonlydir`.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// SIGKILL: what was not yet written is lost.
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
        let log = self.folder.path().join("redis.log");
        let mut command = bound_to_us(Path::new("redis-server"));
        command.args(["--port", "0", "--save", "", "--maxmemory-policy", "noeviction"]);
        command.arg("--unixsocket").arg(self.socket()).arg("--dir").arg(self.folder.path());
        match self.persistence {
            Persistence::None => command.args(["--appendonly", "no"]),
            Persistence::Always => command.args(["--appendonly", "yes", "--appendfsync", "always"]),
        };
        command.args(&self.options);
        command
            .stdin(Stdio::null())
            .stdout(File::create(&log).expect("its folder is ours"))
            .stderr(Stdio::null());
        let child = spawn(command).expect("install redis-server: make install");
        let mut running = Running::new(child, log);
        let socket = self.socket();
        wait_until_blocking("Redis answers", || {
            assert!(running.ended().is_none(), "Redis ended: {}", running.log());
            answers(&socket)
        });
        self.running = Some(running);
    }
}

/// Whether a server at `socket` answers PING, if only by asking who we are: it doesn't while it reads its append-only file.
fn answers(socket: &Path) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(SOON))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        Ok(&answer == b"+PONG" || &answer == b"-NOAU")
    };
    ask().unwrap_or(false)
}
