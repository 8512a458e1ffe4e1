//! The handles that users hold.

mod builder;
mod closing;
mod guard;
mod handle;
mod hooks;
#[cfg(feature = "metrics")]
mod metrics;
mod shutdown;
mod subpool;
#[cfg(feature = "tokio")]
mod tokio_reactor;
mod worker_local;

pub use builder::Builder;
pub use guard::ShutdownOnDrop;
pub use handle::Pool;
pub use shutdown::Shutdown;
pub use subpool::SubpoolBuilder;
pub use worker_local::{WorkerLocal, worker_index};
