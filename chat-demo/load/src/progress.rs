//! How far a phase of the run is: a bar on a terminal, a line every five seconds elsewhere.

use std::fmt;
use std::time::{Duration, Instant};

use humantime::format_duration;
use indicatif::{ProgressBar, ProgressStyle};

use crate::{console, limit::Remaining};

/// Between two lines.
const PAUSE: Duration = Duration::from_secs(5);
/// No time is estimated from less than this.
const WARM_UP: Duration = Duration::from_secs(1);
/// Steps of the bar.
const LENGTH: u64 = 1000;

pub(super) struct Progress {
    search: Option<Search>,
    /// Hidden unless standard error is a terminal. Its prefix is the name of the phase.
    bar: ProgressBar,
    written: Instant,
}

/// The search for the limit that a phase is one step of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    /// Which search, from 1, and of how many.
    pub(super) number: usize,
    pub(super) of: usize,
    /// Steps that are over, in all searches.
    pub(super) done: usize,
    /// Steps that are not, the current one included.
    pub(super) left: Remaining,
    pub(super) each: Duration,
}

impl Search {
    /// The time until the end, when `share` of the current step is done.
    fn time_left(&self, share: f64) -> Duration {
        self.each
            .mul_f64((self.left.trials as f64 - share).max(0.0))
    }

    fn share(&self, share: f64) -> f64 {
        (self.done as f64 + share) / (self.done + self.left.trials).max(1) as f64
    }
}

/// Between two steps: which search is next, and how long all will take.
impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, of, .. } = self;
        if self.left.trials == 0 {
            return write!(f, "search {number} of {of}, the last step");
        }
        let left = left(self.time_left(0.0), self.left.is_at_least);
        write!(f, "search {number} of {of}, {left}")
    }
}

impl Progress {
    pub(super) fn new(name: &'static str, search: Option<Search>) -> Self {
        let style = ProgressStyle::with_template("{prefix:>10} {bar:30} {msg}");
        let bar = ProgressBar::new(LENGTH).with_prefix(name);
        bar.set_style(style.expect("the template is a constant"));
        Self {
            search,
            bar,
            written: Instant::now(),
        }
    }

    /// Shows how much of the phase is done, from 0 to 1.
    pub(super) fn set(&mut self, share: f64, note: &str) {
        let message = || message(share, self.bar.elapsed(), self.search.as_ref(), note);
        if !self.bar.is_hidden() {
            let all = self.search.as_ref().map_or(share, |all| all.share(share));
            self.bar.set_position(position(all));
            self.bar.set_message(message());
        } else if self.written.elapsed() >= PAUSE {
            console::note(format_args!("{}: {}", self.bar.prefix(), message()));
            self.written = Instant::now();
        }
    }

    pub(super) fn end(self, summary: &str) {
        self.bar.finish_and_clear();
        console::note(format_args!("{}: {summary}", self.bar.prefix()));
    }
}

/// The position of the bar for a share from 0 to 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 0 to 1000"
)]
fn position(share: f64) -> u64 {
    (share * LENGTH as f64) as u64
}

/// How far the phase is, how long it will take, and what it is like.
fn message(share: f64, elapsed: Duration, search: Option<&Search>, note: &str) -> String {
    let all = search.map_or(share, |search| search.share(share));
    let time = match search {
        Some(search) => left(search.time_left(share), search.left.is_at_least),
        None if elapsed >= WARM_UP && share > 0.0 => {
            left(elapsed.mul_f64((1.0 - share) / share), false)
        }
        None => String::new(),
    };
    let mut parts = vec![format!("{:.0} %", all * 100.0), time, note.to_owned()];
    parts.retain(|part| !part.is_empty());
    parts.join(", ")
}

/// A time in whole seconds.
fn left(time: Duration, is_at_least: bool) -> String {
    let time = format_duration(Duration::from_secs_f64(time.as_secs_f64().ceil()));
    let about = if is_at_least { "at least" } else { "about" };
    format!("{about} {time} left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_shows_its_share_and_the_time_left() {
        let at = |share, seconds| message(share, Duration::from_secs(seconds), None, "p50 1 ms");
        assert_eq!(at(0.25, 30), "25 %, about 1m 30s left, p50 1 ms");
        assert_eq!(at(1.0, 30), "100 %, about 0s left, p50 1 ms");
        assert_eq!(at(0.0, 30), "0 %, p50 1 ms");
        assert_eq!(at(0.5, 0), "50 %, p50 1 ms", "too early to tell");
    }

    #[test]
    fn a_step_shows_the_share_and_time_of_its_search() {
        let mut search = Search {
            number: 2,
            of: 3,
            done: 4,
            left: Remaining {
                trials: 6,
                is_at_least: false,
            },
            each: Duration::from_secs(10),
        };
        let text = message(0.5, Duration::from_secs(5), Some(&search), "");
        assert_eq!(text, "45 %, about 55s left");
        assert_eq!(search.to_string(), "search 2 of 3, about 1m left");
        search.left.is_at_least = true;
        assert_eq!(search.to_string(), "search 2 of 3, at least 1m left");
    }
}
