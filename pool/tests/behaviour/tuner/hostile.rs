//! Settings and samples that no pool gives: a policy neither panics on them nor is spoilt by them.

use std::ops::RangeInclusive;
use std::time::Duration;

use anthill::tuner::{Aimd, Gradient, HillClimbing, Policy, Probe, Sample, Stepped};
use proptest::prelude::*;

/// Any float, often infinite or NaN.
fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(f64::MAX),
        Just(0.0),
        0.0..1e4,
        any::<f64>(),
    ]
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::MAX),
        (0..10_000_u64).prop_map(Duration::from_millis),
    ]
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(u64::MAX), 0..1000_u64]
}

prop_compose! {
    fn sample()(
        elapsed in duration(),
        [ended, failed, expired] in [count(), count(), count()],
        tasks in [float(), float(), float(), float()],
        limit in prop_oneof![Just(0), Just(usize::MAX), 1..100_usize],
        cpu in prop::option::of(float()),
        memory in prop::option::of(float()),
    ) -> Sample {
        let [in_flight, running, queued, waiting] = tasks;
        let probe = Probe { cpu, memory };
        Sample {
            elapsed, ended, failed, expired, in_flight, running, queued, waiting, limit, probe,
        }
    }
}

fn bounds() -> impl Strategy<Value = RangeInclusive<usize>> {
    (any::<usize>(), any::<usize>()).prop_map(|(least, most)| least..=most)
}

/// Every policy, one of them with these settings.
fn policies((tolerance, window, score): (f64, u32, f64)) -> [Box<dyn Policy>; 6] {
    let gradient = Gradient::default().tolerance(tolerance).window(window);
    let aimd = Aimd::default()
        .factor(score)
        .tolerance(tolerance)
        .step(window);
    [
        Box::new(gradient),
        Box::new(aimd.count_expired()),
        Box::new(Aimd::default()),
        Box::new(HillClimbing::default()),
        Box::new(Stepped::default()),
        Box::new(Stepped::default().by(move |_| score)),
    ]
}

/// What a healthy pool shows: as many tasks in it as may be.
fn healthy(limit: usize) -> Sample {
    Sample {
        elapsed: Duration::from_secs(1),
        ended: 100 * limit as u64,
        in_flight: limit as f64,
        running: limit as f64,
        limit,
        ..Sample::default()
    }
}

proptest! {
    #[test]
    fn no_policy_panics(
        settings in (float(), any::<u32>(), float()),
        samples in prop::collection::vec((sample(), bounds()), 1..80),
    ) {
        let mut policies = policies(settings);
        for (sample, bounds) in &samples {
            for policy in &mut policies {
                let _ = policy.propose(sample, bounds);
            }
        }
    }

    #[test]
    fn policies_still_propose_after_hostile_samples(hostile in prop::collection::vec(sample(), 1..20)) {
        let policies: [Box<dyn Policy>; 3] = [
            Box::new(Gradient::default()),
            Box::new(Aimd::default().count_expired()),
            Box::new(Stepped::default()),
        ];
        for mut policy in policies {
            for sample in &hostile {
                let _ = policy.propose(sample, &(1..=100));
            }
            let mut limit = 10;
            let mut proposed = false;
            for _ in 0..100 {
                if let Some(proposal) = policy.propose(&healthy(limit), &(1..=100)) {
                    limit = proposal.limit.clamp(1, 100);
                    proposed = true;
                }
            }
            prop_assert!(proposed);
        }
    }
}
