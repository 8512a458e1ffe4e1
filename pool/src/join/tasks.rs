//! The tasks that a handle waits for: a closure, and a future.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::engine::Gate;
use crate::figures::trace;
use crate::join::handle::JoinHandle;
use crate::join::packet::{Packet, Ticket};
use crate::join::resting::{Suspended, Unbegun};
use crate::task::{Either, End, Job, Limit, Output, Payload, Turn, is_large, unwind};

/// Wraps a closure in a task with a result. Returns its handle and the task.
pub(crate) fn closure<F, T, L>(
    gate: &Gate,
    f: F,
    limit: L,
) -> (JoinHandle<T>, impl Job + use<F, T, L>)
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
    L: Limit,
{
    type Boxed<T> = Box<dyn FnOnce() -> T + Send>;
    if let Some(context) = gate.context() {
        let f: Boxed<T> = Box::new(context.closure(f));
        let (handle, task) = small_closure(gate, f, limit);
        (handle, Either::Large(task))
    } else if const { is_large::<F>() } {
        let f: Boxed<T> = Box::new(f);
        let (handle, task) = small_closure(gate, f, limit);
        (handle, Either::Large(task))
    } else {
        let (handle, task) = small_closure(gate, f, limit);
        (handle, Either::Small(task))
    }
}

fn small_closure<F, T, L>(gate: &Gate, f: F, limit: L) -> (JoinHandle<T>, Ticket<Unbegun<F, L>, T>)
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
    L: Limit,
{
    let packet = Packet::new(Unbegun { f, limit });
    let ticket = Ticket(std::sync::Arc::clone(&packet));
    (JoinHandle::new(gate, packet), ticket)
}

/// Runs the closure, unless it was cancelled or was run by the task that waits for it.
impl<F, T, L> Job for Ticket<Unbegun<F, L>, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
    L: Limit,
{
    const ENDS_TURN: bool = true;

    fn run(self, turn: &impl Turn) -> End {
        match self.0.begin() {
            Some(closure) => self.0.run(closure, turn),
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
pub(crate) fn future<F, L>(
    gate: &Gate,
    future: F,
    limit: L,
) -> (
    JoinHandle<F::Output>,
    impl Future<Output: Output> + Send + use<F, L>,
)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    L: Limit,
{
    let packet = Packet::new(Suspended(None));
    let ticket = Ticket(std::sync::Arc::clone(&packet));
    let joined = Joined {
        future,
        ticket,
        limit,
    };
    (JoinHandle::new(gate, packet), joined)
}

pin_project! {
    /// A future that puts its output into a packet.
    struct Joined<F: Future, L> {
        // Before the ticket: an unfinished future is dropped before its handle is notified.
        #[pin]
        future: F,
        ticket: Ticket<Suspended, F::Output>,
        limit: L,
    }
}

impl<F: Future, L: Limit> Future for Joined<F, L> {
    type Output = Joinable<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let packet = &this.ticket.0;
        let Some(Suspended(waker)) = packet.begin() else {
            return Poll::Ready(Joinable::Cancelled);
        };
        if this.limit.begins_late() {
            trace::expired();
            return Poll::Ready(Joinable::Expired(Unsettled::new(packet)));
        }
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
            packet: Unsettled::new(packet),
            result: polled,
        })
    }
}

/// What a future with a handle returns to its task.
pub(crate) enum Joinable<T> {
    /// The cancel has notified the handle.
    Cancelled,
    Expired(Unsettled<T>),
    Ended {
        packet: Unsettled<T>,
        result: Result<T, Payload>,
    },
}

/// The packet of a future that has ended. If it is dropped on its way to the task, for example
/// because a subscriber of `tracing` panics after the poll, it notifies the handle.
pub(crate) struct Unsettled<T>(Option<std::sync::Arc<Packet<Suspended, T>>>);

impl<T> Unsettled<T> {
    fn new(packet: &std::sync::Arc<Packet<Suspended, T>>) -> Self {
        Self(Some(std::sync::Arc::clone(packet)))
    }

    fn settle(mut self, settle: impl FnOnce(&Packet<Suspended, T>) -> End) -> End {
        let packet = self.0.take().expect("it is settled once, by value");
        settle(&packet)
    }
}

impl<T> Drop for Unsettled<T> {
    fn drop(&mut self) {
        if let Some(packet) = self.0.take() {
            packet.lose();
        }
    }
}

impl<T> Output for Joinable<T> {
    fn settle(self, turn: &impl Turn) -> End {
        match self {
            Self::Cancelled => End::Cancelled,
            Self::Expired(packet) => packet.settle(|packet| {
                packet.end_undone(&End::Expired, turn);
                End::Counted
            }),
            Self::Ended { packet, result } => packet.settle(|packet| packet.finish(result, turn)),
        }
    }
}
