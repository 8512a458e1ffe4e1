//! A closure in the form in which it waits in a queue.
//!
//! A small closure is stored in the task itself: one cache line, no allocation. A larger one is
//! boxed.
//!
//! All `unsafe` of the crate is in this file, except two calls: [`Task::erased`] in `scope`, and
//! async-task's `spawn_unchecked` in `future`.

use std::marker::PhantomData;
use std::mem::{MaybeUninit, align_of, size_of};

/// The number of words that a closure may capture before it is boxed.
const WORDS: usize = 4;

type Cell = MaybeUninit<[usize; WORDS]>;

/// A type-erased closure that takes a context `C`.
pub struct Task<C: 'static> {
    vtable: &'static VTable<C>,
    cell: Cell,
}

struct VTable<C> {
    /// Moves the closure out of the cell and calls it. Leaves the cell uninitialized, even if the
    /// closure panics.
    run: unsafe fn(&mut Cell, &C),
    /// Drops the closure in the cell. Leaves the cell uninitialized.
    drop: unsafe fn(&mut Cell),
    is_spent: unsafe fn(&mut Cell) -> bool,
}

/// What a task runs once.
pub trait Work<C>: Send {
    fn run(self, context: &C);

    /// Returns whether another thread has run the work, so that nothing is left to run. Then it may
    /// only be dropped.
    fn is_spent(&mut self) -> bool {
        false
    }
}

impl<C, F: FnOnce(&C) + Send> Work<C> for F {
    #[inline]
    fn run(self, context: &C) {
        self(context);
    }
}

/// Stores a closure of type `F` in the cell, or in a box whose pointer is in the cell.
struct Stored<C, F>(PhantomData<(C, F)>);

impl<C: 'static, F: Work<C>> Stored<C, F> {
    const INLINE: bool =
        size_of::<F>() <= size_of::<Cell>() && align_of::<F>() <= align_of::<Cell>();

    const VTABLE: VTable<C> = VTable {
        run: Self::run,
        drop: Self::drop,
        is_spent: Self::is_spent,
    };

    fn store(f: F) -> Cell {
        let mut cell = Cell::uninit();
        if Self::INLINE {
            // SAFETY: `write` needs a pointer that is valid and aligned for an `F`. The cell is as
            // large and as aligned, by `INLINE`, and no other reference to it exists.
            unsafe { cell.as_mut_ptr().cast::<F>().write(f) };
        } else {
            let boxed = Box::into_raw(Box::new(f));
            // SAFETY: the cell holds four words, so one pointer fits in size and alignment. No
            // other reference to the cell exists.
            unsafe { cell.as_mut_ptr().cast::<*mut F>().write(boxed) };
        }
        cell
    }

    /// Moves the closure out.
    ///
    /// # Safety
    ///
    /// `store` of this type has filled `cell`, and the closure has not been moved out since.
    unsafe fn take(cell: &mut Cell) -> F {
        if Self::INLINE {
            // SAFETY: by the contract `store` wrote an `F` here, on the same side of this `if`, and
            // it was not read out since. The caller does not use the cell again.
            unsafe { cell.as_mut_ptr().cast::<F>().read() }
        } else {
            // SAFETY: by the contract `store` wrote the pointer of `Box::into_raw` here, on the
            // same side of this `if`, and it was not read out since. So the box is made again
            // exactly once.
            unsafe { *Box::from_raw(cell.as_mut_ptr().cast::<*mut F>().read()) }
        }
    }

    /// # Safety
    ///
    /// The contract of `take`.
    unsafe fn run(cell: &mut Cell, context: &C) {
        // SAFETY: the contract is the same.
        let f = unsafe { Self::take(cell) };
        f.run(context);
    }

    /// # Safety
    ///
    /// The contract of `take`.
    unsafe fn drop(cell: &mut Cell) {
        // SAFETY: the contract is the same.
        drop(unsafe { Self::take(cell) });
    }

    /// # Safety
    ///
    /// The contract of `take`. Nothing is moved out.
    unsafe fn is_spent(cell: &mut Cell) -> bool {
        let f: *mut F = if Self::INLINE {
            cell.as_mut_ptr().cast::<F>()
        } else {
            // SAFETY: by the contract `store` wrote the pointer of a box here, on the same side of
            // this `if`.
            unsafe { cell.as_mut_ptr().cast::<*mut F>().read() }
        };
        // SAFETY: by the contract an `F` is there, in the cell or in the box that the cell owns.
        // The cell is borrowed mutably, so no other reference to the `F` exists.
        unsafe { (*f).is_spent() }
    }
}

impl<C: 'static> Task<C> {
    pub fn new<F: Work<C> + 'static>(f: F) -> Self {
        // SAFETY: `F: 'static`, so what the closure captures is valid forever.
        unsafe { Self::erased(f) }
    }

    /// Returns a task for a closure that may borrow.
    ///
    /// # Safety
    ///
    /// The task is run or dropped before anything that the closure borrows is invalidated.
    pub unsafe fn erased<F: Work<C>>(f: F) -> Self {
        Self {
            vtable: &Stored::<C, F>::VTABLE,
            cell: Stored::<C, F>::store(f),
        }
    }

    /// Runs the task. Its panic unwinds into the caller.
    pub fn run(self, context: &C) {
        let mut task = std::mem::ManuallyDrop::new(self);
        let run = task.vtable.run;
        // SAFETY: `run` needs a cell that `store` of the vtable's type filled and whose closure was
        // not moved out. `new` and `erased` set cell and vtable together, and no other function
        // changes them. `ManuallyDrop` prevents `drop` below from taking the closure a second time.
        unsafe { run(&mut task.cell, context) }
    }

    /// Returns whether another thread has run the task, so that nothing is left to run. Then it may
    /// only be dropped.
    pub fn is_spent(&mut self) -> bool {
        // SAFETY: the cell is filled, by the argument in `run`. Nothing is moved out, and the task
        // is borrowed mutably.
        unsafe { (self.vtable.is_spent)(&mut self.cell) }
    }
}

impl<C: 'static> Drop for Task<C> {
    fn drop(&mut self) {
        // SAFETY: the cell is filled, by the argument in `run`. `run` prevents this drop, and a
        // value is dropped at most once.
        unsafe { (self.vtable.drop)(&mut self.cell) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn counted(with: impl Send + 'static) -> (Arc<AtomicUsize>, Task<usize>) {
        let sum = Arc::new(AtomicUsize::new(0));
        let task = {
            let sum = Arc::clone(&sum);
            Task::new(move |context: &usize| {
                let _with = with;
                sum.fetch_add(*context, Ordering::Relaxed);
            })
        };
        (sum, task)
    }

    #[test]
    fn closures_of_any_size_run_once_and_free_captures() {
        for (sum, task) in [
            counted([1_u8; 24]),
            counted([1_u8; 400]),
            counted([1_u128; 1]),
        ] {
            task.run(&7);
            assert_eq!(sum.load(Ordering::Relaxed), 7);
            assert_eq!(Arc::strong_count(&sum), 1);
        }
    }

    #[test]
    fn dropped_task_frees_captures_without_running() {
        for (sum, task) in [counted([1_u8; 24]), counted([1_u8; 400])] {
            assert_eq!(Arc::strong_count(&sum), 2);
            drop(task);
            assert_eq!(sum.load(Ordering::Relaxed), 0);
            assert_eq!(Arc::strong_count(&sum), 1);
        }
    }

    #[test]
    fn panic_frees_captures() {
        let owned = Arc::new(());
        let task = {
            let owned = Arc::clone(&owned);
            Task::new(move |(): &()| {
                let _ = &owned;
                panic!("on purpose");
            })
        };
        assert!(crate::task::unwind::catch(|| task.run(&())).is_err());
        assert_eq!(Arc::strong_count(&owned), 1);
    }

    #[test]
    fn task_is_spent_when_its_work_is() {
        struct Spent<const LEN: usize>([u8; LEN], bool);
        impl<const LEN: usize> Work<()> for Spent<LEN> {
            fn run(self, (): &()) {}
            fn is_spent(&mut self) -> bool {
                self.0[LEN - 1] == 7 && std::mem::replace(&mut self.1, true)
            }
        }
        for mut task in [
            Task::new(Spent([7; 9], false)),
            Task::new(Spent([7; 99], false)),
        ] {
            assert!(!task.is_spent());
            assert!(task.is_spent());
        }
        assert!(!Task::new(|(): &()| ()).is_spent());
    }

    #[test]
    fn task_and_its_queue_entry_fit_a_cache_line() {
        assert!(size_of::<Task<()>>() + size_of::<usize>() <= 64);
    }
}
