//! The results of a group's tasks.

use std::fmt;

use crate::errors::JoinError;

/// The results of a group's tasks, in the order in which their handles were pushed.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().build()?;
/// let mut group = anthill::Group::new();
/// group.push(pool.submit_with_handle(|| 1)?);
/// group.push(pool.submit_with_handle(|| panic!("no number"))?);
/// for result in group.wait() {
///     match result {
///         Ok(number) => println!("{number}"),
///         Err(error) => println!("{error}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "the results of tasks, among them their panics"]
pub struct GroupResults<T> {
    results: Vec<Result<T, JoinError>>,
    failed: Option<usize>,
}

impl<T> GroupResults<T> {
    pub(crate) fn new(results: Vec<Result<T, JoinError>>, failed: Option<usize>) -> Self {
        Self { results, failed }
    }

    /// Returns all results.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let mut group = anthill::Group::new();
    /// group.push(pool.submit_with_handle(|| 1)?);
    /// group.push(pool.submit_with_handle(|| panic!("no number"))?);
    /// let results = group.wait().into_vec();
    /// assert!(results[0].is_ok() && results[1].is_err());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn into_vec(self) -> Vec<Result<T, JoinError>> {
        self.results
    }

    /// Returns the index of the task that stopped the group, which was the first in time to fail.
    /// `None` if no task did.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let mut group = anthill::Group::new().stop_at_error();
    /// group.push(pool.submit_with_handle(|| Ok(1))?);
    /// group.push(pool.submit_with_handle(|| Err("no number"))?);
    /// assert_eq!(group.wait().failed(), Some(1));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn failed(&self) -> Option<usize> {
        self.failed
    }

    /// Returns the values, if all tasks returned one.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let mut group = anthill::Group::new();
    /// for word in ["an", "anthill"] {
    ///     group.push(pool.submit_with_handle(move || word.len())?);
    /// }
    /// let total: usize = group.wait().values()?.iter().sum();
    /// assert_eq!(total, 9);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The first panic or cancellation, in push order.
    pub fn values(self) -> Result<Vec<T>, JoinError> {
        self.results.into_iter().collect()
    }
}

impl<T, E> GroupResults<Result<T, E>> {
    /// Returns the values, if all tasks returned `Ok`.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let mut group = anthill::Group::new();
    /// for text in ["1", "2", "three"] {
    ///     group.push(pool.submit_with_handle(move || text.parse::<u32>())?);
    /// }
    /// let error = group.wait().all().unwrap_err();
    /// assert_eq!(error.to_string(), "task 2 of the group: invalid digit found in string");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The error of the task that stopped the group, otherwise the first error in push order.
    pub fn all(mut self) -> Result<Vec<T>, GroupError<E>> {
        let first = self.failed.unwrap_or(0);
        // Start at the task that stopped the group, or a task that it cancelled would be reported
        // instead.
        let before = self.results.drain(..first).collect::<Vec<_>>();
        let mut values = Vec::with_capacity(before.len() + self.results.len());
        for (index, result) in (first..).zip(self.results).chain((0..).zip(before)) {
            match result {
                Ok(Ok(value)) => values.push(value),
                Ok(Err(error)) => return Err(GroupError::Failed { index, error }),
                Err(error) => return Err(GroupError::Join { index, error }),
            }
        }
        Ok(values)
    }
}

impl<T> IntoIterator for GroupResults<T> {
    type Item = Result<T, JoinError>;
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.results.into_iter()
    }
}

/// Why a task of a group failed.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use anthill::GroupError;
///
/// let pool = anthill::Pool::builder().build()?;
/// let mut group = anthill::Group::new();
/// group.push(pool.submit_with_handle(|| "seven".parse::<u32>())?);
/// match group.wait().all() {
///     Ok(numbers) => println!("{numbers:?}"),
///     Err(GroupError::Failed { index, error }) => println!("line {index}: {error}"),
///     Err(error) => return Err(error.into()), // a panic
/// }
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
#[derive(Debug)]
pub enum GroupError<E> {
    /// The task returned an error.
    Failed {
        /// The index of the task, in push order.
        index: usize,
        /// The returned error.
        error: E,
    },
    /// The task panicked or was cancelled.
    Join {
        /// The index of the task, in push order.
        index: usize,
        /// The panic or the cancellation.
        error: JoinError,
    },
}

impl<E> GroupError<E> {
    /// Returns the index of the task, in push order.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().build()?;
    /// let mut group = anthill::Group::new();
    /// let lines = ["1", "two", "3"];
    /// for line in lines {
    ///     group.push(pool.submit_with_handle(move || line.parse::<u32>())?);
    /// }
    /// let error = group.wait().all().unwrap_err();
    /// assert_eq!(lines[error.index()], "two");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn index(&self) -> usize {
        match self {
            Self::Failed { index, .. } | Self::Join { index, .. } => *index,
        }
    }
}

impl<E: fmt::Display> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {} of the group: ", self.index())?;
        match self {
            Self::Failed { error, .. } => error.fmt(f),
            Self::Join { error, .. } => error.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for GroupError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed { error, .. } => Some(error),
            Self::Join { error, .. } => Some(error),
        }
    }
}
