//! The reactor: the source of events that an idle worker waits in.

use std::cell::Cell;
use std::io;
use std::sync::Arc;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::task::{Payload, unwind};

/// A source of events, such as sockets and timers, that an idle worker of a pool waits in.
///
/// One idle worker at a time holds the reactor and waits in [`park`](Self::park). `park` handles
/// events: it calls wakers, and that worker then polls the woken futures without a switch of
/// threads. The other idle workers park outside the reactor.
///
/// While no worker holds the reactor, a busy worker calls [`poll`](Self::poll) after every 61
/// tasks. A worker that is about to run closures wakes an idle worker to hold the reactor. If
/// closures occupy every worker, the pool starts one more thread to hold it. At most one thread at
/// a time is in `park` or `poll`.
///
/// With the feature `tokio`, `Builder::tokio` uses tokio's reactor.
///
/// A pool with a reactor keeps at least one thread. The worker that waits for events does not
/// expire; other idle workers do.
///
/// # Panics
///
/// A panic in `park` or `poll` reaches the [panic handler](crate::Builder::panic_handler). The pool
/// then runs without the reactor, because a waker that panics may leave the reactor in an
/// inconsistent state. Futures that wait for its events are no longer woken. After a panic in
/// [`within`](Self::within) the thread continues without it. A panic in `unpark` is dropped,
/// because the calling thread did not cause it.
///
/// ```
/// use std::sync::{Condvar, Mutex};
///
/// /// A reactor without any event.
/// #[derive(Default)]
/// struct NoEvents(Mutex<bool>, Condvar);
///
/// impl anthill::Reactor for NoEvents {
///     fn park(&self) {
///         let notified = self.0.lock().unwrap();
///         *self.1.wait_while(notified, |notified| !*notified).unwrap() = false;
///     }
///
///     fn unpark(&self) {
///         *self.0.lock().unwrap() = true;
///         self.1.notify_one();
///     }
///
///     fn poll(&self) {}
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().reactor(|| Ok(NoEvents::default())).build()?;
/// assert_eq!(pool.submit_with_handle(|| 1 + 1)?.wait()?, 2);
/// # pool.shutdown().wait()?;
/// # Ok(())
/// # }
/// ```
pub trait Reactor: Send + Sync + 'static {
    /// Blocks, and handles events as they arrive, until [`unpark`](Self::unpark) is called. May
    /// return earlier.
    fn park(&self);

    /// Makes the current call of `park` return, or the next one if no thread is in `park`. Never
    /// blocks.
    ///
    /// Any thread may call it. The thread in `park` may call it too, while it handles an event;
    /// `park` then handles the remaining events and returns.
    fn unpark(&self);

    /// Handles the events that are ready, without blocking.
    fn poll(&self);

    /// Runs `work`, the main loop of a pool thread, exactly once, and returns when the thread ends.
    ///
    /// A reactor can set thread-locals here that futures need when they are polled. The default
    /// implementation only calls `work`.
    fn within(&self, work: &mut dyn FnMut()) {
        work();
    }
}

/// Notifies the worker in the reactor. Catches a panic, or the reactor's panic would unwind into
/// the caller.
pub(crate) fn unpark(reactor: &dyn Reactor) {
    unwind::catch(|| reactor.unpark()).unwrap_or_else(unwind::discard);
}

/// Makes the reactor when the pool is built.
pub(crate) type MakeReactor = Arc<dyn Fn() -> io::Result<Arc<dyn Reactor>> + Send + Sync>;

/// A pool's reactor, and whether a thread holds it.
pub(crate) struct SharedReactor {
    pub(crate) reactor: Arc<dyn Reactor>,
    held: AtomicBool,
}

impl SharedReactor {
    pub(crate) fn new(reactor: Arc<dyn Reactor>) -> Self {
        Self {
            reactor,
            held: AtomicBool::new(false),
        }
    }

    /// Takes the reactor unless a thread holds it.
    pub(crate) fn try_hold(&self) -> Option<Holder<'_>> {
        // Acquire pairs with Release in `drop`: a holder sees what the previous holder did in the
        // reactor.
        if self.held.swap(true, Ordering::Acquire) {
            return None;
        }
        Some(Holder {
            shared: self,
            broken: Cell::new(false),
        })
    }

    /// Returns whether a thread holds the reactor. A caller that must not miss a holder needs a
    /// fence before the call.
    pub(crate) fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }
}

/// The right of one thread to call `park` and `poll`.
pub(crate) struct Holder<'a> {
    shared: &'a SharedReactor,
    broken: Cell<bool>,
}

impl Holder<'_> {
    pub(crate) fn park(&self) -> Result<(), Payload> {
        self.call(|| self.shared.reactor.park())
    }

    pub(crate) fn poll(&self) -> Result<(), Payload> {
        self.call(|| self.shared.reactor.poll())
    }

    /// Returns whether the reactor has panicked.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.get()
    }

    fn call(&self, f: impl FnOnce()) -> Result<(), Payload> {
        let ended = unwind::catch(f);
        self.broken.set(ended.is_err());
        ended
    }
}

impl Drop for Holder<'_> {
    fn drop(&mut self) {
        // A reactor that has panicked stays held, or a worker would wait in it again.
        if !self.broken.get() {
            self.shared.held.swap(false, Ordering::Release);
        }
    }
}
