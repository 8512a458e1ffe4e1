//! What a worker thread has of its own: an index, and a value of each `WorkerLocal`.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::scheduler::Scheduler;
use crate::sync::thread_local;

/// Makes the value of a `WorkerLocal` on the worker with this index.
pub type MakeLocal = Arc<dyn Fn(usize) -> Rc<dyn Any> + Send + Sync>;

thread_local! {
    #[allow(clippy::missing_const_for_thread_local, reason = "loom's macro knows no `const`")]
    static OWN: RefCell<Option<Own>> = RefCell::new(None);
}

struct Own {
    index: usize,
    /// Each with the id of its `WorkerLocal`.
    locals: Vec<(usize, Rc<dyn Any>)>,
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
        let index = self.indexes.claim();
        let locals = Vec::new();
        OWN.with(|own| *own.borrow_mut() = Some(Own { index, locals }));
    }

    /// Makes the values of the calling thread. A value whose function panics is missing.
    pub fn make_locals(&self) {
        let Some(index) = index() else { return };
        for (id, make) in &self.settings.hooks.locals {
            self.call_hook(|| {
                let value = make(index);
                OWN.with(|own| {
                    if let Some(own) = &mut *own.borrow_mut() {
                        own.locals.push((*id, value));
                    }
                });
            });
        }
    }

    /// Drops the values of the calling thread, the last made first.
    pub fn drop_locals(&self) {
        let take = || OWN.with(|own| own.borrow_mut().as_mut()?.locals.pop());
        while let Some(value) = take() {
            self.call_hook(|| drop(value));
        }
    }

    /// Takes the index from the calling thread.
    pub fn end_thread(&self) {
        if let Some(own) = OWN.with(RefCell::take) {
            self.indexes.vacate(own.index);
        }
    }
}

/// Returns the index of the calling thread, if it is a worker.
pub fn index() -> Option<usize> {
    let index = OWN.try_with(|own| Some(own.borrow().as_ref()?.index));
    index.ok()?
}

/// Returns the calling worker's value of the `WorkerLocal` with this id.
pub fn local(id: usize) -> Option<Rc<dyn Any>> {
    let find = |own: &RefCell<Option<Own>>| {
        let own = own.borrow();
        let mut locals = own.as_ref()?.locals.iter();
        let (_, value) = locals.find(|(its, _)| *its == id)?;
        Some(Rc::clone(value))
    };
    OWN.try_with(find).ok()?
}
