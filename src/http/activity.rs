//! What a connection is doing, so that one that is idle or slow can be closed.
//!
//! hyper's own header timeout would end idle connections too and boxes a timer a request (4 to 9 % of a small
//! answer). Here one coarse timer a connection tells both apart: it wakes at least once a header timeout, so a slow
//! head is cut between one and two of them, and an idle connection at most one later than it should be.

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
///
/// It reads no clock: each state has a number of its own, and the watch times those that it sees twice.
pub(super) struct Activity {
    /// Counts states from the second bit on; the state in the lowest two.
    state: AtomicU64,
}

impl Activity {
    /// A connection that owes its first head from now on.
    pub(super) fn new() -> Self {
        Self { state: AtomicU64::new(HEAD) }
    }

    /// A request is being answered.
    pub(super) fn busy(&self) {
        self.enter(BUSY);
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

    /// One writer: the task of the connection.
    fn enter(&self, state: u64) {
        let before = self.state.load(Ordering::Relaxed);
        self.state.store((before | 3).wrapping_add(1) | state, Ordering::Relaxed);
    }

    /// How long the state that stands now may last; a busy one as long as it likes.
    fn limit(&self, idle: Duration, head: Duration) -> (u64, Option<Duration>) {
        let state = self.state.load(Ordering::Relaxed);
        let limit = match state & 3 {
            IDLE => Some(idle),
            HEAD => Some(head),
            _ => None,
        };
        (state, limit)
    }

    /// Ends when the connection was idle for `idle`, or a head takes longer than `head`; up to `head` later.
    pub(super) async fn overdue(&self, idle: Duration, head: Duration) {
        let mut seen = (u64::MAX, Instant::now());
        loop {
            let (now, (state, limit)) = (Instant::now(), self.limit(idle, head));
            if seen.0 != state {
                seen = (state, now);
            }
            let due = limit.map_or(now + head, |limit| seen.1 + limit);
            if limit.is_some() && due <= now {
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
        let limit = || activity.limit(IDLE_TIME, HEAD_TIME);
        let first = limit();
        assert_eq!(first.1, Some(HEAD_TIME), "the first head is owed at once");
        activity.received();
        assert_eq!(limit(), first, "more bytes of it win no time");

        activity.busy();
        assert_eq!(limit().1, None);
        let busy = limit();
        activity.received();
        assert_eq!(limit(), busy, "a body is none of its business");

        activity.idle();
        let idle = limit();
        assert_eq!(idle.1, Some(IDLE_TIME));
        activity.received();
        assert_eq!(limit().1, Some(HEAD_TIME));
        activity.busy();
        activity.idle();
        assert_eq!(limit().1, idle.1);
        assert_ne!(limit().0, idle.0, "idle again is another time of being idle");
    }

    #[tokio::test]
    async fn what_is_overdue_ends_the_watch() {
        let activity = Activity::new();
        let moment = Duration::from_millis(1);
        activity.overdue(IDLE_TIME, moment).await;
        activity.idle();
        activity.overdue(moment, moment).await;
    }
}
