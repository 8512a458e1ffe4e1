//! Failures that tasks report.

use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, Ordering};

/// Reports failures of the resource that a pool protects, from [`Tuner::failures`]. A policy gets
/// their number as [`Sample::failed`].
///
/// Report what shows overload: a refused or dropped request, a timeout, an answer that came too
/// late. Do not report an error that a smaller limit would not prevent, such as a wrong password.
///
/// Clones count together. A report is one atomic addition and never blocks.
///
/// ```
/// use anthill::Pool;
/// use anthill::tuner::{Aimd, Target, Tuner};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # fn query() -> std::io::Result<u32> { Err(std::io::ErrorKind::TimedOut.into()) }
/// let pool = Pool::builder().capacity(16).build()?;
/// let tuner = Tuner::new(&pool, Target::Capacity, Aimd::default());
/// let failures = tuner.failures();
/// let tuning = tuner.start(|change| println!("capacity {change}"))?;
///
/// let reports = failures.clone();
/// pool.submit(move || match query() {
///     Ok(answer) => println!("{answer}"),
///     Err(_) => reports.report(),
/// })?;
/// pool.shutdown().wait()?;
/// assert_eq!(failures.count(), 1);
/// # drop(tuning);
/// # Ok(())
/// # }
/// ```
///
/// [`Tuner::failures`]: super::Tuner::failures
/// [`Sample::failed`]: super::Sample::failed
#[derive(Clone, Debug, Default)]
pub struct Failures(Arc<AtomicU64>);

impl Failures {
    /// Reports one failure.
    ///
    /// ```
    /// # use anthill::tuner::{Aimd, Target, Tuner};
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// # let pool = anthill::Pool::builder().build()?;
    /// let failures = Tuner::new(&pool, Target::Capacity, Aimd::default()).failures();
    /// failures.report();
    /// assert_eq!(failures.count(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn report(&self) {
        // Relaxed: the count orders nothing.
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of failures reported so far.
    ///
    /// ```
    /// # use anthill::tuner::{Aimd, Target, Tuner};
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// # let pool = anthill::Pool::builder().build()?;
    /// let tuner = Tuner::new(&pool, Target::Capacity, Aimd::default());
    /// assert_eq!(tuner.failures().count(), 0);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
