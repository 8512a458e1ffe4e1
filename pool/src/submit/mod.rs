//! Ways to submit a task, the same for every handle.

mod reserve;
mod run;
mod slot;
mod verbs;

pub use reserve::Reserve;
pub use run::Run;
pub use slot::Slot;
