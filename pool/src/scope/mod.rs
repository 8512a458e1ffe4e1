//! Tasks that borrow.

mod gathering;
mod handle;

pub use handle::Scope;
