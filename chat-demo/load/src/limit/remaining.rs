//! Estimates how many trials the searches still need, for a user who waits.

use super::Searches;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remaining {
    /// How many trials, if the next higher rate breaks.
    pub(crate) trials: usize,
    /// Whether there may be many more, because no rate has held yet or none has broken.
    pub(crate) is_at_least: bool,
}

impl Searches {
    /// Estimates the remaining trials: those of a server without noise, whose limit is a third of
    /// the way from the rate that held to the rate that broke. Half of the trials then hold.
    pub(crate) fn remaining(&self) -> Remaining {
        let search = &self.search;
        let (low, high) = if search.held.is_none() && search.votes.1 > 0 {
            // A rate that broke once breaks again, and the next lower rate holds.
            (search.rate / search.stride, search.rate)
        } else {
            let low = search.held.unwrap_or(search.rate);
            (low, search.broken.unwrap_or(low * search.stride))
        };
        let limit = low * (high / low).cbrt();
        let (mut ahead, mut trials) = (self.clone(), 0);
        while let Some(rate) = ahead.next() {
            ahead.record(rate <= limit);
            trials += 1;
        }
        Remaining {
            trials,
            is_at_least: trials > 0 && (search.held.is_none() || search.broken.is_none()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Range;
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
