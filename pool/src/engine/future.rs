//! Futures as tasks: polled by workers, woken from any thread. The slot is released when the future
//! is dropped.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_task::Builder;
use pin_project_lite::pin_project;

use crate::engine::activity::ActivityKind;
use crate::engine::context::ContextFuture;
use crate::engine::gate::Gate;
use crate::engine::held::HeldSlot;
use crate::engine::scheduler::Scheduler;
use crate::engine::seat::Seat;
use crate::figures::trace;
use crate::task::Task;
use crate::task::is_large;
use crate::task::{End, Output};
use crate::task::{Payload, unwind};

/// A future to be polled. The future and its gate share one allocation.
pub type Runnable = async_task::Runnable<Gate>;

impl Gate {
    /// Schedules a future that holds a slot of this entrance.
    pub fn spawn<F>(&self, future: F)
    where
        F: Future + Send + 'static,
        F::Output: Output,
    {
        spawn(&self.scheduler, self.runnable(future));
    }

    /// Wraps a future that holds a slot of this entrance. Does not schedule it.
    pub fn runnable<F>(&self, future: F) -> Runnable
    where
        F: Future + Send + 'static,
        F::Output: Output,
    {
        self.entrance().slots.accepted().add();
        let future = trace::future(&self.scheduler.settings.name, future);
        if self.scheduler.settings.treats_tasks() {
            self.special_runnable(boxed(future))
        } else if const { is_large::<F>() } {
            self.plain_runnable(boxed(future))
        } else {
            self.plain_runnable(future)
        }
    }

    /// Wraps a future that has a context or is measured.
    #[cold]
    fn special_runnable<T: Output + 'static>(&self, mut future: BoxFuture<T>) -> Runnable {
        if let Some(context) = self.context() {
            future = Box::pin(ContextFuture { future, context });
        }
        if let Some(sample) = self.sample() {
            future = Box::pin(sample.future(future));
        }
        self.plain_runnable(future)
    }

    fn plain_runnable<F>(&self, future: F) -> Runnable
    where
        F: Future + Send + 'static,
        F::Output: Output,
    {
        let accept = move |gate| Accepted {
            future: Some(future),
            slot: HeldSlot::new(gate),
        };
        let task = Builder::new().metadata(self.clone());
        // SAFETY: The future is `Send` because `F` is `Send` and `Gate` is `Sync`, so that `&Gate`
        // is `Send`. It borrows only the metadata, because `F` is `'static`. `schedule` is a
        // function, so it is `Send`, `Sync` and `'static`.
        let (runnable, task) = unsafe { task.spawn_unchecked(accept, schedule) };
        task.detach();
        runnable
    }
}

/// A future of any type. Rare paths take it, so that the compiler generates their code once for each
/// output and not for each future.
type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

fn boxed<F: Future + Send + 'static>(future: F) -> BoxFuture<F::Output> {
    Box::pin(future)
}

/// Schedules a new future.
pub fn spawn(scheduler: &Scheduler, runnable: Runnable) {
    scheduler.spawn(Seat::find(scheduler).as_deref(), task(runnable));
}

/// Schedules a woken future. Captures nothing, so a wake-up changes no reference count.
fn schedule(runnable: Runnable) {
    // Once in a queue, the future may run, end and drop its gate before this call returns. So use
    // the worker's own scheduler, or clone it first.
    if let Some(seat) = Seat::find(&runnable.metadata().scheduler) {
        seat.scheduler.wake(&seat, task(runnable));
    } else {
        let scheduler = runnable.metadata().scheduler.clone();
        scheduler.defer_future(task(runnable));
    }
}

fn task(runnable: Runnable) -> Task<Seat> {
    Task::new(move |seat: &Seat| {
        seat.set_activity(ActivityKind::Future, runnable.metadata().entrance().id());
        // A suspended future without any waker can never be woken. async-task drops it, and
        // releases its slot, when the last waker is dropped. Hold a waker here, or a future that
        // clones none would leak.
        let _last = runnable.waker();
        runnable.run();
    })
}

pin_project! {
    /// A future with its slot. Counts its end, and reports a panic before the slot is released.
    struct Accepted<'a, F> {
        // Before the slot: an unfinished future is dropped before its slot is free.
        #[pin]
        future: Option<F>,
        slot: HeldSlot<'a>,
    }

    impl<F> PinnedDrop for Accepted<'_, F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // Dropped unfinished, by the thread that dropped the last reference. Catch a panic, or
            // it would unwind into that thread.
            if let Err(payload) = unwind::catch(|| this.future.set(None)) {
                this.slot.gate.scheduler.report(payload);
            }
        }
    }
}

impl<F> Future for Accepted<'_, F>
where
    F: Future,
    F::Output: Output,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.as_mut().project();
        if this.slot.gate.entrance().is_discarding() {
            // The executor drops the unfinished future.
            return Poll::Ready(());
        }
        let polled = unwind::catch(|| {
            let future = this.future.as_mut().as_pin_mut();
            future
                .expect("a task that is done is not polled again")
                .poll(cx)
        });
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => self.end(Ok(output)),
            Err(payload) => self.end(Err(payload)),
        }
    }
}

impl<F> Accepted<'_, F>
where
    F: Future,
    F::Output: Output,
{
    /// Drops the future, notifies its handle, and counts the end.
    fn end(self: Pin<&mut Self>, output: Result<F::Output, Payload>) -> Poll<()> {
        let mut this = self.project();
        if let Err(payload) = unwind::catch(|| this.future.set(None)) {
            this.slot.gate.scheduler.report(payload);
        }
        let settled = output.and_then(|output| unwind::catch(|| output.settle(&*this.slot)));
        let end = settled.unwrap_or_else(|payload| End::Panicked(Some(payload)));
        this.slot.settle(end);
        Poll::Ready(())
    }
}
