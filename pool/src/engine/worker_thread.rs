//! What a worker thread has of its own: an index, and a value of each `WorkerLocal`.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::scheduler::Scheduler;
use crate::sync::thread_local;

/// Makes the value of a `WorkerLocal` on the worker with this index.
pub type MakeLocal = Arc<dyn Fn(usize) -> Rc<dyn Any> + Send + Sync>;

thread_local! {
    // Apart from the values: it has no destructor, which each thread would have to register.
    #[allow(clippy::missing_const_for_thread_local, reason = "loom's macro knows no `const`")]
    static INDEX: Cell<Option<usize>> = Cell::new(None);

    /// The values of the worker, each with the id of its `WorkerLocal`.
    #[allow(clippy::missing_const_for_thread_local, reason = "loom's macro knows no `const`")]
    static LOCALS: RefCell<Vec<(usize, Rc<dyn Any>)>> = RefCell::new(Vec::new());
}

/// The indexes that the threads of a pool have. A thread gets the smallest free one.
// `std`'s lock, even in models, because it orders nothing.
#[derive(Default)]
pub struct Indexes(Mutex<Vec<bool>>);

impl Indexes {
    fn claim(&self) -> usize {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = taken.iter().position(|taken| !taken) {
            taken[index] = true;
            return index;
        }
        taken.push(true);
        taken.len() - 1
    }

    fn vacate(&self, index: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[index] = false;
    }
}

impl Scheduler {
    /// Gives the calling thread an index.
    pub fn begin_thread(&self) {
        INDEX.with(|index| index.set(Some(self.indexes.claim())));
    }

    /// Makes the values of the calling thread. A value whose function panics is missing.
    pub fn make_locals(&self) {
        let Some(index) = index() else { return };
        for (id, make) in &self.settings.hooks.locals {
            self.call_hook(|| {
                let value = make(index);
                LOCALS.with(|locals| locals.borrow_mut().push((*id, value)));
            });
        }
    }

    /// Drops the values of the calling thread, the last made first.
    pub fn drop_locals(&self) {
        if self.settings.hooks.locals.is_empty() {
            return;
        }
        let take = || LOCALS.with(|locals| locals.borrow_mut().pop());
        while let Some(value) = take() {
            self.call_hook(|| drop(value));
        }
    }

    /// Takes the index from the calling thread.
    pub fn end_thread(&self) {
        if let Some(index) = INDEX.with(Cell::take) {
            self.indexes.vacate(index);
        }
    }
}

/// Returns the index of the calling thread, if it is a worker.
pub fn index() -> Option<usize> {
    INDEX.try_with(Cell::get).ok().flatten()
}

/// Returns the calling worker's value of the `WorkerLocal` with this id.
pub fn local(id: usize) -> Option<Rc<dyn Any>> {
    let find = |locals: &RefCell<Vec<(usize, Rc<dyn Any>)>>| {
        let locals = locals.borrow();
        let (_, value) = locals.iter().find(|(its, _)| *its == id)?;
        Some(Rc::clone(value))
    };
    LOCALS.try_with(find).ok()?
}
