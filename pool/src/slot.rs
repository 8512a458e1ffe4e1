//! A slot in the hand of the one that reserved it.

use std::fmt;
use std::future::Future;

use crate::gate::{Gate, Way};
use crate::join::{self, JoinHandle};
use std::panic::{RefUnwindSafe, UnwindSafe};

/// The right to one task in a pool, held before there is a task. From [`Pool::slot`](crate::Pool::slot) and the calls
/// like it.
///
/// It is for callers that want to know that there is room before they do something that they cannot take back, such
/// as accepting a connection. A slot that is dropped unused goes back to the pool. A slot that is held keeps its task
/// welcome also after a close; a shutdown waits for it. After a [`discard`](crate::Pool::discard) the task is dropped
/// like all that had not begun.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().capacity(1).build()?;
/// let slot = pool.try_slot()?;
/// assert!(pool.try_slot().is_err());
/// slot.submit(|| println!("there was room"));
/// # pool.shutdown()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a slot that is dropped goes back to the pool"]
pub struct Slot {
    /// None once the slot is a task's.
    gate: Option<Gate>,
}

impl Slot {
    /// Wraps a slot that was just taken.
    pub(crate) fn new(gate: Gate) -> Self {
        Self { gate: Some(gate) }
    }

    /// The gate, for the one task; from now on the slot is the task's.
    fn take_held(&mut self) -> Gate {
        self.gate.take().expect("a slot is used once, by value")
    }

    /// Runs a closure in this slot.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let (sent, requests) = std::sync::mpsc::channel();
    /// # sent.send("a request")?;
    /// let slot = pool.slot()?; // room first
    /// let request = requests.recv()?; // then something to do
    /// slot.submit(move || println!("{request}"));
    /// # pool.shutdown()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit<F>(mut self, f: F)
    where
        F: FnOnce() + Send + 'static,
    {
        self.take_held().submit(Way::Slot, f);
    }

    /// Runs a future in this slot.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let slot = pool.slot()?;
    /// pool.close();
    /// slot.spawn(async { println!("it had its slot before the close") });
    /// pool.shutdown()?;
    /// assert_eq!(pool.stats().completed, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn<F>(mut self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.take_held().spawn(future);
    }
}

impl Slot {
    /// Runs a closure in this slot, and gives a handle for what it returns.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().capacity(1).build()?;
    /// let answer = pool.try_slot()?.submit_with_handle(|| 6 * 7);
    /// assert_eq!(answer.join()?, 42);
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit_with_handle<F, T>(mut self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        join::submit(&self.take_held(), Way::Slot, f)
    }

    /// Runs a future in this slot, and gives a handle for its output.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// let pool = anthill::Pool::builder().build()?;
    /// let slot = pool.slot_timeout(Duration::from_secs(1))?;
    /// let answer = slot.spawn_with_handle(async { 6 * 7 });
    /// assert_eq!(answer.join()?, 42);
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn_with_handle<F>(mut self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        join::spawn(&self.take_held(), future)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.take() {
            gate.release();
        }
    }
}

// As for the pool: a panic is caught before it reaches what is shared.
impl UnwindSafe for Slot {}
impl RefUnwindSafe for Slot {}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pool = self
            .gate
            .as_ref()
            .map(|gate| &*gate.scheduler.settings.name);
        f.debug_struct("Slot")
            .field("pool", &pool)
            .finish_non_exhaustive()
    }
}
