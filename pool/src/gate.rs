//! A gate: an entrance together with the scheduler behind it. Handles, slots and futures hold one.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::end::{End, Job};
use crate::entrance::{Entrance, Patience, Refusal};
use crate::large::{Boxed, is_large};
use crate::priority::Priority;
use crate::sampling::{Sample, SampledJob};
use crate::scheduler::{ClosureTurn, Scheduler};
use crate::seat::Seat;
use crate::settings::Reentrancy;
use crate::slots::{Joined, NoSlot};
use crate::sync::{Arc, thread};
use crate::task::{Task, Work};
use crate::trace;
use crate::waiter::{Outcome, Waiter};

/// How a closure got in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It has a slot.
    Slot,
    /// It runs inside the task that brings it, in that one's slot.
    InPlace,
}

#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) scheduler: Scheduler,
    /// None for the pool's own entrance, which is part of the scheduler.
    pub(crate) subpool: Option<Arc<Entrance>>,
}

impl Gate {
    pub(crate) fn entrance(&self) -> &Entrance {
        self.subpool.as_deref().unwrap_or(&self.scheduler.root)
    }

    /// Takes a slot, as patiently as asked.
    pub(crate) fn enter(&self, patience: Patience) -> Result<(), Refusal> {
        self.try_enter(patience)
            .map_err(|refusal| self.entrance().count(refusal))
    }

    /// As `enter`, for a closure: where a wait would deadlock, it runs in place if that is the pool's policy.
    #[inline]
    pub(crate) fn enter_closure(&self, patience: Patience) -> Result<Way, Refusal> {
        if self.entrance().slots.take_free() {
            return Ok(Way::Slot);
        }
        self.enter_full(patience)
    }

    fn enter_full(&self, patience: Patience) -> Result<Way, Refusal> {
        match self.try_enter(patience) {
            Ok(()) => Ok(Way::Slot),
            Err(Refusal::WouldDeadlock) if self.runs_in_place() => Ok(Way::InPlace),
            Err(refusal) => Err(self.entrance().count(refusal)),
        }
    }

    fn try_enter(&self, patience: Patience) -> Result<(), Refusal> {
        self.entrance()
            .enter(patience, || Seat::is_on(&self.scheduler))
    }

    /// Whether a closure may run inside the task that brings it: that one holds a slot of this very entrance, and does
    /// nothing else meanwhile.
    pub(crate) fn runs_in_place(&self) -> bool {
        self.scheduler.settings.reentrancy == Reentrancy::RunInPlace
            && Seat::find(&self.scheduler).is_some_and(|seat| seat.serves(self.entrance().id()))
    }

    /// As `enter`, waiting without a thread.
    pub(crate) async fn enter_async(&self) -> Result<(), Refusal> {
        let entered = self.try_enter_async().await;
        entered.map_err(|refusal| self.entrance().count(refusal))
    }

    /// As `enter_async`; a refusal is not counted yet.
    pub(crate) fn try_enter_async(&self) -> Enter<'_> {
        Enter {
            gate: self,
            place: None,
            done: false,
        }
    }

    pub(crate) fn release(&self) {
        self.scheduler.release(self.entrance());
    }

    /// Runs a closure that got in.
    #[expect(
        clippy::inline_always,
        reason = "a task handed on by value is copied again"
    )]
    #[inline(always)]
    pub(crate) fn submit<J: Job>(&self, way: Way, job: J) {
        if const { is_large::<J>() } {
            self.submit_small(way, Boxed(Box::new(job)));
        } else {
            self.submit_small(way, job);
        }
    }

    #[expect(clippy::inline_always, reason = "as for `submit`")]
    #[inline(always)]
    fn submit_small(&self, way: Way, job: impl Job) {
        match way {
            Way::Slot if self.is_plain() => {
                self.entrance().slots.accepted().add();
                let job = trace::job(&self.scheduler.settings.name, job);
                // The task is made where it is handed on, so that it is copied only once.
                self.scheduler.defer(Self::root_task(job), Priority::Normal);
            }
            Way::Slot => self.submit_any(job),
            Way::InPlace => self.run_in_place(job),
        }
    }

    /// Whether closures go to the pool's own entrance, none is measured, and the calling thread is no worker.
    fn is_plain(&self) -> bool {
        self.subpool.is_none() && self.scheduler.settings.sampler.is_none() && !thread::is_seated()
    }

    #[inline(never)]
    fn submit_any(&self, job: impl Job) {
        self.schedule(self.small_task(job));
    }

    /// The priority of closures.
    pub(crate) fn priority(&self) -> Priority {
        let subpool = self.subpool.as_ref();
        subpool.map_or(Priority::Normal, |entrance| entrance.priority)
    }

    #[cold]
    fn run_in_place(&self, job: impl Job) {
        self.entrance().slots.accepted().add();
        let job = trace::job(&self.scheduler.settings.name, job);
        let seat = Seat::find(&self.scheduler).expect("the task that brings it runs here");
        seat.occupy_in_place();
        let turn = ClosureTurn::lent(&seat, self.entrance());
        turn.settle(End::of(job, &turn));
    }

    /// A closure that has a slot of this entrance, as a task.
    pub(crate) fn task<J: Job>(&self, job: J) -> Task<Seat> {
        if const { is_large::<J>() } {
            self.small_task(Boxed(Box::new(job)))
        } else {
            self.small_task(job)
        }
    }

    #[inline]
    fn small_task(&self, job: impl Job) -> Task<Seat> {
        self.entrance().slots.accepted().add();
        let job = trace::job(&self.scheduler.settings.name, job);
        match self.sample() {
            None => self.unmeasured(job),
            Some(sample) => self.measured(SampledJob { job, sample }),
        }
    }

    #[inline(never)]
    fn measured(&self, job: impl Job) -> Task<Seat> {
        self.unmeasured(job)
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

    /// A closure that has a slot of the pool's own entrance. The worker knows that, so the task need not carry it.
    #[expect(clippy::inline_always, reason = "as for `submit`")]
    #[inline(always)]
    fn root_task(job: impl Job) -> Task<Seat> {
        Task::new(Queued {
            entrance: Root,
            job,
        })
    }

    /// The measure of a task that is accepted now, if it is one of those that are measured.
    pub(crate) fn sample(&self) -> Option<Sample> {
        self.scheduler.settings.sampler.as_ref()?.pick()
    }
}

/// A closure that has a slot.
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

/// Waits for a slot without a thread; dropping it gives up the wait.
pub(crate) struct Enter<'a> {
    gate: &'a Gate,
    place: Option<(u64, Arc<Waiter>)>,
    done: bool,
}

impl Enter<'_> {
    /// The first poll: a slot, or a place in line.
    fn begin(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), NoSlot>> {
        let entrance = self.gate.entrance();
        match entrance.slots.try_acquire() {
            Err(NoSlot::Full) => {}
            settled => return Poll::Ready(settled),
        }
        let waiter = Arc::new(Waiter::task(cx.waker()));
        match entrance.slots.join_line(&waiter, entrance.max_waiting) {
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
    type Output = Result<(), Refusal>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        assert!(!self.done, "polled after it was done");
        let settled = match &self.place {
            None => self.begin(cx),
            Some((_, waiter)) => waiter.poll(cx).map(|outcome| match outcome {
                Outcome::Granted => Ok(()),
                Outcome::Closed => Err(NoSlot::Closed),
            }),
        };
        settled.map(|settled| {
            self.place = None;
            self.done = true;
            settled.map_err(Refusal::from)
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
            // Granted while it was given up: the slot goes on to the next.
            self.gate.release();
        }
    }
}

/// Counts how a task ended, on the calling worker's tally if it is one.
pub(crate) fn count(scheduler: &Scheduler, end: &End) {
    let seat = Seat::find(scheduler);
    let tally = seat
        .as_ref()
        .map_or_else(|| scheduler.tally(None), |seat| seat.tally());
    tally.count_end(end);
}
