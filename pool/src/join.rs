//! Tasks with a result: what the task and its handle share, and the handle.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

use crate::end::End;
use crate::error::JoinError;
use crate::gate::{Gate, Way};
use crate::panic::TaskPanic;
use crate::seat::Seat;
use crate::sync::{Arc, Mutex};
use crate::unwind::{self, Payload};
use crate::waiter::{Outcome, Waiter};

/// A handle to a task's result. A thread joins it, a future awaits it; dropped, it lets the task go on without it.
///
/// A panic of the task goes to whoever joins, and to the pool's panic handler when the handle was dropped before.
///
/// Joining on a worker of the task's own pool holds that worker up. If the task waits for it in the queue, and every
/// other worker does the same, none ever ends; in a future, `.await` the handle instead.
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
pub struct JoinHandle<T> {
    // The standard library's, also in a model: only it can forget the type of the task.
    packet: std::sync::Arc<dyn Joint<T>>,
    /// Set by the first poll.
    waiter: Option<Arc<Waiter>>,
}

impl<T> JoinHandle<T> {
    fn new(packet: std::sync::Arc<dyn Joint<T>>) -> Self {
        Self {
            packet,
            waiter: None,
        }
    }

    /// Waits for the task to end.
    ///
    /// # Errors
    ///
    /// What the task panicked with, or that it was cancelled.
    pub fn join(self) -> Result<T, JoinError> {
        match self.wait(None) {
            Ok(result) => result,
            Err(_) => unreachable!("a wait without a deadline ends with the task"),
        }
    }

    /// As [`join`](Self::join), for at most `timeout`.
    ///
    /// # Errors
    ///
    /// The handle, if the time is over.
    pub fn join_timeout(self, timeout: Duration) -> Result<Result<T, JoinError>, Self> {
        self.wait(Instant::now().checked_add(timeout))
    }

    fn wait(self, deadline: Option<Instant>) -> Result<Result<T, JoinError>, Self> {
        let waiter = Arc::new(Waiter::thread());
        if self.packet.watch(&waiter) && waiter.wait(deadline).is_none() {
            return Err(self);
        }
        Ok(self.packet.take())
    }

    /// Cancels the task if it is not running: a closure that has not begun, a future between two polls. True if that
    /// was so: what the task owned is dropped, at once for a closure and by the next free worker for a future, and
    /// joining gives [`JoinError::Cancelled`]. Its slot comes free when a worker comes by.
    #[expect(clippy::must_use_candidate, reason = "it is called for its effect")]
    pub fn cancel(&self) -> bool {
        self.packet.cancel()
    }

    /// Whether the result is there, so that joining does not wait.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.packet.is_done()
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    /// # Panics
    ///
    /// If it is polled after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.waiter.is_none() {
            let waiter = Arc::new(Waiter::task(cx.waker()));
            if !self.packet.watch(&waiter) {
                return Poll::Ready(self.packet.take());
            }
            self.waiter = Some(waiter);
        }
        let waiter = self.waiter.as_ref().expect("it was set just now");
        waiter.poll(cx).map(|_| self.packet.take())
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        self.packet.detach();
    }
}

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
    let (handle, task) = closure(f);
    gate.submit(way, task);
    handle
}

/// A closure as a task with a result, and the handle to it.
pub(crate) fn closure<F, T>(f: F) -> (JoinHandle<T>, impl FnOnce() -> End + Send + 'static)
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let packet = Packet::new(Unbegun(f));
    let ticket = Ticket(std::sync::Arc::clone(&packet));
    let task = move || match ticket.0.begin() {
        Some(Unbegun(f)) => ticket.0.finish(unwind::catch(f)),
        None => End::Cancelled,
    };
    (JoinHandle::new(packet), task)
}

/// Runs a future that has a slot of `gate`.
pub(crate) fn spawn<F>(gate: &Gate, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let (handle, task) = self::future(future);
    gate.spawn(task);
    handle
}

/// A future as a task with a result, and the handle to it.
pub(crate) fn future<F>(future: F) -> (JoinHandle<F::Output>, impl Future<Output = End> + Send)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let packet = Packet::new(Suspended(None));
    let ticket = Ticket(std::sync::Arc::clone(&packet));
    (JoinHandle::new(packet), Joined { future, ticket })
}

/// What a handle wants of a packet, whatever the task.
trait Joint<T>: Send + Sync {
    /// Has `waiter` settled when the task ends; false if it has ended.
    fn watch(&self, waiter: &Arc<Waiter>) -> bool;
    /// The result of a task that has ended, once.
    fn take(&self) -> Result<T, JoinError>;
    fn cancel(&self) -> bool;
    fn is_done(&self) -> bool;
    fn detach(&self);
}

/// What a task has in its packet while it is not running.
trait Resting: Send {
    /// It will not run any more.
    fn give_up(self);

    /// Nobody will cancel it any more. A waker that was kept for that comes back: a future whose last waker it is must
    /// not keep itself alive with it.
    fn detach(&mut self) -> Option<Waker>;
}

/// A closure before its turn.
struct Unbegun<F>(F);

impl<F: Send> Resting for Unbegun<F> {
    fn give_up(self) {}

    fn detach(&mut self) -> Option<Waker> {
        None
    }
}

/// A future between two polls: the means to have it dropped.
struct Suspended(Option<Waker>);

impl Resting for Suspended {
    fn give_up(self) {
        if let Some(waker) = self.0 {
            waker.wake();
        }
    }

    fn detach(&mut self) -> Option<Waker> {
        self.0.take()
    }
}

/// What a task and its handle share.
struct Packet<R, T>(Mutex<State<R, T>>);

struct State<R, T> {
    stage: Stage<R, T>,
    /// Who waits for the end.
    waiter: Option<Arc<Waiter>>,
    /// Whether the handle is gone.
    detached: bool,
}

enum Stage<R, T> {
    Resting(R),
    Running,
    Done(Result<T, JoinError>),
    Taken,
}

impl<R, T> Stage<R, T> {
    /// From resting to running, with what rested; nothing, and no change, from any other stage.
    fn take_resting(&mut self) -> Option<R> {
        match std::mem::replace(self, Self::Running) {
            Self::Resting(resting) => Some(resting),
            other => {
                *self = other;
                None
            }
        }
    }
}

impl<R: Resting, T> Packet<R, T> {
    fn new(resting: R) -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self(Mutex::new(State {
            stage: Stage::Resting(resting),
            waiter: None,
            detached: false,
        })))
    }

    /// From resting to running; nothing if it was cancelled.
    fn begin(&self) -> Option<R> {
        self.0.lock().stage.take_resting()
    }

    /// From running to resting.
    fn rest(&self, mut resting: R) {
        let mut state = self.0.lock();
        let unneeded = if state.detached {
            resting.detach()
        } else {
            None
        };
        state.stage = Stage::Resting(resting);
        drop(state);
        // Outside the lock: it may be the last waker of the very task.
        drop(unneeded);
    }

    /// From running to done.
    fn finish(&self, result: Result<T, Payload>) -> End {
        let mut state = self.0.lock();
        if state.detached {
            state.stage = Stage::Taken;
            drop(state);
            return match result {
                Ok(unwanted) => {
                    drop(unwanted);
                    End::Completed
                }
                Err(payload) => End::Panicked(Some(payload)),
            };
        }
        let end = if result.is_ok() {
            End::Completed
        } else {
            End::Panicked(None)
        };
        state.stage = Stage::Done(result.map_err(panicked));
        let waiter = state.waiter.take();
        drop(state);
        tell(waiter);
        end
    }

    /// From resting to done, cancelled; what rested comes back.
    fn stop(&self) -> Option<R> {
        let mut state = self.0.lock();
        let resting = state.stage.take_resting()?;
        state.stage = Stage::Done(Err(JoinError::Cancelled));
        let waiter = state.waiter.take();
        drop(state);
        tell(waiter);
        Some(resting)
    }
}

/// The panic of a task, in the words of its handle. It is told on the worker that ran the task.
fn panicked(payload: Payload) -> JoinError {
    let pool = Seat::here().map(|scheduler| std::sync::Arc::clone(&scheduler.settings.name));
    JoinError::Panicked(TaskPanic::new(payload, pool.unwrap_or_default()))
}

/// Tells the one who waits for the end; called outside the lock, for its waker may do anything.
fn tell(waiter: Option<Arc<Waiter>>) {
    if let Some(waiter) = waiter {
        waiter.settle(Outcome::Granted);
        waiter.wake();
    }
}

impl<R: Resting, T: Send> Joint<T> for Packet<R, T> {
    fn watch(&self, waiter: &Arc<Waiter>) -> bool {
        let mut state = self.0.lock();
        let waits = matches!(state.stage, Stage::Resting(_) | Stage::Running);
        if waits {
            state.waiter = Some(Arc::clone(waiter));
        }
        waits
    }

    fn take(&self) -> Result<T, JoinError> {
        let stage = std::mem::replace(&mut self.0.lock().stage, Stage::Taken);
        let Stage::Done(result) = stage else {
            panic!("a result is taken once, when it is there");
        };
        result
    }

    fn cancel(&self) -> bool {
        self.stop().map(Resting::give_up).is_some()
    }

    fn is_done(&self) -> bool {
        !matches!(self.0.lock().stage, Stage::Resting(_) | Stage::Running)
    }

    fn detach(&self) {
        let mut state = self.0.lock();
        state.detached = true;
        let (mut result, mut waker) = (None, None);
        match &mut state.stage {
            Stage::Resting(resting) => waker = resting.detach(),
            Stage::Done(_) => result = Some(std::mem::replace(&mut state.stage, Stage::Taken)),
            Stage::Running | Stage::Taken => {}
        }
        drop(state);
        // Outside the lock: the drop of a result may do anything, and that of a last waker drops the task.
        drop((result, waker));
    }
}

/// The task's side. A task that is dropped undone is cancelled.
struct Ticket<R: Resting, T>(std::sync::Arc<Packet<R, T>>);

impl<R: Resting, T> Drop for Ticket<R, T> {
    fn drop(&mut self) {
        drop(self.0.stop());
    }
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
    type Output = End;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        let this = self.project();
        let packet = &this.ticket.0;
        let Some(Suspended(waker)) = packet.begin() else {
            return Poll::Ready(End::Cancelled);
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
        Poll::Ready(packet.finish(polled))
    }
}
