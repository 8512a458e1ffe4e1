//! The reactor of tokio: its sockets, timers and signals, in every task of a pool.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::runtime::{self, Handle, Runtime};

use crate::builder::Builder;
use crate::reactor::Reactor;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

impl Builder {
    /// An idle worker waits in a reactor of tokio, so tokio's sockets, timers and signals work in every task of the pool,
    /// whichever worker polls it, and no other runtime is needed.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().tokio().build()?;
    /// let task = pool.spawn_with_handle(async {
    ///     tokio::time::sleep(Duration::from_millis(1)).await;
    ///     "awake"
    /// })?;
    /// assert_eq!(task.wait()?, "awake");
    /// # pool.shutdown().wait()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # `tokio::spawn` within a task
    ///
    /// It works. Such a task is tokio's: it counts in no capacity and no figure of the pool, a panic of it is told to its
    /// own handle only, and it runs on the worker that waits in the reactor, or is polled by one, between other tasks. What
    /// is to be bounded belongs into the pool. `tokio::task::spawn_blocking` and what stands on it, such as `tokio::fs`, use
    /// threads of tokio's own.
    ///
    /// # Blocking
    ///
    /// Closures may compute or block for as long as they like: while they occupy every worker, one thread beyond
    /// [`threads`](Self::threads) waits for events and polls the futures that they wake. A closure may also block on events
    /// itself, with `Handle::block_on`, `blocking_recv`, or whatever a library does inside.
    ///
    /// A future must not: one that computes or blocks between two awaits holds its worker, and while closures occupy the
    /// others it holds up every event of the pool, as it would on a runtime of tokio. What takes long belongs into a
    /// closure: `pool.run(f).await`. In a future, `Handle::block_on` would wait for ever: await instead.
    ///
    /// tokio makes a task of its own give way after so many operations. It does not do that for tasks of the pool: a future
    /// that finds everything ready without end keeps its worker, until it yields by itself.
    ///
    /// # A paused clock
    ///
    /// A runtime whose clock is paused (`tokio::time::pause`) advances it when the runtime has nothing to do, and does not
    /// know of the pool's tasks: `timeout(limit, handle)` fires at once although the task runs. Test such code with the
    /// clock running.
    ///
    /// # After the end
    ///
    /// While the pool is shut down, nobody waits for events: sockets and timers that outlive it are deaf, and hear again
    /// after a [`reopen`](crate::Pool::reopen). When its last handle is gone, the reactor ends, too: tasks of tokio that
    /// are left are dropped, sockets give errors, and a timer that is polled panics, as tokio says it. A task of tokio that
    /// never ends and holds a handle of the pool, or waits for one of its tasks, keeps both for ever. So does a waker of a
    /// task of the pool: as long as it is kept, the reactor keeps its file descriptors.
    pub fn tokio(self) -> Self {
        self.reactor(TokioReactor::new)
    }

    /// tokio's sockets, timers and signals work in every task of the pool, on a runtime that is there already. Its reactor
    /// stays where it is: each event is handled on a thread of the runtime, which then wakes a worker, two more system
    /// calls and a change of threads that [`tokio`](Self::tokio) does not need. Take this where a runtime runs anyway.
    ///
    /// On the runtime's own threads, await instead of blocking: `pool.run(f).await`, `pool.slot().await`, `task.await`,
    /// `pool.shutdown().await`. A thread that blocks there drives no events, and the tasks that it waits for may need
    /// them. So a blocking wait that cannot return at once panics there.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let handle = tokio::runtime::Handle::current();
    /// let pool = anthill::Pool::builder().tokio_handle(handle).build()?;
    /// let task = pool.spawn_with_handle(async {
    ///     tokio::time::sleep(Duration::from_millis(1)).await;
    ///     "awake"
    /// })?;
    /// assert_eq!(task.await?, "awake");
    /// pool.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn tokio_handle(self, handle: Handle) -> Self {
        self.around(Arc::new(move |work| {
            let _entered = handle.enter();
            work();
        }))
    }
}

/// No waker is there.
const NOBODY: usize = usize::MAX;

/// A current-thread runtime of tokio, driven by whichever worker has nothing else to do.
///
/// [`Builder::tokio`] makes one with all that tokio is compiled with; [`on`](Self::on) takes one that was made otherwise.
pub struct TokioReactor {
    /// There until the drop.
    runtime: Option<Runtime>,
    rung: AtomicBool,
    /// That of the thread in `park`; changed by it alone.
    waker: Mutex<Option<Waker>>,
    /// Which one that is, so that the thread in `park` need not lock to know.
    waker_id: AtomicUsize,
}

impl TokioReactor {
    /// A reactor with all drivers that tokio is compiled with.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().reactor(anthill::TokioReactor::new).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn new() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        runtime.map(Self::on)
    }

    /// A reactor on a runtime with settings of one's own. It must be a current-thread one, since others have threads that
    /// drive them.
    ///
    /// ```
    /// use anthill::TokioReactor;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let make = || {
    ///     let mut runtime = tokio::runtime::Builder::new_current_thread();
    ///     runtime.enable_all().max_io_events_per_tick(256).build().map(TokioReactor::on)
    /// };
    /// let pool = anthill::Pool::builder().reactor(make).build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on(runtime: Runtime) -> Self {
        Self {
            runtime: Some(runtime),
            rung: AtomicBool::new(false),
            waker: Mutex::new(None),
            waker_id: AtomicUsize::new(NOBODY),
        }
    }

    fn runtime(&self) -> &Runtime {
        self.runtime
            .as_ref()
            .expect("it is taken by the drop alone")
    }

    fn poll_bell(&self, cx: &Context<'_>) -> Poll<()> {
        // The address is a name for as long as the waker is kept; tokio gives the same one every time.
        let id = cx.waker().data().addr();
        if self.waker_id.load(Ordering::Relaxed) != id {
            *self.waker.lock() = Some(cx.waker().clone());
            self.waker_id.store(id, Ordering::Relaxed);
        }
        // Who rings later finds the waker, by the order of the lock, and wakes it: then this is called once more. A load
        // first, for it mostly has not rung.
        if self.rung.load(Ordering::Relaxed) && self.rung.swap(false, Ordering::Acquire) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Reactor for TokioReactor {
    fn park(&self) {
        self.runtime().block_on(poll_fn(|cx| self.poll_bell(cx)));
    }

    fn unpark(&self) {
        if self.rung.swap(true, Ordering::Release) {
            // Somebody has rung already, and is about to wake, or nobody has looked yet.
            return;
        }
        let waker = self.waker.lock();
        if let Some(waker) = &*waker {
            waker.wake_by_ref();
        }
    }

    fn poll(&self) {
        // It goes round once: what comes after is polled when the drivers have been looked at without waiting.
        self.runtime().block_on(tokio::task::yield_now());
    }

    fn within(&self, work: &mut dyn FnMut()) {
        let _entered = self.runtime().enter();
        work();
    }
}

impl Drop for TokioReactor {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // The last handle may go in a task of some runtime, where waiting is not allowed.
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for TokioReactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokioReactor").finish_non_exhaustive()
    }
}
