//! Ctrl-C, SIGTERM and SIGHUP: the first signal ends publishing, the second ends the run. Under
//! `nohup` the process ignores SIGHUP.
//!
//! A signal must not end this process alone: a server that it started for the run would live on.

use std::io;

use futures_util::future::select_all;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::error::LoadError;
use super::signals::is_ignored;

pub(super) struct Interrupts {
    /// Cancelled by the first signal.
    pub(super) stop: CancellationToken,
    /// Cancelled by the second.
    pub(super) done: CancellationToken,
    /// Dropping this ends the task.
    _listening: JoinSet<()>,
}

impl Interrupts {
    pub(super) fn listen() -> io::Result<Self> {
        let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
        let hangup = SignalKind::hangup();
        kinds.extend((!is_ignored(hangup.as_raw_value())).then_some(hangup));
        let mut signals: Vec<_> = kinds.into_iter().map(signal).collect::<io::Result<_>>()?;
        let (stop, done) = (CancellationToken::new(), CancellationToken::new());
        let (first, second) = (stop.clone(), done.clone());
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            for token in [first, second] {
                select_all(signals.iter_mut().map(|signal| Box::pin(signal.recv()))).await;
                token.cancel();
            }
        });
        Ok(Self {
            stop,
            done,
            _listening: listening,
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
