//! Counters by label, found by index instead of hash.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

/// Something of few values, which things are counted by.
pub(crate) trait Label: Copy + fmt::Debug + Send + Sync + 'static {
    /// What a value says of what is counted, like `reason`.
    const KEY: &'static str;
    /// The name of each value, or of several that are counted together.
    fn names() -> impl Iterator<Item = &'static str>;

    /// Where the value's name stands among [`names`](Self::names).
    fn place(self) -> usize;
}

/// A counter for each value of `L`; all show from the start, as 0.
#[derive(Clone, Debug)]
pub(crate) struct Counts<L> {
    counters: Arc<[AtomicU64]>,
    by: PhantomData<L>,
}

impl<L: Label> Counts<L> {
    pub(crate) fn inc(&self, value: L) {
        self.inc_by(value, 1);
    }

    pub(crate) fn inc_by(&self, value: L, count: usize) {
        self.counters[value.place()].fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn sum(&self) -> u64 {
        self.iter().map(|(_, count)| count).sum()
    }

    /// The names of the values, and how often they were counted.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.counters.iter();
        L::names().zip(counts.map(|count| count.load(Ordering::Relaxed)))
    }
}

impl<L: Label> Default for Counts<L> {
    fn default() -> Self {
        Self {
            counters: L::names().map(|_| AtomicU64::new(0)).collect(),
            by: PhantomData,
        }
    }
}

impl<L: Label> EncodeMetric for Counts<L> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (name, count) in self.iter() {
            let label = [(L::KEY, name)];
            ConstCounter::new(count).encode(encoder.encode_family(&label)?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}
