//! Estimates how many trials the searches still need, for a user who waits.

use super::{RESOLUTION, Range, SHORT_STRIDE, Searches};

/// Trials that confirm a limit.
const CONFIRM: usize = 2;
/// Trials after which a rate counts as broken.
const BREAK: usize = 2;

/// The estimate of the remaining trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Remaining {
    /// How many trials, if the next higher rate breaks.
    pub(in super::super) trials: usize,
    /// Whether there may be many more, because no rate has held yet or none has broken.
    pub(in super::super) is_at_least: bool,
}

impl Searches {
    /// Estimates the remaining trials.
    pub(in super::super) fn remaining(&self) -> Remaining {
        let Some(later) = self.repeat.checked_sub(self.limits.len() + 1) else {
            return Remaining {
                trials: 0,
                is_at_least: false,
            };
        };
        let search = &self.search;
        let Range {
            lowest, highest, ..
        } = self.range;
        let (holds, breaks) = (search.votes.0 as usize, search.votes.1 as usize);
        let to_break = BREAK.saturating_sub(breaks);
        let narrow = narrowing(search.stride) + CONFIRM;
        let trials = match (search.held, search.broken) {
            _ if search.confirming => CONFIRM.saturating_sub(holds),
            (Some(held), Some(broken)) => narrowing(broken / held) + CONFIRM,
            (Some(held), None) if held >= highest => CONFIRM,
            (Some(_), None) => to_break + narrow,
            (None, Some(broken)) if broken <= lowest => 1,
            (None, Some(_)) => 1 + narrow,
            (None, None) => 1 + to_break + narrow,
        };
        // A later search begins near the limit: one rate holds, the next breaks.
        let each = 1 + BREAK + narrowing(SHORT_STRIDE) + CONFIRM;
        Remaining {
            trials: trials.max(1) + later * each,
            is_at_least: search.held.is_none() || search.broken.is_none(),
        }
    }
}

/// Returns the trials that narrow a gap between two rates to the limit: a rate that holds needs one
/// trial, and a rate that breaks needs two.
fn narrowing(ratio: f64) -> usize {
    let gap = ratio.ln() / RESOLUTION.ln();
    let halvings = std::iter::successors(Some(gap), |gap| Some(gap / 2.0))
        .take_while(|gap| *gap > 1.0)
        .count();
    (halvings * 3).div_ceil(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was estimated before each trial against a server without noise.
    fn estimates(bears: f64, repeat: usize) -> Vec<Remaining> {
        let range = Range {
            first: 10.0,
            lowest: 1.0,
            highest: 1e6,
        };
        let mut searches = Searches::new(range, repeat);
        let mut estimates = Vec::new();
        while let Some(rate) = searches.next() {
            estimates.push(searches.remaining());
            searches.record(rate <= bears);
        }
        let over = searches.remaining();
        assert_eq!((over.trials, over.is_at_least), (0, false));
        estimates
    }

    #[test]
    fn estimates_are_close_once_the_limit_is_bracketed() {
        for bears in [3.0, 50.0, 700.0, 99_999.0] {
            let estimates = estimates(bears, 1);
            for (done, estimate) in estimates.iter().enumerate() {
                let left = estimates.len() - done;
                if estimate.is_at_least {
                    assert!(estimate.trials <= left + 2, "{bears}: {estimates:?}");
                } else {
                    assert!(
                        estimate.trials.abs_diff(left) <= 3,
                        "{bears}: {estimates:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn later_searches_are_counted() {
        let (one, three) = (estimates(700.0, 1), estimates(700.0, 3));
        assert!(three[0].trials >= one[0].trials + 10, "{three:?}");
        let last = three.last().expect("some");
        assert!(last.trials <= 2, "{three:?}");
    }
}
