//! When to stop: SIGINT and SIGTERM mean the same.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Error;

/// Listens from its making on; the process no longer dies of these signals.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Starts to listen.
    pub(super) fn listen() -> Result<Self, Error> {
        let interrupt = signal(SignalKind::interrupt()).map_err(Error::System)?;
        let terminate = signal(SignalKind::terminate()).map_err(Error::System)?;
        Ok(Self { interrupt, terminate })
    }

    /// Resolves with the next of them.
    pub(super) async fn stop_asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
