//! Waiting for the result of a task.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot::Receiver;
use tokio::task::AbortHandle;

use crate::JoinError;

/// Waits for the result of a task: a future awaits it, a thread calls [`wait`](Self::wait).
pub struct JoinHandle<T> {
    value: Receiver<T>,
    task: Task,
}

impl<T> JoinHandle<T> {
    pub(crate) fn new(value: Receiver<T>, task: AbortHandle) -> Self {
        let task = Task {
            task,
            cancel_on_drop: false,
        };
        Self { value, task }
    }

    /// Blocks until the task ends, and returns its result.
    pub fn wait(self) -> Result<T, JoinError> {
        self.value.blocking_recv().map_err(|_| JoinError)
    }

    /// Cancels the task when the handle is dropped.
    #[must_use]
    pub fn cancel_on_drop(mut self) -> Self {
        self.task.cancel_on_drop = true;
        self
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let value = Pin::new(&mut self.value);
        value.poll(cx).map(|value| value.map_err(|_| JoinError))
    }
}

struct Task {
    task: AbortHandle,
    cancel_on_drop: bool,
}

impl Drop for Task {
    fn drop(&mut self) {
        if self.cancel_on_drop {
            self.task.abort();
        }
    }
}
