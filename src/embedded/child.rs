//! A child process that dies with the thread that started it and ends when asked.

use std::{
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    process::Command,
    time::{Instant, sleep, timeout},
};

use super::Error;
use crate::config::find_program;

/// MariaDB may have to write out its whole buffer pool before it ends.
const STOP_DEADLINE: Duration = Duration::from_secs(30);
/// Reading a long append-only file, or repairing tables after a crash, takes minutes at worst.
const READY_DEADLINE: Duration = Duration::from_mins(5);
/// One look at whether it answers.
const LOOK_DEADLINE: Duration = Duration::from_secs(2);
/// Between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// Whoever stops us may signal our whole process group (`timeout` does, and a terminal) and hit the shell that was to
/// pass the signal on before it has; measured in 4 of 50 stops with one try.
const SIGNAL_TRIES: u32 = 3;
/// Lines of its log that an error shows.
const TAIL_LINES: usize = 5;

/// What to start.
pub(super) struct Order<'a> {
    /// For people: `Redis`, `MariaDB`.
    pub(super) name: &'static str,
    /// Its full path.
    pub(super) program: &'a Path,
    /// Its arguments.
    pub(super) arguments: Vec<OsString>,
    /// Its working folder.
    pub(super) folder: &'a Path,
    /// Where its output is appended, in that folder.
    pub(super) log: &'static str,
    /// A lock that it holds for as long as it or a child of it lives.
    pub(super) lock: &'a File,
}

/// A running child; killed when dropped.
#[derive(Debug)]
pub(super) struct Child {
    name: &'static str,
    process: tokio::process::Child,
    log: PathBuf,
}

impl Child {
    /// Starts it, in a process group of its own: a Ctrl-C in the terminal is for us, and we end our children in order.
    pub(super) fn spawn(order: Order<'_>) -> Result<Self, Error> {
        let Order { name, program, arguments, folder, log, lock } = order;
        let log = folder.join(log);
        let output = File::options().create(true).append(true).open(&log);
        let output = output.map_err(Error::file(&log))?;
        let errors = output.try_clone().map_err(Error::file(&log))?;
        let lock = lock.try_clone().map_err(Error::file(&log))?;
        let mut command = bound_to_this_thread(program);
        // A MariaDB that starts sweeps its folder for temporary files: in a shared one it takes those of another away.
        command.env("TMPDIR", folder.join("tmp"));
        command.args(arguments).current_dir(folder).process_group(0).kill_on_drop(true);
        command.stdin(Stdio::from(lock)).stdout(output).stderr(errors);
        let process = command.spawn().map_err(|source| Error::Process { name, source })?;
        Ok(Self { name, process, log })
    }

    /// Waits until `answers` says so; fails when the child ends before, or at the deadline.
    pub(super) async fn until_ready(&mut self, answers: impl AsyncFn() -> bool) -> Result<(), Error> {
        let end = Instant::now() + READY_DEADLINE;
        while !timeout(LOOK_DEADLINE, answers()).await.unwrap_or(false) {
            let exit = self.process.try_wait();
            if let Some(status) = exit.map_err(|source| Error::Process { name: self.name, source })? {
                return Err(self.how_it_ended(status));
            }
            if Instant::now() >= end {
                return Err(Error::Silent { name: self.name, log: self.log.clone() });
            }
            sleep(LOOK_INTERVAL).await;
        }
        Ok(())
    }

    /// Waits for a child that does one thing and ends.
    pub(super) async fn finished(&mut self) -> Result<(), Error> {
        match self.process.wait().await {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(self.how_it_ended(status)),
            Err(source) => Err(Error::Process { name: self.name, source }),
        }
    }

    /// Resolves when the child, which should run on, has ended.
    pub(super) async fn ended(&mut self) -> Error {
        match self.process.wait().await {
            Ok(status) => self.how_it_ended(status),
            Err(source) => Error::Process { name: self.name, source },
        }
    }

    /// Asks it to end with SIGTERM and waits; past the deadline it is killed.
    pub(super) async fn stop(&mut self) -> Result<(), Error> {
        let failed = |source| Error::Process { name: self.name, source };
        // None: it has ended and been waited for already.
        let Some(id) = self.process.id() else {
            return Ok(());
        };
        // It may end by itself in between: then the signal fails and the wait below is over at once.
        for _ in 0..SIGNAL_TRIES {
            if terminate(id).await.map_err(failed)? {
                break;
            }
        }
        if let Ok(status) = timeout(STOP_DEADLINE, self.process.wait()).await {
            return status.map(drop).map_err(failed);
        }
        tracing::warn!(engine = self.name, "does not end when asked: killed");
        self.process.kill().await.map_err(failed)
    }

    fn how_it_ended(&self, status: ExitStatus) -> Error {
        let text = fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let text = text.unwrap_or_default();
        let mut lines: Vec<&str> = text.lines().rev().take(TAIL_LINES).collect();
        lines.reverse();
        Error::Ended { name: self.name, status, log: self.log.clone(), tail: lines.join(" | ") }
    }
}

/// `program`, to be killed by the system when the thread that starts it ends, with its stdin moved to descriptor 3:
/// MariaDB opens its stdin anew, and with it the lock would be gone.
fn bound_to_this_thread(program: &Path) -> Command {
    const MOVE_STDIN: [&str; 4] = ["/bin/sh", "-c", "exec \"$@\" 3<&0 </dev/null", "sh"];
    let mut command = if let Some(setpriv) = find_program("setpriv") {
        let mut command = Command::new(setpriv);
        command.args(["--pdeathsig", "KILL", "--"]).args(MOVE_STDIN);
        command
    } else {
        tracing::warn!(program = %program.display(), "without setpriv it outlives a killed onsale");
        let mut command = Command::new(MOVE_STDIN[0]);
        command.args(&MOVE_STDIN[1..]);
        command
    };
    command.arg(program);
    command
}

/// Sends SIGTERM through a shell, which has `kill` built in: without unsafe code there is no other way. False when it
/// can't be sent, or the shell itself was ended.
async fn terminate(id: u32) -> std::io::Result<bool> {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "kill -TERM \"$1\"", "sh"]).arg(id.to_string()).process_group(0);
    shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(shell.status().await?.success())
}
