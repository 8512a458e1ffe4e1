//! Ctrl-C, and what else ends a program: the first ends publishing, the second everything. A server that was started for the run
//! ends with it, so no signal may end the run alone.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// See the module's documentation.
pub(super) struct Interrupts {
    pub(super) stop: CancellationToken,
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
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        self.listening.abort();
    }
}
