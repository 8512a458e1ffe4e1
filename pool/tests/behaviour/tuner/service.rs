//! A service on a clock of its own: tasks arrive, use processors and a dependency, and leave. The same numbers each time.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use anthill::tuner::{Change, Control, Probe, Reason, Sample};
use fastrand::Rng;

/// Processors, and what a task needs of them on average, in seconds.
const PROCESSORS: f64 = 4.0;
const COMPUTING: f64 = 0.0005;
/// What a task needs of the dependency.
const WAITING: f64 = 0.010;
/// How much slower the dependency and the processors are, as a whole, for each task beyond what they can do at once.
const DRAG: f64 = 0.01;
/// Tasks that may wait for the limit; more are refused.
const LINE: usize = 500;
/// A call to the dependency that takes longer is reported as a failure, in seconds.
const LATE: f64 = 0.1;
/// Of a sample.
const INTERVAL: f64 = 0.5;

/// What the world does to the service.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) seconds: f64,
    /// Tasks a second, at a time.
    pub(crate) load: fn(f64, &mut Rng) -> f64,
    /// How many tasks the dependency can do at once, at a time.
    pub(crate) dependency: fn(f64) -> f64,
    /// How many calls the dependency accepts at once, at a time. It refuses more, and their tasks
    /// fail.
    pub(crate) accepts: fn(f64) -> usize,
}

/// What became of it.
pub(crate) struct Outcome {
    pub(crate) done: usize,
    pub(crate) refused: usize,
    /// Tasks whose call was refused or late.
    pub(crate) failed: usize,
    /// Tasks whose call was refused.
    pub(crate) broken: usize,
    /// From the arrival to the end, rising.
    latencies: Vec<f64>,
    pub(crate) changes: Vec<Change>,
    /// At the end of each sample.
    pub(crate) limits: Vec<(f64, usize)>,
    seconds: f64,
}

impl Outcome {
    pub(crate) fn throughput(&self) -> f64 {
        self.done as f64 / self.seconds
    }

    pub(crate) fn p99(&self) -> Duration {
        let at = self.latencies.len() * 99 / 100;
        Duration::from_secs_f64(self.latencies.get(at).copied().unwrap_or(0.0))
    }

    /// Changes that are no trials.
    pub(crate) fn steps(&self) -> usize {
        self.changes
            .iter()
            .filter(|change| !is_trial(change))
            .count()
    }

    /// How often, within five seconds of a step, another takes back a fifth of the limit or more.
    pub(crate) fn flaps(&self) -> usize {
        let mut steps = self.changes.iter().filter(|change| !is_trial(change));
        let Some(mut last) = steps.next() else {
            return 0;
        };
        let mut flaps = 0;
        for step in steps {
            let turns = (step.to > step.from) != (last.to > last.from);
            let large = step.to.abs_diff(step.from) * 5 >= step.from;
            let soon = step.at.saturating_sub(last.at) < Duration::from_secs(5);
            flaps += usize::from(turns && large && soon);
            last = step;
        }
        flaps
    }

    /// The least limit and the greatest in a time.
    pub(crate) fn range(&self, from: f64, to: f64) -> (usize, usize) {
        let then = self.limits.iter().filter(|(at, _)| (from..to).contains(at));
        let limits = then.map(|(_, limit)| *limit);
        (limits.clone().min().unwrap(), limits.max().unwrap())
    }
}

fn is_trial(change: &Change) -> bool {
    change.reason == Reason::Trial
}

/// Plays a scenario, from a limit on.
pub(crate) fn play(scenario: &Scenario, limit: usize, mut control: Control) -> Outcome {
    let mut service = Service::new(limit);
    let mut outcome = Outcome {
        done: 0,
        refused: 0,
        failed: 0,
        broken: 0,
        latencies: Vec::new(),
        changes: Vec::new(),
        limits: Vec::new(),
        seconds: scenario.seconds,
    };
    let mut arrival = 0.0;
    let mut sampled = INTERVAL;
    while service.now < scenario.seconds {
        let next = service.next().min(arrival).min(sampled);
        service.advance(next);
        service.dependency.places = (scenario.dependency)(next);
        service.accepts = (scenario.accepts)(next);
        if next >= sampled {
            let sample = service.sample();
            if let Some(change) = control.observe(service.limit, &sample) {
                service.limit = change.to;
                outcome.changes.push(change);
                service.admit();
            }
            outcome.limits.push((sampled, service.limit));
            sampled += INTERVAL;
        } else if next >= arrival {
            service.arrive(&mut outcome.refused);
            let rate = (scenario.load)(next, &mut service.noise);
            arrival = next + exponential(&mut service.random) / rate;
        } else {
            service.work(&mut outcome);
        }
    }
    outcome.latencies.sort_by(f64::total_cmp);
    outcome
}

struct Service {
    now: f64,
    limit: usize,
    line: VecDeque<f64>,
    processors: Station,
    dependency: Station,
    random: Rng,
    noise: Rng,
    /// Calls that the dependency accepts at once.
    accepts: usize,
    ended: u64,
    failed: u64,
    /// Integrals over the time of the present sample.
    in_flight: f64,
    waiting: f64,
    busy: f64,
}

impl Service {
    fn new(limit: usize) -> Self {
        Self {
            now: 0.0,
            limit,
            line: VecDeque::new(),
            processors: Station::new(PROCESSORS),
            dependency: Station::new(0.0),
            random: Rng::with_seed(1),
            noise: Rng::with_seed(2),
            accepts: 0,
            ended: 0,
            failed: 0,
            in_flight: 0.0,
            waiting: 0.0,
            busy: 0.0,
        }
    }

    fn inside(&self) -> usize {
        self.processors.tasks.len() + self.dependency.tasks.len()
    }

    fn next(&self) -> f64 {
        self.processors
            .next(self.now)
            .min(self.dependency.next(self.now))
    }

    fn advance(&mut self, to: f64) {
        let time = to - self.now;
        self.in_flight += time * self.inside() as f64;
        self.waiting += time * self.line.len() as f64;
        self.busy += time * (self.processors.tasks.len() as f64 / PROCESSORS).min(1.0);
        self.processors.advance(time);
        self.dependency.advance(time);
        self.now = to;
    }

    fn arrive(&mut self, refused: &mut usize) {
        if self.line.len() < LINE {
            self.line.push_back(self.now);
            self.admit();
        } else {
            *refused += 1;
        }
    }

    /// Lets in as many as the limit allows.
    fn admit(&mut self) {
        while self.inside() < self.limit {
            let Some(arrived) = self.line.pop_front() else {
                return;
            };
            let work = COMPUTING * exponential(&mut self.random);
            self.processors.enter(self.now, arrived, work);
        }
    }

    /// Moves the next due task to the dependency, or ends it.
    fn work(&mut self, outcome: &mut Outcome) {
        if self.processors.next(self.now) <= self.dependency.next(self.now) {
            let (_, arrived) = self.processors.leave();
            if self.dependency.tasks.len() >= self.accepts {
                outcome.broken += 1;
                self.end(true, outcome);
                return;
            }
            let work = WAITING * exponential(&mut self.random);
            self.dependency.enter(self.now, arrived, work);
        } else {
            let (called, arrived) = self.dependency.leave();
            outcome.latencies.push(self.now - arrived);
            outcome.done += 1;
            self.end(self.now - called > LATE, outcome);
        }
    }

    /// Ends a task, and reports its failure.
    fn end(&mut self, failed: bool, outcome: &mut Outcome) {
        self.ended += 1;
        self.failed += u64::from(failed);
        outcome.failed += usize::from(failed);
        self.admit();
    }

    fn sample(&mut self) -> Sample {
        let mean = |sum: &mut f64| std::mem::take(sum) / INTERVAL;
        let in_flight = mean(&mut self.in_flight);
        Sample {
            elapsed: Duration::from_secs_f64(INTERVAL),
            ended: std::mem::take(&mut self.ended),
            failed: std::mem::take(&mut self.failed),
            expired: 0,
            in_flight,
            running: in_flight,
            queued: 0.0,
            waiting: mean(&mut self.waiting),
            limit: self.limit,
            probe: Probe {
                cpu: Some(mean(&mut self.busy)),
                memory: None,
            },
        }
    }
}

/// Tasks that share places evenly, each served at most as fast as alone.
struct Station {
    places: f64,
    /// How much each task that has been here all the time has been served.
    served: f64,
    tasks: BinaryHeap<Reverse<Due>>,
}

/// A task, and at what service it is done.
struct Due {
    at: f64,
    entered: f64,
    arrived: f64,
}

impl Station {
    fn new(places: f64) -> Self {
        Self {
            places,
            served: 0.0,
            tasks: BinaryHeap::new(),
        }
    }

    /// How much of a second's service each gets in a second.
    fn speed(&self) -> f64 {
        let tasks = self.tasks.len() as f64;
        let excess = tasks - self.places;
        if excess <= 0.0 {
            1.0
        } else {
            self.places / tasks / (1.0 + DRAG * excess)
        }
    }

    fn advance(&mut self, time: f64) {
        self.served += time * self.speed();
    }

    fn next(&self, now: f64) -> f64 {
        let left = |due: &Reverse<Due>| (due.0.at - self.served).max(0.0);
        let next = self.tasks.peek().map(left);
        next.map_or(f64::INFINITY, |left| now + left / self.speed())
    }

    fn enter(&mut self, now: f64, arrived: f64, work: f64) {
        let at = self.served + work;
        self.tasks.push(Reverse(Due {
            at,
            entered: now,
            arrived,
        }));
    }

    /// Removes the task that is done first. Returns when it entered and when it arrived.
    fn leave(&mut self) -> (f64, f64) {
        let due = self.tasks.pop().expect("a task is due").0;
        (due.entered, due.arrived)
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.total_cmp(&other.at)
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Due {}

/// An exponential number with mean 1, by comparisons alone, which are the same on every machine: J. von Neumann, "Various
/// Techniques Used in Connection With Random Digits", 1951.
fn exponential(random: &mut Rng) -> f64 {
    let mut whole = 0.0;
    loop {
        let first = random.f64();
        let (mut last, mut falls) = (first, 0);
        loop {
            let next = random.f64();
            if next >= last {
                break;
            }
            (last, falls) = (next, falls + 1);
        }
        if falls % 2 == 0 {
            return whole + first;
        }
        whole += 1.0;
    }
}
