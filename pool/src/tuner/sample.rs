//! What a policy is told.

use std::time::{Duration, Instant};

use super::{READINGS, Target};
use crate::stats::Stats;

/// Fewer tasks tell nothing of how long they take.
const FEW: u64 = 10;

/// What a pool did for a while.
///
/// Where the limit is the capacity, the figures are those of the pool that the tuner was given; where it is the threads,
/// they are those of the pool and its subpools together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// How long the while was.
    pub elapsed: Duration,
    /// Tasks that ended in it.
    pub ended: u64,
    /// Tasks in the pool, on average; where the limit is the threads, those that run or could.
    pub in_flight: f64,
    /// Tasks being run, on average.
    pub running: f64,
    /// Tasks that could run and waited for a worker, on average.
    pub queued: f64,
    /// Submitters that waited for a slot, on average.
    pub waiting: f64,
    /// The limit that held.
    pub limit: usize,
    /// What was known of the machine.
    pub probe: Probe,
}

/// How busy the machine is, as far as somebody knows: shares of what there is, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Probe {
    /// Processors.
    pub cpu: Option<f64>,
    /// Memory.
    pub memory: Option<f64>,
}

impl Sample {
    /// Tasks that ended in a second.
    #[must_use]
    pub fn throughput(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 {
            self.ended as f64 / seconds
        } else {
            0.0
        }
    }

    /// How long a task was in the pool, on average, by Little's law; `None` if too few ended, or the mean is not finite.
    #[must_use]
    pub fn latency(&self) -> Option<Duration> {
        self.time_of(self.in_flight)
    }

    /// How long a task ran, on average.
    #[must_use]
    pub fn task_time(&self) -> Option<Duration> {
        self.time_of(self.running)
    }

    /// How long a task waited for a worker, on average.
    #[must_use]
    pub fn queue_age(&self) -> Option<Duration> {
        self.time_of(self.queued)
    }

    /// Tasks that were there, or waited outside.
    #[must_use]
    pub fn demand(&self) -> f64 {
        self.in_flight + self.waiting
    }

    fn time_of(&self, tasks: f64) -> Option<Duration> {
        // As many at a time, so many a second: J. D. C. Little, "A Proof for the Queuing Formula L = λW", 1961.
        let seconds = self.elapsed.as_secs_f64() * tasks.max(0.0) / self.ended as f64;
        let time = Duration::try_from_secs_f64(seconds).ok();
        time.filter(|_| self.ended >= FEW)
    }
}

/// Makes samples of readings.
pub(super) struct Meter {
    target: Target,
    pub(super) probe: Option<Box<dyn FnMut() -> Probe + Send>>,
    /// When the present sample began, and how many had ended.
    begin: Option<(Instant, u64)>,
    readings: u32,
    sums: Sample,
}

impl Meter {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            probe: None,
            begin: None,
            readings: 0,
            sums: Sample::default(),
        }
    }

    /// Takes a reading; the sample that it completes.
    pub(super) fn read(
        &mut self,
        stats: &Stats,
        now: Instant,
        limit: usize,
        interval: Duration,
    ) -> Option<Sample> {
        let (ended, in_flight) = match self.target {
            // Counted at this entrance alone.
            Target::Capacity => {
                let ended = stats.accepted.saturating_sub(stats.in_flight as u64);
                (ended, stats.in_flight)
            }
            Target::Threads => {
                let ended = stats.completed + stats.panicked + stats.cancelled;
                (ended, stats.running + stats.queued)
            }
        };
        let Some((begun, ended_before)) = self.begin else {
            self.begin = Some((now, ended));
            return None;
        };
        self.readings += 1;
        self.sums.in_flight += in_flight as f64;
        self.sums.running += stats.running as f64;
        self.sums.queued += stats.queued as f64;
        self.sums.waiting += stats.waiting as f64;
        let elapsed = now.saturating_duration_since(begun);
        // A late reading must not make the sample longer by all those that were missed.
        if self.readings < READINGS && elapsed < interval {
            return None;
        }
        let mean = |sum: f64| sum / f64::from(self.readings);
        let sample = Sample {
            elapsed,
            // Slots that are held in reserve come and go, too.
            ended: ended.saturating_sub(ended_before),
            in_flight: mean(self.sums.in_flight),
            running: mean(self.sums.running),
            queued: mean(self.sums.queued),
            waiting: mean(self.sums.waiting),
            limit,
            probe: self.probe.as_mut().map(|probe| probe()).unwrap_or_default(),
        };
        (self.begin, self.readings) = (Some((now, ended)), 0);
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
    fn a_sample_is_of_ten_readings() {
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
    fn what_is_read_late_is_a_sample_at_once() {
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
    fn few_tasks_tell_no_time() {
        let sample = Sample {
            elapsed: Duration::from_secs(1),
            ended: FEW - 1,
            in_flight: 5.0,
            ..Sample::default()
        };
        assert_eq!(sample.latency(), None);
    }
}
