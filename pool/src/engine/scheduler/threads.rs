//! Starts, dismisses and limits worker threads.

use super::{Scheduler, run};
use crate::engine::lane::Lane;
use crate::engine::seat::Seat;
use crate::engine::worker_thread;
use crate::sync::atomic::{Ordering, fence};
use crate::sync::thread;

/// Why a worker exits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// The pool has ended.
    Ended,
    /// It was idle for `idle_expiry`.
    Expired,
    /// There are more threads than the maximum.
    Surplus,
}

impl Scheduler {
    /// Starts threads until `count` are live.
    pub fn start_threads(&self, count: usize) -> std::io::Result<()> {
        while self.idle.live() < count && self.idle.enlist(|| self.has_ended()) {
            self.start_thread()
                .inspect_err(|_| self.do_without_thread())?;
        }
        Ok(())
    }

    /// Starts threads up to the minimum while the pool is open. Counts threads that fail to start.
    pub fn keep_fewest(&self) {
        // Both sides change either `open` or the census, then fence, then read the other word.
        // Otherwise a worker that leaves an ended pool and a caller that reopens it could rely on
        // each other.
        fence(Ordering::SeqCst);
        if !self.has_ended() {
            let _counted = self.start_threads(self.idle.fewest());
        }
    }

    /// Starts a thread that the census already counts.
    pub fn start_thread(&self) -> std::io::Result<()> {
        let mut builder = thread::Builder::new().name(self.settings.name.to_string());
        if let Some(size) = self.settings.stack_size {
            builder = builder.stack_size(size);
        }
        let scheduler = self.clone();
        let life = move || {
            thread::set_home(&scheduler.watchers);
            let own = scheduler.clone();
            scheduler.within(|| (own.work)(own));
        };
        match self.started.start(builder, life) {
            Ok(()) => {
                self.threads.started.add();
                Ok(())
            }
            Err(error) => {
                self.threads.start_failures.add();
                self.idle.dismiss(false);
                // A shutdown may wait for the thread, and no other thread may be left to wake it.
                if self.has_ended() {
                    self.watchers.notify_all();
                }
                Err(error)
            }
        }
    }

    /// Handles a thread that failed to start. Producers may have left tasks to it while it counted
    /// as searching.
    pub fn do_without_thread(&self) {
        // Pairs with P2, as F2 does.
        fence(Ordering::SeqCst);
        if !Lane::ALL.into_iter().any(|lane| self.queues.has_work(lane)) {
            return;
        }
        if let Some(parker) = self.idle.recruit_sleeper() {
            self.threads.wakeups.add();
            parker.unpark();
        }
        if Seat::is_on(self) {
            // A worker finds the task itself. So does a thread that does a worker's job further up
            // its stack.
            return;
        }
        // With no live thread, the calling thread runs the tasks, or they would never run. Live
        // workers find them as soon as they are free.
        self.within(|| {
            let seat = Seat::borrow(self.clone());
            while self.idle.live() == 0 {
                let Some(task) = self.queues.take_any() else {
                    return;
                };
                run(task, &seat);
            }
        });
    }

    /// Calls `work` inside the runtime that tasks rely on. Calls `work` even if entering the
    /// runtime panics.
    pub fn within(&self, work: impl FnOnce()) {
        let (left, ran) = self.settings.within(work);
        if let Err(payload) = ran {
            self.report(payload);
        }
        if let Some(work) = left {
            work();
        }
    }

    /// Changes the minimum and maximum number of threads.
    pub fn limit_threads(&self, min: usize, max: usize) {
        self.idle.limit(min, max);
        // Surplus sleepers exit at once, busy workers after their task. Remaining sleepers recheck
        // whether they may expire.
        self.idle.wake_all();
        self.keep_fewest();
        // What waits may be run by more now.
        self.pass_on_search();
    }

    /// Removes a searching worker from the pool.
    pub fn dismiss(&self, why: Leave) {
        if why == Leave::Expired {
            self.threads.expired.add();
        }
        self.watchers.expect_exit();
        self.idle.dismiss(why != Leave::Ended);
        // It counted as searching until now, and others may have left their task to it.
        self.pass_on_search();
        self.keep_fewest();
        // The reactor may have been left to it, too.
        if !self.has_ended() {
            self.attend();
        }
    }

    /// Drops the thread's own values, calls the stop hook and arranges the exit of a dismissed
    /// worker. Dismiss before this, or producers leave tasks to the worker meanwhile.
    pub fn exit(&self) {
        let hooks = &self.settings.hooks;
        if hooks.stop.is_some() || !hooks.locals.is_empty() {
            // Take a seat, so that a blocking submit to this pool is refused as on a worker.
            let seat = Seat::borrow(self.clone());
            self.drop_locals();
            if let (Some(stop), Some(index)) = (&hooks.stop, worker_thread::index()) {
                self.call_hook(|| stop(index));
            }
            drop(seat);
        }
        self.end_thread();
        // Hand over the watchers only: dropping the scheduler runs foreign code, which may need
        // thread-locals.
        thread::at_exit(&self.watchers);
    }

    /// Returns whether the calling thread belongs to this pool, even while it runs destructors of
    /// thread-locals.
    pub fn is_home(&self) -> bool {
        Seat::is_on(self) || thread::is_home(&self.watchers)
    }
}
