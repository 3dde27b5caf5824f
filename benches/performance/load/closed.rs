//! The closed loop: each connection asks again as soon as it has its answer. Finds the peak, never a latency under load.

use std::{
    cell::RefCell,
    io,
    net::SocketAddr,
    rc::Rc,
    sync::{Arc, Barrier},
    time::{Duration, Instant},
};

use tokio::{runtime, task::LocalSet};

use super::{Report, Source, THREADS, connection::Connection, share_out};

/// Loads `address` over one connection a source, for `time` or until no source has anything left. Gives the sources back.
pub(crate) async fn run<S: Source>(
    address: SocketAddr,
    sources: Vec<S>,
    time: Duration,
) -> io::Result<(Vec<S>, Report)> {
    let load = tokio::task::spawn_blocking(move || {
        let barrier = Arc::new(Barrier::new(THREADS));
        share_out(sources, move |share| run_share(address, share, time, &barrier))
    });
    load.await.map_err(io::Error::other)?
}

/// One thread's part. All begin together, once every connection is open.
fn run_share<S: Source>(
    address: SocketAddr,
    sources: Vec<S>,
    time: Duration,
    barrier: &Barrier,
) -> io::Result<(Vec<S>, Report)> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let report = Rc::new(RefCell::new(Report::new()));
    let tasks = LocalSet::new();
    let sources = tasks.block_on(&runtime, async {
        let opened = open_all(address, sources.len()).await;
        barrier.wait();
        let begun = Instant::now();
        let running: Vec<_> = opened?
            .into_iter()
            .zip(sources)
            .map(|(connection, source)| {
                tokio::task::spawn_local(ask_on(connection, source, begun + time, Rc::clone(&report)))
            })
            .collect();
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

pub(super) async fn open_all(address: SocketAddr, count: usize) -> io::Result<Vec<Connection>> {
    let mut connections = Vec::with_capacity(count);
    for _ in 0..count {
        connections.push(Connection::open(address).await?);
    }
    Ok(connections)
}

async fn ask_on<S: Source>(
    mut connection: Connection,
    mut source: S,
    end: Instant,
    report: Rc<RefCell<Report>>,
) -> S {
    loop {
        let begun = Instant::now();
        if begun >= end {
            return source;
        }
        let exchange = connection.exchange(&mut source).await;
        if !report.borrow_mut().count(exchange, begun) {
            return source;
        }
    }
}
