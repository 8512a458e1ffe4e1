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

    /// Enqueues a closure, or an attendant of a strand, behind the waiting ones.
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
        if let Some(task) = cap.push_beyond_limit(task) {
            let gate = self.clone();
            let attendant = Task::new(move |seat: &Seat| gate.attend(task, seat));
            self.scheduler.schedule(attendant, self.priority());
        }
    }

    /// Runs one closure as an attendant, and sends the attendant on if others wait.
    fn attend(&self, task: Task<Seat>, seat: &Seat) {
        // The task's panic is caught where it is run; a panic of what it owned must not end the attendant either.
        scheduler::run(task, seat);
        if self.cap().is_some_and(Cap::has_more) {
            let gate = self.clone();
            let attendant = Task::new(move |seat: &Seat| gate.attend_next(seat));
            self.scheduler.defer(attendant, self.priority());
        }
    }

    fn attend_next(&self, seat: &Seat) {
        // Other attendants may have been faster, and a discard.
        if let Some(task) = self.cap().and_then(Cap::take) {
            self.attend(task, seat);
        }
    }
}
