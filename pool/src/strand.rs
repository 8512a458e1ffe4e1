//! Strands: tasks one at a time and in order, on whichever worker is free.

use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::backlog::Backlog;
use crate::end::{Job, Output};
use crate::future::Runnable;
use crate::gate::Gate;
use crate::pool::Pool;
use crate::seat::Seat;
use crate::sync::thread::Slice;
use crate::sync::{Arc, BUDGET};
use crate::task::Task;

/// A line of tasks that run one at a time, in the order in which they were accepted. Strands of one pool run in
/// parallel; a strand with nothing to do is 80 bytes and no task.
///
/// It is for state that many tasks change: what a task of a strand did is seen by the next one, and no two meet. Each
/// task holds a slot of the pool from acceptance to its end, like any other. A closure that blocks holds up its strand
/// and its worker; a future that waits holds up its strand alone. A task that panics ends alone, and the strand goes on.
///
/// A clone is another handle of the same strand. Tasks that were accepted are run also when all handles are gone. A
/// strand does not keep its pool open.
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
///     // One after the other: the lock is there for the compiler and never waited for.
///     account.submit(move || *balance.lock().unwrap() += amount)?;
/// }
/// pool.shutdown().wait()?;
/// assert_eq!(*balance.lock().unwrap(), 75);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Strand(Arc<Line>);

/// What the handles of a strand and its tasks share.
struct Line {
    gate: Gate,
    /// Its one attendant is a task of the pool that runs the strand or waits to, or the strand's future, when that ends.
    inbox: Backlog<Entry>,
}

/// One task of a strand.
enum Entry {
    Closure(Task<Seat>),
    Future(Runnable),
}

impl Pool {
    /// A new strand, whose tasks take their slots at this entrance.
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

    /// Puts a closure that has a slot at the end of the line.
    pub(crate) fn push_closure(&self, job: impl Job) {
        push(&self.0, Entry::Closure(self.0.gate.task(job)));
    }

    /// Puts a future that has a slot at the end of the line.
    pub(crate) fn push_future<F>(&self, future: F)
    where
        F: Future + Send + 'static,
        F::Output: Output,
    {
        let turn = Turn(Arc::clone(&self.0));
        let runnable = self.0.gate.runnable(InTurn { future, turn });
        push(&self.0, Entry::Future(runnable));
    }

    /// Whether nobody has it but the one that asks, neither by a handle nor because it has tasks.
    pub(crate) fn is_forgotten(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// How many tasks wait for their turn.
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

fn push(line: &Arc<Line>, entry: Entry) {
    if line.inbox.push(entry) {
        schedule(line);
    }
}

/// Makes the pool run the next entries.
fn schedule(line: &Arc<Line>) {
    line.gate.schedule(attendant(line));
}

/// A task for the next entries. It has no slot of its own: those that wait have theirs.
fn attendant(line: &Arc<Line>) -> Task<Seat> {
    let line = Arc::clone(line);
    Task::new(move |seat: &Seat| run(&line, seat))
}

/// Runs what waits, in order, until nothing does, a future has its turn, or the budget or the time slice is spent.
fn run(line: &Arc<Line>, seat: &Seat) {
    let mut slice = None;
    for _ in 0..BUDGET {
        let Some(entry) = line.inbox.take() else {
            return;
        };
        match entry {
            // Its panic is caught where it is run; that of what it owned must not end the strand either.
            Entry::Closure(task) => {
                crate::scheduler::run(task, seat);
                if slice.get_or_insert_with(Slice::begin).is_over() {
                    if line.inbox.has_more() {
                        break;
                    }
                    return;
                }
            }
            // The strand goes on when it gives up its turn.
            Entry::Future(runnable) => {
                crate::future::spawn(&line.gate.scheduler, runnable);
                return;
            }
        }
    }
    line.gate.defer(attendant(line));
}

/// A strand's turn, had by its future from submission to end, whatever the end.
struct Turn(Arc<Line>);

impl Drop for Turn {
    fn drop(&mut self) {
        schedule(&self.0);
    }
}

pin_project! {
    struct InTurn<F> {
        // Before the turn: the next one begins when this one is gone.
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

// As for the pool: a panic is caught before it reaches what is shared.
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
