//! What a group shares with the wakers of its handles.

use std::sync::Arc;
use std::task::Wake;
use std::time::Instant;

use crate::errors::JoinError;
use crate::group::results::GroupResults;
use crate::join::{JoinHandle, Watch};
use crate::sync::{Arc as PoolArc, Mutex};
use crate::task::unwind;
use crate::wait::{Outcome, Waiter, blocking};

/// State shared by a group and the wakers of its handles.
pub(super) struct Members<T>(pub(super) Mutex<State<T>>);

pub(super) struct State<T> {
    /// In push order.
    pub(super) members: Vec<Member<T>>,
    pub(super) pending: usize,
    /// Returns whether a result stops the group. `None` if no result does.
    pub(super) fails: Option<fn(&T) -> bool>,
    /// The index of the task that stopped the group.
    pub(super) failed: Option<usize>,
    pub(super) stopped: bool,
    pub(super) waiter: Option<PoolArc<Waiter>>,
}

pub(super) enum Member<T> {
    Pending(JoinHandle<T>),
    Ended(Result<T, JoinError>),
}

/// The waker that a task of a group calls when it ends.
pub(super) struct Ended<T> {
    pub(super) members: Arc<Members<T>>,
    pub(super) index: usize,
}

impl<T: Send + 'static> Wake for Ended<T> {
    fn wake(self: Arc<Self>) {
        self.members.collect(self.index);
    }
}

impl<T> State<T> {
    /// Stops the group, once. Returns the tasks to cancel after the lock is released.
    pub(super) fn stop(&mut self, failed: Option<usize>) -> Vec<Watch<T>> {
        if std::mem::replace(&mut self.stopped, true) {
            return Vec::new();
        }
        self.failed = failed;
        self.pending()
    }

    /// Returns the tasks that have not ended, in push order.
    pub(super) fn pending(&self) -> Vec<Watch<T>> {
        let pending = self.members.iter().filter_map(|member| match member {
            Member::Pending(handle) => Some(handle.watch()),
            Member::Ended(_) => None,
        });
        pending.collect()
    }
}

impl<T> Members<T> {
    /// Takes the result of an ended task, and stops the group if the result says so.
    pub(super) fn collect(&self, index: usize) {
        let mut state = self.0.lock();
        // A dropped group has no members.
        let Some(member) = state.members.get_mut(index) else {
            return;
        };
        let Member::Pending(handle) = &*member else {
            return;
        };
        let result = handle.watch().packet.take();
        let handle = std::mem::replace(member, Member::Ended(result));
        let stops = match (&state.members[index], state.fails) {
            (Member::Ended(Ok(value)), Some(fails)) => fails(value),
            (Member::Ended(Err(JoinError::Panicked(_))), Some(_)) => true,
            _ => false,
        };
        state.pending -= 1;
        // Under the same lock, so that a waiter sees which task failed.
        let cancelled = if stops {
            state.stop(Some(index))
        } else {
            Vec::new()
        };
        let waiter = if state.pending == 0 {
            state.waiter.take()
        } else {
            None
        };
        drop(state);
        drop(handle);
        cancel_all(&cancelled);
        if let Some(waiter) = waiter {
            waiter.settle(Outcome::Granted);
            waiter.wake();
        }
    }

    /// Blocks until all tasks have ended. Returns false if the deadline passes first.
    pub(super) fn wait_until(&self, deadline: Option<Instant>) -> bool {
        let waiter = PoolArc::new(Waiter::thread());
        let mut state = self.0.lock();
        if state.pending == 0 {
            return true;
        }
        let replaced = state.waiter.replace(PoolArc::clone(&waiter));
        drop(state);
        drop(replaced);
        blocking::check();
        waiter.wait(deadline).is_some()
    }

    /// Takes the results. Call it once all tasks have ended.
    pub(super) fn take(&self) -> GroupResults<T> {
        let mut state = self.0.lock();
        let members = std::mem::take(&mut state.members);
        let failed = state.failed;
        drop(state);
        let results = members.into_iter().map(|member| match member {
            Member::Ended(result) => result,
            Member::Pending(_) => unreachable!("no task is pending"),
        });
        GroupResults::new(results.collect(), failed)
    }
}

/// Cancels tasks. A running future is cancelled when it suspends. Call it without the lock, because
/// it drops tasks, which runs foreign code.
pub(super) fn cancel_all<T>(tasks: &[Watch<T>]) {
    for watch in tasks {
        // Catch the panic of a dropped capture, or the other tasks would not be cancelled.
        unwind::catch(|| watch.cancel_soon()).unwrap_or_else(unwind::discard);
    }
}
