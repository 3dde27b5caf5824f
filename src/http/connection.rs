//! One connection from accept to close: hyper's HTTP/1.1, its limits, and how it is told to end.
//!
//! A head that can't be read (400) or is too large (431) hyper answers by itself, without a body, and closes: it asks nobody for
//! one, and by the time that it says so here its answer is on its way. So these two are no `application/problem+json`.

use std::convert::Infallible;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::pin;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::activity::{Activity, Watched};
use super::context::Context;
use super::wrap::{self, Alive};

/// Bytes of a request's head, and of what is read ahead of a body.
const BUFFER_BYTES: usize = 16 * 1024;

/// What a core is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Serving.
    Serving,
    /// Still serving, asking clients to go elsewhere.
    Draining,
    /// Finishing what runs.
    Closing,
}

/// What one connection holds while it is open.
pub(super) struct Connection {
    pub(super) ctx: Arc<Context>,
    pub(super) phase: watch::Receiver<Phase>,
    pub(super) alive: Alive,
    /// Counts it against the cap.
    pub(super) permit: OwnedSemaphorePermit,
}

impl Connection {
    /// Serves until either side closes, it idles too long, or the core closes.
    pub(super) async fn serve(self, stream: TcpStream) {
        // Answers are written whole; a delayed one would wait for nothing.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection ended before it was served");
            return;
        }
        let Self { ctx, mut phase, alive, permit } = self;
        let _open = ctx.meters.connections.enter();
        let activity = Arc::new(Activity::new());
        let (idle, head) = (ctx.settings.keep_alive_idle, ctx.settings.header_read_timeout);
        let io = TokioIo::new(Watched { stream, activity: Arc::clone(&activity) });
        let current = phase.clone();
        let service = service_fn(|request: hyper::Request<Incoming>| {
            activity.busy();
            let draining = *current.borrow() != Phase::Serving;
            // Boxed: hyper keeps the room of this future for as long as the connection, 3.5 KiB of an idle one's 23.
            let answer = Box::pin(wrap::answer(Arc::clone(&ctx), alive.clone(), request, draining));
            let activity = Arc::clone(&activity);
            async move {
                let response = answer.await;
                activity.idle();
                Ok::<_, Infallible>(response)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // `Activity` watches heads; see there.
            .header_read_timeout(None)
            // A request that arrived whole is done, though its client closed right behind it.
            .half_close(true)
            .max_buf_size(BUFFER_BYTES)
            .serve_connection(io, service);
        pin!(connection);

        let outcome = tokio::select! {
            outcome = connection.as_mut() => outcome,
            () = activity.overdue(idle, head) => return,
            () = closing(&mut phase) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "a connection ended early");
        }
        drop(permit);
    }
}

/// Ends when the core closes, or is gone.
async fn closing(phase: &mut watch::Receiver<Phase>) {
    drop(phase.wait_for(|phase| *phase == Phase::Closing).await);
}
