//! What is wrong with settings.

use std::fmt;
use std::io;

/// A setting that no pool can have.
///
/// ```
/// let built = anthill::Pool::builder().threads(4..=2).build();
/// assert!(matches!(built, Err(anthill::BuildError::NoThreads { min: 4, max: 2 })));
/// ```
#[non_exhaustive]
#[derive(Debug)]
pub enum BuildError {
    /// `capacity(0)`: nothing could ever be accepted.
    ZeroCapacity,
    /// The range of threads is empty, or allows no thread at all.
    NoThreads {
        /// The fewest that were asked for.
        min: usize,
        /// The most that were asked for.
        max: usize,
    },
    /// More threads than a pool can have.
    TooManyThreads {
        /// The most that were asked for.
        asked: usize,
        /// The most that there can be.
        limit: usize,
    },
    /// `threads(0)` for a subpool: none of its closures could ever run.
    ZeroThreads,
    /// A pool of no shards: nothing could ever be accepted.
    ZeroShards,
    /// `sample_times(0)`: measuring one of no tasks. Leave the setting out to measure none.
    ZeroSampling,
    /// A name with a zero byte in it cannot be given to a thread.
    InvalidName(String),
    /// One of the threads that are to be there from the beginning did not start.
    Thread(io::Error),
    /// The [reactor](crate::Builder::reactor) could not be made.
    Reactor(io::Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroCapacity => f.write_str("a capacity of 0 accepts no task; use 1 or more"),
            Self::NoThreads { min, max } => {
                write!(
                    f,
                    "threads({min}..={max}) holds no thread to run tasks; use at least 0..=1"
                )
            }
            Self::TooManyThreads { asked, limit } => {
                write!(
                    f,
                    "{asked} threads were asked for; a pool has {limit} at most"
                )
            }
            Self::ZeroThreads => f.write_str(
                "threads(0) lets no closure of the subpool run; use 1 or more, or leave it out for no limit",
            ),
            Self::ZeroShards => f.write_str("a pool of 0 shards accepts no task; use 1 or more"),
            Self::ZeroSampling => {
                f.write_str("sample_times(0) measures no task; use 1 or more, or leave it out")
            }
            Self::InvalidName(name) => write!(f, "the name {name:?} has a zero byte in it"),
            Self::Thread(_) => f.write_str("a thread of the pool did not start"),
            Self::Reactor(_) => f.write_str("the reactor could not be made"),
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Thread(error) | Self::Reactor(error) => Some(error),
            _ => None,
        }
    }
}
