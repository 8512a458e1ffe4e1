//! Closures that run one at a time and in order: a queue, and a task of tokio while the queue is not
//! empty.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::task::yield_now;

use crate::SlotError;

/// Closures that run in a row before the task yields.
const TURN: usize = 16;

/// Runs closures one at a time and in order of submission.
pub struct Strand {
    runtime: Handle,
    slots: Arc<Semaphore>,
    queue: Arc<Mutex<Queue>>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(OwnedSemaphorePermit, Task)>,
    has_task: bool,
}

type Task = Box<dyn FnOnce() + Send>;

impl Strand {
    pub(crate) fn new(runtime: Handle, slots: Arc<Semaphore>) -> Self {
        Self {
            runtime,
            slots,
            queue: Arc::default(),
        }
    }

    /// Waits for a slot, in order of arrival.
    pub async fn slot(&self) -> Result<StrandSlot<'_>, SlotError> {
        match self.slots.clone().acquire_owned().await {
            Ok(permit) => Ok(StrandSlot {
                permit,
                strand: self,
            }),
            Err(_) => Err(SlotError::Closed),
        }
    }

    /// Reserves a slot if one is free.
    pub fn try_slot(&self) -> Result<StrandSlot<'_>, SlotError> {
        match self.slots.clone().try_acquire_owned() {
            Ok(permit) => Ok(StrandSlot {
                permit,
                strand: self,
            }),
            Err(TryAcquireError::NoPermits) => Err(SlotError::Full),
            Err(TryAcquireError::Closed) => Err(SlotError::Closed),
        }
    }

    /// Enqueues a closure, and blocks while no slot is free.
    pub fn submit(&self, task: impl FnOnce() + Send + 'static) -> Result<(), SlotError> {
        self.runtime.block_on(self.slot())?.submit(task);
        Ok(())
    }
}

/// A reserved slot for one closure.
pub struct StrandSlot<'a> {
    permit: OwnedSemaphorePermit,
    strand: &'a Strand,
}

impl StrandSlot<'_> {
    /// Enqueues a closure.
    pub fn submit(self, task: impl FnOnce() + Send + 'static) {
        let Strand {
            runtime,
            queue: shared,
            ..
        } = self.strand;
        let mut queue = shared.lock();
        queue.waiting.push_back((self.permit, Box::new(task)));
        if !queue.has_task {
            queue.has_task = true;
            runtime.spawn(run_queued(shared.clone()));
        }
    }
}

/// Runs the closures of the queue until it is empty.
async fn run_queued(queue: Arc<Mutex<Queue>>) {
    loop {
        for _ in 0..TURN {
            let next = {
                let mut queue = queue.lock();
                let next = queue.waiting.pop_front();
                queue.has_task = next.is_some();
                next
            };
            let Some((permit, task)) = next else {
                return;
            };
            task();
            drop(permit);
        }
        yield_now().await;
    }
}
