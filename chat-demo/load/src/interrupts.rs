//! Ctrl-C, SIGTERM and SIGHUP: the first signal ends publishing, the second ends the run.
//!
//! A signal must not end this process alone: a server that it started for the run would live on.

use std::future::Future;
use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::error::LoadError;

/// The signals that end a run.
#[derive(Debug)]
pub(super) struct Interrupts {
    /// Cancelled by the first signal.
    pub(super) stop: CancellationToken,
    /// Cancelled by the second.
    pub(super) done: CancellationToken,
    listening: JoinHandle<()>,
}

impl Interrupts {
    pub(super) fn listen() -> io::Result<Self> {
        let mut interrupts = signal(SignalKind::interrupt())?;
        let mut ends = signal(SignalKind::terminate())?;
        let mut hangups = signal(SignalKind::hangup())?;
        let (stop, done) = (CancellationToken::new(), CancellationToken::new());
        let (first, second) = (stop.clone(), done.clone());
        let listening = tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupts.recv() => {}
                    _ = ends.recv() => {}
                    _ = hangups.recv() => {}
                }
                if first.is_cancelled() {
                    second.cancel();
                }
                first.cancel();
            }
        });
        Ok(Self {
            stop,
            done,
            listening,
        })
    }

    /// Awaits work that has no result worth keeping if a signal comes first; then drops it.
    pub(super) async fn or_stop<T>(&self, work: impl Future<Output = T>) -> Result<T, LoadError> {
        tokio::select! {
            done = work => Ok(done),
            () = self.stop.cancelled() => Err(LoadError::Interrupted),
        }
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        self.listening.abort();
    }
}
