//! A bound around a peer that has none: the semaphore that everybody writes.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::Peer;

/// A peer that holds at most `capacity` tasks, by a counting semaphore of lock and condition variable.
#[derive(Debug)]
pub struct Bounded<P> {
    peer: P,
    permits: Arc<Semaphore>,
}

#[derive(Debug)]
struct Semaphore {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Semaphore {
    fn acquire(&self) {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.freed.wait_while(free, |free| *free == 0);
        *free.unwrap_or_else(PoisonError::into_inner) -= 1;
    }

    fn release(&self) {
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.freed.notify_one();
    }
}

impl<P: Peer> Peer for Bounded<P> {
    const NAME: &'static str = P::NAME;

    fn new(capacity: usize) -> Self {
        let permits = Semaphore {
            free: Mutex::new(capacity),
            freed: Condvar::new(),
        };
        Self {
            peer: P::new(capacity),
            permits: Arc::new(permits),
        }
    }

    fn submit(&self, task: impl FnOnce() + Send + 'static) {
        self.permits.acquire();
        let permits = Arc::clone(&self.permits);
        self.peer.submit(move || {
            task();
            permits.release();
        });
    }
}
