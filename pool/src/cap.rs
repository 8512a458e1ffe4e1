//! The limit of how many workers the closures of a subpool occupy.
//!
//! Closures of a subpool with a limit wait in a queue of the subpool. In the pool's queues there are attendants, at most
//! as many as the limit. Each is a closure of the subpool's priority that runs one waiting closure and then queues up again
//! behind the other closures of its priority, so that a limited subpool gets its turn as if it had no limit.

use crate::backlog::Backlog;
use crate::entrance::Entrance;
use crate::gate::Gate;
use crate::scheduler;
use crate::seat::Seat;
use crate::task::Task;

/// What waits at an entrance with a limit.
pub(crate) type Cap = Backlog<Task<Seat>>;

impl Entrance {
    /// Lets the closures occupy at most `threads` workers at once.
    pub(crate) fn with_cap(mut self, threads: usize) -> Self {
        let threads = u32::try_from(threads).unwrap_or(u32::MAX);
        self.cap = Some(Box::new(Cap::new(threads)));
        self
    }

    /// Runs, on a thread that is no attendant, all closures that wait for an attendant.
    pub(crate) fn run_waiting(&self, seat: &Seat) {
        let Some(cap) = &self.cap else { return };
        while let Some(task) = cap.take_apart() {
            scheduler::run(task, seat);
        }
    }
}

impl Gate {
    /// Makes a closure run, or an attendant of a strand: on the calling worker if there is one, else on any; and if the
    /// subpool has a limit, in turn.
    #[expect(
        clippy::inline_always,
        reason = "a task handed on by value is copied again"
    )]
    #[inline(always)]
    pub(crate) fn schedule(&self, task: Task<Seat>) {
        match self.cap() {
            None => self.scheduler.schedule(task, self.priority()),
            Some(cap) => self.queue_up(cap, task),
        }
    }

    /// Makes a closure run, or an attendant of a strand, after those that wait already.
    pub(crate) fn defer(&self, task: Task<Seat>) {
        match self.cap() {
            None => self.scheduler.defer(task, self.priority()),
            Some(cap) => self.queue_up(cap, task),
        }
    }

    fn cap(&self) -> Option<&Cap> {
        self.subpool.as_ref()?.cap.as_deref()
    }

    #[inline(never)]
    fn queue_up(&self, cap: &Cap, task: Task<Seat>) {
        if cap.push(task) {
            let attendant = self.attendant();
            self.scheduler.schedule(attendant, self.priority());
        }
    }

    /// A task for the next closure. It has no slot of its own: each that waits has one.
    fn attendant(&self) -> Task<Seat> {
        let gate = self.clone();
        Task::new(move |seat: &Seat| gate.attend(seat))
    }

    /// Runs one closure that waits.
    fn attend(&self, seat: &Seat) {
        let cap = self.cap().expect("an attendant is sent by a cap");
        let Some(task) = cap.take() else { return };
        // The task's panic is caught where it is run; a panic of what it owned must not end the attendant either.
        scheduler::run(task, seat);
        if cap.has_more() {
            self.scheduler.defer(self.attendant(), self.priority());
        }
    }
}
