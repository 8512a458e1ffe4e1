//! A semaphore around a peer without a bound.

use std::future::Future;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::{Futures, Peer, Timers};

/// A peer behind a counting semaphore of `capacity` permits.
pub(crate) struct Bounded<P> {
    peer: P,
    permits: &'static Semaphore,
}

/// Uses `parking_lot`, because its condition variable makes no system call when no thread waits.
struct Semaphore {
    free: Mutex<usize>,
    freed: Condvar,
}

/// A permit for one task, until dropped.
struct Permit(&'static Semaphore);

impl Semaphore {
    fn acquire(&'static self) -> Permit {
        let mut free = self.free.lock();
        self.freed.wait_while(&mut free, |free| *free == 0);
        *free -= 1;
        Permit(self)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *self.0.free.lock() += 1;
        self.0.freed.notify_one();
    }
}

impl<P: Peer> Bounded<P> {
    fn around(peer: P, capacity: Option<usize>) -> Self {
        let permits = Semaphore {
            free: Mutex::new(capacity.expect("a bound")),
            freed: Condvar::new(),
        };
        Self {
            peer,
            permits: Box::leak(Box::new(permits)),
        }
    }
}

impl<P: Peer> Peer for Bounded<P> {
    const NAME: &'static str = P::NAME;
    const CRATE: &'static str = P::CRATE;
    const BOUNDS: bool = P::BOUNDS;

    fn new(threads: usize, capacity: Option<usize>) -> Self {
        Self::around(P::new(threads, None), capacity)
    }

    fn submit(&self, task: impl FnOnce() + Send + 'static) {
        let permit = self.permits.acquire();
        self.peer.submit(move || {
            task();
            drop(permit);
        });
    }
}

impl<P: Futures> Futures for Bounded<P> {
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let permit = self.permits.acquire();
        self.peer.spawn(async move {
            future.await;
            drop(permit);
        });
    }
}

impl<P: Timers> Timers for Bounded<P> {
    fn with_timers(threads: usize, capacity: Option<usize>) -> Self {
        Self::around(P::with_timers(threads, None), capacity)
    }

    fn sleep(time: Duration) -> impl Future<Output = ()> + Send {
        P::sleep(time)
    }
}
