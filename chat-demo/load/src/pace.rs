//! The schedule of a step: when each message is due.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock::micros;

/// The schedule of a step, for all publishers together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Pace {
    pub(super) step: u64,
    pub(super) start: u64,
    pub(super) load: Load,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Load {
    /// Messages a second over all rooms; without it, as fast as they are acknowledged.
    pub(super) rate: Option<f64>,
    /// How long the rate takes to rise from 0.
    pub(super) ramp: Duration,
    /// How long messages are due.
    pub(super) time: Option<Duration>,
    pub(super) messages: Option<u64>,
}

impl Pace {
    /// Returns when a message is due at a rate, on the shared clock. `number` counts from 0 over
    /// all rooms.
    pub(super) fn due(&self, rate: f64, number: u64) -> u64 {
        let (number, ramp) = (number as f64, self.load.ramp.as_secs_f64());
        // During a ramp, the number of messages grows with the square of the time. At its end it is
        // half of what a constant rate sends.
        let in_ramp = rate * ramp / 2.0;
        let seconds = if number < in_ramp {
            (2.0 * number * ramp / rate).sqrt()
        } else {
            number / rate + ramp / 2.0
        };
        let due = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        self.start.saturating_add(micros(due))
    }

    /// Returns whether no message is due at or after a time.
    pub(super) fn is_over(&self, time: u64) -> bool {
        let over = |all| time >= self.start.saturating_add(micros(all));
        self.load.time.is_some_and(over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(ramp: Duration) -> Pace {
        Pace {
            step: 1,
            start: 1_000_000,
            load: Load {
                ramp,
                time: Some(Duration::from_secs(10)),
                ..Load::default()
            },
        }
    }

    #[test]
    fn a_rate_is_even() {
        let pace = pace(Duration::ZERO);
        let due: Vec<_> = (0..4).map(|number| pace.due(100.0, number)).collect();
        assert_eq!(due, [1_000_000, 1_010_000, 1_020_000, 1_030_000]);
    }

    #[test]
    fn a_ramp_rises_evenly_to_its_rate() {
        let pace = pace(Duration::from_secs(2));
        let within = |from: u64, to: u64| {
            let due = (0..1000).map(|number| pace.due(100.0, number) - pace.start);
            due.filter(|due| (from * 500_000..to * 500_000).contains(due))
                .count()
        };
        // Each half second has 6.25, 18.75, 31.25 and 43.75 messages, then 50.
        for (half, count) in [(0, 6), (1, 19), (2, 31), (3, 44), (4, 50), (5, 50)] {
            assert!(within(half, half + 1).abs_diff(count) <= 1, "{half}");
        }
    }

    #[test]
    fn a_step_ends_after_its_time() {
        let pace = pace(Duration::ZERO);
        assert!(!pace.is_over(10_999_999));
        assert!(pace.is_over(11_000_000));
    }
}
