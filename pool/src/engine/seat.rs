//! A worker's seat: its own queue, its tally, and how code that runs on the thread finds it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use crate::engine::activity::{Activity, ActivityKind};
use crate::engine::queues::Own;
use crate::engine::scheduler::Scheduler;
use crate::figures::Tally;
use crate::sync::{thread, thread_local};
use crate::task::Payload;
use crate::task::Task;
use crate::wait::{Holder, reactor};
use crate::wait::{Parker, Unparked};

thread_local! {
    /// The innermost seat of this thread.
    #[allow(clippy::missing_const_for_thread_local, reason = "loom's macro knows no `const`")]
    static CURRENT: RefCell<Option<Rc<Seat>>> = RefCell::new(None);
}

pub struct Seat {
    pub scheduler: Scheduler,
    /// `None` for workers beyond the number of local queues.
    pub own: Option<Own<Task<Seat>>>,
    occupancy: Cell<Occupancy>,
    /// What runs here, and the entrance of that task.
    activity: Arc<Activity>,
    events: Cell<Events>,
    /// The number of closures that this worker ended out of turn since it last swept.
    pub spent: Cell<usize>,
    /// The thread's next seat up its stack. A worker of one pool may do a job of another pool that
    /// has no thread.
    before: Option<Rc<Seat>>,
}

/// Whether the census counts the thread as occupied by closures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occupancy {
    /// Not counted: the thread is not a worker, but does a worker's job once.
    NoWorker,
    /// The worker runs no closures.
    Free,
    /// The worker runs closures.
    Occupied,
    /// Occupied because a future that it polls runs a closure in place. The worker may not begin
    /// another closure.
    InPlace,
}

impl Occupancy {
    pub fn is_counted(self) -> bool {
        matches!(self, Self::Occupied | Self::InPlace)
    }
}

/// Whether the worker waits in the reactor, and whether an event has put a task into its queue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Events {
    NotHere,
    None,
    Some,
}

impl Seat {
    /// Takes a worker's seat on the calling thread until the guard is dropped.
    pub fn take(scheduler: Scheduler) -> Seated {
        let own = scheduler.queues.claim();
        Self::occupy(scheduler, own, Occupancy::Free)
    }

    /// Takes a seat without a queue, for a thread that is not a worker but does a worker's job
    /// once.
    pub fn borrow(scheduler: Scheduler) -> Seated {
        Self::occupy(scheduler, None, Occupancy::NoWorker)
    }

    fn occupy(scheduler: Scheduler, own: Option<Own<Task<Self>>>, occupancy: Occupancy) -> Seated {
        let seat = Rc::new(Self {
            activity: scheduler.activities.claim(),
            scheduler,
            own,
            occupancy: Cell::new(occupancy),
            events: Cell::new(Events::NotHere),
            spent: Cell::new(0),
            before: Self::top(),
        });
        // A thread that is about to exit has no thread-locals any more, so its tasks find no seat.
        let _ = CURRENT.try_with(|current| current.replace(Some(Rc::clone(&seat))));
        thread::set_seated(true);
        Seated(Some(seat))
    }

    pub fn occupancy(&self) -> Occupancy {
        self.occupancy.get()
    }

    pub fn set_occupancy(&self, occupancy: Occupancy) {
        self.occupancy.set(occupancy);
    }

    /// Returns whether this worker can run a closure from its own queue.
    pub fn may_run_closures(&self) -> bool {
        match self.occupancy.get() {
            Occupancy::Occupied => true,
            Occupancy::NoWorker => false,
            Occupancy::Free => self.scheduler.idle.may_occupy(false),
            // It first ends the occupancy that it has.
            Occupancy::InPlace => self.scheduler.idle.may_occupy(true),
        }
    }

    /// Occupies the worker because a future that it polls is about to run a closure in place.
    pub fn occupy_in_place(&self) {
        if self.occupancy.get() == Occupancy::Free {
            self.occupancy.set(Occupancy::InPlace);
            self.scheduler.idle.occupy_in_place();
            self.scheduler.attend();
        }
    }

    /// Records a task in the own queue. Returns true if the thread handles reactor events, after
    /// which it takes the task.
    #[inline]
    pub fn note_push(&self) -> bool {
        let events = self.events.get();
        if events == Events::None {
            self.end_wait();
        }
        events != Events::NotHere
    }

    fn end_wait(&self) {
        self.events.set(Events::Some);
        if let Some(shared) = &self.scheduler.settings.reactor {
            reactor::unpark(&*shared.reactor);
        }
    }

    /// Waits in the reactor until a notification, or until an event has put a task into the own
    /// queue. Returns a panic of the reactor too. Report it once the worker no longer counts as
    /// asleep.
    pub fn park(&self, parker: &Parker, held: &Holder<'_>) -> (Unparked, Result<(), Payload>) {
        let ended = Cell::new(Ok(()));
        self.events.set(Events::None);
        self.activity.set(ActivityKind::Reactor, 0);
        let is_over = || self.events.get() == Events::Some || held.is_broken();
        let unparked = parker.park_in_reactor(|| ended.set(held.park()), is_over);
        self.activity.clear();
        self.events.set(Events::NotHere);
        (unparked, ended.into_inner())
    }

    /// Handles the events that are ready.
    pub fn poll(&self, held: &Holder<'_>) {
        self.report(held.poll());
    }

    pub fn report(&self, ended: Result<(), Payload>) {
        if let Err(payload) = ended {
            self.scheduler.report(payload);
        }
    }

    /// Returns whether the calling thread is a worker of this pool, or does a worker's job.
    pub fn is_on(scheduler: &Scheduler) -> bool {
        Self::find(scheduler).is_some()
    }

    /// Returns the pool whose task the calling thread runs.
    pub fn here() -> Option<Scheduler> {
        Some(Self::top()?.scheduler.clone())
    }

    /// Returns the seat whose task the calling thread runs. `None` once the thread has dropped its
    /// thread-locals.
    pub fn top() -> Option<Rc<Self>> {
        CURRENT.try_with(|current| current.borrow().clone()).ok()?
    }

    /// Returns the seat of the calling thread in this pool.
    #[inline]
    pub fn find(scheduler: &Scheduler) -> Option<Rc<Self>> {
        // Fast path for submitters that are not workers.
        if !thread::is_seated() {
            return None;
        }
        Self::find_among(scheduler)
    }

    fn find_among(scheduler: &Scheduler) -> Option<Rc<Self>> {
        let mut seat = Self::top()?;
        while !seat.scheduler.is(scheduler) {
            seat = seat.before.clone()?;
        }
        Some(seat)
    }

    /// Records that a task with a slot of the entrance with this id runs here.
    pub fn set_activity(&self, kind: ActivityKind, entrance: usize) {
        self.activity.set(kind, entrance);
    }

    /// Records that code without a slot runs here.
    pub fn clear_activity(&self) {
        self.activity.clear();
    }

    /// Runs `f` as code without a slot, whatever task the calling thread runs.
    pub fn without_slot(f: impl FnOnce()) {
        let top = Self::top();
        let before = top.as_ref().map(|seat| seat.activity.take());
        f();
        if let (Some(seat), Some(before)) = (top, before) {
            seat.activity.restore(before);
        }
    }

    /// Returns whether the task that runs here has a slot of the entrance with this id. No entrance
    /// has id 0, which stands for code without a slot.
    pub fn runs_task_of(&self, entrance: usize) -> bool {
        self.activity.entrance() == entrance
    }

    pub fn tally(&self) -> &Tally {
        self.scheduler.tally(self.own.as_ref().map(|own| own.index))
    }
}

/// A taken seat. Dropping it vacates the seat.
pub struct Seated(Option<Rc<Seat>>);

impl std::ops::Deref for Seated {
    type Target = Seat;

    fn deref(&self) -> &Seat {
        self.0
            .as_deref()
            .expect("the seat is there until it is dropped")
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        let Some(seat) = self.0.take() else { return };
        thread::set_seated(seat.before.is_some());
        let _ = CURRENT.try_with(|current| current.replace(seat.before.clone()));
        seat.scheduler.activities.vacate(Arc::clone(&seat.activity));
        // Only `CURRENT` shared the seat, so this is the last owner, and the queue can be reused.
        if let Some(Seat {
            scheduler,
            own: Some(own),
            ..
        }) = Rc::into_inner(seat)
        {
            scheduler.queues.vacate(own);
        }
    }
}
