//! Tasks with a name, for the panic handler and for the answer of a shutdown that ran out of time.
//!
//! The name is around the task and not in the pool: a task without one carries nothing, and looks at nothing.

use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::scheduler::Scheduler;
use crate::seat::Seat;
use crate::trace;
use crate::unwind;

/// Gives a closure a name. Submitted to any pool, in any way, it is named in [`TaskPanic::task`](crate::TaskPanic::task)
/// if it panics, and in [`Unfinished::tasks`](crate::Unfinished::tasks) while it runs. Of two names, one around the
/// other, the inner one counts for a panic.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (said, heard) = std::sync::mpsc::channel();
/// let pool = anthill::Pool::builder()
///     .panic_handler(move |panic| said.send(panic.task().map(str::to_owned)).unwrap())
///     .build()?;
/// pool.submit(anthill::named("thumbnail 17", || panic!("not a picture")))?;
/// assert_eq!(heard.recv()?.as_deref(), Some("thumbnail 17"));
/// # Ok(())
/// # }
/// ```
pub fn named<F, T>(name: &str, f: F) -> impl FnOnce() -> T + use<F, T>
where
    F: FnOnce() -> T,
{
    let name = Arc::from(name);
    move || match Begun::here(name) {
        Some(begun) => begun.run(f),
        // Not in a pool: the submitter may have got it back and called it.
        None => f(),
    }
}

/// Gives a future a name, as [`named`] gives a closure one. It counts as running from its first poll to its end.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().build()?;
/// let task = pool.spawn_with_handle(anthill::named_future("upload 3", async { 5 }))?;
/// assert_eq!(task.join()?, 5);
/// # Ok(())
/// # }
/// ```
pub fn named_future<F: Future>(name: &str, future: F) -> NamedFuture<F> {
    NamedFuture {
        future,
        name: Arc::from(name),
        begun: None,
    }
}

pin_project! {
    /// A future with a name, from [`named_future`].
    ///
    /// ```
    /// let future: anthill::NamedFuture<_> = anthill::named_future("upload 3", async { 5 });
    /// assert_eq!(future.name(), "upload 3");
    /// ```
    #[must_use = "a future does nothing until it is spawned or awaited"]
    #[derive(Debug)]
    pub struct NamedFuture<F> {
        // Before `begun`: it is named until it is gone.
        #[pin]
        future: F,
        name: Arc<str>,
        begun: Option<Begun>,
    }
}

impl<F> NamedFuture<F> {
    /// The name.
    ///
    /// ```
    /// let upload = anthill::named_future("upload 3", async { 5 });
    /// println!("{} is about to begin", upload.name());
    /// # assert_eq!(upload.name(), "upload 3");
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<F: Future> Future for NamedFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if this.begun.is_none() {
            *this.begun = Begun::here(Arc::clone(this.name));
        }
        match this.begun {
            Some(begun) => begun.run(|| this.future.poll(cx)),
            None => this.future.poll(cx),
        }
    }
}

/// A named task that has begun and not ended, listed by its pool.
#[derive(Debug)]
struct Begun {
    scheduler: Scheduler,
    ticket: u64,
    name: Arc<str>,
}

impl Begun {
    /// On the calling worker; nothing if the thread is none.
    fn here(name: Arc<str>) -> Option<Self> {
        let scheduler = Seat::here()?;
        trace::name(&name);
        let ticket = scheduler.names.lock().add(Arc::clone(&name));
        Some(Self {
            scheduler,
            ticket,
            name,
        })
    }

    /// Runs a part of the task; a panic goes on with the name on it.
    fn run<T>(&self, f: impl FnOnce() -> T) -> T {
        unwind::catch(f).unwrap_or_else(|payload| resume_unwind(unwind::mark(payload, &self.name)))
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.scheduler.names.lock().remove(self.ticket);
    }
}
