//! The signals that ask the process to end.
//!
//! Must not know: what has to be done before it ends.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};

use crate::fault::Fault;

/// Resolves at the first SIGTERM or SIGINT from now on.
///
/// # Errors
/// [`Fault`] where the system does not deliver signals.
pub(crate) fn stop() -> Result<impl Future<Output = ()>, Fault> {
    let deaf = |error: std::io::Error| Fault::failed(format!("no signals are delivered: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(deaf)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(deaf)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
