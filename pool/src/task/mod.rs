//! What a worker runs.

mod dynamic;
mod end;
mod erased;
mod large;
mod limit;
mod panic;
pub(crate) mod unwind;

pub(crate) use dynamic::{AnyJob, DynJob};
pub(crate) use end::{End, Job, NoTurn, Output, Turn};
pub(crate) use erased::{Task, Work};
pub(crate) use large::{Boxed, Either, is_large};
pub(crate) use limit::{ExpiresAt, Limit, NoLimit};
pub use panic::TaskPanic;
pub(crate) use unwind::Payload;
