//! What is counted and measured.

#[cfg(feature = "tracing")]
mod console;
mod histogram;
mod names;
mod sampling;
mod stats;
pub(crate) mod trace;

pub use histogram::Histogram;
pub(crate) use names::Names;
pub use sampling::Times;
pub(crate) use sampling::{Sample, SampledJob, Sampler};
pub use stats::Stats;
pub(crate) use stats::{Counter, Rejections, Tally, ThreadCounters};
