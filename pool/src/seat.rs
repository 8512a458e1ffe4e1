//! The place at which a worker works: its own queue, its tally, and how code that runs there finds it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use crate::activity::{Activity, Doing};
use crate::parker::{Parker, Unparked};
use crate::queues::Own;
use crate::reactor::{self, Holder};
use crate::scheduler::Scheduler;
use crate::stats::Tally;
use crate::sync::{thread, thread_local};
use crate::task::Task;
use crate::unwind::Payload;

thread_local! {
    /// The seat of the worker whose thread this is.
    #[allow(clippy::missing_const_for_thread_local, reason = "loom's macro knows no `const`")]
    static CURRENT: RefCell<Option<Rc<Seat>>> = RefCell::new(None);
}

pub(crate) struct Seat {
    pub(crate) scheduler: Scheduler,
    /// None for workers beyond the number of local queues.
    pub(crate) own: Option<Own<Task<Seat>>>,
    occupancy: Cell<Occupancy>,
    /// What runs here, and the entrance of the task that does.
    activity: Arc<Activity>,
    events: Cell<Events>,
    /// How many tasks were ended in place since the own queue was swept.
    pub(crate) spent: Cell<usize>,
    /// Where the thread sits as well, further up its stack: a worker of one pool may do a job of another, which has no
    /// thread.
    before: Option<Rc<Seat>>,
}

/// Whether the census counts the thread as occupied by closures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occupancy {
    /// The census does not know the thread, which does a worker's job for once.
    NoWorker,
    /// It runs no closures.
    Free,
    /// It runs closures.
    Occupied,
    /// It is occupied because a future that it polls has run a closure in its own place, and may begin no other.
    InPlace,
}

impl Occupancy {
    pub(crate) fn is_counted(self) -> bool {
        matches!(self, Self::Occupied | Self::InPlace)
    }
}

/// Whether the worker waits in the reactor, and if so, whether an event has put a task into its queue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Events {
    NotHere,
    None,
    Some,
}

impl Seat {
    /// Takes a worker's seat on the calling thread, until the guard is dropped.
    pub(crate) fn take(scheduler: Scheduler) -> Seated {
        let own = scheduler.queues.claim();
        Self::occupy(scheduler, own, Occupancy::Free)
    }

    /// Takes a seat without a queue, for a thread that is no worker and does a worker's job for once.
    pub(crate) fn borrow(scheduler: Scheduler) -> Seated {
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
        // A thread that is about to end finds no seat any more, and does without.
        let _ = CURRENT.try_with(|current| current.replace(Some(Rc::clone(&seat))));
        thread::set_seated(true);
        Seated(Some(seat))
    }

    pub(crate) fn occupancy(&self) -> Occupancy {
        self.occupancy.get()
    }

    pub(crate) fn set_occupancy(&self, occupancy: Occupancy) {
        self.occupancy.set(occupancy);
    }

    /// Whether a closure that is put into the own queue can be run here.
    pub(crate) fn may_run_closures(&self) -> bool {
        match self.occupancy.get() {
            Occupancy::Occupied => true,
            Occupancy::NoWorker => false,
            Occupancy::Free | Occupancy::InPlace => self.scheduler.idle.may_occupy(),
        }
    }

    /// A future that is polled here is about to run a closure in its own place.
    pub(crate) fn occupy_in_place(&self) {
        if self.occupancy.get() == Occupancy::Free {
            self.occupancy.set(Occupancy::InPlace);
            self.scheduler.idle.occupy_in_place();
            self.scheduler.attend();
        }
    }

    /// Notes that a task has come into the own queue. True if the thread waits in the reactor and is handling an event: it
    /// takes the task as soon as it has handled the other events.
    #[inline]
    pub(crate) fn note_push(&self) -> bool {
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

    /// Waits in the reactor, until it is notified or an event has put a task into the own queue.
    /// Also what the reactor panicked with, to be reported when the worker does not count as asleep any more.
    pub(crate) fn park(
        &self,
        parker: &Parker,
        held: &Holder<'_>,
    ) -> (Unparked, Result<(), Payload>) {
        let ended = Cell::new(Ok(()));
        self.events.set(Events::None);
        self.activity.set(Doing::Reactor, 0);
        let is_over = || self.events.get() == Events::Some || held.is_broken();
        let unparked = parker.park_in_reactor(|| ended.set(held.park()), is_over);
        self.activity.clear();
        self.events.set(Events::NotHere);
        (unparked, ended.into_inner())
    }

    /// Sees to the events that there are.
    pub(crate) fn poll(&self, held: &Holder<'_>) {
        self.report(held.poll());
    }

    pub(crate) fn report(&self, ended: Result<(), Payload>) {
        if let Err(payload) = ended {
            self.scheduler.report(payload);
        }
    }

    /// Whether the calling thread is a worker of this pool, or does the job of one.
    pub(crate) fn is_on(scheduler: &Scheduler) -> bool {
        Self::find(scheduler).is_some()
    }

    /// The pool whose task the calling thread runs.
    pub(crate) fn here() -> Option<Scheduler> {
        Some(Self::top()?.scheduler.clone())
    }

    /// The seat whose task the calling thread runs. A thread that is about to end has none any more.
    pub(crate) fn top() -> Option<Rc<Self>> {
        CURRENT.try_with(|current| current.borrow().clone()).ok()?
    }

    /// The seat of the calling thread in this pool, if it has one there.
    #[inline]
    pub(crate) fn find(scheduler: &Scheduler) -> Option<Rc<Self>> {
        // Those who submit from outside are told at once.
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

    /// Notes that a task runs here now which has a slot of the entrance with this id.
    pub(crate) fn serve(&self, doing: Doing, entrance: usize) {
        self.activity.set(doing, entrance);
    }

    /// Notes that what runs here now has no slot.
    pub(crate) fn serve_nobody(&self) {
        self.activity.clear();
    }

    /// Runs `f` on the calling thread as something that has no slot, whatever task runs there.
    pub(crate) fn without_slot(f: impl FnOnce()) {
        let top = Self::top();
        let before = top.as_ref().map(|seat| seat.activity.take());
        f();
        if let (Some(seat), Some(before)) = (top, before) {
            seat.activity.restore(before);
        }
    }

    /// Whether the task that runs here has a slot of the entrance with this id.
    pub(crate) fn serves(&self, entrance: usize) -> bool {
        self.activity.entrance() == entrance
    }

    pub(crate) fn tally(&self) -> &Tally {
        self.scheduler.tally(self.own.as_ref().map(|own| own.index))
    }
}

/// A seat that is taken.
pub(crate) struct Seated(Option<Rc<Seat>>);

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
        // Only `CURRENT` shared the seat, so this is the last owner, and the queue goes back.
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
