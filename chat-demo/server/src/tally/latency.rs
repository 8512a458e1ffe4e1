//! Latencies: all of them for Prometheus, the last seconds for the dashboard.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram as Recent;
use parking_lot::Mutex;
use prometheus_client::metrics::histogram::Histogram;

use crate::clock::micros;

/// The upper bounds of what Prometheus gets, in seconds.
const BUCKETS: [f64; 18] = [
    0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1,
    0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// The quantiles are those of this time at least, and of twice as much at most.
const HALF: Duration = Duration::from_secs(10);
/// The longest distinguishable time.
const LONGEST: Duration = Duration::from_secs(60);
const DIGITS: u8 = 2;

/// Times that were measured. Recording takes two short locks, so it is for what happens once a
/// publish.
#[derive(Clone)]
pub(crate) struct Latency {
    /// Of all time.
    pub(crate) histogram: Histogram,
    window: Arc<Mutex<Window>>,
}

impl Latency {
    /// Notes what began then and has ended now.
    pub(crate) fn record(&self, began: Instant) {
        let now = Instant::now();
        let time = now - began;
        self.histogram.observe(time.as_secs_f64());
        self.window.lock().record(time, now);
    }

    /// Returns the percentiles 50, 99 and 99.9 of the last 10 to 20 seconds; zero without any.
    pub(crate) fn quantiles(&self) -> [Duration; 3] {
        let (newer, older) = {
            let mut window = self.window.lock();
            window.turn(Instant::now());
            (window.newer.clone(), window.older.clone())
        };
        quantiles(newer, &older)
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            histogram: Histogram::new(BUCKETS),
            window: Arc::new(Mutex::new(Window::new(Instant::now()))),
        }
    }
}

/// Two histograms by turns, in microseconds.
struct Window {
    newer: Recent<u32>,
    older: Recent<u32>,
    /// When the newer was begun.
    since: Instant,
}

impl Window {
    fn new(now: Instant) -> Self {
        let empty = || {
            Recent::new_with_max(micros(LONGEST), DIGITS).expect("a range and digits that it takes")
        };
        Self {
            newer: empty(),
            older: empty(),
            since: now,
        }
    }

    fn record(&mut self, time: Duration, now: Instant) {
        self.turn(now);
        self.newer.saturating_record(micros(time));
    }

    /// Forgets what is too old.
    fn turn(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.since);
        if age < HALF {
            return;
        }
        mem::swap(&mut self.newer, &mut self.older);
        self.newer.reset();
        if age >= 2 * HALF {
            self.older.reset();
        }
        self.since = now;
    }
}

fn quantiles(mut all: Recent<u32>, older: &Recent<u32>) -> [Duration; 3] {
    all.add(older).expect("both are made alike");
    [0.5, 0.99, 0.999].map(|quantile| Duration::from_micros(all.value_at_quantile(quantile)))
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Window {
        fn p50_millis(&mut self, now: Instant) -> u128 {
            self.turn(now);
            quantiles(self.newer.clone(), &self.older)[0].as_millis()
        }
    }

    #[test]
    fn values_older_than_two_halves_expire() {
        let start = Instant::now();
        let mut window = Window::new(start);
        assert_eq!(window.p50_millis(start), 0);
        window.record(Duration::from_millis(10), start);
        assert_eq!(window.p50_millis(start + HALF), 10);
        window.record(Duration::from_millis(80), start + HALF);
        window.record(Duration::from_millis(80), start + HALF);
        assert_eq!(window.p50_millis(start + HALF), 80);
        assert_eq!(window.newer.len() + window.older.len(), 3);
        assert_eq!(window.p50_millis(start + 2 * HALF), 80);
        assert_eq!(window.newer.len() + window.older.len(), 2);
        window.record(Duration::from_millis(80), start + 2 * HALF);
        assert_eq!(window.p50_millis(start + 4 * HALF), 0);
    }

    #[test]
    fn quantiles_cover_recent_values_up_to_the_longest() {
        let start = Instant::now();
        let mut window = Window::new(start);
        for _ in 0..97 {
            window.record(Duration::from_millis(1), start);
        }
        for _ in 0..3 {
            window.record(Duration::from_secs(3600), start + HALF);
        }
        let [p50, p99, p999] = quantiles(window.newer, &window.older);
        assert_eq!(p50.as_millis(), 1);
        assert!((LONGEST..LONGEST * 11 / 10).contains(&p99), "{p99:?}");
        assert_eq!(p999, p99);
    }

    #[test]
    fn recorded_values_show_in_the_quantiles() {
        let latency = Latency::default();
        let began = Instant::now().checked_sub(Duration::from_millis(40));
        latency.record(began.expect("the clock has run for longer"));
        assert!(latency.quantiles()[0] >= Duration::from_millis(39));
    }
}
