//! What each worker does now, for statistics.

use std::sync::Arc;

use crate::sync::figures::{AtomicUsize, Mutex, MutexGuard, Ordering};

/// The current work of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivityKind {
    /// Runs a closure.
    Closure = 1,
    /// Polls a future.
    Future = 2,
    /// Waits in the reactor.
    Reactor = 3,
}

/// The bits of the word for [`ActivityKind`]; the others hold the entrance.
const KIND_MASK: usize = 3;

/// Entrance ids are multiples of this step, so that the [`ActivityKind`] bits are free.
pub const ID_STEP: usize = KIND_MASK + 1;

/// The current work of a worker, and the entrance of its task. Only the worker writes it.
#[derive(Debug, Default)]
pub struct Activity(AtomicUsize);

impl Activity {
    /// Sets the current work, for a task of the entrance with id `entrance`.
    pub fn set(&self, kind: ActivityKind, entrance: usize) {
        // Release pairs with the Acquire in `count`: a task that is counted as running can no
        // longer be cancelled.
        self.0.store(entrance | kind as usize, Ordering::Release);
    }

    /// Notes that the worker runs no task.
    pub fn clear(&self) {
        self.restore(0);
    }

    /// Clears the word and returns its value for `restore`.
    pub fn take(&self) -> usize {
        let before = self.0.load(Ordering::Relaxed);
        self.clear();
        before
    }

    pub fn restore(&self, before: usize) {
        self.0.store(before, Ordering::Release);
    }

    /// Returns the id of the entrance whose task runs, or 0.
    pub fn entrance(&self) -> usize {
        self.0.load(Ordering::Relaxed) & !KIND_MASK
    }
}

/// The number of workers per kind of work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActivityCounts {
    pub closures: usize,
    pub futures: usize,
    pub reactor: usize,
}

/// The activities of all workers of a pool.
#[derive(Debug, Default)]
pub struct Activities(Mutex<Lists>);

#[derive(Debug, Default)]
struct Lists {
    all: Vec<Arc<Activity>>,
    /// Activities of exited workers, to be reused.
    vacant: Vec<Arc<Activity>>,
}

impl Activities {
    /// Returns an activity for a worker that starts.
    pub fn claim(&self) -> Arc<Activity> {
        let mut lists = self.lock();
        lists.vacant.pop().unwrap_or_else(|| {
            let activity = Arc::<Activity>::default();
            lists.all.push(Arc::clone(&activity));
            activity
        })
    }

    /// Takes back the activity of a worker that exited.
    pub fn vacate(&self, activity: Arc<Activity>) {
        activity.clear();
        self.lock().vacant.push(activity);
    }

    fn lock(&self) -> MutexGuard<'_, Lists> {
        self.0.lock().expect("nothing panics under this lock")
    }

    pub fn count(&self) -> ActivityCounts {
        let mut counts = ActivityCounts::default();
        for activity in &self.lock().all {
            match activity.0.load(Ordering::Acquire) & KIND_MASK {
                1 => counts.closures += 1,
                2 => counts.futures += 1,
                3 => counts.reactor += 1,
                _ => {}
            }
        }
        counts
    }
}
