//! Several pools behind one handle.

mod balance;
mod handle;

pub use balance::Balance;
pub use handle::MultiPool;
