//! A policy that follows the throughput.

use std::collections::VecDeque;
use std::f64::consts::TAU;
use std::ops::{Add, Mul, RangeInclusive};
use std::time::Duration;

use super::policy::{Policy, Proposal, whole};
use super::reason::Reason;
use super::sample::Sample;

/// Samples in one wave of the limit: half of them high, half of them low.
const PERIOD: usize = 4;
/// Waves that are analysed together.
const WAVES: usize = 8;
const HISTORY: usize = PERIOD * WAVES;
/// The largest amplitude of a wave, in threads.
const MAX_WAVE: f64 = 20.0;
/// What more threads must gain, as a share of their own share, because threads are not free.
const BIAS: f64 = 0.15;
/// The ratio of signal to noise from which the signal is trusted in full.
const SIGNAL_TO_NOISE: f64 = 3.0;
/// The most threads to add for each second of a sample.
const MAX_STEP_PER_SECOND: f64 = 4.0;
/// The most threads to add at once.
const MAX_STEP: f64 = 20.0;
/// Weight of the newest noise in the average.
const NOISE_WEIGHT: f64 = 0.01;
/// Samples are joined until the counting error, at worst one task a thread, is below this share.
const MAX_COUNT_ERROR: f64 = 0.15;
/// Above this CPU utilization more threads do not help, whatever the throughput says.
const MAX_CPU: f64 = 0.95;

/// Moves the limit in small waves and follows what raises the throughput. It is made for the number
/// of threads.
///
/// The policy raises and lowers the limit a little, sample by sample, and looks for that rhythm in
/// the throughput. It climbs where more threads raise the throughput, and descends where they do
/// not. It needs some hundred tasks a second. The limit never rests: the waves are
/// [trials](super::Reason::Trial), the steps are not.
///
/// The algorithm is that of .NET's thread pool: J. L. Hellerstein, V. Morrison, E. Eilebrecht,
/// "Optimizing Concurrency Levels in the .NET `ThreadPool`", CMG 2008, with the constants of [its
/// source](https://github.com/dotnet/runtime/blob/main/src/libraries/System.Private.CoreLib/src/System/Threading/PortableThreadPool.HillClimbing.cs).
///
/// ```
/// use anthill::Pool;
/// use anthill::tuner::{Control, HillClimbing, Target, Tuner};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::builder().threads(0..=8).build()?;
/// let control = Control::new(HillClimbing::default()).bounds(2..=64);
/// let tuner = Tuner::new(&pool, Target::Threads, control);
/// let tuning = tuner.start(|change| println!("threads {change}"))?;
/// # drop(tuning);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct HillClimbing {
    /// The limit without its wave; `None` before the first sample.
    center: Option<f64>,
    wave: f64,
    noise: f64,
    /// The newest limits and throughputs, at most `HISTORY`.
    history: VecDeque<(f64, f64)>,
    samples: usize,
    /// Tasks ended in samples that were too small to use alone.
    ended: u64,
    elapsed: Duration,
}

/// What the history shows.
struct Slope {
    /// The relative gain in throughput for a relative gain in threads, less the bias.
    real: f64,
    /// How far `real` can be trusted, from 0 to 1.
    confidence: f64,
}

impl HillClimbing {
    fn slope(&mut self) -> Option<Slope> {
        let waves = self.history.len() / PERIOD;
        let count = waves * PERIOD;
        // Fewer waves have no neighbouring frequencies to compare with.
        if waves < 2 {
            return None;
        }
        let newest = self.history.range(self.history.len() - count..);
        let (limits, throughputs): (Vec<_>, Vec<_>) = newest.copied().unzip();
        let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
        let (limit, throughput) = (mean(&limits), mean(&throughputs));
        if limit <= 0.0 || throughput <= 0.0 {
            return None;
        }
        let rhythm = |of: &[f64], mean: f64, period: f64| fourier_term(of, period) * (1.0 / mean);
        let period = PERIOD as f64;
        let of_limits = rhythm(&limits, limit, period);
        let of_throughputs = rhythm(&throughputs, throughput, period);
        // The limit has no wave at these frequencies, so what is there is noise.
        let noise = [waves + 1, waves - 1]
            .map(|waves| count as f64 / waves as f64)
            .map(|period| rhythm(&throughputs, throughput, period).length())
            .into_iter()
            .fold(0.0, f64::max);
        self.noise = if self.noise > 0.0 {
            self.noise + NOISE_WEIGHT * (noise - self.noise)
        } else {
            noise
        };
        let signal = of_limits.length();
        if signal.is_nan() || signal <= 0.0 {
            return None;
        }
        // The real part of the quotient: the part of the throughput in phase with the limits.
        let real = of_throughputs.dot(of_limits) / (signal * signal) - BIAS;
        let noise = self.noise.max(noise);
        let confidence = if noise > 0.0 {
            (signal / noise / SIGNAL_TO_NOISE).min(1.0)
        } else {
            1.0
        };
        Some(Slope { real, confidence })
    }
}

impl Policy for HillClimbing {
    fn propose(&mut self, sample: &Sample, bounds: &RangeInclusive<usize>) -> Option<Proposal> {
        self.ended = self.ended.saturating_add(sample.ended);
        self.elapsed = self.elapsed.saturating_add(sample.elapsed);
        let limit = sample.limit as f64;
        if self.ended == 0 || (limit - 1.0) / self.ended as f64 >= MAX_COUNT_ERROR {
            return None;
        }
        let seconds = std::mem::take(&mut self.elapsed).as_secs_f64();
        let throughput = std::mem::take(&mut self.ended) as f64 / seconds.max(f64::MIN_POSITIVE);
        self.history.push_back((limit, throughput));
        if self.history.len() > HISTORY {
            self.history.pop_front();
        }
        self.samples += 1;

        let slope = self.slope();
        let mut center = self.center.unwrap_or(limit);
        let before = whole(center);
        let mut real = 0.0;
        if let Some(slope) = slope {
            real = slope.real;
            let pull = real.clamp(-1.0, 1.0) * slope.confidence;
            // Squared, because small slopes are usually noise.
            let step = pull * pull.abs() * MAX_STEP_PER_SECOND * seconds;
            let busy = sample.probe.cpu.is_some_and(|cpu| cpu > MAX_CPU);
            if step < 0.0 || !busy {
                center += step.min(MAX_STEP);
            }
        }
        // High enough to exceed the noise.
        let wave = (center * self.noise * SIGNAL_TO_NOISE * 2.0).round();
        self.wave = wave.clamp(1.0, MAX_WAVE);
        let (lowest, highest) = (*bounds.start() as f64, *bounds.end() as f64);
        let center = center.min(highest - self.wave).max(lowest);
        self.center = Some(center);

        let high = (self.samples / (PERIOD / 2)) % 2 == 1;
        let limit = center + if high { self.wave } else { 0.0 };
        let moved = whole(center) != before;
        let reason = match real {
            _ if !moved => Reason::Trial,
            slope if slope > 0.0 => Reason::MoreHelps { slope },
            slope => Reason::MoreHinders { slope },
        };
        Some(Proposal {
            // A delayed change would break the rhythm.
            at_once: true,
            ..Proposal::new(limit, reason)
        })
    }
}

/// A complex number.
#[derive(Clone, Copy, Debug, Default)]
struct Complex {
    real: f64,
    imaginary: f64,
}

impl Complex {
    fn length(self) -> f64 {
        self.real.hypot(self.imaginary)
    }

    fn dot(self, other: Self) -> f64 {
        self.real * other.real + self.imaginary * other.imaginary
    }
}

impl Add for Complex {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            real: self.real + other.real,
            imaginary: self.imaginary + other.imaginary,
        }
    }
}

impl Mul<f64> for Complex {
    type Output = Self;

    fn mul(self, factor: f64) -> Self {
        Self {
            real: self.real * factor,
            imaginary: self.imaginary * factor,
        }
    }
}

/// Returns the term of the values' Fourier transform with this period.
fn fourier_term(values: &[f64], period: f64) -> Complex {
    let term = |(at, value): (usize, &f64)| {
        let (sine, cosine) = (TAU * at as f64 / period).sin_cos();
        let real = value * cosine;
        let imaginary = -value * sine;
        Complex { real, imaginary }
    };
    let sum = values.iter().enumerate().map(term);
    sum.fold(Complex::default(), Add::add) * (1.0 / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the limit after `samples` samples of half a second. `throughput` gives the tasks a
    /// second for a number of threads.
    fn climb(throughput: impl Fn(usize) -> f64, begin: usize, samples: usize, cpu: f64) -> usize {
        let mut policy = HillClimbing::default();
        let mut limit = begin;
        for _ in 0..samples {
            let mut sample = Sample {
                elapsed: Duration::from_millis(500),
                ended: whole(throughput(limit) / 2.0) as u64,
                limit,
                ..Sample::default()
            };
            sample.probe.cpu = Some(cpu);
            if let Some(proposal) = policy.propose(&sample, &(2..=64)) {
                limit = proposal.limit;
            }
        }
        limit
    }

    #[test]
    fn limit_climbs_while_threads_raise_the_throughput() {
        let linear = |threads: usize| threads as f64 * 100.0;
        assert!(climb(linear, 4, 200, 0.1) >= 60);
    }

    #[test]
    fn limit_descends_while_threads_gain_nothing() {
        assert!(climb(|_| 2000.0, 40, 1000, 0.1) <= 6);
    }

    #[test]
    fn limit_stays_near_the_best_throughput() {
        // The throughput is highest with twenty threads.
        let hill = |threads: usize| {
            let threads = threads as f64;
            200.0 * threads.min(20.0) - 50.0 * (threads - 20.0).max(0.0)
        };
        for begin in [4, 20, 50] {
            let end = climb(hill, begin, 600, 0.1);
            assert!((15..=26).contains(&end), "{begin} -> {end}");
        }
    }

    #[test]
    fn busy_processors_get_no_more_threads() {
        let linear = |threads: usize| threads as f64 * 100.0;
        assert!(climb(linear, 8, 200, 0.99) <= 10);
    }

    #[test]
    fn small_samples_are_joined() {
        let mut policy = HillClimbing::default();
        let small = Sample {
            elapsed: Duration::from_secs(1),
            ended: 10,
            limit: 8,
            ..Sample::default()
        };
        let proposed: Vec<_> = (0..10)
            .map(|_| policy.propose(&small, &(1..=64)).is_some())
            .collect();
        assert_eq!(proposed.iter().filter(|proposed| **proposed).count(), 2);
        assert_eq!(policy.history.back(), Some(&(8.0, 10.0)));
    }

    #[test]
    fn fourier_term_selects_one_frequency() {
        let values: Vec<f64> = (0..32).map(|at| f64::from(u8::from(at % 4 < 2))).collect();
        assert!(fourier_term(&values, 4.0).length() > 0.3);
        assert!(fourier_term(&values, 8.0).length() < 1e-9);
        assert!(fourier_term(&[3.0; 32], 4.0).length() < 1e-9);
    }
}
