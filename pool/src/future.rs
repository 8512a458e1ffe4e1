//! A future as a task: polled by workers, woken from anywhere, its slot given back when it is gone.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_task::Builder;
use pin_project_lite::pin_project;

use crate::activity::Doing;
use crate::end::{End, Output};
use crate::gate::Gate;
use crate::held::HeldSlot;
use crate::large::is_large;
use crate::scheduler::Scheduler;
use crate::seat::Seat;
use crate::task::Task;
use crate::trace;
use crate::unwind::{self, Payload};

/// A future that is to be polled. Its gate lies beside it in the one allocation that it is.
pub(crate) type Runnable = async_task::Runnable<Gate>;

impl Gate {
    /// Runs a future that has a slot of this entrance.
    pub(crate) fn spawn<F>(&self, future: F)
    where
        F: Future + Send + 'static,
        F::Output: Output,
    {
        spawn(&self.scheduler, self.runnable(future));
    }

    /// A future that has a slot of this entrance, not scheduled yet.
    pub(crate) fn runnable<F>(&self, future: F) -> Runnable
    where
        F: Future + Send + 'static,
        F::Output: Output,
    {
        if const { is_large::<F>() } {
            self.small_runnable(Box::pin(future))
        } else {
            self.small_runnable(future)
        }
    }

    fn small_runnable<F>(&self, future: F) -> Runnable
    where
        F: Future + Send + 'static,
        F::Output: Output,
    {
        self.entrance().slots.accepted().add();
        let future = trace::future(&self.scheduler.settings.name, future);
        match self.sample() {
            None => self.unmeasured_runnable(future),
            Some(sample) => self.unmeasured_runnable(sample.future(future)),
        }
    }

    fn unmeasured_runnable<F>(&self, future: F) -> Runnable
    where
        F: Future + Send + 'static,
        F::Output: Output,
    {
        let accept = move |gate| Accepted {
            future: Some(future),
            slot: HeldSlot::new(gate),
        };
        let task = Builder::new().metadata(self.clone());
        // SAFETY: The future is `Send`, since `F` is and a reference to a `Gate` is, for a `Gate` is `Sync`. It borrows
        // nothing but the metadata, since `F` is `'static`. `schedule` is a function: `Send`, `Sync` and `'static`.
        let (runnable, task) = unsafe { task.spawn_unchecked(accept, schedule) };
        task.detach();
        runnable
    }
}

/// Makes a new future run.
pub(crate) fn spawn(scheduler: &Scheduler, runnable: Runnable) {
    scheduler.spawn(Seat::find(scheduler).as_deref(), task(runnable));
}

/// Makes a future run that was woken. It captures nothing, so a wake-up counts no references.
fn schedule(runnable: Runnable) {
    // Once in a queue the future may run, end, and drop its gate before this call returns. So the scheduler used here is
    // the worker's own, or counted.
    if let Some(seat) = Seat::find(&runnable.metadata().scheduler) {
        seat.scheduler.wake(&seat, task(runnable));
    } else {
        let scheduler = runnable.metadata().scheduler.clone();
        scheduler.defer_future(task(runnable));
    }
}

fn task(runnable: Runnable) -> Task<Seat> {
    Task::new(move |seat: &Seat| {
        seat.serve(Doing::Future, runnable.metadata().entrance().id());
        // A future that suspends itself and leaves its waker with nobody can never go on. async-task drops it, and its
        // slot with it, when the last waker goes; without one it would be forgotten.
        let _last = runnable.waker();
        runnable.run();
    })
}

pin_project! {
    /// A future with its slot. What it ends with is counted here, and a panic is reported before the slot goes back.
    struct Accepted<'a, F> {
        // Before the slot: what is dropped undone is gone before its slot is free.
        #[pin]
        future: Option<F>,
        slot: HeldSlot<'a>,
    }

    impl<F> PinnedDrop for Accepted<'_, F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // Dropped undone, on whichever thread let go of it last: a panic here must not be that thread's.
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
            // The executor drops it, undone.
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
