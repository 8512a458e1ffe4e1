//! Results of tasks.

pub(crate) mod handle;
mod helper;
mod packet;
mod watch;

pub use handle::JoinHandle;
pub(crate) use helper::Helper;
pub(crate) use watch::Watch;
