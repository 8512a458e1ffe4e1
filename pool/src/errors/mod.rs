//! Errors.

mod build;
mod error;

pub use build::BuildError;
pub use error::{
    JoinError, MultiShutdownError, ReopenError, RunError, ShutdownError, SlotError, SubmitError,
    Unfinished,
};
