//! Ordered, bounded, lazy parallel map over iterators and streams.

mod chunks;
mod iter;
#[cfg(feature = "stream")]
mod stream;

pub use iter::Map;
#[cfg(feature = "stream")]
pub use stream::MapStream;
