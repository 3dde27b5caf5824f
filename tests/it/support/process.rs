//! The built `onsale` command as a process.

use std::{
    ffi::OsStr,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, ExitStatus, Output, Stdio},
};

use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use super::SOON;
use super::spawner::{Running, bound_to_us, spawn};

/// A running `onsale`. Killed when it goes out of scope.
#[derive(Debug)]
pub(crate) struct Process {
    running: Running,
    lines: mpsc::UnboundedReceiver<String>,
    /// Holds the log file for as long as the process may write to it.
    _log: NamedTempFile,
}

impl Process {
    /// Starts `onsale` with these arguments; its working folder is `folder`, its environment has no settings of ours.
    pub(crate) fn start(folder: &Path, arguments: &[impl AsRef<OsStr>]) -> Self {
        Self::start_with(folder, arguments, &[])
    }

    /// As [`Process::start`], with these variables in its environment.
    pub(crate) fn start_with(
        folder: &Path,
        arguments: &[impl AsRef<OsStr>],
        environment: &[(String, String)],
    ) -> Self {
        let log = NamedTempFile::new().expect("a temporary file");
        let mut command = order(folder, arguments, environment);
        let log_file: File = log.reopen().expect("our own file");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log_file);
        let child = spawn(command).expect("the command was built with the tests");
        let mut running = Running::new(child, log.path().to_owned());
        let stdout = running.take_stdout().expect("stdout is piped");
        let (sender, lines) = mpsc::unbounded_channel();
        // Ends with the pipe: when the process does.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                drop(sender.send(line));
            }
        });
        Self { running, lines, _log: log }
    }

    /// Runs `onsale` to its end and gives its output.
    pub(crate) fn run(folder: &Path, arguments: &[impl AsRef<OsStr>]) -> Output {
        Self::run_with(folder, arguments, &[])
    }

    /// As [`Process::run`], with these variables in its environment.
    pub(crate) fn run_with(
        folder: &Path,
        arguments: &[impl AsRef<OsStr>],
        environment: &[(String, String)],
    ) -> Output {
        let mut command = order(folder, arguments, environment);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = spawn(command).expect("the command was built with the tests");
        child.wait_with_output().expect("a child of ours can be waited for")
    }

    /// Waits for the line `ready http://ADDRESS` on stdout and gives the address. Panics with the log when the
    /// process ends before or has taken until [`SOON`].
    pub(crate) async fn ready(&mut self) -> String {
        let address = async {
            while let Some(line) = self.lines.recv().await {
                if let Some(address) = line.strip_prefix("ready ") {
                    return Some(address.to_owned());
                }
            }
            None
        };
        let address = tokio::time::timeout(SOON, address).await.ok().flatten();
        let ended = self.running.ended();
        address.unwrap_or_else(|| panic!("onsale is not ready (ended: {ended:?}): {}", self.log()))
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.running.id()
    }

    /// What it has written to stderr so far.
    pub(crate) fn log(&self) -> String {
        self.running.log()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.running.kill();
    }

    /// SIGTERM; waits for the end and gives the exit status.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.running.terminate();
        self.running.wait()
    }

    /// Waits for it to end by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.running.wait()
    }
}

fn order(folder: &Path, arguments: &[impl AsRef<OsStr>], environment: &[(String, String)]) -> Command {
    let mut command = bound_to_us(Path::new(env!("CARGO_BIN_EXE_onsale")));
    command.args(arguments).current_dir(folder).env_remove("ONSALE_CONFIG");
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command
}
