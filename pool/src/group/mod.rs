//! Waiting for many tasks together.

mod handle;
mod members;
mod results;

pub use handle::Group;
pub use results::{GroupError, GroupResults};
