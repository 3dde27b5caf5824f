//! The `mariadb` client: one that stays connected, for looks that must be cheap, and one that carries out a file.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{Result, site::Site};

/// Between two looks at the archive's offsets: what a lag is measured too large at most.
const LOOK: Duration = Duration::from_millis(5);

/// A client that stays.
#[derive(Debug)]
struct Client {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// Sees each log's offset move, until it is stopped.
#[derive(Debug)]
pub(crate) struct Watch {
    stop: mpsc::Sender<()>,
    watching: JoinHandle<Result<Commits>>,
}

/// When the archive was first seen to have the entries of each log up to a number, ms since 1970, in order.
#[derive(Debug, Default)]
pub(crate) struct Commits(BTreeMap<String, Vec<(u64, u64)>>);

/// What a statement gives, unescaped: lines of fields between tabs. Values that hold line breaks must be quoted by the statement.
pub(crate) fn raw(site: &Site, statement: &str) -> Result<String> {
    let output = client(site, "onsale").args(["--raw", "-e", statement]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Carries out a file of statements in this database.
pub(crate) fn carry_out(site: &Site, database: &str, file: &Path) -> Result<()> {
    let output = client(site, database).stdin(File::open(file)?).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(())
}

fn client(site: &Site, database: &str) -> Command {
    let socket = format!("--socket={}", site.folder().join("run/mysql.sock").display());
    let mut command = Command::new("mariadb");
    command.args(["--no-defaults", &socket, "--user=root", "--batch", "--skip-column-names", database]);
    command
}

impl Watch {
    /// Starts to look.
    pub(crate) fn start(site: &Site) -> Result<Self> {
        let mut process = client(site, "onsale")
            .arg("--unbuffered")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("a client without pipes".into());
        };
        let mut client = Client { process, input, output: BufReader::new(output) };
        let (stop, stopped) = mpsc::channel();
        let watching = thread::spawn(move || {
            let mut commits = Commits::default();
            while stopped.recv_timeout(LOOK) == Err(mpsc::RecvTimeoutError::Timeout) {
                let offsets = client.offsets()?;
                let now = now_ms()?;
                for (log, number) in offsets {
                    let seen = commits.0.entry(log).or_default();
                    if seen.last().is_none_or(|(last, _)| *last < number) {
                        seen.push((number, now));
                    }
                }
            }
            drop(client.input);
            client.process.wait()?;
            Ok(commits)
        });
        Ok(Self { stop, watching })
    }

    /// What it saw.
    pub(crate) fn stop(self) -> Result<Commits> {
        drop(self.stop);
        self.watching.join().map_err(|_| "the watch panicked")?
    }
}

impl Client {
    fn offsets(&mut self) -> Result<Vec<(String, u64)>> {
        writeln!(self.input, "select log, number from log_offsets; select 'all', 0;")?;
        let mut offsets = Vec::new();
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line)? == 0 {
                return Err("the client of the watch has ended".into());
            }
            let (log, number) = line.trim_end().split_once('\t').ok_or("a line without fields")?;
            if log == "all" {
                return Ok(offsets);
            }
            offsets.push((log.to_owned(), number.parse()?));
        }
    }
}

impl Commits {
    /// When the last one was seen, ms since 1970.
    pub(crate) fn last(&self) -> Option<u64> {
        self.0.values().filter_map(|seen| seen.last()).map(|(_, at)| *at).max()
    }

    /// When the archive had this entry, ms since 1970.
    pub(crate) fn of(&self, log: &str, number: u64) -> Option<u64> {
        let seen = self.0.get(log)?;
        seen.get(seen.partition_point(|(reached, _)| *reached < number)).map(|(_, at)| *at)
    }
}

/// Milliseconds since 1970, as log entries have them.
pub(crate) fn now_ms() -> Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}
