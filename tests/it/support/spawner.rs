//! Starts child processes from one thread that never ends. A child's death signal (`setpriv --pdeathsig`) fires when
//! the *thread* that spawned it ends, and test threads end with their test.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{OnceLock, mpsc},
    thread,
};

use super::wait_until_blocking;

type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// `program` with the death signal set, still without arguments.
pub(crate) fn bound_to_us(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// Starts `command` on the lasting thread.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    static ORDERS: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let orders = ORDERS.get_or_init(|| {
        let (sender, receiver) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in receiver {
                // Nobody waits for the reply only when the test that asked is gone; the child goes with us then.
                drop(reply.send(command.spawn()));
            }
        });
        sender
    });
    let (reply, child) = mpsc::channel();
    orders.send((command, reply)).expect("the spawner lives as long as the process");
    child.recv().expect("the spawner answers every order")
}

/// A child that is killed and reaped when it goes out of scope.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    /// Where it writes to, shown when it does not do as it should.
    log: PathBuf,
}

impl Running {
    pub(crate) fn new(child: Child, log: PathBuf) -> Self {
        Self { child, log }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn take_stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// What it has written so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether it has ended, and how.
    pub(crate) fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().expect("a child of ours can be waited for")
    }

    /// SIGKILL, and waits for the end.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("a child of ours can be killed");
        self.child.wait().expect("a child of ours can be waited for");
    }

    /// SIGTERM, without waiting.
    pub(crate) fn terminate(&self) {
        let id = self.id().to_string();
        let told = Command::new("sh").args(["-c", "kill -TERM \"$1\"", "sh", &id]).status();
        assert!(told.expect("there is a shell").success(), "process {id} is gone already");
    }

    /// Waits for the end.
    pub(crate) fn wait(&mut self) -> std::process::ExitStatus {
        let mut status = None;
        let what = format!("process {} ended", self.id());
        wait_until_blocking(&what, || {
            status = self.ended();
            status.is_some()
        });
        status.expect("the condition held")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has been reaped already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
