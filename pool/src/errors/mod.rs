//! Errors.

mod build;
mod error;

pub use build::BuildError;
pub use error::{
    JoinError, ReopenError, RunError, ShutdownError, SlotError, SubmitError, Unfinished,
};
