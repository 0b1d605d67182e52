//! The signals that ask the process to end.
//!
//! The first one asks for an orderly end, a second one for an immediate one.
//! Must not know: what has to be done before it ends.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::fault::Fault;

/// SIGTERM and SIGINT from now on.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to listen: a signal that comes from now on is not lost.
    ///
    /// # Errors
    /// [`Fault`] where the system does not deliver signals.
    pub(crate) fn new() -> Result<Self, Fault> {
        let deaf =
            |error: std::io::Error| Fault::failed(format!("no signals are delivered: {error}"));
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(deaf)?,
            interrupt: signal(SignalKind::interrupt()).map_err(deaf)?,
        })
    }

    /// Resolves at the next of them.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
