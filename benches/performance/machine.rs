//! What it was measured on: a figure without its machine says nothing.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::FileExt,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use crate::Result;

/// Writes that are timed.
const WRITES: usize = 200;
/// The size of each, a page of the page cache.
const WRITE_BYTES: usize = 4096;

/// Name and value of everything that matters, in the order of the table.
#[derive(Debug)]
pub(crate) struct Machine(pub(crate) Vec<(&'static str, String)>);

impl Machine {
    /// Looks at it now; the disk is that of `folder`.
    pub(crate) fn look(folder: &Path) -> Result<Self> {
        let cores = std::thread::available_parallelism()?.get();
        let load = fs::read_to_string("/proc/loadavg")?;
        let load: Vec<_> = load.split_whitespace().take(3).collect();
        let fsync = sync_times(folder, WRITES)?[WRITES / 2];
        Ok(Self(vec![
            ("CPU", cpu()?),
            ("cores", cores.to_string()),
            ("kernel", fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned()),
            ("Redis", version("redis-server")),
            ("MariaDB", version("mariadbd")),
            ("compiler", version("rustc")),
            ("build", if cfg!(debug_assertions) { "development" } else { "release" }.to_owned()),
            (
                "Redis's durability",
                "`appendonly yes`, `appendfsync always`: an answer is given after the fsync".to_owned(),
            ),
            (
                "4 KiB written and fsynced on the instance's disk, p50",
                format!("{:.0} µs", fsync.as_secs_f64() * 1e6),
            ),
            ("load average at the start", load.join(" ")),
        ]))
    }
}

fn cpu() -> Result<String> {
    let text = fs::read_to_string("/proc/cpuinfo")?;
    let model = text.lines().find(|line| line.starts_with("model name"));
    let name = model.and_then(|line| line.split_once(": ")).map_or("unknown", |(_, name)| name);
    Ok(name.to_owned())
}

/// The first line of `--version`.
fn version(program: &str) -> String {
    let path = onsale::config::find_program(program);
    let output = path.and_then(|path| Command::new(path).arg("--version").output().ok());
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let line = text.lines().next().unwrap_or("unknown");
    line.rsplit_once('/').map_or(line, |(_, name)| name).to_owned()
}

/// How long each of `count` small writes and its fsync take on the disk of `folder`, the shortest first.
pub(crate) fn sync_times(folder: &Path, count: usize) -> Result<Vec<Duration>> {
    let path = folder.join("fsync");
    let mut file = File::create(&path)?;
    file.write_all(&[0; WRITE_BYTES])?;
    let mut times = Vec::with_capacity(count);
    for number in 0..count {
        let begun = Instant::now();
        file.write_all_at(&[1; WRITE_BYTES], u64::try_from(number * WRITE_BYTES)?)?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    fs::remove_file(path)?;
    times.sort_unstable();
    Ok(times)
}
