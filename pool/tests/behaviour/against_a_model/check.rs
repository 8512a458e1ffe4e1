//! The pool and its model side by side.

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anthill::{JoinHandle, Stats};
use proptest::test_runner::{TestCaseError, TestCaseResult};

use super::model::{Model, Reply};
use super::op::{Act, Op, Settings};
use super::real::Real;
use super::task::Stage;

/// Whether a case has failed. Later cases only search for a smaller failure.
static HAS_FAILED: AtomicBool = AtomicBool::new(false);

/// How long the pool may take to reach the state of the model.
fn patience() -> Duration {
    Duration::from_secs(if HAS_FAILED.load(Ordering::Relaxed) {
        1
    } else {
        30
    })
}

pub(crate) struct Run {
    pub(crate) model: Model,
    real: Real,
    /// How many events of the board the model has learned.
    known: usize,
    /// The operations, and the task of each.
    done: Vec<(Op, Option<usize>)>,
}

fn pick(from: &[usize], number: usize) -> Option<usize> {
    Some(from[number.checked_rem(from.len())?])
}

impl Run {
    pub(crate) fn new(settings: Settings) -> Result<Self, TestCaseError> {
        let mut run = Self {
            model: Model::new(settings),
            real: Real::new(settings),
            known: 0,
            done: Vec::new(),
        };
        run.settle()?;
        Ok(run)
    }

    /// Applies an operation to both, and waits until both are in the same state.
    pub(crate) fn apply(&mut self, op: Op) -> TestCaseResult {
        let (model, real) = (&mut self.model, &mut self.real);
        model.queue.next_turn();
        let mut subject = None;
        let (expected, actual) = match op {
            Op::Submit(way, kind, terms, inside) => {
                let running = model.subjects(Act::Return);
                subject = inside.and_then(|number| pick(&running, number));
                model.submit(way, kind, terms, subject.is_some());
                real.submit(way, kind, terms, subject);
                (Reply::Done, Reply::Done)
            }
            Op::On(act, number) => {
                subject = pick(&model.subjects(act), number);
                let Some(id) = subject else { return Ok(()) };
                (model.act(act, id), real.act(act, id))
            }
            Op::Tune(capacity) => {
                real.pool().set_capacity(capacity);
                (model.set_capacity(capacity), Reply::Done)
            }
            Op::TuneThreads(min, max) => (model.set_threads(min, max), real.set_threads(min, max)),
            Op::Close => {
                real.pool().close();
                (model.close(), Reply::Done)
            }
            Op::Discard => {
                real.pool().discard();
                (model.discard(), Reply::Done)
            }
            Op::Reopen => (model.reopen(), Reply::Reopened(real.pool().reopen())),
            Op::Shutdown => {
                let expected = model.shutdown();
                let ends = expected == Reply::Shut(true);
                let timeout = if ends { patience() } else { Duration::ZERO };
                (expected, real.shutdown(timeout))
            }
        };
        self.done.push((op, subject));
        if expected != actual {
            return self.fail(&format!("{actual:?} instead of {expected:?}"));
        }
        self.settle()
    }

    /// Waits until the pool has reached the state of the model.
    fn settle(&mut self) -> TestCaseResult {
        let deadline = Instant::now() + patience();
        loop {
            match self.compare() {
                Ok((model, known)) => {
                    (self.model, self.known) = (model, known);
                    return Ok(());
                }
                Err(why) if Instant::now() > deadline => {
                    return self.fail(&why);
                }
                Err(_) => thread::yield_now(),
            }
        }
    }

    fn fail(&self, why: &str) -> TestCaseResult {
        let (stats, notes) = (self.real.pool().stats(), self.real.board.notes());
        let (done, tasks) = (list(&self.done), list(&self.model.tasks));
        let new = list(&notes.events[self.known..]);
        let mut model = self.model.clone();
        model.tasks.clear();
        let what = format!(
            "{why}\ndone, and to which:{done}\nthe pool: {stats:?}\nthe model: {model:?}\nits tasks:{tasks}\n\
            events that it does not know:{new}\n"
        );
        if !HAS_FAILED.swap(true, Ordering::Relaxed) {
            // A failure that depends on timing may not repeat, so print it now.
            eprintln!("the first case that failed: {what}");
        }
        Err(TestCaseError::fail(what))
    }

    /// Returns the model after the new events, and the number of known events, if the pool matches it.
    fn compare(&self) -> Result<(Model, usize), String> {
        let (pool, board) = (self.real.pool(), &self.real.board);
        let mut model = self.model.clone();
        let events = board.notes().events[self.known..].to_vec();
        let stats = pool.stats();
        if stats.threads > 1 {
            model.queue.mix();
        }
        // On a copy, because the report of a task and its counters may change a moment apart.
        model.learn(&events, &stats)?;
        if !model.is_settled() {
            return Err("workers have something left to do".to_owned());
        }
        same("stats", &expected_stats(&model, stats), &stats)?;
        // A worker that is awake and idle may still take a task.
        let awake = stats.threads - stats.idle_threads;
        same("workers awake", &model.busy(), &awake)?;
        check_threads(&model, &stats)?;
        same("in flight", &model.in_flight, &pool.in_flight())?;
        same("capacity", &model.capacity, &pool.capacity())?;
        same("closed", &model.closed, &pool.is_closed())?;
        let (min, max) = (model.min_threads, model.max_threads);
        same("limits of threads", &(min..=max), &pool.threads())?;
        same("reported", &model.books.reported, &self.real.reported())?;
        for (id, woken) in self.real.asking() {
            let told = matches!(model.tasks[id].stage, Stage::Told(_));
            same(&format!("waker of {id}'s submitter"), &told, &woken)?;
        }
        let notes = board.notes();
        for (id, (task, note)) in model.tasks.iter().zip(&notes.tasks).enumerate() {
            same(&format!("answer of {id}"), &task.answer, &note.answer)?;
            let finished = task.handle.then(|| task.is_finished());
            let heard = note.handle.as_ref().map(JoinHandle::is_finished);
            same(&format!("handle of {id}"), &finished, &heard)?;
        }
        let known = self.known + events.len();
        same("events", &known, &notes.events.len())?;
        // A submitter may have enqueued its task since `stats`, which would hide a husk.
        same("queued since", &stats.queued, &pool.stats().queued)?;
        model.lower_most_busy();
        model.queue.sort(model.max_threads.max(stats.threads));
        Ok((model, known))
    }

    /// Checks that nothing is left after the end.
    pub(crate) fn end(self) -> TestCaseResult {
        let stats = self.real.pool().stats();
        let dropped = stats.cancelled + stats.discarded + stats.expired;
        let ended = stats.completed + stats.panicked + dropped;
        let alive = self.real.board.notes().alive;
        let left = (stats.in_flight, stats.waiting, stats.queued, stats.threads);
        if (stats.accepted, left, alive) == (ended, (0, 0, 0, 0), 0) {
            return Ok(());
        }
        self.fail(&format!(
            "{alive} tasks are left, and the books do not balance"
        ))
    }
}

fn list<T: Debug>(items: &[T]) -> String {
    let items = items.iter().enumerate();
    let lines: Vec<_> = items
        .map(|(place, item)| format!("\n  {place}: {item:?}"))
        .collect();
    lines.concat()
}

fn same<T: PartialEq + Debug>(what: &str, expected: &T, actual: &T) -> Result<(), String> {
    if expected == actual {
        return Ok(());
    }
    Err(format!("{what}: {actual:?} instead of {expected:?}"))
}

/// Returns the counters of the model, and those of the pool for counters that the model lacks.
fn expected_stats(model: &Model, actual: Stats) -> Stats {
    let mut stats = actual;
    stats.capacity = model.capacity;
    stats.in_flight = model.in_flight;
    stats.free = model.capacity.saturating_sub(model.in_flight);
    stats.running = model.busy();
    stats.queued = model.queue.len();
    stats.waiting = model.line.len();
    stats.accepted = model.books.accepted;
    stats.completed = model.books.completed;
    stats.panicked = model.books.panicked;
    stats.cancelled = model.books.cancelled;
    stats.discarded = model.books.discarded;
    stats.expired = model.books.expired;
    stats.rejected_full = model.books.full;
    stats.rejected_closed = model.books.closed;
    stats.rejected_timeout = model.books.timeout;
    stats.rejected_would_deadlock = model.books.would_deadlock;
    (stats.handler_panics, stats.thread_start_failures) = (0, 0);
    stats
}

/// The number of surplus threads is not specified: it depends on which workers slept when tasks came.
fn check_threads(model: &Model, stats: &Stats) -> Result<(), String> {
    let (min, max, busy) = (model.min_threads, model.max_threads, model.busy());
    let ended = model.closed && model.in_flight == 0;
    let (least, most) = if ended {
        (0, 0)
    } else {
        // One more thread may exist for futures.
        (min.max(busy), max.max(busy) + 1)
    };
    if (least..=most).contains(&stats.threads) {
        return Ok(());
    }
    let threads = stats.threads;
    Err(format!("{threads} threads instead of {least} to {most}"))
}
