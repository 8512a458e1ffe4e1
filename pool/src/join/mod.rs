//! Results of tasks.

mod handle;
mod helper;
mod packet;
mod resting;
mod tasks;
mod watch;

pub use handle::JoinHandle;
pub(crate) use helper::Helper;
pub(crate) use tasks::{closure, future};
pub(crate) use watch::Watch;
