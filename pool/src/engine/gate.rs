//! A gate: an entrance and the scheduler behind it. Handles, slots and futures each hold one, which
//! keeps the entrance alive.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::admission::{Joined, NoSlot};
use crate::engine::context::{Context as TaskContext, ContextJob};
use crate::engine::entrance::{Entrance, Patience};
use crate::engine::priority::Priority;
use crate::engine::scheduler::Scheduler;
use crate::engine::seat::Seat;
use crate::errors::SlotError;
use crate::figures::trace;
use crate::figures::{Sample, SampledJob};
use crate::sync::{Arc, thread};
use crate::task::{AnyJob, Boxed, DynJob, End, Job, Task, Work, is_large};
use crate::wait::{Outcome, Waiter};

#[derive(Clone)]
pub struct Gate {
    pub scheduler: Scheduler,
    /// `None` for the pool's own entrance, which is part of the scheduler.
    pub subpool: Option<Arc<Entrance>>,
}

impl Gate {
    pub fn entrance(&self) -> &Entrance {
        self.subpool.as_deref().unwrap_or(&self.scheduler.root)
    }

    /// Takes slots, and blocks for them as long as `patience` allows. Counts a refusal.
    #[inline]
    pub fn enter(&self, patience: Patience, count: usize) -> Result<(), SlotError> {
        if self.entrance().slots.take_free(count) {
            return Ok(());
        }
        self.enter_full(patience, count)
    }

    fn enter_full(&self, patience: Patience, count: usize) -> Result<(), SlotError> {
        let entered = self.enter_uncounted(patience, count);
        entered.map_err(|refusal| self.entrance().count(refusal))
    }

    /// Takes slots, and blocks for them as long as `patience` allows. Does not count a refusal.
    pub fn enter_uncounted(&self, patience: Patience, count: usize) -> Result<(), SlotError> {
        self.entrance()
            .enter(patience, count, || Seat::is_on(&self.scheduler))
    }

    /// Returns a future that takes slots. Does not count a refusal.
    pub fn enter_async(&self, count: usize) -> Enter<'_> {
        Enter {
            gate: self,
            count,
            place: None,
            done: false,
        }
    }

    pub fn release(&self, count: usize) {
        self.scheduler.release(self.entrance(), count);
    }

    /// Enqueues a closure that holds a slot.
    #[expect(
        clippy::inline_always,
        reason = "saves a copy of the task: row `submit` of `cargo run --release -p instructions`"
    )]
    #[inline(always)]
    pub fn submit<J: Job>(&self, job: J) {
        if const { is_large::<J>() } {
            self.submit_small(Boxed(Box::new(job)));
        } else {
            self.submit_small(job);
        }
    }

    #[expect(
        clippy::inline_always,
        reason = "saves a copy of the task: row `submit` of `cargo run --release -p instructions`"
    )]
    #[inline(always)]
    fn submit_small(&self, job: impl Job) {
        if !self.is_plain() {
            return self.submit_any(job);
        }
        self.entrance().slots.accepted().add();
        let job = trace::job(&self.scheduler.settings.name, job);
        // Create the task in the call that enqueues it, or it is copied twice.
        self.scheduler.defer(Self::root_task(job), Priority::Normal);
    }

    /// Returns whether the fast path of `submit` applies: the pool's own entrance, no sampling, no
    /// context, and a calling thread that is not a worker.
    fn is_plain(&self) -> bool {
        self.subpool.is_none() && !self.scheduler.settings.treats_tasks() && !thread::is_seated()
    }

    #[inline(never)]
    fn submit_any(&self, job: impl Job) {
        self.schedule(self.small_task(job));
    }

    /// Returns the priority of closures.
    pub fn priority(&self) -> Priority {
        let subpool = self.subpool.as_ref();
        subpool.map_or(Priority::Normal, |entrance| entrance.priority)
    }

    /// Wraps a closure that holds a slot of this entrance in a task.
    pub fn task<J: Job>(&self, job: J) -> Task<Seat> {
        if const { is_large::<J>() } {
            self.small_task(Boxed(Box::new(job)))
        } else {
            self.small_task(job)
        }
    }

    #[inline]
    fn small_task<J: Job>(&self, job: J) -> Task<Seat> {
        self.entrance().slots.accepted().add();
        let job = trace::job(&self.scheduler.settings.name, job);
        // A closure with a handle or a scope has its context inside, because the task that waits
        // for it may run it in place.
        let context = if J::ENDS_TURN { None } else { self.context() };
        match (context, self.sample()) {
            (None, None) => self.unmeasured(job),
            (None, sample) if J::ENDS_TURN => self.sampled(DynJob::<true>(Box::new(job)), sample),
            (context, sample) => self.in_context(Box::new(job), context, sample),
        }
    }

    fn in_context(
        &self,
        job: Box<dyn AnyJob>,
        context: Option<TaskContext>,
        sample: Option<Sample>,
    ) -> Task<Seat> {
        let job = DynJob::<false>(job);
        match context {
            None => self.sampled(job, sample),
            Some(context) => self.sampled(ContextJob { context, job }, sample),
        }
    }

    fn sampled(&self, job: impl Job, sample: Option<Sample>) -> Task<Seat> {
        match sample {
            None => self.unmeasured(job),
            Some(sample) => self.unmeasured(SampledJob { job, sample }),
        }
    }

    #[inline]
    fn unmeasured(&self, job: impl Job) -> Task<Seat> {
        match &self.subpool {
            None => Self::root_task(job),
            Some(entrance) => {
                let entrance = Arc::clone(entrance);
                Task::new(Queued { entrance, job })
            }
        }
    }

    /// Wraps a closure that holds a slot of the pool's own entrance. The worker knows that
    /// entrance, so the task does not carry it.
    #[expect(
        clippy::inline_always,
        reason = "saves a copy of the task: row `submit` of `cargo run --release -p instructions`"
    )]
    #[inline(always)]
    fn root_task(job: impl Job) -> Task<Seat> {
        Task::new(Queued {
            entrance: Root,
            job,
        })
    }

    /// Returns a sample for a task that is accepted now, if this task is to be measured.
    pub fn sample(&self) -> Option<Sample> {
        self.scheduler.settings.sampler.as_ref()?.pick()
    }
}

/// A closure that holds a slot.
struct Queued<E, J> {
    entrance: E,
    job: J,
}

/// The pool's own entrance, which is part of the scheduler.
struct Root;

impl<J: Job> Work<Seat> for Queued<Root, J> {
    #[inline]
    fn run(self, seat: &Seat) {
        seat.scheduler
            .run_closure(seat, &seat.scheduler.root, self.job);
    }

    fn is_spent(&mut self) -> bool {
        self.job.is_spent()
    }
}

impl<J: Job> Work<Seat> for Queued<Arc<Entrance>, J> {
    #[inline]
    fn run(self, seat: &Seat) {
        seat.scheduler.run_closure(seat, &self.entrance, self.job);
    }

    fn is_spent(&mut self) -> bool {
        self.job.is_spent()
    }
}

/// Waits for slots without blocking a thread. Dropping it gives up the wait.
pub struct Enter<'a> {
    gate: &'a Gate,
    count: usize,
    place: Option<(u64, Arc<Waiter>)>,
    done: bool,
}

impl Enter<'_> {
    /// The first poll: takes the slots or joins the line.
    fn begin(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), NoSlot>> {
        let entrance = self.gate.entrance();
        match entrance.slots.try_acquire(self.count) {
            Err(NoSlot::Full) => {}
            settled => return Poll::Ready(settled),
        }
        let waiter = Arc::new(Waiter::task(cx.waker()));
        let joined = entrance
            .slots
            .join_line(&waiter, entrance.max_waiting, self.count);
        match joined {
            Ok(Joined::Granted) => Poll::Ready(Ok(())),
            Ok(Joined::Waiting(ticket)) => {
                self.place = Some((ticket, waiter));
                Poll::Pending
            }
            Err(reason) => Poll::Ready(Err(reason)),
        }
    }
}

impl Future for Enter<'_> {
    type Output = Result<(), SlotError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        assert!(!self.done, "polled after it was done");
        let settled = match &self.place {
            None => self.begin(cx),
            Some((_, waiter)) => waiter.poll(cx).map(|outcome| match outcome {
                Outcome::Granted => Ok(()),
                Outcome::Closed => Err(NoSlot::Closed),
                Outcome::TooMany => Err(NoSlot::TooMany),
            }),
        };
        settled.map(|settled| {
            self.place = None;
            self.done = true;
            settled.map_err(SlotError::from)
        })
    }
}

impl Drop for Enter<'_> {
    fn drop(&mut self) {
        let Some((ticket, waiter)) = self.place.take() else {
            return;
        };
        let left = self.gate.entrance().slots.leave_line(ticket);
        if !left && waiter.outcome() == Some(Outcome::Granted) {
            // Granted while it was given up: the slots go on to the next.
            self.gate.release(self.count);
        }
    }
}

/// Counts the end of a task, on the tally of the calling worker or on the shared tally.
pub fn count(scheduler: &Scheduler, end: &End) {
    let seat = Seat::find(scheduler);
    let tally = seat
        .as_ref()
        .map_or_else(|| scheduler.tally(None), |seat| seat.tally());
    tally.count_end(end);
}
