//! Several pools behind one handle.

mod balance;
mod handle;
mod shutdown;

pub use balance::Balance;
pub use handle::MultiPool;
pub use shutdown::MultiShutdown;
