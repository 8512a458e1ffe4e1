//! Ctrl-C: the first ends publishing, the second everything.

use tokio::signal::ctrl_c;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// See the module's documentation.
pub(super) struct Interrupts {
    pub(super) stop: CancellationToken,
    pub(super) done: CancellationToken,
    listening: JoinHandle<()>,
}

impl Interrupts {
    pub(super) fn listen() -> Self {
        let (stop, done) = (CancellationToken::new(), CancellationToken::new());
        let (first, second) = (stop.clone(), done.clone());
        let listening = tokio::spawn(async move {
            while ctrl_c().await.is_ok() {
                if first.is_cancelled() {
                    second.cancel();
                }
                first.cancel();
            }
        });
        Self {
            stop,
            done,
            listening,
        }
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        self.listening.abort();
    }
}
