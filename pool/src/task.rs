//! A task in the shape in which it waits in a queue.
//!
//! Small closures lie in the task itself: no allocation, and one cache line each. Larger ones are boxed. All of the
//! crate's `unsafe` is in this file, but for one call of [`Task::erased`] in `scope`.

use std::marker::PhantomData;
use std::mem::{MaybeUninit, align_of, size_of};

/// How much a closure may capture before it is boxed.
const WORDS: usize = 4;

type Cell = MaybeUninit<[usize; WORDS]>;

/// A closure over a context `C`, stored without its type.
pub(crate) struct Task<C: 'static> {
    vtable: &'static VTable<C>,
    cell: Cell,
}

struct VTable<C> {
    /// Moves the closure out of the cell and calls it. The cell is dead afterwards, also when the closure panics.
    run: unsafe fn(&mut Cell, &C),
    /// Drops the closure in the cell. The cell is dead afterwards.
    drop: unsafe fn(&mut Cell),
    is_spent: unsafe fn(&mut Cell) -> bool,
}

/// What a task runs, once.
pub(crate) trait Work<C>: Send {
    fn run(self, context: &C);

    /// Returns whether it has nothing left to run, because another thread has run it. Then it may only be dropped.
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

/// Where a closure of type `F` lies: in the cell, or in a box whose pointer is in the cell.
struct Stored<C, F>(PhantomData<(C, F)>);

impl<C: 'static, F: Work<C>> Stored<C, F> {
    const INLINE: bool =
        size_of::<F>() <= size_of::<Cell>() && align_of::<F>() <= align_of::<Cell>();

    const VTABLE: VTable<C> = VTable {
        run: Self::run,
        drop: Self::drop,
        is_spent: Self::is_spent,
    };

    fn put(f: F) -> Cell {
        let mut cell = Cell::uninit();
        if Self::INLINE {
            // SAFETY: `write` needs a pointer that is valid and aligned for an `F`: the cell is as large and as
            // aligned by `INLINE`, and it is ours alone.
            unsafe { cell.as_mut_ptr().cast::<F>().write(f) };
        } else {
            let boxed = Box::into_raw(Box::new(f));
            // SAFETY: the cell holds four words, so one pointer fits in size and alignment, and the cell is ours
            // alone.
            unsafe { cell.as_mut_ptr().cast::<*mut F>().write(boxed) };
        }
        cell
    }

    /// Moves the closure out.
    ///
    /// # Safety
    ///
    /// `cell` was filled by `put` of this very type, and nothing has moved the closure out since.
    unsafe fn take(cell: &mut Cell) -> F {
        if Self::INLINE {
            // SAFETY: by the contract `put` wrote an `F` here, on the same side of this `if`, and nobody read it
            // out since; the caller does not use the cell again.
            unsafe { cell.as_mut_ptr().cast::<F>().read() }
        } else {
            // SAFETY: by the contract `put` wrote here the pointer that `Box::into_raw` gave, on the same side of
            // this `if`, and nobody took it since: the box is made again exactly once.
            unsafe { *Box::from_raw(cell.as_mut_ptr().cast::<*mut F>().read()) }
        }
    }

    /// # Safety
    ///
    /// As for `take`.
    unsafe fn run(cell: &mut Cell, context: &C) {
        // SAFETY: the contract is the same.
        let f = unsafe { Self::take(cell) };
        f.run(context);
    }

    /// # Safety
    ///
    /// As for `take`.
    unsafe fn drop(cell: &mut Cell) {
        // SAFETY: the contract is the same.
        drop(unsafe { Self::take(cell) });
    }

    /// # Safety
    ///
    /// As for `take`; nothing is moved out.
    unsafe fn is_spent(cell: &mut Cell) -> bool {
        let f: *mut F = if Self::INLINE {
            cell.as_mut_ptr().cast::<F>()
        } else {
            // SAFETY: by the contract `put` wrote the pointer of a box here, on the same side of this `if`.
            unsafe { cell.as_mut_ptr().cast::<*mut F>().read() }
        };
        // SAFETY: by the contract an `F` is there, in the cell or in the box that the cell owns. The cell is borrowed
        // mutably, so that there is no other reference to it.
        unsafe { (*f).is_spent() }
    }
}

impl<C: 'static> Task<C> {
    pub(crate) fn new<F: Work<C> + 'static>(f: F) -> Self {
        // SAFETY: what the closure captures is valid for ever.
        unsafe { Self::erased(f) }
    }

    /// A task of a closure that borrows.
    ///
    /// # Safety
    ///
    /// The task is run or dropped before anything ends that the closure borrows.
    pub(crate) unsafe fn erased<F: Work<C>>(f: F) -> Self {
        Self {
            vtable: &Stored::<C, F>::VTABLE,
            cell: Stored::<C, F>::put(f),
        }
    }

    /// Runs the task; its panic, if any, goes through.
    pub(crate) fn run(self, context: &C) {
        let mut task = std::mem::ManuallyDrop::new(self);
        let run = task.vtable.run;
        // SAFETY: `run` wants a cell that `put` of the vtable's own type filled and from which nothing was taken:
        // `new` fills the cell and names the vtable together, no other function touches either, and `ManuallyDrop`
        // keeps `drop` below from taking the closure a second time.
        unsafe { run(&mut task.cell, context) }
    }

    /// Returns whether the task has nothing left to run, because another thread has run it. Then it may only be dropped.
    pub(crate) fn is_spent(&mut self) -> bool {
        // SAFETY: as in `run`; nothing is moved out, and the task is borrowed mutably.
        unsafe { (self.vtable.is_spent)(&mut self.cell) }
    }
}

impl<C: 'static> Drop for Task<C> {
    fn drop(&mut self) {
        // SAFETY: as in `run`; a task that was run does not come here, and one that was dropped is gone.
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
    fn a_small_and_a_large_closure_run_once_and_free_what_they_own() {
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
    fn a_dropped_task_frees_what_it_owns_and_does_not_run() {
        for (sum, task) in [counted([1_u8; 24]), counted([1_u8; 400])] {
            assert_eq!(Arc::strong_count(&sum), 2);
            drop(task);
            assert_eq!(sum.load(Ordering::Relaxed), 0);
            assert_eq!(Arc::strong_count(&sum), 1);
        }
    }

    #[test]
    fn a_panic_frees_what_the_closure_owned() {
        let owned = Arc::new(());
        let task = {
            let owned = Arc::clone(&owned);
            Task::new(move |(): &()| {
                let _ = &owned;
                panic!("on purpose");
            })
        };
        assert!(crate::unwind::catch(|| task.run(&())).is_err());
        assert_eq!(Arc::strong_count(&owned), 1);
    }

    #[test]
    fn what_it_runs_says_whether_it_is_spent() {
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
    fn a_task_and_its_place_in_a_queue_fit_a_cache_line() {
        assert!(size_of::<Task<()>>() + size_of::<usize>() <= 64);
    }
}
