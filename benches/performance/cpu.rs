//! CPU time by process, in nanoseconds, from the kernel's scheduler.
//!
//! `/proc/PID/schedstat` tells of the main thread alone, so all threads are added up; a thread that ends in between takes its
//! time with it, so a sampler looks every 100 ms and keeps what it saw last.

use std::{
    collections::HashMap,
    fs,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

const SAMPLE: Duration = Duration::from_millis(100);

/// Nanoseconds of each thread, by process.
type Threads = HashMap<(u32, u32), u64>;

/// Measures some processes until it is stopped.
#[derive(Debug)]
pub(crate) struct Meter {
    processes: Vec<(&'static str, u32)>,
    before: Threads,
    last: Arc<Mutex<Threads>>,
    stop: mpsc::Sender<()>,
    sampler: JoinHandle<()>,
}

/// What a meter saw.
#[derive(Clone, Debug)]
pub(crate) struct Usage {
    seconds: Vec<(&'static str, f64)>,
}

impl Meter {
    /// Starts with these processes, by name and id.
    pub(crate) fn start(processes: &[(&'static str, u32)]) -> Self {
        let processes = processes.to_vec();
        let last = Arc::new(Mutex::new(Threads::new()));
        let (stop, stopped) = mpsc::channel();
        let (kept, ids) = (Arc::clone(&last), processes.clone());
        let before = sample(&processes);
        let sampler = thread::spawn(move || {
            while stopped.recv_timeout(SAMPLE) == Err(mpsc::RecvTimeoutError::Timeout) {
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend(sample(&ids));
            }
        });
        Self { processes, before, last, stop, sampler }
    }

    /// Ends the measurement.
    pub(crate) fn stop(self) -> Usage {
        let end = sample(&self.processes);
        drop(self.stop);
        self.sampler.join().expect("the sampler does not panic");
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.extend(end);
        let spent = |id: u32| -> u64 {
            let own = last.iter().filter(|((process, _), _)| *process == id);
            own.map(|(thread, ns)| ns - self.before.get(thread).unwrap_or(&0).min(ns)).sum()
        };
        let seconds = self.processes.iter().map(|(name, id)| (*name, seconds(spent(*id)))).collect();
        Usage { seconds }
    }
}

impl Usage {
    /// CPU seconds of all processes.
    pub(crate) fn total(&self) -> f64 {
        self.seconds.iter().map(|(_, seconds)| seconds).sum()
    }

    /// CPU seconds of the processes with this name.
    pub(crate) fn of(&self, name: &str) -> f64 {
        self.seconds.iter().filter(|(known, _)| *known == name).map(|(_, seconds)| seconds).sum()
    }
}

fn seconds(ns: u64) -> f64 {
    Duration::from_nanos(ns).as_secs_f64()
}

/// A process that is gone has no threads.
fn sample(processes: &[(&'static str, u32)]) -> Threads {
    let mut threads = Threads::new();
    for (_, process) in processes {
        let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
        for task in tasks {
            let id = task.file_name().to_str().and_then(|name| name.parse().ok());
            let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let ns = text.split_whitespace().next().and_then(|ns| ns.parse().ok());
            if let (Some(id), Some(ns)) = (id, ns) {
                threads.insert((*process, id), ns);
            }
        }
    }
    threads
}
