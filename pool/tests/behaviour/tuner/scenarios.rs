//! What may happen to a service, and who is to bear it.

use std::collections::HashMap;
use std::sync::LazyLock;

use anthill::tuner::{Aimd, Control, Fixed, Gradient, HillClimbing, Stepped};

use super::service::{Outcome, Scenario, play};

/// How many the dependency does at once as a rule: about the right limit.
pub(crate) const RIGHT: usize = 32;

fn well(_: f64) -> f64 {
    RIGHT as f64
}

fn all(_: f64) -> usize {
    usize::MAX
}

pub(crate) const STEP_UP: Scenario = Scenario {
    name: "step up",
    seconds: 120.0,
    load: |at, _| if at < 40.0 { 500.0 } else { 2500.0 },
    dependency: well,
    accepts: all,
};

pub(crate) const STEP_DOWN: Scenario = Scenario {
    name: "step down",
    seconds: 120.0,
    load: |at, _| if at < 60.0 { 2500.0 } else { 500.0 },
    dependency: well,
    accepts: all,
};

pub(crate) const NOISE: Scenario = Scenario {
    name: "noise",
    seconds: 120.0,
    load: |_, noise| 1500.0 * (0.2 + 1.6 * noise.f64()),
    dependency: well,
    accepts: all,
};

pub(crate) const SLOW_DEPENDENCY: Scenario = Scenario {
    name: "slow dependency",
    seconds: 120.0,
    load: |_, _| 1500.0,
    dependency: |at| {
        if (40.0..80.0).contains(&at) {
            10.0
        } else {
            well(at)
        }
    },
    accepts: all,
};

pub(crate) const REFUSING: Scenario = Scenario {
    name: "refusing dependency",
    seconds: 120.0,
    load: |_, _| 2500.0,
    dependency: well,
    accepts: |at| {
        if (40.0..80.0).contains(&at) { 12 } else { 24 }
    },
};

pub(crate) const OSCILLATING: Scenario = Scenario {
    name: "oscillating load",
    seconds: 120.0,
    // Up and down again within 20 seconds.
    load: |at, _| {
        let phase = at / 20.0 % 1.0;
        500.0 + 4000.0 * phase.min(1.0 - phase)
    },
    dependency: well,
    accepts: all,
};

pub(crate) const OVERLOAD: Scenario = Scenario {
    name: "overload",
    seconds: 120.0,
    load: |_, _| 5000.0,
    dependency: well,
    accepts: all,
};

pub(crate) const ALL: [&Scenario; 7] = [
    &STEP_UP,
    &STEP_DOWN,
    &NOISE,
    &SLOW_DEPENDENCY,
    &REFUSING,
    &OSCILLATING,
    &OVERLOAD,
];

/// The name of a policy, the first limit, and the policy set up for this service.
pub(crate) type Contender = (&'static str, usize, fn() -> Control);

pub(crate) const CONTENDERS: [Contender; 7] = [
    ("fixed, 8", 8, || Control::new(Fixed(8))),
    ("fixed, 32", RIGHT, || Control::new(Fixed(RIGHT))),
    ("fixed, 128", 128, || Control::new(Fixed(128))),
    ("stepped", 16, stepped),
    ("gradient", 16, gradient),
    ("aimd", 16, aimd),
    ("hill climbing", 16, hill_climbing),
];

fn stepped() -> Control {
    Control::new(Stepped::new([(0.3, 16), (0.7, 32)], 48))
}

fn gradient() -> Control {
    Control::new(Gradient::default()).bounds(4..=128)
}

fn aimd() -> Control {
    Control::new(Aimd::default()).bounds(4..=128)
}

fn hill_climbing() -> Control {
    Control::new(HillClimbing::default()).bounds(4..=128)
}

/// What becomes of a contender in a scenario, each played once.
pub(crate) fn outcome(scenario: &Scenario, contender: &'static str) -> &'static Outcome {
    static ALL_OF_THEM: LazyLock<HashMap<(&str, &str), Outcome>> = LazyLock::new(|| {
        let of = |scenario: &'static Scenario| {
            CONTENDERS.map(|(name, limit, control)| {
                let outcome = play(scenario, limit, control());
                ((scenario.name, name), outcome)
            })
        };
        ALL.into_iter().flat_map(of).collect()
    });
    &ALL_OF_THEM[&(scenario.name, contender)]
}
