//! The open loop: requests are due when they are due, whoever is still waiting for an answer. Latency counts from then, so a server
//! that stands still can't hide behind a client that waits for it.
//!
//! Arrivals are random (Poisson). A pacing thread hands out all that have come due; tokio's timer, a millisecond wide, would blur
//! what is measured. A request takes whichever connection is free, and waits, its clock running, where none is.

use std::{
    cell::RefCell,
    io,
    net::SocketAddr,
    rc::Rc,
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use tokio::{
    runtime,
    sync::{Mutex, mpsc},
    task::LocalSet,
};

use super::{Report, Source, THREADS, closed::open_all, connection::Connection, share_out};

/// The pacer's sleep: what it adds to a latency at most, but for the kernel's own slack.
const PACE: Duration = Duration::from_micros(200);

/// Who comes, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrivals {
    /// A second, on average.
    pub(crate) rate: f64,
    /// How long they come.
    pub(crate) time: Duration,
    /// Who found no free connection for so long goes away, unasked.
    pub(crate) patience: Duration,
}

/// Those who have come and were not asked yet, of one thread.
struct Line {
    due: Due,
    patience: Duration,
}

type Due = Rc<Mutex<mpsc::UnboundedReceiver<Instant>>>;

/// Loads `address` with `rate` requests a second for `time`, over one connection a source. Gives the sources back. Its report counts
/// from the first arrival to the last answer.
pub(crate) async fn run<S: Source>(
    address: SocketAddr,
    sources: Vec<S>,
    rate: f64,
    time: Duration,
) -> io::Result<(Vec<S>, Report)> {
    run_impatient(address, sources, Arrivals { rate, time, patience: Duration::MAX }).await
}

/// The same with people who don't wait for ever: without them a server that gets too much would have to work off the queue before
/// the loader's door first.
pub(crate) async fn run_impatient<S: Source>(
    address: SocketAddr,
    sources: Vec<S>,
    arrivals: Arrivals,
) -> io::Result<(Vec<S>, Report)> {
    #[expect(clippy::cast_precision_loss, reason = "there are a few threads")]
    let arrivals = Arrivals { rate: arrivals.rate / THREADS as f64, ..arrivals };
    let load = tokio::task::spawn_blocking(move || {
        let barrier = Arc::new(Barrier::new(THREADS));
        share_out(sources, move |share| run_share(address, share, arrivals, &barrier))
    });
    load.await.map_err(io::Error::other)?
}

fn run_share<S: Source>(
    address: SocketAddr,
    sources: Vec<S>,
    arrivals: Arrivals,
    barrier: &Barrier,
) -> io::Result<(Vec<S>, Report)> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let report = Rc::new(RefCell::new(Report::new()));
    let (sender, due) = mpsc::unbounded_channel();
    let tasks = LocalSet::new();
    let sources = tasks.block_on(&runtime, async {
        let opened = open_all(address, sources.len()).await;
        barrier.wait();
        let connections = opened?;
        let begun = Instant::now();
        thread::spawn(move || pace(&sender, arrivals, begun));
        let due: Due = Rc::new(Mutex::new(due));
        let ask = |(connection, source)| {
            let line = Line { due: Rc::clone(&due), patience: arrivals.patience };
            tokio::task::spawn_local(ask_on(connection, source, line, Rc::clone(&report)))
        };
        let running: Vec<_> = connections.into_iter().zip(sources).map(ask).collect();
        let mut sources = Vec::with_capacity(running.len());
        for task in running {
            sources.push(task.await.map_err(io::Error::other)?);
        }
        report.borrow_mut().wall = begun.elapsed();
        io::Result::Ok(sources)
    })?;
    let report = report.borrow().clone();
    Ok((sources, report))
}

/// Hands out each arrival once it is due. Ends with the time, or when nobody takes them.
fn pace(due: &mpsc::UnboundedSender<Instant>, arrivals: Arrivals, begun: Instant) {
    let Arrivals { rate, time, .. } = arrivals;
    let mut next = begun;
    while next < begun + time {
        let now = Instant::now();
        while next <= now {
            if due.send(next).is_err() {
                return;
            }
            // Of a Poisson process: distances are distributed exponentially. 1 - random is never 0.
            let distance = -(1.0 - rand::random::<f64>()).ln() / rate;
            next += Duration::from_secs_f64(distance);
        }
        thread::sleep(PACE);
    }
}

async fn ask_on<S: Source>(
    mut connection: Connection,
    mut source: S,
    line: Line,
    report: Rc<RefCell<Report>>,
) -> S {
    loop {
        let next = line.due.lock().await.recv().await;
        let Some(due) = next else {
            return source;
        };
        if due.elapsed() > line.patience {
            report.borrow_mut().given_up += 1;
            continue;
        }
        let exchange = connection.exchange(&mut source).await;
        if !report.borrow_mut().count(exchange, due) {
            return source;
        }
    }
}
