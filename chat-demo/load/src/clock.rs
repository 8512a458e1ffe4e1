//! A clock that all processes of a machine share.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

/// Measures time in microseconds since the machine started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// One moment, on the clock of this process and on the shared clock.
    here: Instant,
    everywhere: u64,
}

impl Clock {
    pub(super) fn new() -> Self {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        Self {
            here: Instant::now(),
            everywhere: u64::try_from(micros).unwrap_or(0),
        }
    }

    pub(super) fn now(&self) -> u64 {
        self.micros(Instant::now())
    }

    /// Converts an instant of this process to the shared clock.
    pub(super) fn micros(&self, moment: Instant) -> u64 {
        let after = moment.saturating_duration_since(self.here);
        let before = self.here.saturating_duration_since(moment);
        (self.everywhere + micros(after)).saturating_sub(micros(before))
    }

    /// Converts a time of the shared clock to an instant of this process.
    pub(super) fn moment(&self, time: u64) -> Instant {
        let after = Duration::from_micros(time.saturating_sub(self.everywhere));
        let before = Duration::from_micros(self.everywhere.saturating_sub(time));
        (self.here + after).checked_sub(before).unwrap_or(self.here)
    }
}

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_one_time() {
        let clock = Clock::new();
        let now = clock.now();
        for time in [now - 500, now, now + 1_000_000] {
            assert_eq!(clock.micros(clock.moment(time)), time);
        }
    }
}
