//! Closures in line: a queue, and a task for as long as there is something in it.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;

use crate::SubmitError;

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

    /// Puts a closure in line, once there is a slot.
    pub async fn submit_async<F>(&self, task: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        let Ok(permit) = self.slots.clone().acquire_owned().await else {
            return Err(SubmitError(task));
        };
        let mut line = self.line.lock();
        line.waiting.push_back((permit, Box::new(task)));
        if !line.has_task {
            line.has_task = true;
            self.runtime.spawn(work_off(self.line.clone()));
        }
        Ok(())
    }

    /// Puts a closure in line, once there is a slot. Blocks.
    pub fn submit<F>(&self, task: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.runtime.block_on(self.submit_async(task))
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
