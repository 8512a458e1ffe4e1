//! One change of a server's settings that may raise its limit.

use super::{report::PoolMoment, verdict::Bound};
use crate::config::Config;

/// So much longer a line that was too short becomes, or a thread's worth of waiting.
const LONGER: usize = 4;

/// One option with another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tuning {
    pub(super) option: &'static str,
    pub(super) value: usize,
    /// Why it may help.
    pub(super) reason: String,
}

impl Tuning {
    /// What to try where `bound` stands in the way of a server with those settings. `fanout` is the most that was seen in
    /// its pool for fan-out. Nothing, where no setting helps.
    pub(super) fn of(
        bound: Bound,
        config: &Config,
        fanout: Option<&PoolMoment>,
        cpus: usize,
    ) -> Option<Self> {
        let threads = config.threads.unwrap_or(cpus);
        let waiting = fanout.map_or(0, |pool| pool.waiting);
        let (option, value, reason) = match bound {
            Bound::Cpu | Bound::CpuAndMemory | Bound::LoadGenerator if threads > 1 => (
                "--threads",
                threads / 2,
                format!(
                    "the processors were full; fewer than {threads} threads get less in each other's way, and leave more to others"
                ),
            ),
            Bound::Memory if config.outbox_frames > 1 => (
                "--outbox-frames",
                config.outbox_frames / 2,
                format!(
                    "the memory was full; fewer than {} frames may wait for a client",
                    config.outbox_frames
                ),
            ),
            Bound::Loss => (
                "--outbox-frames",
                config.outbox_frames.saturating_mul(LONGER),
                format!(
                    "messages were lost; a client may have been too slow for {} frames",
                    config.outbox_frames
                ),
            ),
            Bound::Latency if waiting > 0 => (
                "--fanout",
                config.fanout.saturating_mul(LONGER),
                format!(
                    "processors were idle while {waiting} publishers waited for one of {} places",
                    config.fanout
                ),
            ),
            Bound::Latency => (
                "--threads",
                threads * 2,
                format!(
                    "processors were idle and no publisher waited for a place; {threads} threads may be held up by something"
                ),
            ),
            _ => return None,
        };
        Some(Self {
            option,
            value,
            reason,
        })
    }

    /// The options of a server with this one among them.
    pub(super) fn apply(&self, options: &[String]) -> Vec<String> {
        let mut tuned = Vec::new();
        let mut options = options.iter();
        while let Some(option) = options.next() {
            if option == self.option {
                options.next();
            } else if option
                .strip_prefix(self.option)
                .is_none_or(|rest| !rest.starts_with('='))
            {
                tuned.push(option.clone());
            }
        }
        tuned.extend([self.option.to_owned(), self.value.to_string()]);
        tuned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(bound: Bound, waiting: u64) -> Option<(&'static str, usize)> {
        let config = Config::default();
        let pool = PoolMoment {
            waiting,
            ..PoolMoment::default()
        };
        Tuning::of(bound, &config, Some(&pool), 2).map(|tuning| (tuning.option, tuning.value))
    }

    #[test]
    fn what_is_tried_depends_on_what_bound() {
        assert_eq!(tried(Bound::Cpu, 0), Some(("--threads", 1)));
        assert_eq!(tried(Bound::LoadGenerator, 0), Some(("--threads", 1)));
        assert_eq!(tried(Bound::Memory, 0), Some(("--outbox-frames", 128)));
        assert_eq!(tried(Bound::Loss, 0), Some(("--outbox-frames", 1024)));
        assert_eq!(tried(Bound::Latency, 3), Some(("--fanout", 4096)));
        assert_eq!(tried(Bound::Latency, 0), Some(("--threads", 4)));
        assert_eq!(tried(Bound::Nothing, 0), None);
        assert_eq!(tried(Bound::Others, 0), None);
    }

    #[test]
    fn a_single_thread_is_not_halved() {
        let config = Config {
            threads: Some(1),
            ..Config::default()
        };
        assert_eq!(Tuning::of(Bound::Cpu, &config, None, 2), None);
    }

    #[test]
    fn an_option_takes_the_place_of_what_it_was() {
        let tuning = Tuning {
            option: "--fanout",
            value: 9,
            reason: String::new(),
        };
        for (before, after) in [
            ("", "--fanout 9"),
            ("--fanout 1 --threads 2", "--threads 2 --fanout 9"),
            ("--threads 2 --fanout=1", "--threads 2 --fanout 9"),
        ] {
            let options: Vec<_> = before.split_whitespace().map(str::to_owned).collect();
            assert_eq!(tuning.apply(&options).join(" "), after);
        }
    }
}
