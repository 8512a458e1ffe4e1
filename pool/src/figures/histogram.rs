//! A concurrent histogram of durations.

use std::time::Duration;

use crate::sync::atomic::{AtomicU64, Ordering};

/// Splits each power of two into 2^`SPLIT` buckets. A bucket is at most an eighth of its lower
/// bound wide.
const SPLIT: u32 = 3;

/// Enough for any 64-bit number of nanoseconds.
const BUCKETS: usize = (64 - SPLIT as usize + 1) << SPLIT;

/// Returns the bucket of a value: its highest bit and the next [`SPLIT`] bits. The layout is that
/// of [HdrHistogram](https://hdrhistogram.org).
fn bucket(nanos: u64) -> usize {
    if nanos < 1 << SPLIT {
        return usize::try_from(nanos).unwrap_or(0);
    }
    let shift = nanos.ilog2() - SPLIT;
    let within = (nanos >> shift) - (1 << SPLIT);
    ((shift as usize + 1) << SPLIT) + usize::try_from(within).unwrap_or(0)
}

/// Returns the largest value of a bucket.
fn upper(bucket: usize) -> u64 {
    let (row, within) = (bucket >> SPLIT, (bucket & ((1 << SPLIT) - 1)) as u64);
    match row.checked_sub(1) {
        None => within,
        Some(shift) => ((within + (1 << SPLIT)) << shift) | ((1 << shift) - 1),
    }
}

/// Counts durations from many threads.
pub(crate) struct Recorder {
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self {
            buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }
    }

    pub(crate) fn record(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        // Relaxed: the counters are independent, and a snapshot need not be of one instant.
        self.buckets[bucket(nanos)].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Histogram {
        let counts: Box<[u64]> = self
            .buckets
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .collect();
        Histogram {
            count: counts.iter().sum(),
            sum: self.sum.load(Ordering::Relaxed),
            counts,
        }
    }
}

/// A histogram of durations, from [`Times`](crate::Times). Each duration is recorded with an error
/// of at most an eighth.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().sample_times(1).build()?;
/// for n in 0..100 {
///     pool.submit(move || _ = std::hint::black_box(n))?;
/// }
/// pool.shutdown().wait()?;
/// let run = pool.times().expect("sampling is on").run;
/// println!("median {:?}, slowest {:?}", run.quantile(0.5), run.quantile(1.0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    counts: Box<[u64]>,
    count: u64,
    sum: u64,
}

impl Histogram {
    /// Returns the number of recorded durations.
    ///
    /// ```
    /// # fn main() -> Result<(), anthill::BuildError> {
    /// # let pool = anthill::Pool::builder().sample_times(1).build()?;
    /// # let times = pool.times().unwrap();
    /// assert_eq!(times.run.count(), 0); // nothing has run yet
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns the mean; zero if the histogram is empty.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().sample_times(1).build()?;
    /// # let times = pool.times().unwrap();
    /// // The time that workers spent on the measured tasks.
    /// let busy = times.run.mean() * u32::try_from(times.run.count())?;
    /// # assert!(busy.is_zero());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn mean(&self) -> Duration {
        Duration::from_nanos(self.sum.checked_div(self.count).unwrap_or(0))
    }

    /// Returns the duration that this share of the durations does not exceed, rounded up by at most
    /// an eighth.
    ///
    /// `quantile` is clamped to the range from 0 to 1. Returns zero if the histogram is empty.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = anthill::Pool::builder().sample_times(1).build()?;
    /// # let times = pool.times().unwrap();
    /// let slowest_of_a_hundred = times.run.quantile(0.99);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Duration {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it lies between 0 and the count"
        )]
        let rank = (quantile.clamp(0.0, 1.0) * self.count as f64).ceil() as u64;
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank.max(1)
        });
        Duration::from_nanos(bucket.map_or(0, upper))
    }
}

#[cfg(all(test, not(anthill_loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_within_its_bucket() {
        let near_powers = (0..64).flat_map(|bit| {
            let power = 1_u64 << bit;
            [power - 1, power, power + 1, power + power / 3]
        });
        for nanos in (0..10_000).chain(near_powers).chain([u64::MAX]) {
            let bucket = bucket(nanos);
            assert!(bucket < BUCKETS, "{nanos}");
            let upper = upper(bucket);
            assert!(nanos <= upper, "{nanos} is above {upper}");
            assert!(upper - nanos <= nanos / 8, "{nanos} is far below {upper}");
        }
    }

    #[test]
    fn quantile_is_at_most_an_eighth_too_high() {
        let recorder = Recorder::new();
        for millis in 1..=1000 {
            recorder.record(Duration::from_millis(millis));
        }
        let times = recorder.snapshot();
        assert_eq!(times.count(), 1000);
        assert_eq!(times.mean(), Duration::from_micros(500_500));
        for (quantile, millis) in [(0.0, 1), (0.5, 500), (0.99, 990), (1.0, 1000)] {
            let exact = Duration::from_millis(millis);
            let found = times.quantile(quantile);
            assert!(exact <= found && found <= exact * 9 / 8, "{found:?}");
        }
    }

    #[test]
    fn empty_histogram_is_zero() {
        let times = Recorder::new().snapshot();
        assert_eq!((times.mean(), times.quantile(0.5)), Default::default());
    }
}
