//! Groups: collect handles and wait for all of them.

use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::group::members::{Ended, Member, Members, State, cancel_all};
use crate::group::results::GroupResults;
use crate::join::JoinHandle;
use crate::sync::{Arc as PoolArc, Mutex};
use crate::wait::Waiter;

/// Collects [`JoinHandle`]s of any pools and waits for all of them. The results come in the order
/// in which the handles were pushed.
///
/// In async code, `.await` the group; on a thread, call [`wait`](Self::wait),
/// [`wait_timeout`](Self::wait_timeout) or [`wait_deadline`](Self::wait_deadline). With
/// [`stop_at_error`](Self::stop_at_error) the first task that fails cancels the other tasks.
/// Dropping a group lets its tasks go on, and their panics go to the panic handlers of their pools.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().build()?;
/// let mut lengths = anthill::Group::new();
/// for word in ["an", "anthill", "of", "tasks"] {
///     lengths.push(pool.submit_with_handle(move || word.len())?);
/// }
/// assert_eq!(lengths.wait().values()?, [2, 7, 2, 5]);
/// # Ok(())
/// # }
/// ```
#[must_use = "a group that is dropped lets its tasks go on"]
pub struct Group<T>(Arc<Members<T>>);

impl<T: Send + 'static> Group<T> {
    /// Returns an empty group.
    ///
    /// ```
    /// let mut group = anthill::Group::<u32>::new();
    /// assert!(group.wait().into_vec().is_empty());
    /// ```
    pub fn new() -> Self {
        Self(Arc::new(Members(Mutex::new(State {
            members: Vec::new(),
            pending: 0,
            fails: None,
            failed: None,
            stopped: false,
            waiter: None,
        }))))
    }

    /// Adds a task. If the group has stopped, cancels the task unless it runs.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let mut group = anthill::Group::new();
    /// group.push(pool.submit_with_handle(|| 1)?);
    /// group.push(pool.spawn_with_handle(async { 2 })?);
    /// assert_eq!(group.wait().values()?, [1, 2]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If the handle was polled as a future until it was ready.
    pub fn push(&mut self, handle: JoinHandle<T>) {
        let watch = handle.watch();
        // Before the group counts a task whose result never comes.
        assert!(
            !watch.packet.is_taken(),
            "the result was taken by an `.await`"
        );
        let mut state = self.0.0.lock();
        let index = state.members.len();
        state.members.push(Member::Pending(handle));
        state.pending += 1;
        let stopped = state.stopped;
        drop(state);
        // After the member is added, because the task may end at once.
        let waker = Waker::from(Arc::new(Ended {
            members: Arc::clone(&self.0),
            index,
        }));
        if !watch.packet.watch(&PoolArc::new(Waiter::task(&waker))) {
            self.0.collect(index);
        } else if stopped {
            cancel_all(&[watch]);
        }
    }

    /// Blocks the calling thread until all tasks have ended. In async code, `.await` the group.
    ///
    /// In a task, the calling worker runs closures of the group that have not begun in place, see
    /// [`JoinHandle`](JoinHandle#waiting-inside-a-task).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let mut group = anthill::Group::new();
    /// for part in [1..=50, 51..=100] {
    ///     group.push(pool.submit_with_handle(move || part.sum::<u32>())?);
    /// }
    /// assert_eq!(group.wait().values()?, [1275, 3775]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// With the feature `tokio`, if a task has not ended and the calling thread drives async tasks
    /// of tokio.
    pub fn wait(self) -> GroupResults<T> {
        let pending = self.0.0.lock().pending();
        for watch in pending {
            watch.run_here();
        }
        let ended = self.0.wait_until(None);
        debug_assert!(ended, "without a deadline");
        self.0.take()
    }

    /// Blocks the calling thread until all tasks have ended, for at most `timeout`. Never runs a
    /// task in place.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// let pool = anthill::Pool::builder().build()?;
    /// let mut group = anthill::Group::new();
    /// let (sender, answers) = std::sync::mpsc::channel();
    /// group.push(pool.submit_with_handle(move || answers.recv())?);
    /// let group = group.wait_timeout(Duration::from_millis(1)).expect_err("it waits for an answer");
    /// sender.send(42)?;
    /// assert_eq!(group.wait().all()?, [42]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The group, if a task has not ended by then.
    ///
    /// # Panics
    ///
    /// The same as [`wait`](Self::wait).
    pub fn wait_timeout(self, timeout: Duration) -> Result<GroupResults<T>, Self> {
        self.wait_until(Instant::now().checked_add(timeout))
    }

    /// Blocks the calling thread until all tasks have ended, at the latest until `deadline`. Never
    /// runs a task in place.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::{Duration, Instant};
    ///
    /// let pool = anthill::Pool::builder().build()?;
    /// let mut group = anthill::Group::new();
    /// group.push(pool.submit_with_handle(|| 42)?);
    /// let deadline = Instant::now() + Duration::from_secs(60);
    /// assert_eq!(group.wait_deadline(deadline).expect("in time").values()?, [42]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The group, if a task has not ended by then.
    ///
    /// # Panics
    ///
    /// The same as [`wait`](Self::wait).
    pub fn wait_deadline(self, deadline: Instant) -> Result<GroupResults<T>, Self> {
        self.wait_until(Some(deadline))
    }

    fn wait_until(self, deadline: Option<Instant>) -> Result<GroupResults<T>, Self> {
        if self.0.wait_until(deadline) {
            Ok(self.0.take())
        } else {
            Err(self)
        }
    }
}

impl<T, E> Group<Result<T, E>> {
    /// Makes the group stop when a task returns an error or panics. Then tasks that do not run are
    /// cancelled, and so are tasks that are pushed later.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().threads(0..=1).build()?;
    /// let mut group = anthill::Group::new().stop_at_error();
    /// for text in ["7", "seven", "8"] {
    ///     group.push(pool.submit_with_handle(|| text.parse::<u32>())?);
    /// }
    /// let error = group.wait().all().unwrap_err();
    /// assert_eq!(error.index(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop_at_error(self) -> Self {
        self.0.0.lock().fails = Some(Result::is_err);
        self
    }
}

impl<T> Group<T> {
    /// Returns the number of tasks that were pushed, ended ones included.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let mut group = anthill::Group::new();
    /// group.push(pool.submit_with_handle(|| 1)?);
    /// assert_eq!(group.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.0.lock().members.len()
    }

    /// Returns whether no task was pushed.
    ///
    /// ```
    /// assert!(anthill::Group::<u32>::new().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether the group was cancelled, or stopped because a task failed.
    ///
    /// ```
    /// let mut group = anthill::Group::<u32>::new();
    /// assert!(!group.is_stopped());
    /// group.cancel();
    /// assert!(group.is_stopped());
    /// ```
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.0.lock().stopped
    }

    /// Cancels all tasks that do not run, and tasks that are pushed later. A running closure goes
    /// on to its end. A running future is cancelled when it suspends. Cancelling again does
    /// nothing.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use anthill::JoinError;
    ///
    /// let pool = anthill::Pool::builder().build()?;
    /// let mut group = anthill::Group::new();
    /// group.push(pool.submit_with_handle(|| "begun in time, or never")?);
    /// group.cancel();
    /// let begun = group.wait().values();
    /// assert!(matches!(begun, Ok(_) | Err(JoinError::Cancelled)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn cancel(&self) {
        let cancelled = self.0.0.lock().stop(None);
        cancel_all(&cancelled);
    }
}

impl<T: Send + 'static> Future for Group<T> {
    type Output = GroupResults<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<GroupResults<T>> {
        let waiter = PoolArc::new(Waiter::task(cx.waker()));
        let mut state = self.0.0.lock();
        if state.pending == 0 {
            drop(state);
            return Poll::Ready(self.0.take());
        }
        let replaced = state.waiter.replace(waiter);
        drop(state);
        // Outside the lock: dropping a waker runs foreign code.
        drop(replaced);
        Poll::Pending
    }
}

impl<T: Send + 'static> Default for Group<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Send + 'static> Extend<JoinHandle<T>> for Group<T> {
    fn extend<I: IntoIterator<Item = JoinHandle<T>>>(&mut self, handles: I) {
        for handle in handles {
            self.push(handle);
        }
    }
}

impl<T: Send + 'static> FromIterator<JoinHandle<T>> for Group<T> {
    fn from_iter<I: IntoIterator<Item = JoinHandle<T>>>(handles: I) -> Self {
        let mut group = Self::new();
        group.extend(handles);
        group
    }
}

/// Breaks a reference cycle: the group holds its handles, and they hold the wakers of the group.
impl<T> Drop for Group<T> {
    fn drop(&mut self) {
        let members = std::mem::take(&mut self.0.0.lock().members);
        drop(members);
    }
}

// A panic is caught before it reaches shared state, as for the pool.
impl<T> UnwindSafe for Group<T> {}
impl<T> RefUnwindSafe for Group<T> {}

impl<T> fmt::Debug for Group<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("tasks", &self.len())
            .field("stopped", &self.is_stopped())
            .finish_non_exhaustive()
    }
}
