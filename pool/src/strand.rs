//! Strands: tasks one at a time and in order, on whichever worker is free.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_task::Runnable;
use pin_project_lite::pin_project;

use crate::end::{End, Job};
use crate::entrance::Patience;
use crate::error::SubmitError;
use crate::gate::Gate;
use crate::join::{self, JoinHandle};
use crate::pool::Pool;
use crate::seat::Seat;
use crate::submit::{admit, after};
use crate::sync::{Arc, Mutex};
use crate::task::Task;

/// How many closures a strand runs before other tasks of its worker get their turn.
const BUDGET: usize = 64;

/// A line of tasks that run one at a time, in the order in which they were accepted. Strands of one pool run in
/// parallel; a strand with nothing to do is 80 bytes and no task.
///
/// It is for state that many tasks change: what a task of a strand did is seen by the next one, and no two meet. Each
/// task holds a slot of the pool from acceptance to its end, like any other. A closure that blocks holds up its strand
/// and its worker; a future that waits holds up its strand alone. A task that panics ends alone, and the strand goes on.
///
/// A clone is another handle of the same strand. Tasks that were accepted are run also when all handles are gone.
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
/// pool.shutdown()?;
/// assert_eq!(*balance.lock().unwrap(), 75);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Strand(Arc<Line>);

/// What the handles of a strand and its tasks share.
struct Line {
    gate: Gate,
    inbox: Mutex<Inbox>,
}

#[derive(Default)]
struct Inbox {
    waiting: VecDeque<Entry>,
    /// Whether somebody will come for the next entry: a task of the pool that runs the strand or waits to, or the
    /// strand's future, when that ends. True as long as anything waits.
    attended: bool,
}

/// One task of a strand.
enum Entry {
    Closure(Task<Seat>),
    Future(Runnable),
}

impl Pool {
    /// A new strand, whose tasks take their slots at this entrance.
    #[must_use]
    pub fn strand(&self) -> Strand {
        Strand::new(self.gate().clone())
    }
}

/// Closures. The ways in are named as those of [`Pool`] are, and give the same answers; a task stands behind what the
/// strand was given before. A worker of the pool never waits: a strand's task cannot run in place.
impl Strand {
    /// As [`Pool::submit`].
    pub fn submit<F>(&self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.submit_with(f, self.plain())
    }

    /// As [`Pool::try_submit`].
    pub fn try_submit<F>(&self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.submit_with(f, Patience::None)
    }

    /// As [`Pool::submit_timeout`].
    pub fn submit_timeout<F>(&self, f: F, timeout: Duration) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.submit_with(f, after(timeout))
    }

    /// As [`Pool::submit_deadline`].
    pub fn submit_deadline<F>(&self, f: F, deadline: Instant) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.submit_with(f, Patience::Until(deadline))
    }

    /// As [`Pool::submit_async`]. Its place in the strand is that of its acceptance.
    ///
    /// # Errors
    ///
    /// `Closed`, or `Full` when too many wait.
    pub async fn submit_async<F>(&self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        let entered = self.0.gate.enter_async().await;
        admit(entered, f, |(), f| self.push_closure(f))
    }

    /// As [`Pool::submit_with_handle`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let account = pool.strand();
    /// account.submit(|| println!("deposit"))?;
    /// let balance = account.submit_with_handle(|| 100)?;
    /// assert_eq!(balance.join()?, 100);
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit_with_handle<F, T>(&self, f: F) -> Result<JoinHandle<T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        admit(self.0.gate.enter(self.plain()), f, |(), f| {
            let (handle, task) = join::closure(&self.0.gate, f);
            self.push_closure(task);
            handle.in_order()
        })
    }

    fn submit_with<F>(&self, f: F, patience: Patience) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        admit(self.0.gate.enter(patience), f, |(), f| self.push_closure(f))
    }

    fn push_closure(&self, job: impl Job) {
        push(&self.0, Entry::Closure(self.0.gate.task(job)));
    }

    fn plain(&self) -> Patience {
        self.0.gate.entrance().plain()
    }
}

/// Futures, likewise. The next task begins when the future has ended.
impl Strand {
    /// As [`Pool::spawn`].
    pub fn spawn<F>(&self, future: F) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_with(future, self.plain())
    }

    /// As [`Pool::try_spawn`].
    pub fn try_spawn<F>(&self, future: F) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_with(future, Patience::None)
    }

    /// As [`Pool::spawn_timeout`].
    pub fn spawn_timeout<F>(&self, future: F, timeout: Duration) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_with(future, after(timeout))
    }

    /// As [`Pool::spawn_deadline`].
    pub fn spawn_deadline<F>(&self, future: F, deadline: Instant) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_with(future, Patience::Until(deadline))
    }

    /// As [`Pool::spawn_async`]. Its place in the strand is that of its acceptance.
    ///
    /// # Errors
    ///
    /// `Closed`, or `Full` when too many wait.
    pub async fn spawn_async<F>(&self, future: F) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let entered = self.0.gate.enter_async().await;
        admit(entered, future, |(), future| self.push_future(future))
    }

    /// As [`Pool::spawn_with_handle`].
    pub fn spawn_with_handle<F>(&self, future: F) -> Result<JoinHandle<F::Output>, SubmitError<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        admit(self.0.gate.enter(self.plain()), future, |(), future| {
            let (handle, task) = join::future(&self.0.gate, future);
            self.push_future(task);
            handle.in_order()
        })
    }

    fn spawn_with<F>(&self, future: F, patience: Patience) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        admit(self.0.gate.enter(patience), future, |(), future| {
            self.push_future(future);
        })
    }

    fn push_future<F>(&self, future: F)
    where
        F: Future + Send + 'static,
        F::Output: Into<End>,
    {
        let turn = Turn(Arc::clone(&self.0));
        let runnable = self.0.gate.runnable(InTurn { future, turn });
        push(&self.0, Entry::Future(runnable));
    }
}

impl Strand {
    pub(crate) fn new(gate: Gate) -> Self {
        Self(Arc::new(Line {
            gate,
            inbox: Mutex::new(Inbox::default()),
        }))
    }

    /// Whether nobody has it but the one that asks, neither by a handle nor because it has tasks.
    pub(crate) fn is_forgotten(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// How many tasks wait for their turn.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.0.inbox.lock().waiting.len()
    }
}

fn push(line: &Arc<Line>, entry: Entry) {
    let mut inbox = line.inbox.lock();
    inbox.waiting.push_back(entry);
    let attended = std::mem::replace(&mut inbox.attended, true);
    drop(inbox);
    if !attended {
        line.gate.scheduler.schedule(attendant(line));
    }
}

/// A task for the next entries. It has no slot of its own: those that wait have theirs.
fn attendant(line: &Arc<Line>) -> Task<Seat> {
    let line = Arc::clone(line);
    Task::new(move |seat: &Seat| run(&line, seat))
}

/// Runs what waits, in order, until nothing does, a future has its turn, or the budget is spent.
fn run(line: &Arc<Line>, seat: &Seat) {
    for _ in 0..BUDGET {
        let mut inbox = line.inbox.lock();
        let Some(entry) = inbox.waiting.pop_front() else {
            inbox.attended = false;
            // A burst's memory is not an idle strand's to keep.
            inbox.waiting = VecDeque::new();
            return;
        };
        drop(inbox);
        match entry {
            // Its panic is caught where it is run; that of what it owned must not end the strand either.
            Entry::Closure(task) => crate::scheduler::run(task, seat),
            // The strand goes on when it gives up its turn.
            Entry::Future(runnable) => {
                runnable.schedule();
                return;
            }
        }
    }
    line.gate.scheduler.defer(attendant(line));
}

/// A strand's turn, had by its future from submission to end, whatever the end.
struct Turn(Arc<Line>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.gate.scheduler.schedule(attendant(&self.0));
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

impl<F: Future<Output: Into<End>>> Future for InTurn<F> {
    type Output = End;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        self.project().future.poll(cx).map(Into::into)
    }
}

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
