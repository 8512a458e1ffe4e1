//! Ctrl-C, SIGTERM and SIGHUP: the first signal ends publishing, the second ends the run. Under
//! `nohup` the process ignores SIGHUP.
//!
//! A signal must not end this process alone: a server that it started for the run would live on.

use std::{fs, io};

use futures_util::future::select_all;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::error::LoadError;

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

/// Returns whether the process ignores a signal, as it does SIGHUP under `nohup`. Returns false on
/// systems without `/proc`.
#[must_use]
pub fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}
