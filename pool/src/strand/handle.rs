//! Strands: tasks that run one at a time and in order, on any free worker.

use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::engine::Backlog;
use crate::engine::Entry;
use crate::engine::Gate;
use crate::engine::Runnable;
use crate::engine::Seat;
use crate::pool::Pool;
use crate::sync::thread::Slice;
use crate::sync::{Arc, BUDGET};
use crate::task::Task;
use crate::task::{Job, Output};

/// A sequence of tasks that run one at a time, in the order in which they were accepted. Strands of
/// one pool run in parallel. An idle strand takes 80 bytes and no task.
///
/// Use a strand for state that many tasks change: each task sees the effects of the tasks before
/// it, and never runs at the same time as them. Each task holds a slot of the pool from acceptance
/// to its end.
///
/// A closure that blocks delays its strand and its worker. A suspended future delays only its
/// strand. A task that panics ends alone, and the strand goes on.
///
/// A clone is another handle of the same strand. Accepted tasks run even if all handles are
/// dropped. A strand does not keep its pool open.
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().build()?;
/// let account = pool.strand();
/// let balance = Arc::new(Mutex::new(0));
/// for amount in [100, -30, 5] {
///     let balance = Arc::clone(&balance);
///     // Never contended, because the tasks run one after another.
///     account.submit(move || *balance.lock().unwrap() += amount)?;
/// }
/// pool.shutdown().wait()?;
/// assert_eq!(*balance.lock().unwrap(), 75);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Strand(Arc<Line>);

/// State shared by the handles of a strand and its tasks.
struct Line {
    gate: Gate,
    /// Has one attendant: a task of the pool that runs or is queued, or the strand's future until
    /// it ends.
    inbox: Backlog<StrandTask>,
}

/// One task of a strand.
enum StrandTask {
    Closure(Task<Seat>),
    Future(Runnable),
}

impl Entry for StrandTask {
    fn is_spent(&mut self) -> bool {
        match self {
            Self::Closure(task) => task.is_spent(),
            // A cancelled future keeps its slot until its turn, so the capacity bounds them.
            Self::Future(_) => false,
        }
    }
}

impl Pool {
    /// Returns a new strand, whose tasks take their slots from this pool or subpool.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let (red, blue) = (pool.strand(), pool.strand());
    /// red.submit(|| println!("red, first"))?;
    /// red.submit(|| println!("red, second"))?;
    /// blue.submit(|| println!("blue, at any time"))?;
    /// # pool.shutdown().wait()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn strand(&self) -> Strand {
        Strand::new(self.gate().clone())
    }
}

impl Strand {
    pub(crate) fn new(gate: Gate) -> Self {
        Self(Arc::new(Line {
            gate,
            inbox: Backlog::new(1),
        }))
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.0.gate
    }

    /// Appends a closure that holds a slot.
    pub(crate) fn push_closure(&self, job: impl Job) {
        push(&self.0, StrandTask::Closure(self.0.gate.task(job)));
    }

    /// Appends a future that holds a slot.
    pub(crate) fn push_future<F>(&self, future: F)
    where
        F: Future + Send + 'static,
        F::Output: Output,
    {
        let turn = Turn(Arc::clone(&self.0));
        let runnable = self.0.gate.runnable(InTurn { future, turn });
        push(&self.0, StrandTask::Future(runnable));
    }

    /// Returns whether the caller has the last reference: no other handle, and no tasks.
    pub(crate) fn is_forgotten(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Returns the number of tasks that wait for their turn.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let strand = pool.strand();
    /// let (go, wait) = std::sync::mpsc::channel::<()>();
    /// strand.submit(move || _ = wait.recv())?;
    /// strand.submit(|| println!("waits for the first"))?;
    /// assert!(strand.queued() >= 1);
    /// # drop(go);
    /// # pool.shutdown().wait()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn queued(&self) -> usize {
        self.0.inbox.len()
    }
}

fn push(line: &Arc<Line>, entry: StrandTask) {
    if line.inbox.push(entry) {
        schedule(line);
    }
}

/// Schedules a task of the pool that runs the next entries.
fn schedule(line: &Arc<Line>) {
    line.gate.schedule(attendant(line));
}

/// Returns a task that runs the next entries. It holds no slot, because each entry holds its own.
fn attendant(line: &Arc<Line>) -> Task<Seat> {
    let line = Arc::clone(line);
    Task::new(move |seat: &Seat| run(&line, seat))
}

/// Runs the entries in order, until none is left, a future begins, or the budget or time slice is
/// spent.
fn run(line: &Arc<Line>, seat: &Seat) {
    let mut slice = None;
    for _ in 0..BUDGET {
        let Some(entry) = line.inbox.take() else {
            return;
        };
        match entry {
            // A panic of the closure is caught deeper. `run` also catches a panic from dropping its
            // captures, which must not end the strand.
            StrandTask::Closure(task) => {
                crate::engine::run(task, seat);
                if slice.get_or_insert_with(Slice::begin).is_over() {
                    if line.inbox.has_more() {
                        break;
                    }
                    return;
                }
            }
            // The strand goes on when the future drops its `Turn`.
            StrandTask::Future(runnable) => {
                crate::engine::spawn(&line.gate.scheduler, runnable);
                return;
            }
        }
    }
    line.gate.defer(attendant(line));
}

/// The turn of a strand, held by its future from submission to end. Dropping it schedules the next
/// entries.
struct Turn(Arc<Line>);

impl Drop for Turn {
    fn drop(&mut self) {
        schedule(&self.0);
    }
}

pin_project! {
    struct InTurn<F> {
        // Before the turn: the future is dropped before the next entry begins.
        #[pin]
        future: F,
        turn: Turn,
    }
}

impl<F: Future> Future for InTurn<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().future.poll(cx)
    }
}

// A panic is caught before it reaches shared state, as for the pool.
impl UnwindSafe for Strand {}
impl RefUnwindSafe for Strand {}

impl fmt::Debug for Strand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Strand")
            .field("queued", &self.queued())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(anthill_loom)))]
mod tests {
    use super::*;

    #[test]
    fn an_idle_strand_is_small_enough_to_have_a_hundred_thousand() {
        // Beside the two counts of its `Arc`.
        assert!(size_of::<Line>() <= 64, "{} bytes", size_of::<Line>());
    }
}
