//! Options of a task: a name, more than one slot, and a time to expire.
//!
//! They wrap the task, so a task without options costs nothing extra.

use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use pin_project_lite::pin_project;

use crate::engine::gate::Gate;
use crate::engine::scheduler::Scheduler;
use crate::engine::seat::Seat;
use crate::figures::trace;
use crate::task::{End, ExpiresAt, Job, Limit, Output, Turn, unwind};

/// What a slot says about its task.
#[derive(Debug)]
pub struct Options {
    /// How many slots the task has.
    pub count: usize,
    /// For the panic handler and the error of a shutdown that timed out.
    pub name: Option<Arc<str>>,
    pub expires_at: Option<Instant>,
}

impl Options {
    pub fn are_default(&self) -> bool {
        self.count == 1 && self.name.is_none() && self.expires_at.is_none()
    }

    /// Takes the options out. The defaults stay.
    pub fn take(&mut self) -> Self {
        let defaults = Self {
            count: 1,
            name: None,
            expires_at: None,
        };
        std::mem::replace(self, defaults)
    }

    /// Returns the limit for a task at this gate, and the options that the task carries.
    pub fn split(self, gate: &Gate) -> (ExpiresAt, Worn) {
        let extra = (self.count > 1).then(|| ExtraSlots {
            gate: gate.clone(),
            count: self.count - 1,
        });
        let name = self.name;
        (ExpiresAt(self.expires_at), Worn { name, extra })
    }
}

/// Slots of a task beyond its first. Dropping it releases them.
struct ExtraSlots {
    gate: Gate,
    count: usize,
}

impl Drop for ExtraSlots {
    fn drop(&mut self) {
        self.gate.release(self.count);
    }
}

/// The options that a task carries while it runs.
pub struct Worn {
    name: Option<Arc<str>>,
    extra: Option<ExtraSlots>,
}

impl Worn {
    /// Returns a closure that runs with the options.
    pub fn closure<F: FnOnce() -> T, T>(self, f: F) -> impl FnOnce() -> T + use<F, T> {
        // `f` comes first, so that it is dropped before the slots are released.
        move || {
            let (
                f,
                Self {
                    name,
                    extra: _extra,
                },
            ) = (f, self);
            match name.and_then(Begun::here) {
                Some(begun) => begun.run(f),
                None => f(),
            }
        }
    }

    /// Returns a future that is polled with the options, from its first poll to its end.
    pub fn future<F: Future>(self, future: F) -> WornFuture<F> {
        let Self { name, extra } = self;
        WornFuture {
            future: Some(future),
            name,
            begun: None,
            extra,
        }
    }
}

pin_project! {
    /// A future with options.
    pub struct WornFuture<F> {
        // Before `begun`: the task keeps its name while the future is dropped. `None` after its
        // end, so that it is dropped before the slots are released.
        #[pin]
        future: Option<F>,
        name: Option<Arc<str>>,
        begun: Option<Begun>,
        extra: Option<ExtraSlots>,
    }
}

impl<F: Future> Future for WornFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        if let Some(name) = this.name.take() {
            *this.begun = Begun::here(name);
        }
        let mut poll = || {
            let future = this.future.as_mut().as_pin_mut();
            future.expect("polled after its end").poll(cx)
        };
        let polled = match this.begun {
            Some(begun) => begun.run(&mut poll),
            None => poll(),
        };
        if polled.is_ready() {
            this.future.set(None);
            drop(this.extra.take());
        }
        polled
    }
}

/// A named task that has begun and not ended. Its pool lists it.
struct Begun {
    scheduler: Scheduler,
    ticket: u64,
    name: Arc<str>,
}

impl Begun {
    /// Begins on the calling worker. `None` if the calling thread is not a worker.
    fn here(name: Arc<str>) -> Option<Self> {
        let scheduler = Seat::here()?;
        let ticket = scheduler.names.lock().add(Arc::clone(&name));
        Some(Self {
            scheduler,
            ticket,
            name,
        })
    }

    /// Runs a part of the task. A panic unwinds further with the name attached.
    fn run<T>(&self, f: impl FnOnce() -> T) -> T {
        unwind::catch(f).unwrap_or_else(|payload| resume_unwind(unwind::mark(payload, &self.name)))
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.scheduler.names.lock().remove(self.ticket);
    }
}

/// A closure without a handle that may expire.
pub struct Expiring<F> {
    pub f: F,
    pub limit: ExpiresAt,
}

impl<F: FnOnce() + Send + 'static> Job for Expiring<F> {
    const ENDS_TURN: bool = false;

    fn run(mut self, turn: &impl Turn) -> End {
        if self.limit.begins_late() {
            trace::expired();
            return End::Expired;
        }
        self.f.run(turn)
    }

    fn discard(self, turn: &impl Turn) -> End {
        self.f.discard(turn)
    }
}

pin_project! {
    /// A future without a handle that may expire.
    pub struct ExpiringFuture<F> {
        #[pin]
        pub future: F,
        pub limit: ExpiresAt,
    }
}

impl<F: Future<Output = ()>> Future for ExpiringFuture<F> {
    type Output = Punctual;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Punctual> {
        let this = self.project();
        if this.limit.begins_late() {
            trace::expired();
            return Poll::Ready(Punctual(false));
        }
        this.future.poll(cx).map(|()| Punctual(true))
    }
}

/// Whether a future began in time.
pub struct Punctual(bool);

impl Output for Punctual {
    fn settle(self, _turn: &impl Turn) -> End {
        if self.0 { End::Completed } else { End::Expired }
    }
}
