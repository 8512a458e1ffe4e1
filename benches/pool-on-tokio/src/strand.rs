//! Closures in line: a queue, and a task for as long as there is something in it.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;

use crate::SlotError;

/// Closures of one line that run before others have their turn.
const TURN: usize = 16;

/// See the module's documentation.
pub struct Strand {
    runtime: Handle,
    slots: Arc<Semaphore>,
    line: Arc<Mutex<Line>>,
}

#[derive(Default)]
struct Line {
    waiting: VecDeque<(OwnedSemaphorePermit, Task)>,
    has_task: bool,
}

type Task = Box<dyn FnOnce() + Send>;

impl Strand {
    pub(crate) fn new(runtime: Handle, slots: Arc<Semaphore>) -> Self {
        Self {
            runtime,
            slots,
            line: Arc::default(),
        }
    }

    /// A slot, in its turn.
    pub async fn slot(&self) -> Result<StrandSlot<'_>, SlotError> {
        match self.slots.clone().acquire_owned().await {
            Ok(permit) => Ok(StrandSlot {
                permit,
                strand: self,
            }),
            Err(_) => Err(SlotError::Closed),
        }
    }

    /// Puts a closure in line, once there is a slot. Blocks.
    pub fn submit(&self, task: impl FnOnce() + Send + 'static) -> Result<(), SlotError> {
        self.runtime.block_on(self.slot())?.submit(task);
        Ok(())
    }
}

/// The right to one closure in line.
pub struct StrandSlot<'a> {
    permit: OwnedSemaphorePermit,
    strand: &'a Strand,
}

impl StrandSlot<'_> {
    /// Puts a closure in line.
    pub fn submit(self, task: impl FnOnce() + Send + 'static) {
        let Strand { runtime, line, .. } = self.strand;
        let mut queue = line.lock();
        queue.waiting.push_back((self.permit, Box::new(task)));
        if !queue.has_task {
            queue.has_task = true;
            runtime.spawn(work_off(line.clone()));
        }
    }
}

async fn work_off(line: Arc<Mutex<Line>>) {
    loop {
        for _ in 0..TURN {
            let next = {
                let mut line = line.lock();
                let next = line.waiting.pop_front();
                line.has_task = next.is_some();
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
