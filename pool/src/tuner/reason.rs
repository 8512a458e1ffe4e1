//! Why a limit is moved.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// Why a limit is moved, in a form for programs. [`Display`](fmt::Display) gives the text.
///
/// ```
/// use anthill::tuner::Reason;
///
/// assert_eq!(Reason::Load { score: 0.5 }.to_string(), "the load is 0.50");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// The load has reached another step.
    Load {
        /// The smoothed load, from 0 to 1.
        score: f64,
    },
    /// The latency is as usual, so there may be room for more.
    Room {
        /// The present latency.
        latency: Duration,
        /// The usual latency.
        usual: Duration,
    },
    /// The latency is above the usual one, so a resource is overloaded.
    Crowded {
        /// The present latency.
        latency: Duration,
        /// The usual latency.
        usual: Duration,
    },
    /// Many tasks failed.
    Failing {
        /// Failures in the sample.
        failures: u64,
        /// Tasks that ended in it.
        ended: u64,
    },
    /// Few tasks or none failed, so there may be room for more.
    FewFailures,
    /// The policy measures what a change does to the throughput.
    Trial,
    /// More threads raise the throughput.
    MoreHelps {
        /// Relative gain in throughput for a relative gain in threads.
        slope: f64,
    },
    /// More threads leave the throughput as it is, or lower it.
    MoreHinders {
        /// Relative gain in throughput for a relative gain in threads.
        slope: f64,
    },
    /// The limit was outside the bounds.
    Bounds,
    /// A policy's own reason.
    Other(Cow<'static, str>),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load { score } => write!(f, "the load is {score:.2}"),
            Self::Room { latency, usual } => {
                write!(f, "tasks take {latency:.1?}, and {usual:.1?} as a rule")
            }
            Self::Crowded { latency, usual } => {
                write!(f, "tasks take {latency:.1?} instead of {usual:.1?}")
            }
            Self::Failing { failures, ended } => {
                write!(f, "{failures} failures in {ended} tasks")
            }
            Self::FewFailures => write!(f, "few tasks fail"),
            Self::Trial => write!(f, "a trial"),
            Self::MoreHelps { slope } => write!(f, "more threads do more: slope {slope:.2}"),
            Self::MoreHinders { slope } => write!(f, "more threads do no more: slope {slope:.2}"),
            Self::Bounds => write!(f, "it was out of bounds"),
            Self::Other(reason) => write!(f, "{reason}"),
        }
    }
}
