//! Ctrl-C, SIGTERM and SIGHUP: the first signal ends publishing, the second ends the run. Under
//! `nohup` the process ignores SIGHUP.
//!
//! A signal must not end this process alone: a server that it started for the run would live on.

use std::future::{Future, pending};
use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::error::LoadError;
use super::signals::is_ignored;

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
        let hangup = SignalKind::hangup();
        let mut hangups = (!is_ignored(hangup.as_raw_value()))
            .then(|| signal(hangup))
            .transpose()?;
        let (stop, done) = (CancellationToken::new(), CancellationToken::new());
        let (first, second) = (stop.clone(), done.clone());
        let listening = tokio::spawn(async move {
            loop {
                let hangup = async {
                    match &mut hangups {
                        Some(hangups) => hangups.recv().await,
                        None => pending().await,
                    }
                };
                tokio::select! {
                    _ = interrupts.recv() => {}
                    _ = ends.recv() => {}
                    _ = hangup => {}
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
