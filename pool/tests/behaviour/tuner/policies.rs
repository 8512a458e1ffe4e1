//! Each policy reaches a good limit and keeps it.

use super::scenarios::{
    ALL, NOISE, OSCILLATING, OVERLOAD, REFUSING, RIGHT, SLOW_DEPENDENCY, STEP_DOWN, STEP_UP,
    outcome,
};
use super::service::Scenario;

/// What is done, as a share of what is done with the right limit, fixed.
fn share_done(scenario: &Scenario, contender: &'static str) -> f64 {
    outcome(scenario, contender).throughput() / outcome(scenario, "fixed, 32").throughput()
}

#[test]
fn no_policy_flaps() {
    for scenario in ALL {
        for contender in ["stepped", "gradient", "aimd", "hill climbing"] {
            let flaps = outcome(scenario, contender).flaps();
            assert!(flaps <= 1, "{contender}, {}: {flaps}", scenario.name);
        }
    }
}

#[test]
fn each_policy_beats_a_wrong_limit() {
    // A refusing dependency does as much at any limit that is not too low.
    let slowing = ALL.iter().filter(|scenario| scenario.name != REFUSING.name);
    for scenario in slowing {
        for contender in ["stepped", "gradient", "aimd", "hill climbing"] {
            let done = share_done(scenario, contender);
            let (few, many) = (
                share_done(scenario, "fixed, 8"),
                share_done(scenario, "fixed, 128"),
            );
            assert!(
                done > few && done > many - 0.01 && done > 0.8,
                "{contender}, {}: {done}, and {few} with 8, {many} with 128",
                scenario.name
            );
        }
    }
}

#[test]
fn stepped_policy_follows_the_load_and_settles() {
    assert_eq!(outcome(&STEP_UP, "stepped").range(10.0, 40.0), (16, 16));
    assert_eq!(outcome(&STEP_UP, "stepped").range(45.0, 120.0), (32, 32));
    assert_eq!(outcome(&STEP_DOWN, "stepped").range(10.0, 60.0), (32, 32));
    assert_eq!(outcome(&STEP_DOWN, "stepped").range(65.0, 120.0), (16, 16));
    assert_eq!(outcome(&OVERLOAD, "stepped").range(5.0, 120.0), (48, 48));
    assert!(outcome(&NOISE, "stepped").steps() <= 4);
    // Twice in each of the six periods.
    assert_eq!(outcome(&OSCILLATING, "stepped").steps(), 12);
}

#[test]
fn gradient_grows_when_the_limit_is_the_bottleneck() {
    let outcome = outcome(&STEP_UP, "gradient");
    assert_eq!(outcome.range(0.0, 40.0), (16, 16), "it is not used up");
    assert!(outcome.range(60.0, 120.0).0 >= RIGHT);
    assert!(share_done(&STEP_UP, "gradient") > 0.97);
}

#[test]
fn gradient_shrinks_for_a_slow_dependency_and_recovers() {
    let outcome = outcome(&SLOW_DEPENDENCY, "gradient");
    let (_, before) = outcome.range(20.0, 40.0);
    let (slow, _) = outcome.range(50.0, 80.0);
    let (after, _) = outcome.range(110.0, 120.0);
    assert!(slow * 3 <= before * 2, "{before} -> {slow}");
    assert!(after * 4 >= slow * 5, "{slow} -> {after}");
    assert!(share_done(&SLOW_DEPENDENCY, "gradient") > 1.0);
}

#[test]
fn gradient_bounds_an_overload() {
    let (_, highest) = outcome(&OVERLOAD, "gradient").range(0.0, 120.0);
    assert!(highest < 80, "{highest}");
    assert!(share_done(&OVERLOAD, "gradient") > 1.4 * share_done(&OVERLOAD, "fixed, 128"));
}

#[test]
fn hill_climbing_stays_near_the_optimum() {
    let (least, most) = outcome(&OVERLOAD, "hill climbing").range(60.0, 120.0);
    assert!(
        RIGHT * 3 / 4 <= least && most <= RIGHT * 5 / 4,
        "{least} to {most}"
    );
    let (least, most) = outcome(&STEP_UP, "hill climbing").range(80.0, 120.0);
    assert!(
        RIGHT * 3 / 4 <= least && most <= RIGHT * 5 / 4,
        "{least} to {most}"
    );
}

#[test]
fn hill_climbing_ignores_noise() {
    let (_, most) = outcome(&NOISE, "hill climbing").range(0.0, 120.0);
    assert!(most <= 20, "{most}");
}

#[test]
fn aimd_follows_what_a_refusing_dependency_accepts() {
    let aimd = outcome(&REFUSING, "aimd");
    let (least, most) = aimd.range(50.0, 80.0);
    assert!(9 <= least && most <= 18, "{least} to {most}, of 12");
    let (least, most) = aimd.range(100.0, 120.0);
    assert!(20 <= least && most <= 34, "{least} to {most}, of 24");
    for other in ["fixed, 32", "stepped", "gradient", "hill climbing"] {
        let other = outcome(&REFUSING, other);
        assert!(2 * aimd.failed < other.failed);
        assert!(aimd.throughput() > 0.95 * other.throughput());
    }
}

#[test]
fn aimd_bounds_an_overload_by_late_calls() {
    let (least, most) = outcome(&OVERLOAD, "aimd").range(60.0, 120.0);
    assert!(RIGHT < least && most < 2 * RIGHT, "{least} to {most}");
    assert!(share_done(&OVERLOAD, "aimd") > 1.4 * share_done(&OVERLOAD, "fixed, 128"));
}
