//! The state that the workers of a pool share, and the operations on it.

mod closing;
mod running;
mod threads;
mod watchers;

pub use closing::OnClose;
pub use running::{ClosureTurn, run};
pub use threads::Leave;
use watchers::Watchers;

use std::ops::Deref;

use crossbeam_utils::CachePadded;

use crate::admission::Released;
use crate::engine::activity::Activities;
use crate::engine::entrance::Entrance;
use crate::engine::idle::{Idle, Recruit};
use crate::engine::lane::Lane;
use crate::engine::priority::Priority;
use crate::engine::queues::Queues;
use crate::engine::seat::Seat;
use crate::engine::settings::Settings;
use crate::engine::worker_thread::Indexes;
use crate::figures::Names;
use crate::figures::trace;
use crate::figures::{Stats, Tally, ThreadCounters};
use crate::sync::atomic::{AtomicUsize, Ordering, fence};
use crate::sync::{Arc, Mutex, thread};
use crate::task::End;
use crate::task::Task;
use crate::task::TaskPanic;
use crate::task::unwind;

/// A handle to the state that the workers share.
#[derive(Clone)]
pub struct Scheduler(Arc<Shared>);

impl Deref for Scheduler {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

pub struct Shared {
    pub settings: Settings,
    /// The main function of a worker thread. A function pointer, because module `worker` depends on
    /// this one.
    work: fn(Scheduler),
    /// The pool's own entrance.
    pub root: Entrance,
    subpools: Mutex<closing::Subpools>,
    /// The number of entrances that are open or have slots taken. At 0 all workers exit.
    open: AtomicUsize,
    pub queues: Queues<Task<Seat>>,
    pub idle: Idle,
    /// One for each local queue, and the last for all other threads.
    tallies: Box<[CachePadded<Tally>]>,
    pub threads: ThreadCounters,
    pub activities: Activities,
    /// Named tasks that have begun.
    pub names: Mutex<Names>,
    pub started: thread::Started,
    pub watchers: Arc<Watchers>,
    pub indexes: Indexes,
}

impl Scheduler {
    /// `min` and `max` bound the number of threads. Each thread calls `work`.
    pub fn new(
        settings: Settings,
        root: Entrance,
        (min, max): (usize, usize),
        work: fn(Self),
    ) -> Self {
        let queues = Queues::new(max);
        Self(Arc::new(Shared {
            tallies: (0..queues.locals())
                .map(|_| CachePadded::default())
                .chain([CachePadded::new(Tally::shared())])
                .collect(),
            idle: Idle::new(min, max),
            settings,
            work,
            root,
            subpools: Mutex::new(closing::Subpools::default()),
            open: AtomicUsize::new(1),
            queues,
            threads: ThreadCounters::default(),
            activities: Activities::default(),
            names: Mutex::new(Names::default()),
            started: thread::Started::new(),
            watchers: Arc::new(Watchers::new()),
            indexes: Indexes::default(),
        }))
    }

    /// Returns whether both handles belong to the same pool.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Enqueues a closure: in the calling worker's own queue if possible, otherwise in a shared
    /// queue.
    #[expect(
        clippy::inline_always,
        reason = "saves a copy of the task: row `submit` of `cargo run --release -p instructions`"
    )]
    #[inline(always)]
    pub fn schedule(&self, task: Task<Seat>, priority: Priority) {
        match Seat::find(self) {
            Some(seat) => self.schedule_at(&seat, task, priority),
            None => self.defer(task, priority),
        }
    }

    #[inline(never)]
    fn schedule_at(&self, seat: &Seat, task: Task<Seat>, priority: Priority) {
        // A worker's own queue has no priorities.
        let may_keep = priority == Priority::Normal && seat.may_run_closures();
        match seat.own.as_ref().filter(|_| may_keep) {
            Some(own) => {
                self.queues.push_own(own, Lane::Closures, task);
                self.notify_of_own(seat, Lane::Closures);
            }
            None => self.defer(task, priority),
        }
    }

    /// Notifies workers of a task in the calling worker's own queue. Also when a reactor event
    /// pushed it: the event may belong to a task of the reactor itself that waits for the new task.
    /// Then the calling worker stays in the reactor and cannot run it.
    fn notify_of_own(&self, seat: &Seat, lane: Lane) {
        if seat.note_push() {
            self.notify_by_event(lane);
        } else {
            self.notify(lane);
        }
    }

    /// Enqueues a closure in a shared queue, behind those of the same priority.
    #[expect(
        clippy::inline_always,
        reason = "saves a copy of the task: row `submit` of `cargo run --release -p instructions`"
    )]
    #[inline(always)]
    pub fn defer(&self, task: Task<Seat>, priority: Priority) {
        self.queues.push_closure(task, priority);
        self.notify(Lane::Closures);
    }

    /// Enqueues a new future: in the own queue of `seat` if it has one, otherwise in the shared
    /// queue.
    pub fn spawn(&self, seat: Option<&Seat>, task: Task<Seat>) {
        match seat.and_then(|seat| Some((seat, seat.own.as_ref()?))) {
            Some((seat, own)) => {
                self.queues.push_own(own, Lane::Futures, task);
                self.notify_of_own(seat, Lane::Futures);
            }
            None => self.defer_future(task),
        }
    }

    /// Enqueues a future that was woken by the thread of `seat`.
    pub fn wake(&self, seat: &Seat, task: Task<Seat>) {
        let Some(own) = &seat.own else {
            return self.defer_future(task);
        };
        self.queues.push_own(own, Lane::Futures, task);
        // A worker that handles reactor events takes the task next, and notifies others of tasks
        // that it does not run at once.
        if !seat.note_push() {
            self.notify(Lane::Futures);
        }
    }

    /// Enqueues a future in the shared queue.
    pub fn defer_future(&self, task: Task<Seat>) {
        self.queues.push_future(task);
        self.notify(Lane::Futures);
    }

    /// Wakes a worker for a task that was just pushed, unless a searching worker will find it. P2
    /// to P4 of the protocol in `idle`.
    #[inline]
    pub fn notify(&self, lane: Lane) {
        // P2: pairs with S2, F2 and O2.
        fence(Ordering::SeqCst);
        if self.idle.wants_help(lane) {
            self.help(lane);
        }
    }

    /// P2 to P4 for a task pushed by the worker in the reactor. Recruits a worker other than the
    /// calling one.
    #[cold]
    fn notify_by_event(&self, lane: Lane) {
        // P2: pairs with S2, F2 and O2.
        fence(Ordering::SeqCst);
        if self.idle.wants_help(lane) {
            self.act(self.idle.recruit_other(lane));
        }
    }

    /// F2 to F4, for the last searching worker once it has found a task.
    pub fn pass_on_search(&self) {
        // F2: pairs with P2.
        fence(Ordering::SeqCst);
        for lane in Lane::ALL {
            if self.idle.wants_help(lane) && self.queues.has_work(lane) {
                self.act(self.idle.recruit(lane));
            }
        }
    }

    /// O2 to O4, for a worker that occupied itself or exits. Otherwise futures and events would
    /// wait for closures to end.
    pub fn attend(&self) {
        // O2: pairs with P2 and S2.
        fence(Ordering::SeqCst);
        // With no live thread no worker relies on the reactor, and `help` would recurse into this
        // function.
        if self.idle.live() == 0 || !self.idle.wants_help(Lane::Futures) {
            return;
        }
        let reactor = self.settings.reactor.as_ref();
        if reactor.is_some_and(|reactor| !reactor.is_held()) || self.queues.has_work(Lane::Futures)
        {
            self.help(Lane::Futures);
        }
    }

    /// Wakes a sleeper or starts a thread, unless a worker searches already or enough are awake.
    #[cold]
    fn help(&self, lane: Lane) {
        self.act(self.idle.recruit_unless(lane, || self.has_ended()));
    }

    #[expect(
        clippy::inline_always,
        reason = "on the path of row `submit-to-sleeper` of `cargo run --release -p instructions`"
    )]
    #[inline(always)]
    fn act(&self, recruit: Recruit) {
        match recruit {
            Recruit::Wake(parker) => {
                self.threads.wakeups.add();
                parker.unpark();
            }
            Recruit::Start => {
                if self.start_thread().is_err() {
                    self.do_without_thread();
                }
            }
            Recruit::None => {}
        }
    }
}

impl Shared {
    pub fn tally(&self, seat: Option<usize>) -> &Tally {
        &self.tallies[seat.unwrap_or(self.tallies.len() - 1)]
    }

    /// Counts the end of a task, and reports a panic that no handle receives.
    pub fn settle(&self, tally: &Tally, end: End) {
        tally.count_end(&end);
        if let End::Panicked(Some(payload)) = end {
            self.report(payload);
        }
    }

    /// Drops the task if another thread has ended it. Otherwise returns it.
    pub fn drop_spent(&self, mut task: Task<Seat>) -> Option<Task<Seat>> {
        if !task.is_spent() {
            return Some(task);
        }
        if let Err(payload) = unwind::catch(|| drop(task)) {
            self.report(payload);
        }
        None
    }

    /// Calls a function of the user and counts its panic.
    pub fn call_hook(&self, hook: impl FnOnce()) {
        if let Err(payload) = unwind::catch(hook) {
            self.threads.handler_panics.add();
            unwind::discard(payload);
        }
    }

    /// Passes a panic to the pool's handler. If the handler panics, that panic is counted and
    /// dropped.
    pub fn report(&self, payload: unwind::Payload) {
        let panic = TaskPanic::new(payload, std::sync::Arc::clone(&self.settings.name));
        let handled = if let Some(handler) = &self.settings.panic_handler {
            unwind::catch(|| handler(panic))
        } else {
            let handled = unwind::catch(|| trace::panicked(&panic));
            unwind::discard(panic.into_payload());
            handled
        };
        if let Err(payload) = handled {
            self.threads.handler_panics.add();
            unwind::discard(payload);
        }
    }

    #[inline]
    pub fn release(&self, entrance: &Entrance, count: usize) {
        if entrance.slots.release(count) {
            self.drained(entrance);
        }
    }

    /// Does the second half of a quiet release: wakes the waiters.
    #[inline]
    pub fn follow_up(&self, entrance: &Entrance, released: Released) {
        if entrance.slots.follow_up(released) {
            self.drained(entrance);
        }
    }

    pub fn stats(&self, entrance: &Entrance) -> Stats {
        let (in_flight, capacity) = entrance.slots.usage();
        let (threads, idle_threads) = self.idle.threads();
        let doings = self.activities.count();
        let (futures, [high, normal, low]) = self.queues.lens();
        let sum = |count: fn(&Tally) -> u64| self.tallies.iter().map(|tally| count(tally)).sum();
        let (completed, panicked, cancelled, discarded, expired) = (
            sum(|tally| tally.completed.get()),
            sum(|tally| tally.panicked.get()),
            sum(|tally| tally.cancelled.get()),
            sum(|tally| tally.discarded.get()),
            sum(|tally| tally.expired.get()),
        );
        Stats {
            capacity,
            in_flight,
            running: doings.closures + doings.futures,
            running_closures: doings.closures,
            running_futures: doings.futures,
            in_reactor: doings.reactor,
            queued: futures + high + normal + low,
            queued_futures: futures,
            queued_high: high,
            queued_normal: normal,
            queued_low: low,
            waiting: entrance.slots.waiting(),
            free: capacity.saturating_sub(in_flight),
            threads,
            idle_threads,
            // Read after the tallies, or more tasks could have ended than were accepted.
            accepted: entrance.slots.accepted().get(),
            completed,
            panicked,
            cancelled,
            discarded,
            expired,
            handler_panics: self.threads.handler_panics.get(),
            rejected_full: entrance.rejections.full.get(),
            rejected_closed: entrance.rejections.closed.get(),
            rejected_timeout: entrance.rejections.timeout.get(),
            rejected_would_deadlock: entrance.rejections.would_deadlock.get(),
            threads_started: self.threads.started.get(),
            threads_expired: self.threads.expired.get(),
            thread_start_failures: self.threads.start_failures.get(),
            wakeups: self.threads.wakeups.get(),
        }
    }
}
