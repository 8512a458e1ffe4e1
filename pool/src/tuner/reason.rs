//! Why a limit is moved.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// Why a limit is moved, in a form for programs; [`Display`](fmt::Display) has it for people.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// The load has reached another step.
    Load {
        /// How much there is to do, from 0 to 1.
        score: f64,
    },
    /// Tasks take as long as they used to: there may be room.
    Room {
        /// How long they take.
        latency: Duration,
        /// How long they used to.
        usual: Duration,
    },
    /// Tasks take longer than they used to: something is crowded.
    Crowded {
        /// How long they take.
        latency: Duration,
        /// How long they used to.
        usual: Duration,
    },
    /// A change is tried for what it does to the throughput.
    Trial,
    /// More threads do more.
    MoreHelps {
        /// By how much, as a share of the throughput, for a share of the threads.
        slope: f64,
    },
    /// More threads do no more, or less.
    MoreHinders {
        /// By how much, as a share of the throughput, for a share of the threads.
        slope: f64,
    },
    /// The limit was outside of the bounds.
    Bounds,
    /// A policy's own.
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
            Self::Trial => write!(f, "a trial"),
            Self::MoreHelps { slope } => write!(f, "more threads do more: slope {slope:.2}"),
            Self::MoreHinders { slope } => write!(f, "more threads do no more: slope {slope:.2}"),
            Self::Bounds => write!(f, "it was out of bounds"),
            Self::Other(reason) => write!(f, "{reason}"),
        }
    }
}
