//! What each worker is doing right now, for the figures.

use std::sync::Arc;

use crate::sync::figures::{AtomicUsize, Mutex, MutexGuard, Ordering};

/// What a worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Running a closure.
    Closure = 1,
    /// Polling a future.
    Future = 2,
    /// Waiting in the reactor.
    Reactor = 3,
}

/// The bits of a word that hold what is done; the others hold the entrance.
const DOING: usize = 3;

/// The ids of entrances are multiples of it.
pub(crate) const ID_STEP: usize = DOING + 1;

/// One worker's activity: what it does, and for a task of which entrance. Only its worker writes it.
#[derive(Debug, Default)]
pub(crate) struct Activity(AtomicUsize);

impl Activity {
    /// The worker does this for a task of the entrance with this id.
    pub(crate) fn set(&self, doing: Doing, entrance: usize) {
        // Release pairs with the Acquire in `count`: a task that is seen to run can no longer be cancelled.
        self.0.store(entrance | doing as usize, Ordering::Release);
    }

    /// The worker runs no task.
    pub(crate) fn clear(&self) {
        self.restore(0);
    }

    /// Clears, and returns what there was, for `restore`.
    pub(crate) fn take(&self) -> usize {
        let before = self.0.load(Ordering::Relaxed);
        self.clear();
        before
    }

    pub(crate) fn restore(&self, before: usize) {
        self.0.store(before, Ordering::Release);
    }

    /// The id of the entrance whose task runs; 0 if none does.
    pub(crate) fn entrance(&self) -> usize {
        self.0.load(Ordering::Relaxed) & !DOING
    }
}

/// How many workers do what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Doings {
    pub(crate) closures: usize,
    pub(crate) futures: usize,
    pub(crate) reactor: usize,
}

/// The activities of all workers of a pool.
#[derive(Debug, Default)]
pub(crate) struct Activities(Mutex<Lists>);

#[derive(Debug, Default)]
struct Lists {
    all: Vec<Arc<Activity>>,
    /// Activities of workers that have left, to be reused.
    vacant: Vec<Arc<Activity>>,
}

impl Activities {
    /// The activity of a worker that begins.
    pub(crate) fn claim(&self) -> Arc<Activity> {
        let mut lists = self.lock();
        lists.vacant.pop().unwrap_or_else(|| {
            let activity = Arc::<Activity>::default();
            lists.all.push(Arc::clone(&activity));
            activity
        })
    }

    /// The activity of a worker that has left.
    pub(crate) fn vacate(&self, activity: Arc<Activity>) {
        activity.clear();
        self.lock().vacant.push(activity);
    }

    fn lock(&self) -> MutexGuard<'_, Lists> {
        self.0.lock().expect("nothing panics under this lock")
    }

    pub(crate) fn count(&self) -> Doings {
        let mut doings = Doings::default();
        for activity in &self.lock().all {
            match activity.0.load(Ordering::Acquire) & DOING {
                1 => doings.closures += 1,
                2 => doings.futures += 1,
                3 => doings.reactor += 1,
                _ => {}
            }
        }
        doings
    }
}
