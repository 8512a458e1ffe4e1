//! What an idle worker waits in: a source of events that make futures ready.

use std::cell::Cell;
use std::io;
use std::sync::Arc;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::unwind::{self, Payload};

/// A source of events, such as sockets and timers, that a pool's idle worker waits in.
///
/// One idle worker at a time holds it and waits in [`park`](Self::park), which handles what happens: it calls wakers, and
/// the futures behind them become work for that very worker, without another thread in between. The other idle workers
/// sleep on their own. A holder that an event has given work leaves the reactor and runs it. While the reactor is free, a
/// busy worker calls [`poll`](Self::poll) after every 61 tasks, and a worker about to run closures wakes an idle one to
/// hold the reactor; if closures occupy every worker, one more thread is started for it. At any time at most one thread
/// is in `park` or `poll`.
///
/// With the feature `tokio` there is the reactor of tokio: `Builder::tokio`.
///
/// A pool with a reactor keeps at least one thread. The one that waits for events does not expire; the others do.
///
/// # Panics
///
/// A panic that comes out of `park` or `poll` is told to the [panic handler](crate::Builder::panic_handler), and the pool
/// goes on without the reactor: a waker of somebody else's may have left it half-done. So futures that it was to wake
/// are not woken any more. After a panic out of [`within`](Self::within) the thread goes on outside of it.
/// A panic out of `unpark` is dropped, since it is nobody's who calls it.
///
/// ```
/// use std::sync::{Condvar, Mutex};
///
/// /// A reactor without any event.
/// #[derive(Default)]
/// struct Silence(Mutex<bool>, Condvar);
///
/// impl anthill::Reactor for Silence {
///     fn park(&self) {
///         let rung = self.0.lock().unwrap();
///         *self.1.wait_while(rung, |rung| !*rung).unwrap() = false;
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
/// let pool = anthill::Pool::builder().reactor(|| Ok(Silence::default())).build()?;
/// assert_eq!(pool.submit_with_handle(|| 1 + 1)?.wait()?, 2);
/// # pool.shutdown().wait()?;
/// # Ok(())
/// # }
/// ```
pub trait Reactor: Send + Sync + 'static {
    /// Waits for events and handles them, until [`unpark`](Self::unpark) is called. It may return earlier.
    fn park(&self);

    /// Ends the current `park`, or the next one if there is none now. Any thread calls it, also the one in `park`, for an
    /// event that it handles: then `park` handles what else is there and returns.
    fn unpark(&self);

    /// Handles the events that there are, without waiting.
    fn poll(&self);

    /// Runs the whole life of a thread of the pool, `work`, once; here a reactor can set what futures look for in the
    /// thread that polls them. As it stands it only calls `work`.
    fn within(&self, work: &mut dyn FnMut()) {
        work();
    }
}

/// Rings for the one that waits in it, whoever calls: a panic there is none of theirs.
pub(crate) fn unpark(reactor: &dyn Reactor) {
    unwind::catch(|| reactor.unpark()).unwrap_or_else(unwind::discard);
}

/// How a pool that is built gets its reactor.
pub(crate) type MakeReactor = Arc<dyn Fn() -> io::Result<Arc<dyn Reactor>> + Send + Sync>;

/// The reactor of a pool, and whether somebody holds it.
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

    /// Takes the reactor, if nobody has it.
    pub(crate) fn try_hold(&self) -> Option<Holder<'_>> {
        // Acquire and Release: one holder sees what the one before did there.
        if self.held.swap(true, Ordering::Acquire) {
            return None;
        }
        Some(Holder {
            shared: self,
            broken: Cell::new(false),
        })
    }

    /// Whether somebody has it. Where that must be known, a fence stands before the call.
    pub(crate) fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }
}

/// The one thread that may wait in the reactor.
pub(crate) struct Holder<'a> {
    shared: &'a SharedReactor,
    broken: Cell<bool>,
}

impl Holder<'_> {
    pub(crate) fn park(&self) -> Result<(), Payload> {
        self.inside(|| self.shared.reactor.park())
    }

    pub(crate) fn poll(&self) -> Result<(), Payload> {
        self.inside(|| self.shared.reactor.poll())
    }

    /// Whether it has panicked.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.get()
    }

    fn inside(&self, f: impl FnOnce()) -> Result<(), Payload> {
        let ended = unwind::catch(f);
        self.broken.set(ended.is_err());
        ended
    }
}

impl Drop for Holder<'_> {
    fn drop(&mut self) {
        // Nobody is to have one again that is broken.
        if !self.broken.get() {
            self.shared.held.swap(false, Ordering::Release);
        }
    }
}
