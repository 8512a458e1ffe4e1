//! Groups: tasks that are waited for together.

use std::fmt;
use std::future::poll_fn;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::{Duration, Instant};

use crate::group_results::GroupResults;
use crate::join::JoinHandle;
use crate::pool::Pool;
use crate::scheduler::Scheduler;
use crate::sync::{Arc, Mutex};
use crate::unwind;
use crate::watch::Watch;

/// Tasks that are waited for together, and whose results come in the order in which they were submitted. From
/// [`Pool::group`].
///
/// [`stop_at_error`](Self::stop_at_error) has the first task that fails cancel the others. A group that is dropped lets
/// its tasks go on without it, and their panics go to the pool's panic handler. Until then it keeps its pool open.
///
/// Tasks get in as they do without a group, and the same answers are given: the ways in are named as those of [`Pool`].
/// A group that has stopped refuses with [`Stopped`](crate::SubmitError::Stopped).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().build()?;
/// let lengths = pool.group();
/// for word in ["an", "anthill", "of", "tasks"] {
///     lengths.submit(move || word.len())?;
/// }
/// assert_eq!(lengths.wait().values()?, [2, 7, 2, 5]);
/// # Ok(())
/// # }
/// ```
#[must_use = "a group that is dropped lets its tasks go on without it"]
pub struct Group<T> {
    pub(crate) pool: Pool,
    pub(crate) members: Arc<Members<T>>,
}

/// What a group and its tasks share.
pub(crate) struct Members<T> {
    state: Mutex<State<T>>,
    scheduler: Scheduler,
}

struct State<T> {
    /// In the order of submission.
    handles: Vec<JoinHandle<T>>,
    /// Which results stop the group.
    fails: fn(&T) -> bool,
    /// Whether a panic stops it.
    stops: bool,
    /// The first task that failed, if that stops the group.
    failed: Option<usize>,
    stopped: bool,
}

impl Pool {
    /// An empty group, whose tasks take their slots at this entrance.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let squares = pool.subpool().capacity(4).build()?.group(); // at most four of them are in progress
    /// for n in 0..10 {
    ///     squares.submit(move || n * n)?;
    /// }
    /// assert_eq!(squares.wait().values()?[9], 81);
    /// # Ok(())
    /// # }
    /// ```
    pub fn group<T>(&self) -> Group<T> {
        let state = State {
            handles: Vec::new(),
            fails: |_| false,
            stops: false,
            failed: None,
            stopped: false,
        };
        Group {
            pool: self.clone(),
            members: Arc::new(Members {
                state: Mutex::new(state),
                scheduler: self.gate().scheduler.clone(),
            }),
        }
    }
}

impl<T, E> Group<Result<T, E>> {
    /// Has the group stop when a task returns an error or panics: the others are cancelled if they are not running, and
    /// no more are let in. It is for tasks that are submitted after it.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().threads(0..=1).build()?;
    /// let group = pool.group().stop_at_error();
    /// group.submit(|| "7".parse::<u32>())?;
    /// group.submit(|| "seven".parse())?;
    /// for _ in 0..100 {
    ///     if group.submit(|| "8".parse()).is_err() {
    ///         break; // the group has stopped
    ///     }
    /// }
    /// let error = group.wait().all().unwrap_err();
    /// assert_eq!(error.index(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop_at_error(self) -> Self {
        let mut state = self.members.state.lock();
        state.fails = Result::is_err;
        state.stops = true;
        drop(state);
        self
    }
}

impl<T> Group<T> {
    /// How many tasks got in, ended ones included.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(1).build()?;
    /// let group = pool.group();
    /// group.submit(|| 1)?;
    /// group.submit(|| 2)?; // begins when the first has ended
    /// assert_eq!(group.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.state.lock().handles.len()
    }

    /// Whether no task got in yet.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let group = pool.group();
    /// assert!(group.is_empty());
    /// group.submit(|| ())?;
    /// assert!(!group.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it has stopped: a task has failed that was to stop it, or it was cancelled.
    ///
    /// ```
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let group = pool.group::<u32>();
    /// assert!(!group.is_stopped());
    /// group.cancel();
    /// assert!(group.is_stopped());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.members.is_stopped()
    }

    /// Cancels all tasks that are not running, and lets no more in. The results of the cancelled ones are
    /// [`JoinError::Cancelled`](crate::JoinError::Cancelled). What runs at that moment goes on to its end, a future
    /// also when it suspends later. To cancel a group that has stopped already does nothing.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use anthill::{JoinError, SubmitError};
    ///
    /// let pool = anthill::Pool::builder().build()?;
    /// let group = pool.group();
    /// group.submit(|| "begun in time, or never")?;
    /// group.cancel();
    /// assert!(matches!(group.submit(|| "late"), Err(SubmitError::Stopped(_))));
    /// let begun = group.wait().values();
    /// assert!(matches!(begun, Ok(_) | Err(JoinError::Cancelled)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn cancel(&self) {
        self.members.stop(None);
    }

    /// Waits until all tasks have ended. Within a task that has its slot at the same entrance, the calling worker runs
    /// those of the group's closures that have not begun. On any other worker of the pool it holds that worker up, as
    /// [`JoinHandle`] says.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let group = pool.group();
    /// for part in [1..=50, 51..=100] {
    ///     group.submit(move || part.sum::<u32>())?;
    /// }
    /// assert_eq!(group.wait().values()?, [1275, 3775]); // whichever ended first
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait(self) -> GroupResults<T> {
        let watches = self.members.watches();
        for watch in &watches {
            watch.run_here();
        }
        for mut watch in watches {
            watch.wait();
        }
        self.take()
    }

    /// As [`wait`](Self::wait), for at most `timeout`. It never runs a task itself.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// let pool = anthill::Pool::builder().build()?;
    /// let group = pool.group();
    /// let (answer, question) = std::sync::mpsc::channel();
    /// group.submit(move || question.recv())?;
    /// let group = group.wait_timeout(Duration::from_millis(1)).expect_err("one waits for an answer");
    /// answer.send(42)?;
    /// assert_eq!(group.wait().all()?, [42]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The group, if the time is over.
    pub fn wait_timeout(self, timeout: Duration) -> Result<GroupResults<T>, Self> {
        let deadline = Instant::now().checked_add(timeout);
        for mut watch in self.members.watches() {
            if !watch.wait_until(deadline) {
                return Err(self);
            }
        }
        Ok(self.take())
    }

    /// Waits until all tasks have ended, without a thread. Dropping the future drops the group.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let group = pool.group();
    /// group.spawn(async { 1 })?;
    /// group.submit(|| 2)?;
    /// let sum = pool.spawn_with_handle(async {
    ///     let numbers = group.wait_async().await.values();
    ///     numbers.map(|numbers| numbers.iter().sum::<i32>())
    /// })?;
    /// assert_eq!(sum.join()??, 3);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_async(self) -> GroupResults<T> {
        for mut watch in self.members.watches() {
            poll_fn(|cx| watch.poll(cx)).await;
        }
        self.take()
    }

    /// The results, when all have ended.
    fn take(&self) -> GroupResults<T> {
        let mut state = self.members.state.lock();
        let handles = std::mem::take(&mut state.handles);
        let failed = state.failed;
        drop(state);
        GroupResults::new(handles.into_iter().map(JoinHandle::join).collect(), failed)
    }
}

impl<T> Members<T> {
    pub(crate) fn is_stopped(&self) -> bool {
        self.state.lock().stopped
    }

    /// Adds a task, which `make` makes with its place among the others. It comes back if the group has stopped.
    pub(crate) fn add<F, R>(
        &self,
        task: F,
        make: impl FnOnce(usize, F) -> (JoinHandle<T>, R),
    ) -> Result<R, F> {
        let mut state = self.state.lock();
        if state.stopped {
            return Err(task);
        }
        let (handle, made) = make(state.handles.len(), task);
        state.handles.push(handle);
        Ok(made)
    }

    /// A task has returned.
    pub(crate) fn returned(&self, index: usize, value: &T) {
        let fails = self.state.lock().fails;
        if fails(value) {
            self.stop(Some(index));
        }
    }

    /// A task has panicked.
    pub(crate) fn panicked(&self, index: usize) {
        if self.state.lock().stops {
            self.stop(Some(index));
        }
    }

    fn stop(&self, failed: Option<usize>) {
        let mut state = self.state.lock();
        if std::mem::replace(&mut state.stopped, true) {
            return;
        }
        state.failed = failed;
        drop(state);
        // Outside the lock: what is cancelled is dropped here, and may do anything.
        for watch in self.watches() {
            if let Err(payload) = unwind::catch(|| watch.packet.cancel_soon()) {
                self.scheduler.report(payload);
            }
        }
    }

    fn watches(&self) -> Vec<Watch<T>> {
        let state = self.state.lock();
        state.handles.iter().map(JoinHandle::watch).collect()
    }
}

/// The tasks hold their group, and the group their handles: one of the two must let go.
impl<T> Drop for Group<T> {
    fn drop(&mut self) {
        let handles = std::mem::take(&mut self.members.state.lock().handles);
        drop(handles);
    }
}

// As for the pool: a panic is caught before it reaches what is shared.
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
