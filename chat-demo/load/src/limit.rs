//! The search for the highest rate that holds, meaning that a step at this rate meets the goals. It
//! knows neither clock nor server: it proposes a rate, and gets the result.
//!
//! Machines are noisy: a rate may hold now and break a minute later. A rate counts as broken when
//! two of three trials break. A limit is confirmed by two of three trials. The whole search is
//! repeated; the result is the median of the limits, and their spread.

mod remaining;

pub(super) use self::remaining::Remaining;

/// The resolution of the limit, as a ratio of two rates.
const RESOLUTION: f64 = 1.05;
/// The ratio of two rates on the way up.
const STRIDE: f64 = 1.6;
/// The first ratio of a later search, which begins near the earlier limit. Ratios grow from there.
const SHORT_STRIDE: f64 = 1.1;
/// The most trials of one search.
const MAX_TRIALS: u32 = 60;

/// The rates that a search may propose.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Range {
    /// Where the first search begins.
    pub(super) first: f64,
    /// The lowest rate; a server that breaks here has no limit.
    pub(super) lowest: f64,
    pub(super) highest: f64,
}

/// Several searches for one limit.
#[derive(Clone, Debug)]
pub(super) struct Searches {
    range: Range,
    repeat: usize,
    search: Search,
    /// The limit of each finished search.
    pub(super) limits: Vec<f64>,
    /// The highest rate that held, and the lowest that broke.
    highest_held: f64,
    lowest_broken: f64,
}

impl Searches {
    /// Creates `repeat` searches in a range; at least one.
    pub(super) fn new(range: Range, repeat: usize) -> Self {
        Self {
            range,
            repeat,
            search: Search::new(range.first, STRIDE, range),
            limits: Vec::new(),
            highest_held: 0.0,
            lowest_broken: f64::INFINITY,
        }
    }

    /// Returns the rate to try next, or `None` at the end.
    pub(super) fn next(&self) -> Option<f64> {
        (self.limits.len() < self.repeat).then_some(self.search.rate)
    }

    pub(super) fn number(&self) -> usize {
        self.limits.len() + 1
    }

    pub(super) fn record(&mut self, held: bool) {
        let rate = self.search.rate;
        match self.search.record(held) {
            Some(true) => self.highest_held = self.highest_held.max(rate),
            Some(false) => self.lowest_broken = self.lowest_broken.min(rate),
            None => {}
        }
        if self.search.over || self.search.trials >= MAX_TRIALS {
            let limit = self.search.limit();
            self.limits.push(limit);
            self.search = Search::new(limit, SHORT_STRIDE, self.range);
        }
    }

    /// Returns the median of the limits; 0 if no rate held. During the first search, the highest
    /// rate that held.
    pub(super) fn limit(&self) -> f64 {
        let mut limits = self.limits.clone();
        limits.sort_by(f64::total_cmp);
        match limits.len() {
            0 => self.search.limit(),
            all if all % 2 == 1 => limits[all / 2],
            all => f64::midpoint(limits[all / 2 - 1], limits[all / 2]),
        }
    }

    /// Returns how much a repeated run may differ, in percent of the limit: the span from the
    /// lowest broken rate or limit to the highest rate that held, plus the resolution.
    pub(super) fn noise_percent(&self) -> f64 {
        let limit = self.limit();
        let resolution = RESOLUTION - 1.0;
        if limit <= 0.0 {
            return resolution * 100.0;
        }
        let limits = || self.limits.iter().copied();
        let low = limits().fold(self.lowest_broken.min(limit), f64::min);
        let high = limits().fold(self.highest_held.max(limit), f64::max);
        ((high - low) / limit + resolution) * 100.0
    }
}

/// One search: raises the rate until it breaks, narrows the gap by halves, then confirms the limit.
#[derive(Clone, Debug, Default)]
struct Search {
    range: Range,
    rate: f64,
    stride: f64,
    held: Option<f64>,
    broken: Option<f64>,
    /// Trials of the current rate that held, and that broke.
    votes: (u32, u32),
    confirming: bool,
    over: bool,
    trials: u32,
}

impl Search {
    fn new(first: f64, stride: f64, range: Range) -> Self {
        Self {
            range,
            rate: first.clamp(range.lowest, range.highest),
            stride,
            ..Self::default()
        }
    }

    fn limit(&self) -> f64 {
        self.held.unwrap_or(0.0)
    }

    /// Records one trial. Returns whether the rate holds, once that is decided.
    fn record(&mut self, held: bool) -> Option<bool> {
        self.trials += 1;
        let (holds, breaks) = &mut self.votes;
        *(if held { &mut *holds } else { &mut *breaks }) += 1;
        // On the way up one successful trial is enough, because the limit is confirmed later.
        let enough = if self.confirming || *breaks > 0 { 2 } else { 1 };
        if *breaks < 2 && *holds < enough {
            return None;
        }
        let decided = *breaks < 2;
        self.votes = (0, 0);
        if decided {
            self.held = Some(self.rate);
            self.over = self.confirming;
        } else {
            self.broken = Some(self.rate);
            if self.confirming {
                // It held once and broke when confirmed: search again, close below.
                (self.held, self.confirming) = (None, false);
                self.stride = RESOLUTION;
            }
        }
        if !self.over {
            self.choose_next();
        }
        Some(decided)
    }

    fn choose_next(&mut self) {
        let Range {
            lowest, highest, ..
        } = self.range;
        match (self.held, self.broken) {
            (Some(held), None) if held < highest => self.rate = (held * self.stride).min(highest),
            (None, Some(broken)) if broken > lowest => {
                self.rate = (broken / self.stride).max(lowest);
            }
            (None, _) => self.over = true,
            (Some(held), Some(broken)) if broken / held > RESOLUTION => {
                self.rate = (held * broken).sqrt();
                return;
            }
            (Some(held), _) => (self.rate, self.confirming) = (held, true),
        }
        self.stride = self.stride.powi(2).min(STRIDE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Range = Range {
        first: 10.0,
        lowest: 1.0,
        highest: 1e6,
    };
    /// More trials than any run of three searches may take.
    const MANY: usize = 3 * MAX_TRIALS as usize;

    /// A server with a limit and noise.
    struct Simulated {
        bears: f64,
        noise: f64,
        random: fastrand::Rng,
    }

    impl Simulated {
        fn new(bears: f64, noise: f64, seed: u64) -> Self {
            Self {
                bears,
                noise,
                random: fastrand::Rng::with_seed(seed),
            }
        }

        fn holds(&mut self, rate: f64) -> bool {
            // The sum of twelve is nearly normal, with a standard deviation of one.
            let normal = (0..12).map(|_| self.random.f64()).sum::<f64>() - 6.0;
            rate <= self.bears * (self.noise * normal).exp()
        }

        /// Runs the searches to their end. Returns them and the rates that they tried.
        fn search(&mut self, range: Range) -> (Searches, Vec<f64>) {
            let mut searches = Searches::new(range, 3);
            let mut tried = Vec::new();
            while let Some(rate) = searches.next() {
                assert!(
                    rate.is_finite() && rate > 0.0 && tried.len() < MANY,
                    "{tried:?}"
                );
                tried.push(rate);
                searches.record(self.holds(rate));
            }
            (searches, tried)
        }
    }

    #[test]
    fn without_noise_few_trials_find_the_limit() {
        for bears in [1.5, 9.0, 10.0, 1000.0, 123_456.0] {
            let (searches, tried) = Simulated::new(bears, 0.0, 1).search(WIDE);
            let limit = searches.limit();
            assert!(
                limit <= bears && bears < limit * RESOLUTION,
                "{limit} of {bears}"
            );
            assert!(tried.len() < 60, "{bears}: {} trials", tried.len());
            assert!(
                (searches.noise_percent() - 5.0).abs() < 1e-9,
                "{searches:?}"
            );
        }
    }

    #[test]
    fn with_noise_the_limit_is_found_within_the_noise() {
        for noise in [0.02, 0.1, 0.2] {
            let near = (0..1000).filter(|&seed| {
                let (searches, _) = Simulated::new(1000.0, noise, seed).search(WIDE);
                (searches.limit() / 1000.0).ln().abs() <= 0.05 + noise
            });
            let near = near.count();
            assert!(near >= 950, "{near} of 1000 at a noise of {noise}");
        }
    }

    #[test]
    fn two_runs_differ_by_less_than_their_noise() {
        for noise in [0.0, 0.02, 0.05, 0.1, 0.2] {
            let agree = (0..1000).filter(|seed| {
                let run = |seed| Simulated::new(1000.0, noise, seed).search(WIDE).0;
                let (one, other) = (run(2 * seed), run(2 * seed + 1));
                let apart = (one.limit() - other.limit()).abs();
                [one, other]
                    .iter()
                    .all(|run| apart <= run.noise_percent() / 100.0 * run.limit())
            });
            let agree = agree.count();
            assert!(agree >= 950, "{agree} of 1000 at a noise of {noise}");
        }
    }

    #[test]
    fn one_failed_trial_does_not_break_a_rate() {
        let mut searches = Searches::new(WIDE, 1);
        let mut hiccups = 0;
        while let Some(rate) = searches.next() {
            // Each rate between 20 and 50 breaks the first time.
            let hiccup = (20.0..50.0).contains(&rate) && searches.search.votes == (0, 0);
            hiccups += u32::from(hiccup);
            searches.record(rate <= 1000.0 && !hiccup);
        }
        assert!(hiccups > 0);
        assert!(
            searches.limit() > 1000.0 / RESOLUTION,
            "{}",
            searches.limit()
        );
        assert!(searches.noise_percent() < 6.0, "{searches:?}");
    }

    #[test]
    fn a_limit_that_does_not_hold_when_confirmed_is_lowered() {
        let mut searches = Searches::new(WIDE, 1);
        let mut trials = 0;
        while let Some(rate) = searches.next() {
            trials += 1;
            let bears = if searches.search.confirming {
                800.0
            } else {
                1000.0
            };
            searches.record(rate <= bears);
            assert!(trials <= MAX_TRIALS);
        }
        assert!(
            (700.0..=800.0).contains(&searches.limit()),
            "{}",
            searches.limit()
        );
        assert!(searches.noise_percent() > 5.0, "the noise was seen");
    }

    #[test]
    fn without_a_rate_that_holds_there_is_no_limit() {
        let (searches, tried) = Simulated::new(0.5, 0.0, 1).search(WIDE);
        assert!(searches.limit() <= 0.0, "{}", searches.limit());
        assert!(tried.iter().all(|&rate| rate >= WIDE.lowest), "{tried:?}");
    }

    #[test]
    fn without_a_broken_rate_the_limit_is_the_highest() {
        let range = Range {
            highest: 777.0,
            ..WIDE
        };
        let (searches, tried) = Simulated::new(1e9, 0.0, 1).search(range);
        assert_eq!(searches.limits, [777.0, 777.0, 777.0]);
        assert!(tried.iter().all(|&rate| rate <= 777.0), "{tried:?}");
    }

    #[test]
    fn a_range_of_one_rate_is_searched_too() {
        let range = Range {
            first: 5.0,
            lowest: 5.0,
            highest: 5.0,
        };
        let limits = [9.0, 1.0].map(|bears| Simulated::new(bears, 0.0, 1).search(range).0.limits);
        assert_eq!(limits, [[5.0; 3], [0.0; 3]]);
    }

    #[test]
    fn a_search_over_random_results_ends() {
        for seed in 0..100 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut searches = Searches::new(WIDE, 3);
            let mut trials = 0;
            while let Some(rate) = searches.next() {
                trials += 1;
                assert!(trials <= MANY && (WIDE.lowest..=WIDE.highest).contains(&rate));
                searches.record(random.bool());
            }
        }
    }
}
