//! Strands: tasks one at a time and in order, on whichever worker is free.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_task::Runnable;
use pin_project_lite::pin_project;

use crate::end::End;
use crate::entrance::{Patience, Refusal};
use crate::error::SubmitError;
use crate::gate::Gate;
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
        Strand(Arc::new(Line {
            gate: self.gate().clone(),
            inbox: Mutex::new(Inbox::default()),
        }))
    }
}

/// The ways in are named as those of [`Pool`] are, and give the same answers.
impl Strand {
    /// As [`Pool::submit`], behind what the strand was given before.
    pub fn submit<F>(&self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        let entered = self.0.gate.enter(self.0.gate.entrance().plain());
        self.push_closure(entered, f)
    }

    /// As [`Pool::try_submit`], behind what the strand was given before.
    pub fn try_submit<F>(&self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.push_closure(self.0.gate.enter(Patience::None), f)
    }

    /// As [`Pool::submit_timeout`], behind what the strand was given before.
    pub fn submit_timeout<F>(&self, f: F, timeout: Duration) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.push_closure(self.0.gate.enter(after(timeout)), f)
    }

    /// As [`Pool::submit_async`], behind what the strand was given before it was accepted.
    ///
    /// # Errors
    ///
    /// `Closed`, or `Full` when too many wait.
    pub async fn submit_async<F>(&self, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.push_closure(self.0.gate.enter_async().await, f)
    }

    /// As [`Pool::spawn`], behind what the strand was given before. The next task begins when the future has ended.
    pub fn spawn<F>(&self, future: F) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let entered = self.0.gate.enter(self.0.gate.entrance().plain());
        self.push_future(entered, future)
    }

    /// As [`Pool::try_spawn`], behind what the strand was given before. The next task begins when the future has ended.
    pub fn try_spawn<F>(&self, future: F) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.push_future(self.0.gate.enter(Patience::None), future)
    }

    /// As [`Pool::spawn_async`], behind what the strand was given before it was accepted.
    ///
    /// # Errors
    ///
    /// `Closed`, or `Full` when too many wait.
    pub async fn spawn_async<F>(&self, future: F) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.push_future(self.0.gate.enter_async().await, future)
    }

    fn push_closure<F>(&self, entered: Result<(), Refusal>, f: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        admit(entered, f, |(), f| {
            push(&self.0, Entry::Closure(self.0.gate.task(f)));
        })
    }

    fn push_future<F>(&self, entered: Result<(), Refusal>, future: F) -> Result<(), SubmitError<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        admit(entered, future, |(), future| {
            let turn = Turn(Arc::clone(&self.0));
            let runnable = self.0.gate.runnable(InTurn { future, turn });
            push(&self.0, Entry::Future(runnable));
        })
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

impl<F: Future<Output = ()>> Future for InTurn<F> {
    type Output = End;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        self.project().future.poll(cx).map(End::from)
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
