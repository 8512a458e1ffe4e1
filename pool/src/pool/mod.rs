//! The handles that users hold.

mod builder;
mod handle;
#[cfg(feature = "metrics")]
mod metrics;
mod shutdown;
mod subpool;
#[cfg(feature = "tokio")]
mod tokio_reactor;

pub use builder::Builder;
pub use handle::Pool;
pub use shutdown::{Shutdown, ShutdownOnDrop};
pub use subpool::SubpoolBuilder;
#[cfg(feature = "tokio")]
pub use tokio_reactor::TokioReactor;
