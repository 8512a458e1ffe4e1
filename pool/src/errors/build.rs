//! The error of building a pool.

use std::fmt;
use std::io;

/// Why a pool or subpool could not be built.
///
/// ```
/// let built = anthill::Pool::builder().threads(4..=2).build();
/// assert!(matches!(built, Err(anthill::BuildError::NoThreads { min: 4, max: 2 })));
/// ```
#[non_exhaustive]
#[derive(Debug)]
pub enum BuildError {
    /// `capacity(0)`: the pool could never accept a task.
    ZeroCapacity,
    /// The range of threads is empty, or allows no thread.
    NoThreads {
        /// The start of the range.
        min: usize,
        /// The end of the range.
        max: usize,
    },
    /// More threads than a pool supports.
    TooManyThreads {
        /// The end of the range.
        asked: usize,
        /// The most threads that a pool supports.
        limit: usize,
    },
    /// `threads(0)` for a subpool: none of its closures could ever run.
    ZeroThreads,
    /// A pool of no shards: it could never accept a task.
    ZeroShards,
    /// `sample_times(0)`: no task would be measured. Omit the setting to turn sampling off.
    ZeroSampling,
    /// A thread name must not contain a zero byte.
    InvalidName(String),
    /// The system refused to start one of the minimum threads.
    Thread(io::Error),
    /// The [reactor](crate::Builder::reactor) returned an error.
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
            Self::InvalidName(name) => write!(f, "name {name:?} contains a zero byte; remove it"),
            Self::Thread(_) => f.write_str("cannot start a thread of the pool"),
            Self::Reactor(_) => f.write_str("cannot make the reactor of the pool"),
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
