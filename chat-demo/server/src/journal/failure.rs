//! Failures of data files, detected without a panic.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

/// Why a data file cannot be used.
#[derive(Debug)]
pub enum DataError {
    /// The system, or the database, says so.
    Store(redb::Error),
    /// Its content made the database panic.
    Damaged(String),
    /// There is no file, or another one, where the server had its own.
    Removed,
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(redb::Error::Corrupted(what)) | Self::Damaged(what) => {
                write!(f, "the file is damaged: {what}")
            }
            Self::Store(error) => {
                let text = error.to_string();
                // Without the number of the system's error.
                write!(f, "{}", text.split(" (os error").next().unwrap_or(&text))
            }
            Self::Removed => write!(f, "the file was removed or replaced"),
        }
    }
}

impl std::error::Error for DataError {}

impl<E: Into<redb::Error>> From<E> for DataError {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

thread_local! {
    /// Whether a panic of this thread is caught and reported.
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Runs what may panic because a file is damaged. A panic is returned as an error and not printed.
pub(super) fn contain<T>(work: impl FnOnce() -> Result<T, DataError>) -> Result<T, DataError> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let default = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !CONTAINED.get() {
                default(info);
            }
        }));
    });
    let before = CONTAINED.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    CONTAINED.set(before);
    outcome.unwrap_or_else(|panic| Err(DataError::Damaged(message(&*panic))))
}

/// The first line of a panic's message.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    let text = text.unwrap_or("the database panicked");
    text.lines().next().unwrap_or(text).to_owned()
}
