//! What a connection is doing, so that one that is idle or slow can be closed.
//!
//! hyper's own header timeout would end idle connections too and boxes a timer a request (4 to 9 % of a small
//! answer). Here one coarse timer a connection tells both apart: it wakes at most once a header timeout, so a slow
//! head is cut between one and two of them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

const BUSY: u64 = 0;
const IDLE: u64 = 1;
const HEAD: u64 = 2;

/// Shared by a connection's stream, its service and its watch.
pub(super) struct Activity {
    started: Instant,
    /// Milliseconds since `started` at which the state began, and the state in the lowest two bits.
    state: AtomicU64,
}

impl Activity {
    /// A connection that owes its first head from now on.
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), state: AtomicU64::new(HEAD) }
    }

    /// A request is being answered.
    pub(super) fn busy(&self) {
        self.state.store(BUSY, Ordering::Relaxed);
    }

    /// It was answered.
    pub(super) fn idle(&self) {
        self.enter(IDLE);
    }

    fn received(&self) {
        if self.state.load(Ordering::Relaxed) & 3 == IDLE {
            self.enter(HEAD);
        }
    }

    fn enter(&self, state: u64) {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX >> 2);
        self.state.store(millis << 2 | state, Ordering::Relaxed);
    }

    /// When it is overdue if nothing happens; a busy one never is, and is looked at again later.
    fn due(&self, now: Instant, idle: Duration, head: Duration) -> Instant {
        let state = self.state.load(Ordering::Relaxed);
        let since = self.started + Duration::from_millis(state >> 2);
        match state & 3 {
            IDLE => since + idle,
            HEAD => since + head,
            _ => now + head,
        }
    }

    /// Ends when the connection was idle for `idle`, or a head takes longer than `head`.
    pub(super) async fn overdue(&self, idle: Duration, head: Duration) {
        loop {
            let now = Instant::now();
            let due = self.due(now, idle, head);
            if due <= now {
                return;
            }
            sleep_until(due.min(now + head)).await;
        }
    }
}

/// A stream that tells when bytes arrive.
pub(super) struct Watched {
    pub(super) stream: TcpStream,
    pub(super) activity: Arc<Activity>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.activity.received();
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE_TIME: Duration = Duration::from_mins(1);
    const HEAD_TIME: Duration = Duration::from_secs(10);

    #[test]
    fn idle_slow_and_busy_connections_are_told_apart() {
        let activity = Activity::new();
        let now = Instant::now();
        let due = || activity.due(now, IDLE_TIME, HEAD_TIME);
        assert_eq!(due(), activity.started + HEAD_TIME, "the first head is owed at once");
        activity.received();
        assert_eq!(due(), activity.started + HEAD_TIME, "more bytes of it win no time");

        activity.busy();
        assert_eq!(due(), now + HEAD_TIME);
        activity.received();
        assert_eq!(due(), now + HEAD_TIME, "a body is none of its business");

        activity.idle();
        assert!(due() >= activity.started + IDLE_TIME);
        activity.received();
        assert!((activity.started + HEAD_TIME..activity.started + IDLE_TIME).contains(&due()));
    }

    #[tokio::test]
    async fn what_is_overdue_ends_the_watch() {
        let activity = Activity::new();
        activity.overdue(IDLE_TIME, Duration::ZERO).await;
        activity.idle();
        activity.overdue(Duration::ZERO, HEAD_TIME).await;
    }
}
