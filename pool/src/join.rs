//! Tasks with a result, and the handle to one.

use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

use crate::end::{End, Job, Output, Turn};
use crate::error::JoinError;
use crate::gate::{Gate, Way};
use crate::large::{Either, is_large};
use crate::packet::{Joint, Packet, Suspended, Ticket, Unbegun};
use crate::unwind::{self, Payload};
use crate::watch::Watch;

/// A handle to a task's result. A thread joins it, a future awaits it; dropped, it lets the task go on without it.
///
/// A panic of the task goes to whoever joins, and to the pool's panic handler when the handle was dropped before.
///
/// A closure may join what it submitted to its own pool: if that is a closure too and has not begun, it runs in the
/// place of the one that waits. So closures that split their work and join the parts never wait for a free worker. Any
/// other wait for a task on a worker of its own pool holds that worker up: for a future, for a task of a strand, for
/// one that has its slot at another entrance (a subpool, or the pool of this one), and with a timeout. If the task waits
/// for a worker in the queue, and all workers wait like this, none ever ends. In a future, `.await` the handle instead.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().build()?;
/// let lengths: Vec<_> = ["ant", "hill"]
///     .map(|word| pool.submit_with_handle(move || word.len()))
///     .into_iter()
///     .collect::<Result<_, _>>()?;
/// let total = lengths.into_iter().map(|length| length.join()).sum::<Result<usize, _>>()?;
/// assert_eq!(total, 7);
/// # Ok(())
/// # }
/// ```
#[must_use = "a handle that is dropped lets its task go on and its result be lost"]
pub struct JoinHandle<T>(Watch<T>);

impl<T> JoinHandle<T> {
    fn new(gate: &Gate, packet: std::sync::Arc<dyn Joint<T>>) -> Self {
        Self(Watch::new(packet, Some(gate.entrance().id())))
    }

    /// The task has its place in an order, and does not run in place of one that waits for it.
    pub(crate) fn in_order(mut self) -> Self {
        self.0.stay_in_order();
        self
    }

    /// Another that waits for the same end, or cancels the task. The result is the handle's.
    pub(crate) fn watch(&self) -> Watch<T> {
        self.0.clone()
    }

    /// Waits for the task to end.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let number = pool.submit_with_handle(|| "seven".parse::<u32>())?;
    /// let parsed = number.join()?; // an error if the task panicked
    /// assert!(parsed.is_err()); // what it returned
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What the task panicked with, or that it was cancelled.
    ///
    /// # Panics
    ///
    /// If the handle was polled as a future until it was ready.
    pub fn join(mut self) -> Result<T, JoinError> {
        self.0.wait();
        self.0.packet.take()
    }

    /// As [`join`](Self::join), for at most `timeout`. It never runs the task itself.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// let pool = anthill::Pool::builder().build()?;
    /// let (answer, question) = std::sync::mpsc::channel();
    /// let task = pool.submit_with_handle(move || question.recv())?;
    /// let task = task.join_timeout(Duration::from_millis(1)).expect_err("it waits for an answer");
    /// answer.send(42)?;
    /// assert_eq!(task.join()??, 42);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The handle, if the time is over.
    pub fn join_timeout(mut self, timeout: Duration) -> Result<Result<T, JoinError>, Self> {
        if self.0.wait_until(Instant::now().checked_add(timeout)) {
            Ok(self.0.packet.take())
        } else {
            Err(self)
        }
    }

    /// Cancels the task if it is not running: a closure that has not begun, a future between two polls. True if that
    /// was so: what the task owned is dropped, at once for a closure and by the next free worker for a future, and
    /// joining gives [`JoinError::Cancelled`]. Its slot comes free when a worker comes by.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let search = pool.submit_with_handle(|| 42)?;
    /// if search.cancel() {
    ///     println!("it had not begun, and never will");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[expect(clippy::must_use_candidate, reason = "it is called for its effect")]
    pub fn cancel(&self) -> bool {
        self.0.packet.cancel()
    }

    /// Whether the result is there, so that joining does not wait.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let task = pool.submit_with_handle(|| 42)?;
    /// pool.shutdown()?;
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
    /// If it is polled after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx).map(|()| self.0.packet.take())
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        self.0.packet.detach();
    }
}

// As for the pool: a panic is caught before it reaches what is shared.
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

/// Runs a closure that got into `gate`.
pub(crate) fn submit<F, T>(gate: &Gate, way: Way, f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let (handle, task) = closure(gate, f);
    gate.submit(way, task);
    handle
}

/// A closure as a task with a result, and the handle to it.
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

/// A closure's turn, unless it was cancelled, or run by the one that joins it.
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

/// Runs a future that has a slot of `gate`.
pub(crate) fn spawn<F>(gate: &Gate, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let (handle, task) = self::future(gate, future);
    gate.spawn(task);
    handle
}

/// A future as a task with a result, and the handle to it.
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
        // Before the ticket: what is dropped undone is gone before its handle hears of it.
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
    /// Its handle was notified by the cancel.
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
