//! The public listener: one thread a core, each with its own runtime, listener (`SO_REUSEPORT`) and context.
//!
//! A request is answered by the core that took it; only its part of a batch may be driven by another
//! (`docs/decisions/0004-one-lane-for-all-cores.md`), so cores end together. Stopping: `readyz` turns 503 and answers
//! carry `Connection: close` while balancers look elsewhere; then accepting ends, what runs is finished, and
//! what is not finished by the hard deadline is dropped.

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, interval, sleep, sleep_until, timeout};

use super::connection::{Connection, Phase};
use super::context::Context;
use super::openapi;
use super::operations::Health;
use super::settings::Settings;

/// Connections that the kernel keeps for each listener until they are accepted.
const BACKLOG: i32 = 4096;
/// Beyond a request's own deadline: for bodies under way and answers not yet written.
const CLOSING_GRACE: Duration = Duration::from_secs(5);

/// Between two looks at what a core counts for itself: scrapes come seconds apart.
const TELL_EVERY: Duration = Duration::from_millis(250);

type Source = Box<dyn Error + Send + Sync>;

/// Why the server ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A thread, runtime or listener could not be made.
    #[error("a core of the HTTP server could not start")]
    Start(#[from] io::Error),
    /// The context of a core could not be made.
    #[error("a core of the HTTP server could not reach what it needs")]
    Context(#[source] Source),
    /// A core's thread ended without a word.
    #[error("a core of the HTTP server died")]
    Died,
}

/// Listeners that are bound but not yet served.
pub struct Server {
    listeners: Vec<StdListener>,
    address: SocketAddr,
    settings: Arc<Settings>,
}

impl Server {
    /// Binds one listener a core. With port 0 the kernel chooses for the first, the others share it.
    pub fn bind(address: SocketAddr, settings: Arc<Settings>) -> io::Result<Self> {
        openapi::prepare();
        let first = listen(address)?;
        let address = first.local_addr()?;
        let mut listeners = vec![first];
        for _ in 1..settings.cores {
            listeners.push(listen(address)?);
        }
        Ok(Self { listeners, address, settings })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` turns true (or its sender is gone) and all is drained, or a core fails.
    ///
    /// `make` runs on each core's own runtime, given the core's number; `health` is serving once all have begun.
    pub async fn run<F, Fut>(
        self,
        make: F,
        health: Arc<Health>,
        mut shutdown: watch::Receiver<bool>,
    ) -> Result<(), ServeError>
    where
        F: Fn(usize) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<Context, Source>>,
    {
        let cores = self.listeners.len();
        let (stop, stopping) = watch::channel(false);
        let (begun, mut beginnings) = mpsc::channel(cores);
        let permits = Arc::new(Semaphore::new(self.settings.max_connections));
        let (finished, mut endings) = mpsc::channel(cores);
        let (served, serving_one) = watch::channel(());
        let served = Arc::new(served);
        for (number, listener) in self.listeners.into_iter().enumerate() {
            let core = Core {
                settings: Arc::clone(&self.settings),
                permits: Arc::clone(&permits),
                stopping: stopping.clone(),
                begun: begun.clone(),
                _serving: serving_one.clone(),
                served: Arc::clone(&served),
            };
            let make = make.clone();
            let ending = Ending(finished.clone(), None);
            thread::Builder::new()
                .name(format!("http-{number}"))
                .spawn(move || ending.send(core.run(listener, || make(number))))?;
        }
        drop((begun, finished, serving_one));

        let mut outcome = Ok(());
        let (mut serving, mut left) = (0, cores);
        while left > 0 {
            tokio::select! {
                Some(()) = beginnings.recv() => {
                    serving += 1;
                    health.set_serving(serving == cores);
                }
                _ = shutdown.wait_for(|stop| *stop), if !*stop.borrow() => {
                    health.set_draining();
                    stop.send_replace(true);
                }
                ending = endings.recv() => {
                    left -= 1;
                    let ended = ending.unwrap_or(Err(ServeError::Died));
                    // One core that fails takes the others along: half a server would hide it.
                    stop.send_replace(true);
                    outcome = outcome.and(ended);
                }
            }
        }
        health.set_serving(false);
        outcome
    }
}

/// Tells how a thread ended, even when it panicked.
struct Ending(mpsc::Sender<Result<(), ServeError>>, Option<Result<(), ServeError>>);

impl Ending {
    fn send(mut self, outcome: Result<(), ServeError>) {
        self.1 = Some(outcome);
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let outcome = self.1.take().unwrap_or(Err(ServeError::Died));
        // The channel holds one for each core; a receiver that is gone needs none.
        self.0.try_send(outcome).ok();
    }
}

fn listen(address: SocketAddr) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

struct Core {
    settings: Arc<Settings>,
    permits: Arc<Semaphore>,
    stopping: watch::Receiver<bool>,
    begun: mpsc::Sender<()>,
    /// Held while the core serves.
    _serving: watch::Receiver<()>,
    /// Closed when none does: what one core waits for may be driven by a task of another.
    served: Arc<watch::Sender<()>>,
}

impl Core {
    fn run<Fut>(self, listener: StdListener, make: impl FnOnce() -> Fut) -> Result<(), ServeError>
    where
        Fut: Future<Output = Result<Context, Source>>,
    {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let ctx = make().await.map_err(ServeError::Context)?;
            let listener = TcpListener::from_std(listener)?;
            // The receiver may have given up on a core that failed before.
            self.begun.try_send(()).ok();
            let served = Arc::clone(&self.served);
            self.serve(listener, Arc::new(ctx)).await;
            served.closed().await;
            Ok(())
        })
    }

    async fn serve(mut self, listener: TcpListener, ctx: Arc<Context>) {
        let (phase, phases) = watch::channel(Phase::Serving);
        let (alive, mut all_done) = mpsc::channel(1);
        let accept = |stream, permit| {
            let connection =
                Connection { ctx: Arc::clone(&ctx), phase: phases.clone(), alive: alive.clone(), permit };
            tokio::spawn(connection.serve(stream));
        };
        let mut end: Option<Instant> = None;
        let mut telling = interval(TELL_EVERY);
        loop {
            tokio::select! {
                accepted = next(&listener, &self.permits) => accept(accepted.0, accepted.1),
                _ = telling.tick() => ctx.meters.tell(),
                _ = self.stopping.wait_for(|stop| *stop), if end.is_none() => {
                    phase.send_replace(Phase::Draining);
                    end = Some(Instant::now() + self.settings.drain);
                }
                () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => break,
            }
        }
        drop(listener);
        phase.send_replace(Phase::Closing);
        drop(alive);
        let patience = self.settings.request_deadline + CLOSING_GRACE;
        if timeout(patience, all_done.recv()).await.is_err() {
            tracing::warn!("requests were still running at the hard deadline and are dropped");
        }
    }
}

/// The next connection under the cap. Accepting fails when descriptors run out: back off, at most a second.
async fn next(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> (TcpStream, tokio::sync::OwnedSemaphorePermit) {
    let permit = Arc::clone(permits).acquire_owned().await;
    let permit = permit.expect("the semaphore is never closed");
    let mut pause = Duration::from_millis(10);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            }
        }
    }
}
