//! A reserved slot, and where its task goes.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use crate::engine::{Expiring, ExpiringFuture, Gate, Options, Patience, Worn};
use crate::figures::trace;
use crate::join::{self, JoinHandle};
use crate::strand::Strand;
use crate::task::{ExpiresAt, Job, Limit, NoLimit, Output};

/// A reserved place for one task, from [`Pool::slot`](crate::Pool::slot) or
/// [`Pool::try_slot`](crate::Pool::try_slot), and from the same calls of a
/// [`Strand`](crate::Strand) and a [`MultiPool`](crate::MultiPool).
///
/// Reserve a slot before an action that cannot be undone, such as accepting a connection. The calls
/// that use the slot cannot fail: the task is accepted even if the pool was closed after the
/// reservation, and a shutdown waits for it. A slot that is dropped unused is released. After a
/// [`discard`](crate::Pool::discard) the task is dropped like all tasks that have not begun.
///
/// A slot borrows its handle. [`into_owned`](Self::into_owned) returns a slot without that borrow.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().capacity(1).build()?;
/// let slot = pool.try_slot()?;
/// assert!(pool.try_slot().is_err());
/// slot.submit(|| println!("there was room"));
/// # pool.shutdown().wait()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a slot that is dropped is released"]
pub struct Slot<'a> {
    /// `None` once the slot is handed to its task.
    target: Option<Target<'a>>,
    options: Options,
}

impl<'a> Slot<'a> {
    /// Wraps slots that were just taken.
    pub(crate) fn new(target: Target<'a>, count: usize) -> Self {
        Self {
            target: Some(target),
            options: Options {
                count,
                name: None,
                expires_at: None,
            },
        }
    }

    /// Wraps a slot of `gate` that was just taken.
    pub(crate) fn at(gate: &'a Gate) -> Self {
        Self::new(Target::Pool(Cow::Borrowed(gate)), 1)
    }

    /// Takes a slot if one is free. Counts no refusal, because the caller continues without a slot.
    pub(crate) fn if_free(gate: &'a Gate) -> Option<Self> {
        let entered = gate.enter_uncounted(Patience::None, 1);
        entered.is_ok().then(|| Self::at(gate))
    }

    /// Takes a slot, and blocks for it if the pool and the calling thread allow that. Counts no
    /// refusal, because the caller continues without a slot.
    pub(crate) fn if_granted(gate: &'a Gate) -> Option<Self> {
        let entered = gate.enter_uncounted(gate.entrance().plain(), 1);
        entered.is_ok().then(|| Self::at(gate))
    }

    /// Hands the slot to its task.
    fn take(&mut self) -> Target<'a> {
        self.target.take().expect("a slot is used once, by value")
    }

    /// Hands the slot to its task, with options that differ from the defaults. Callers box the
    /// task, so that the compiler generates the code for it once and not for each closure.
    fn take_with_options<T>(&mut self, submit: impl FnOnce(Target<'a>, ExpiresAt, Worn) -> T) -> T {
        let target = self.take();
        let _naming = trace::naming(self.options.name.as_ref());
        let (limit, worn) = self.options.take().split(target.gate());
        submit(target, limit, worn)
    }

    /// Returns a slot that does not borrow the handle. It does not keep the pool open. The end of
    /// the pool waits for it, as for every slot, and so do the threads that stay when idle.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let slot = pool.slot().wait()?.into_owned();
    /// std::thread::spawn(move || slot.submit(|| println!("submitted by another thread")));
    /// # pool.shutdown().wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_owned(mut self) -> Slot<'static> {
        Slot {
            target: Some(self.take().into_owned()),
            options: self.options.take(),
        }
    }

    /// Names the task. [`TaskPanic::task`](crate::TaskPanic::task) has the name if the task panics,
    /// and [`Unfinished::tasks`](crate::Unfinished::tasks) while it runs.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// let pool = anthill::Pool::builder()
    ///     .panic_handler(move |panic| sender.send(panic.task().map(str::to_owned)).unwrap())
    ///     .build()?;
    /// let slot = pool.slot().wait()?.named("thumbnail 17");
    /// slot.submit(|| panic!("not a picture"));
    /// assert_eq!(receiver.recv()?.as_deref(), Some("thumbnail 17"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn named(mut self, name: &str) -> Self {
        self.options.name = Some(Arc::from(name));
        self
    }

    /// Makes the task expire: if no worker has begun it by `deadline`, it is dropped when a worker
    /// reaches it. Its slot is released, its handle returns
    /// [`JoinError::Expired`](crate::JoinError::Expired), and
    /// [`Stats::expired`](crate::Stats::expired) counts it. A task that has begun goes on.
    ///
    /// Use it for answers that are worthless when late: under overload, workers then skip old
    /// requests instead of computing answers that come too late.
    ///
    /// ```
    /// use std::time::Instant;
    ///
    /// use anthill::JoinError;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let slot = pool.slot().wait()?.expires_at(Instant::now()); // too late for any task
    /// let late = slot.submit_with_handle(|| unreachable!());
    /// assert!(matches!(late.wait(), Err(JoinError::Expired)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn expires_at(mut self, deadline: Instant) -> Self {
        self.options.expires_at = Some(deadline);
        self
    }

    /// Submits a closure.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let (sender, requests) = std::sync::mpsc::channel();
    /// # sender.send("a request")?;
    /// let slot = pool.slot().wait()?; // a slot first
    /// let request = requests.recv()?; // then a request
    /// slot.submit(move || println!("{request}"));
    /// # pool.shutdown().wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit<F>(mut self, f: F)
    where
        F: FnOnce() + Send + 'static,
    {
        if self.options.are_default() {
            return self.take().submit(f);
        }
        self.take_with_options(|target, limit, worn| {
            let f: Box<dyn FnOnce() + Send> = Box::new(worn.closure(f));
            target.submit(Expiring { f, limit });
        });
    }

    /// Spawns a future.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let slot = pool.slot().wait()?;
    /// pool.close();
    /// slot.spawn(async { println!("it had its slot before the close") });
    /// pool.shutdown().wait()?;
    /// assert_eq!(pool.stats().completed, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn<F>(mut self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if self.options.are_default() {
            return self.take().spawn(future);
        }
        self.take_with_options(|target, limit, worn| {
            let future: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(worn.future(future));
            target.spawn(ExpiringFuture { future, limit });
        });
    }

    /// Submits a closure and returns a handle to its result.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(1).build()?;
    /// let answer = pool.try_slot()?.submit_with_handle(|| 6 * 7);
    /// assert_eq!(answer.wait()?, 42);
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit_with_handle<F, T>(mut self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        if self.options.are_default() {
            return self.take().submit_with_handle(f, NoLimit);
        }
        self.take_with_options(|target, limit, worn| {
            let f: Box<dyn FnOnce() -> T + Send> = Box::new(worn.closure(f));
            target.submit_with_handle(f, limit)
        })
    }

    /// Spawns a future and returns a handle to its output.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// let pool = anthill::Pool::builder().build()?;
    /// let slot = pool.slot().wait_timeout(Duration::from_secs(1))?;
    /// let answer = slot.spawn_with_handle(async { 6 * 7 });
    /// assert_eq!(answer.wait()?, 42);
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn_with_handle<F>(mut self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        if self.options.are_default() {
            return self.take().spawn_with_handle(future, NoLimit);
        }
        self.take_with_options(|target, limit, worn| {
            let future: Pin<Box<dyn Future<Output = F::Output> + Send>> =
                Box::pin(worn.future(future));
            target.spawn_with_handle(future, limit)
        })
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        if let Some(target) = self.target.take() {
            target.gate().release(self.options.count);
        }
    }
}

// A panic is caught before it reaches shared state, as for the pool.
impl UnwindSafe for Slot<'_> {}
impl RefUnwindSafe for Slot<'_> {}

impl fmt::Debug for Slot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gate = self.target.as_ref().map(Target::gate);
        f.debug_struct("Slot")
            .field("pool", &gate.map(|gate| &*gate.scheduler.settings.name))
            .field("options", &self.options)
            .finish()
    }
}

/// Where the task of a slot is enqueued.
pub(crate) enum Target<'a> {
    Pool(Cow<'a, Gate>),
    Strand(Cow<'a, Strand>),
}

impl Target<'_> {
    fn into_owned(self) -> Target<'static> {
        match self {
            Self::Pool(gate) => Target::Pool(Cow::Owned(gate.into_owned())),
            Self::Strand(strand) => Target::Strand(Cow::Owned(strand.into_owned())),
        }
    }

    fn gate(&self) -> &Gate {
        match self {
            Self::Pool(gate) => gate,
            Self::Strand(strand) => strand.gate(),
        }
    }

    #[expect(
        clippy::inline_always,
        reason = "saves a copy of the task: row `submit` of `cargo run --release -p instructions`"
    )]
    #[inline(always)]
    pub(crate) fn submit(&self, job: impl Job) {
        match self {
            Self::Pool(gate) => gate.submit(job),
            Self::Strand(strand) => strand.push_closure(job),
        }
    }

    pub(crate) fn spawn<F>(&self, future: F)
    where
        F: Future + Send + 'static,
        F::Output: Output,
    {
        match self {
            Self::Pool(gate) => gate.spawn(future),
            Self::Strand(strand) => strand.push_future(future),
        }
    }

    pub(crate) fn submit_with_handle<F, T>(&self, f: F, limit: impl Limit) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (handle, task) = join::closure(self.gate(), f, limit);
        self.submit(task);
        self.order(handle)
    }

    pub(crate) fn spawn_with_handle<F>(&self, future: F, limit: impl Limit) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (handle, task) = join::future(self.gate(), future, limit);
        self.spawn(task);
        self.order(handle)
    }

    /// A task of a strand must not run in place of the task that waits for it.
    fn order<T>(&self, handle: JoinHandle<T>) -> JoinHandle<T> {
        match self {
            Self::Pool(_) => handle,
            Self::Strand(_) => handle.in_order(),
        }
    }
}
