//! Implements traits of other crates for the pool, each with a feature.

#[cfg(feature = "futures")]
mod futures;
#[cfg(feature = "hyper")]
mod hyper;
#[cfg(feature = "tower")]
mod tower;

#[cfg(feature = "tower")]
pub use tower::{PoolLayer, PoolResponse, PoolService};
