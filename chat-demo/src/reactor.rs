//! Where sockets and timers are watched. The pool's workers know no reactor; this is the one place that lends them one.

use std::future::Future;

use tokio::runtime::Handle;
use tokio_util::context::TokioContext;

/// The runtime that waits for the system.
#[derive(Clone)]
pub(crate) struct Reactor(Handle);

impl Reactor {
    /// The one that drives the caller.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub(crate) fn current() -> Self {
        Self(Handle::current())
    }

    /// Makes a future that uses sockets and timers fit for any worker.
    pub(crate) fn lend<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        TokioContext::new(future, self.0.clone())
    }
}
