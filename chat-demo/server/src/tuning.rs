//! Adapts the limits of the pool to the load, if enabled.

use std::sync::Arc;

use anthill::tuner::{
    Change, Control, Gradient, HillClimbing, Policy, Probe, Reason, Stepped, Target, Tuner,
};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use crate::config::TunerPolicy;
use crate::guard::Guard;
use crate::machine::cpus;
use crate::pools::Pools;

/// Threads for each processor at most, where they are found by climbing.
const THREADS: usize = 4;
/// How far the capacity of the fan-out may go down, and how many times up.
const LEAST_FANOUT: usize = 16;
const TIMES_FANOUT: usize = 4;

pub(crate) struct Tuning(Mutex<Tuned>);

/// What is moved, and what became of it.
#[derive(Clone, Serialize)]
pub(crate) struct Tuned {
    policy: &'static str,
    /// Which pool's, by the name that it is shown under, and which of its limits.
    pool: &'static str,
    what: &'static str,
    pub(crate) limit: usize,
    /// Changes that are no trials.
    pub(crate) changes: u64,
    /// The last of them.
    last: Option<String>,
}

impl Tuning {
    /// Returns the tuner of a limit, if the policy has one.
    pub(crate) fn new(
        policy: TunerPolicy,
        pools: &Pools,
        guard: &Arc<Guard>,
    ) -> Option<(Self, Tuner)> {
        let most = cpus() * THREADS;
        let (policy, tuner) = match policy {
            TunerPolicy::Off => return None,
            TunerPolicy::Stepped => ("stepped", threads(pools, Stepped::default(), 16)),
            TunerPolicy::HillClimbing => {
                let policy = HillClimbing::default();
                ("hill_climbing", threads(pools, policy, most))
            }
            TunerPolicy::Gradient => {
                let fanout = &pools.fanout;
                let most = fanout.stats().capacity.saturating_mul(TIMES_FANOUT);
                let control = Control::new(Gradient::default()).bounds(LEAST_FANOUT..=most);
                let tuner = Tuner::new(fanout, Target::Capacity, control);
                ("gradient", tuner)
            }
        };
        // The workers are the same for all pools.
        let (pool, what, limit) = if policy == "gradient" {
            ("fanout", "capacity", pools.fanout.stats().capacity)
        } else {
            ("service", "threads", *pools.service.threads().end())
        };
        let guard = guard.clone();
        let tuner = tuner.probe(move || {
            let usage = guard.machine();
            Probe {
                cpu: Some(usage.cpu_percent / 100.0),
                memory: Some(usage.memory_percent / 100.0),
            }
        });
        let tuned = Tuned {
            policy,
            pool,
            what,
            limit,
            changes: 0,
            last: None,
        };
        Some((Self(Mutex::new(tuned)), tuner))
    }

    fn note(&self, change: &Change) {
        let tuned = &mut *self.0.lock();
        tuned.limit = change.to;
        let Tuned { pool, what, .. } = tuned;
        if change.reason == Reason::Trial {
            tracing::debug!(pool, what, %change, "tuned");
            return;
        }
        tracing::info!(pool, what, %change, "tuned");
        tuned.changes += 1;
        tuned.last = Some(change.to_string());
    }

    pub(crate) fn now(&self) -> Tuned {
        self.0.lock().clone()
    }
}

pub(crate) async fn run(tuning: Arc<Tuning>, mut tuner: Tuner, draining: CancellationToken) {
    let mut ticks = interval(tuner.tick_interval());
    while draining.run_until_cancelled(ticks.tick()).await.is_some() {
        if let Some(change) = tuner.tick() {
            tuning.note(&change);
        }
    }
}

fn threads(pools: &Pools, policy: impl Policy + 'static, most: usize) -> Tuner {
    let control = Control::new(policy).bounds(1..=most);
    Tuner::new(&pools.service, Target::Threads, control)
}
