//! The samples that a policy gets.

use std::time::{Duration, Instant};

use super::{Failures, READINGS, Target};
use crate::figures::Stats;

/// Samples of fewer tasks give no latency.
const MIN_TASKS: u64 = 10;

/// What a pool did during a short time.
///
/// If the limit is the capacity, `ended`, `in_flight` and `waiting` are those of the tuner's pool
/// or subpool. `ended` and the latency then assume that each task has one slot. If the limit is the
/// threads, `ended` and `in_flight` are those of the pool and all of its subpools. `running`,
/// `queued` and `expired` always are.
///
/// ```
/// use std::time::Duration;
///
/// use anthill::tuner::Sample;
///
/// let sample = Sample {
///     elapsed: Duration::from_secs(2),
///     ended: 200,
///     in_flight: 10.0,
///     waiting: 5.0,
///     ..Sample::default()
/// };
/// assert_eq!(sample.throughput(), 100.0);
/// assert_eq!(sample.latency(), Some(Duration::from_millis(100)));
/// assert_eq!(sample.demand(), 15.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// The length of the sample.
    pub elapsed: Duration,
    /// Tasks that ended during the sample.
    pub ended: u64,
    /// Failures reported through [`Failures`] during the sample.
    pub failed: u64,
    /// Tasks that [expired](crate::Slot::expires_at) during the sample, in the pool and all of its
    /// subpools.
    pub expired: u64,
    /// Slots in use, on average. If the limit is the threads: tasks that run or are queued.
    pub in_flight: f64,
    /// Tasks that workers run, on average.
    pub running: f64,
    /// Tasks that are ready and wait for a worker, on average.
    pub queued: f64,
    /// Submitters that wait for a slot, on average.
    pub waiting: f64,
    /// The limit at the end of the sample.
    pub limit: usize,
    /// How busy the machine is.
    pub probe: Probe,
}

/// How busy the machine is, as shares from 0 to 1; `None` if unknown.
///
/// ```
/// use anthill::tuner::{Probe, Stepped};
///
/// let probe = Probe { memory: Some(0.8), ..Probe::default() };
/// assert_eq!(probe.cpu, None);
/// let policy = Stepped::default().by(|sample| sample.probe.memory.unwrap_or(0.0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Probe {
    /// CPU time in use, of all processors.
    pub cpu: Option<f64>,
    /// Memory in use.
    pub memory: Option<f64>,
}

impl Sample {
    /// Returns the tasks that ended a second; 0 for an empty sample.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use anthill::tuner::Sample;
    ///
    /// let sample = Sample { elapsed: Duration::from_secs(2), ended: 50, ..Sample::default() };
    /// assert_eq!(sample.throughput(), 25.0);
    /// ```
    #[must_use]
    pub fn throughput(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 {
            self.ended as f64 / seconds
        } else {
            0.0
        }
    }

    /// Returns the mean time of a task in the pool, by Little's law. `None` if fewer than ten tasks
    /// ended.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use anthill::tuner::Sample;
    ///
    /// let second = Sample { elapsed: Duration::from_secs(1), ended: 50, ..Sample::default() };
    /// let sample = Sample { in_flight: 5.0, ..second };
    /// assert_eq!(sample.latency(), Some(Duration::from_millis(100)));
    /// ```
    #[must_use]
    pub fn latency(&self) -> Option<Duration> {
        self.time_of(self.in_flight)
    }

    /// Returns the mean time that a task runs on a worker. `None` if fewer than ten tasks ended.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use anthill::tuner::Sample;
    ///
    /// let second = Sample { elapsed: Duration::from_secs(1), ended: 50, ..Sample::default() };
    /// let sample = Sample { running: 2.0, ..second };
    /// assert_eq!(sample.task_time(), Some(Duration::from_millis(40)));
    /// ```
    #[must_use]
    pub fn task_time(&self) -> Option<Duration> {
        self.time_of(self.running)
    }

    /// Returns the mean time that a ready task waits for a worker. `None` if fewer than ten tasks
    /// ended.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use anthill::tuner::Sample;
    ///
    /// let second = Sample { elapsed: Duration::from_secs(1), ended: 50, ..Sample::default() };
    /// let sample = Sample { queued: 3.0, ..second };
    /// assert_eq!(sample.queue_age(), Some(Duration::from_millis(60)));
    /// ```
    #[must_use]
    pub fn queue_age(&self) -> Option<Duration> {
        self.time_of(self.queued)
    }

    /// Returns the tasks in the pool plus the submitters waiting for a slot.
    ///
    /// ```
    /// use anthill::tuner::Sample;
    ///
    /// let sample = Sample { in_flight: 4.0, waiting: 2.0, ..Sample::default() };
    /// assert_eq!(sample.demand(), 6.0);
    /// ```
    #[must_use]
    pub fn demand(&self) -> f64 {
        self.in_flight + self.waiting
    }

    fn time_of(&self, tasks: f64) -> Option<Duration> {
        // Mean time = mean number / rate: J. D. C. Little, "A Proof for the Queuing Formula L =
        // λW", 1961.
        let seconds = self.elapsed.as_secs_f64() * tasks.max(0.0) / self.ended as f64;
        let time = Duration::try_from_secs_f64(seconds).ok();
        time.filter(|_| self.ended >= MIN_TASKS)
    }
}

/// When the present sample began, and the counts by then.
#[derive(Clone, Copy)]
struct Begin {
    at: Instant,
    ended: u64,
    failed: u64,
    expired: u64,
}

/// Averages readings into samples.
pub(super) struct Meter {
    target: Target,
    pub(super) probe: Option<Box<dyn FnMut() -> Probe + Send>>,
    pub(super) failures: Failures,
    begin: Option<Begin>,
    readings: u32,
    sums: Sample,
}

impl Meter {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            probe: None,
            failures: Failures::default(),
            begin: None,
            readings: 0,
            sums: Sample::default(),
        }
    }

    /// Adds a reading, and returns the sample that it completes.
    pub(super) fn read(
        &mut self,
        stats: &Stats,
        now: Instant,
        limit: usize,
        interval: Duration,
    ) -> Option<Sample> {
        let (ended, in_flight) = match self.target {
            // Accepted tasks are counted for each entrance, ended tasks for the whole pool only.
            Target::Capacity => {
                let ended = stats.accepted.saturating_sub(stats.in_flight as u64);
                (ended, stats.in_flight)
            }
            Target::Threads => {
                let ended = stats.completed + stats.panicked + stats.cancelled;
                (ended, stats.running + stats.queued)
            }
        };
        let counts = Begin {
            at: now,
            ended,
            failed: self.failures.count(),
            expired: stats.expired,
        };
        let Some(begin) = self.begin else {
            self.begin = Some(counts);
            return None;
        };
        self.readings += 1;
        self.sums.in_flight += in_flight as f64;
        self.sums.running += stats.running as f64;
        self.sums.queued += stats.queued as f64;
        self.sums.waiting += stats.waiting as f64;
        let elapsed = now.saturating_duration_since(begin.at);
        // Ends a sample whose readings come late, or the sample would take several intervals.
        if self.readings < READINGS && elapsed < interval {
            return None;
        }
        let mean = |sum: f64| sum / f64::from(self.readings);
        let sample = Sample {
            elapsed,
            // Saturating, because the number falls while slots are held in reserve.
            ended: ended.saturating_sub(begin.ended),
            failed: counts.failed.saturating_sub(begin.failed),
            expired: counts.expired.saturating_sub(begin.expired),
            in_flight: mean(self.sums.in_flight),
            running: mean(self.sums.running),
            queued: mean(self.sums.queued),
            waiting: mean(self.sums.waiting),
            limit,
            probe: self.probe.as_mut().map(|probe| probe()).unwrap_or_default(),
        };
        (self.begin, self.readings) = (Some(counts), 0);
        self.sums = Sample::default();
        Some(sample)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(accepted: u64, in_flight: usize, queued: usize) -> Stats {
        Stats {
            accepted,
            in_flight,
            queued,
            running: in_flight - queued,
            ..Stats::default()
        }
    }

    #[test]
    fn sample_is_the_mean_of_ten_readings() {
        let (mut meter, start) = (Meter::new(Target::Capacity), Instant::now());
        let second = Duration::from_secs(1);
        let mut read = |tick: u32, stats: &Stats| {
            let now = start + second / READINGS * tick;
            meter.read(stats, now, 64, second)
        };
        assert_eq!(read(0, &stats(100, 20, 4)), None);
        for tick in 1..READINGS {
            assert_eq!(read(tick, &stats(100, 40, 30)), None);
        }
        let sample = read(READINGS, &stats(300, 40, 30)).expect("a sample");
        assert_eq!(
            (sample.elapsed, sample.ended, sample.limit),
            (second, 180, 64)
        );
        assert!((sample.in_flight - 40.0).abs() < 1e-9, "{sample:?}");
        assert!((sample.throughput() - 180.0).abs() < 1e-9);
        assert_eq!(sample.latency(), Some(second.mul_f64(40.0 / 180.0)));
        assert_eq!(sample.queue_age(), Some(second.mul_f64(30.0 / 180.0)));
        assert_eq!(sample.task_time(), Some(second.mul_f64(10.0 / 180.0)));
    }

    #[test]
    fn late_reading_completes_a_sample() {
        let (mut meter, start) = (Meter::new(Target::Threads), Instant::now());
        let second = Duration::from_secs(1);
        assert_eq!(meter.read(&Stats::default(), start, 4, second), None);
        let late = Stats {
            completed: 30,
            panicked: 2,
            cancelled: 1,
            ..Stats::default()
        };
        let sample = meter.read(&late, start + 3 * second, 4, second);
        let sample = sample.expect("a sample");
        assert_eq!((sample.elapsed, sample.ended), (3 * second, 33));
    }

    #[test]
    fn sample_counts_failures_and_expired_tasks() {
        let (mut meter, start) = (Meter::new(Target::Capacity), Instant::now());
        let second = Duration::from_secs(1);
        let failures = meter.failures.clone();
        let mut read = |seconds: u32, expired| {
            let stats = Stats {
                expired,
                ..Stats::default()
            };
            let sample = meter.read(&stats, start + second * seconds, 4, second);
            sample.map(|sample| (sample.failed, sample.expired))
        };
        failures.report();
        assert_eq!(read(0, 5), None);
        failures.report();
        failures.report();
        assert_eq!(read(1, 8), Some((2, 3)), "since the first reading");
        assert_eq!(read(2, 8), Some((0, 0)));
    }

    #[test]
    fn few_tasks_give_no_latency() {
        let sample = Sample {
            elapsed: Duration::from_secs(1),
            ended: MIN_TASKS - 1,
            in_flight: 5.0,
            ..Sample::default()
        };
        assert_eq!(sample.latency(), None);
    }
}
