//! tokio's reactor in a pool: sockets, timers and signals work in every task.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::runtime::{self, Handle, Runtime};

use crate::pool::builder::Builder;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::wait::Reactor;

impl Builder {
    /// Makes idle workers wait in a reactor of tokio. tokio's sockets, timers and signals then work
    /// in every task of the pool, whichever worker polls it, without another runtime.
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
    /// `tokio::spawn` works. Such a task belongs to tokio: it takes no slot and appears in no
    /// figure of the pool, and its panic reaches its own handle only. The worker in the reactor
    /// runs it, or a worker that polls the reactor between tasks. Spawn work on the pool if it must
    /// be bounded.
    ///
    /// `tokio::task::spawn_blocking`, and what uses it, such as `tokio::fs`, run on threads of
    /// tokio.
    ///
    /// # Blocking
    ///
    /// A closure may compute or block for any time. While closures occupy every worker, one thread
    /// beyond [`threads`](Self::threads) waits for events and polls the futures that they wake. A
    /// closure may also block on events itself, with `Handle::block_on`, `blocking_recv`, or inside
    /// a library.
    ///
    /// A future must not compute or block for long between two awaits, because it occupies its
    /// worker. While closures occupy the other workers, it delays every event of the pool, as on a
    /// runtime of tokio. Move long work into a closure of a
    /// [subpool](crate::Pool::subpool), here `cpu`: `cpu.run(f).await`.
    /// `Handle::block_on` inside a future waits forever; await instead.
    ///
    /// tokio's cooperative budget makes its own tasks yield. It does not apply to tasks of the
    /// pool: a future that always finds its resources ready occupies its worker until it yields.
    ///
    /// # A paused clock
    ///
    /// A runtime with a paused clock (`tokio::time::pause`) advances the clock when the runtime is
    /// idle. It does not see the pool's tasks, so `timeout(limit, handle)` fires at once although
    /// the task runs. Test such code with a running clock.
    ///
    /// # After shutdown
    ///
    /// While the pool is shut down, no thread waits for events. Sockets and timers that outlive the
    /// shutdown resume after [`reopen`](crate::Pool::reopen).
    ///
    /// When the last handle of the pool is dropped, the reactor ends. It drops the remaining tasks
    /// of tokio; sockets return errors, and polling a timer panics, as tokio documents.
    ///
    /// Until then the reactor and its file descriptors are kept by each `JoinHandle`, `Group`,
    /// `Strand`, `Strands`, owned `Slot` and waker of a pool task. A task of tokio that never ends
    /// and holds one of these keeps them for ever.
    pub fn tokio(self) -> Self {
        self.reactor(TokioReactor::new)
    }

    /// Runs every task of the pool in the context of an existing runtime of tokio, so that tokio's
    /// sockets, timers and signals work in it.
    ///
    /// The runtime keeps its reactor. A thread of the runtime handles each event and then wakes a
    /// worker. This costs two system calls and a switch of threads that [`tokio`](Self::tokio)
    /// avoids. Use it if the program runs a runtime anyway.
    ///
    /// On threads of the runtime, await instead of blocking: `pool.run(f).await`,
    /// `task.await`, `pool.shutdown().await`. A thread that blocks there drives no events,
    /// and the tasks that it waits for may need them.
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

/// `waker_id` while no waker is registered.
const NO_WAKER: usize = usize::MAX;

/// A current-thread runtime of tokio, driven by an idle worker of the pool.
struct TokioReactor {
    /// `None` only during the drop.
    runtime: Option<Runtime>,
    notified: AtomicBool,
    /// The waker of the thread in `park`. Only that thread changes it.
    waker: Mutex<Option<Waker>>,
    /// Identifies `waker`, so that the thread in `park` can compare without the lock.
    waker_id: AtomicUsize,
}

impl TokioReactor {
    /// Starts a runtime with all drivers that tokio is compiled with.
    fn new() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Self {
            runtime: Some(runtime),
            notified: AtomicBool::new(false),
            waker: Mutex::new(None),
            waker_id: AtomicUsize::new(NO_WAKER),
        })
    }

    fn runtime(&self) -> &Runtime {
        self.runtime
            .as_ref()
            .expect("only the drop takes the runtime")
    }

    fn poll_notified(&self, cx: &Context<'_>) -> Poll<()> {
        // The address identifies the waker as long as a clone of it is kept. tokio passes the same
        // waker every time.
        let id = cx.waker().data().addr();
        if self.waker_id.load(Ordering::Relaxed) != id {
            *self.waker.lock() = Some(cx.waker().clone());
            self.waker_id.store(id, Ordering::Relaxed);
        }
        // A later `unpark` finds the waker, because the lock orders them, and wakes it: then tokio
        // polls this future again. The load first avoids a swap in the usual case without a
        // notification.
        if self.notified.load(Ordering::Relaxed) && self.notified.swap(false, Ordering::Acquire) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Reactor for TokioReactor {
    fn park(&self) {
        self.runtime()
            .block_on(poll_fn(|cx| self.poll_notified(cx)));
    }

    fn unpark(&self) {
        if self.notified.swap(true, Ordering::Release) {
            // An earlier `unpark` is about to wake the thread, or the thread has yet to see its
            // notification.
            return;
        }
        let waker = self.waker.lock();
        if let Some(waker) = &*waker {
            waker.wake_by_ref();
        }
    }

    fn poll(&self) {
        // One turn of the runtime: `yield_now` is polled again after the drivers were polled
        // without blocking.
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
            // A task of some runtime may drop the last handle, and blocking is not allowed there.
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for TokioReactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokioReactor").finish_non_exhaustive()
    }
}
