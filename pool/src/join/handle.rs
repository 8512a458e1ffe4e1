//! Tasks with a result, and the handle to one.

use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

use crate::engine::Gate;
use crate::errors::JoinError;
use crate::join::packet::{Joint, Packet, Suspended, Ticket, Unbegun};
use crate::join::watch::Watch;
use crate::task::{Either, is_large};
use crate::task::{End, Job, Output, Turn};
use crate::task::{Payload, unwind};

/// A handle to the result of a task: a value that a future awaits and a thread waits for. Dropping
/// the handle lets the task go on.
///
/// A panic of the task goes to the handle, or to the pool's panic handler if the handle was dropped
/// before.
///
/// # Waiting inside a task
///
/// In a future, `.await` the handle. A closure may block on a task of its own pool. If that task is
/// a closure of the same entrance that has not begun, the waiting worker runs it in place. So
/// closures that split their work and wait for the parts never wait for a free worker.
///
/// In every other case the wait blocks the worker: for a future, for a task of a strand, for a task
/// of another entrance (a subpool, or its pool), and with a timeout. If all workers block like
/// this, they deadlock.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().build()?;
/// let lengths: Vec<_> = ["ant", "hill"]
///     .map(|word| pool.submit_with_handle(move || word.len()))
///     .into_iter()
///     .collect::<Result<_, _>>()?;
/// let total = lengths.into_iter().map(|length| length.wait()).sum::<Result<usize, _>>()?;
/// assert_eq!(total, 7);
/// # Ok(())
/// # }
/// ```
#[must_use = "a handle that is dropped lets its task go on and its result be lost"]
pub struct JoinHandle<T>(Watch<T>);

impl<T> JoinHandle<T> {
    fn new(gate: &Gate, packet: std::sync::Arc<dyn Joint<T>>) -> Self {
        Self(Watch::new(packet, gate.clone(), true))
    }

    /// Marks the task as part of an order, so that it never runs in place of a task that waits for
    /// it.
    pub(crate) fn in_order(mut self) -> Self {
        self.0.stay_in_order();
        self
    }

    /// Returns a watch that waits for the same end or cancels the task. The handle keeps the
    /// result.
    pub(crate) fn watch(&self) -> Watch<T> {
        self.0.clone()
    }

    /// Blocks the calling thread until the task has ended. In async code, `.await` the handle.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let number = pool.submit_with_handle(|| "seven".parse::<u32>())?;
    /// let parsed = number.wait()?; // an error if the task panicked
    /// assert!(parsed.is_err()); // what it returned
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`JoinError::Panicked`] if the task panicked, [`JoinError::Cancelled`] if it was cancelled.
    ///
    /// # Panics
    ///
    /// If the handle was polled to completion before. With the feature `tokio`, also if the task
    /// has not ended and the calling thread drives async tasks of tokio.
    pub fn wait(mut self) -> Result<T, JoinError> {
        self.0.wait();
        self.0.packet.take()
    }

    /// Blocks the calling thread until the task has ended, for at most `timeout`. Never runs the
    /// task in place.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// let pool = anthill::Pool::builder().build()?;
    /// let (sender, answers) = std::sync::mpsc::channel();
    /// let task = pool.submit_with_handle(move || answers.recv())?;
    /// let task = task.wait_timeout(Duration::from_millis(1)).expect_err("it waits for an answer");
    /// sender.send(42)?;
    /// assert_eq!(task.wait()??, 42);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The handle, if the task has not ended by then.
    ///
    /// # Panics
    ///
    /// The same as [`wait`](Self::wait).
    pub fn wait_timeout(self, timeout: Duration) -> Result<Result<T, JoinError>, Self> {
        self.wait_until(Instant::now().checked_add(timeout))
    }

    /// Blocks the calling thread until the task has ended, at the latest until `deadline`. Never
    /// runs the task in place.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::{Duration, Instant};
    ///
    /// let pool = anthill::Pool::builder().build()?;
    /// let (first, second) = (pool.submit_with_handle(|| 6)?, pool.submit_with_handle(|| 7)?);
    /// let deadline = Instant::now() + Duration::from_secs(60); // for both together
    /// let first = first.wait_deadline(deadline).expect("in time")?;
    /// assert_eq!(first * second.wait_deadline(deadline).expect("in time")?, 42);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The handle, if the task has not ended by then.
    ///
    /// # Panics
    ///
    /// The same as [`wait`](Self::wait).
    pub fn wait_deadline(self, deadline: Instant) -> Result<Result<T, JoinError>, Self> {
        self.wait_until(Some(deadline))
    }

    fn wait_until(mut self, deadline: Option<Instant>) -> Result<Result<T, JoinError>, Self> {
        if self.0.wait_until(deadline) {
            Ok(self.0.packet.take())
        } else {
            Err(self)
        }
    }

    /// Cancels the task if it is not running: a closure that has not begun, or a future between two
    /// polls. Returns whether it cancelled the task. The handle then returns
    /// [`JoinError::Cancelled`]. A closure is dropped and its slot released before this returns. A
    /// future is dropped by the next free worker.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let search = pool.submit_with_handle(|| 42)?;
    /// if search.cancel() {
    ///     println!("it never runs");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[expect(clippy::must_use_candidate, reason = "it is called for its effect")]
    pub fn cancel(&self) -> bool {
        self.0.cancel()
    }

    /// Returns whether the task has ended, so that waiting does not block.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let task = pool.submit_with_handle(|| 42)?;
    /// pool.shutdown().wait()?;
    /// assert!(task.is_finished());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.packet.is_done()
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    /// # Panics
    ///
    /// If polled after completion.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx).map(|()| self.0.packet.take())
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        self.0.packet.detach();
    }
}

// A panic is caught before it reaches shared state, as for the pool.
impl<T> UnwindSafe for JoinHandle<T> {}
impl<T> RefUnwindSafe for JoinHandle<T> {}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let finished = self.is_finished();
        f.debug_struct("JoinHandle")
            .field("finished", &finished)
            .finish_non_exhaustive()
    }
}

/// Wraps a closure in a task with a result. Returns its handle and the task.
pub(crate) fn closure<F, T>(gate: &Gate, f: F) -> (JoinHandle<T>, impl Job + use<F, T>)
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    if const { is_large::<F>() } {
        let (handle, task) = small_closure(gate, Box::new(f));
        (handle, Either::Large(task))
    } else {
        let (handle, task) = small_closure(gate, f);
        (handle, Either::Small(task))
    }
}

fn small_closure<F, T>(gate: &Gate, f: F) -> (JoinHandle<T>, Ticket<Unbegun<F>, T>)
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let packet = Packet::new(Unbegun(f));
    let ticket = Ticket(std::sync::Arc::clone(&packet));
    (JoinHandle::new(gate, packet), ticket)
}

/// Runs the closure, unless it was cancelled or was run by the task that waits for it.
impl<F, T> Job for Ticket<Unbegun<F>, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    const ENDS_TURN: bool = true;

    fn run(self, turn: &impl Turn) -> End {
        match self.0.begin() {
            Some(Unbegun(f)) => {
                turn.begin();
                self.0.finish(unwind::catch(f), turn)
            }
            None => self.0.missed(),
        }
    }

    fn discard(self, turn: &impl Turn) -> End {
        self.0.discard(turn)
    }

    fn is_spent(&mut self) -> bool {
        self.0.is_spent()
    }
}

/// Wraps a future in a task with a result. Returns its handle and the task.
pub(crate) fn future<F>(
    gate: &Gate,
    future: F,
) -> (
    JoinHandle<F::Output>,
    impl Future<Output: Output> + Send + use<F>,
)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let packet = Packet::new(Suspended(None));
    let ticket = Ticket(std::sync::Arc::clone(&packet));
    (JoinHandle::new(gate, packet), Joined { future, ticket })
}

pin_project! {
    /// A future that puts its output into a packet.
    struct Joined<F: Future> {
        // Before the ticket: an unfinished future is dropped before its handle is notified.
        #[pin]
        future: F,
        ticket: Ticket<Suspended, F::Output>,
    }
}

impl<F: Future> Future for Joined<F> {
    type Output = Joinable<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let packet = &this.ticket.0;
        let Some(Suspended(waker)) = packet.begin() else {
            return Poll::Ready(Joinable::Cancelled);
        };
        let polled = match unwind::catch(|| this.future.poll(cx)) {
            Ok(Poll::Pending) => {
                let waker = waker.filter(|waker| waker.will_wake(cx.waker()));
                packet.rest(Suspended(waker.or_else(|| Some(cx.waker().clone()))));
                return Poll::Pending;
            }
            Ok(Poll::Ready(output)) => Ok(output),
            Err(payload) => Err(payload),
        };
        Poll::Ready(Joinable::Ended {
            packet: std::sync::Arc::clone(packet),
            result: polled,
        })
    }
}

/// What a future with a handle returns to its task.
pub(crate) enum Joinable<T> {
    /// The cancel has notified the handle.
    Cancelled,
    Ended {
        packet: std::sync::Arc<Packet<Suspended, T>>,
        result: Result<T, Payload>,
    },
}

impl<T> Output for Joinable<T> {
    fn settle(self, turn: &impl Turn) -> End {
        match self {
            Self::Cancelled => End::Cancelled,
            Self::Ended { packet, result } => packet.finish(result, turn),
        }
    }
}
