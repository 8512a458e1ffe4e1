//! Limits how many workers the closures of a subpool occupy.
//!
//! Closures of a subpool with a limit wait in a queue of the subpool. The pool's queues hold at
//! most as many attendants as the limit. An attendant is a closure with the subpool's priority that
//! runs one waiting closure. It then queues again behind the other closures of its priority, so
//! that a limited subpool gets the same turns as an unlimited one.

use crate::engine::backlog::{Backlog, Entry};
use crate::engine::entrance::Entrance;
use crate::engine::gate::Gate;
use crate::engine::scheduler;
use crate::engine::seat::Seat;
use crate::task::Task;

/// The closures that wait at an entrance with a limit.
pub type Cap = Backlog<Task<Seat>>;

impl Entry for Task<Seat> {
    fn is_spent(&mut self) -> bool {
        self.is_spent()
    }
}

impl Entrance {
    /// Limits the closures to `threads` workers at once.
    pub fn with_cap(mut self, threads: usize) -> Self {
        let threads = u32::try_from(threads).unwrap_or(u32::MAX);
        self.cap = Some(Box::new(Cap::new(threads)));
        self
    }

    /// Runs all waiting closures on a thread that is not an attendant.
    pub fn run_waiting(&self, seat: &Seat) {
        let Some(cap) = &self.cap else { return };
        while let Some(task) = cap.take_unattended() {
            scheduler::run(task, seat);
        }
    }
}

impl Gate {
    /// Schedules a closure or a strand's attendant, on the calling worker if there is one. If the
    /// subpool has a limit, queues it there.
    #[expect(
        clippy::inline_always,
        reason = "each call that passes the task by value copies it"
    )]
    #[inline(always)]
    pub fn schedule(&self, task: Task<Seat>) {
        match self.cap() {
            None => self.scheduler.schedule(task, self.priority()),
            Some(cap) => self.queue_up(cap, task),
        }
    }

    /// Enqueues a closure or a strand's attendant behind all waiting closures.
    pub fn defer(&self, task: Task<Seat>) {
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

    /// Runs one closure as an attendant, and schedules the attendant again if more wait.
    fn attend(&self, task: Task<Seat>, seat: &Seat) {
        // `run` also catches a panic in the drop of the task's captures, or it would end the
        // attendant.
        scheduler::run(task, seat);
        if self.cap().is_some_and(Cap::has_more) {
            let gate = self.clone();
            let attendant = Task::new(move |seat: &Seat| gate.attend_next(seat));
            self.scheduler.defer(attendant, self.priority());
        }
    }

    fn attend_next(&self, seat: &Seat) {
        // Other attendants or a discard may have taken every entry.
        if let Some(task) = self.cap().and_then(Cap::take) {
            self.attend(task, seat);
        }
    }
}

#[cfg(all(test, not(anthill_loom)))]
mod tests {
    use super::*;
    use crate::task::Work;

    struct Spent;

    impl Work<Seat> for Spent {
        fn run(self, _: &Seat) {}

        fn is_spent(&mut self) -> bool {
            true
        }
    }

    #[test]
    fn spent_closures_do_not_pile_up() {
        let cap = Cap::new(1);
        assert!(cap.push_beyond_limit(Task::new(|_: &Seat| ())).is_some());
        for _ in 0..1_000 {
            assert!(cap.push_beyond_limit(Task::new(Spent)).is_none());
        }
        assert!(cap.len() < 64, "{} closures", cap.len());
    }
}
