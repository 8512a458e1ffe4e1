//! Compares the figures of a step with the goals.

use super::goals::{Goal, Goals, Step, above, mean};
use super::moments::{PoolMoment, ServerMoment};
use super::report::Report;

/// The first second of a step does not count: the server is warming up.
const WARM_UP_S: f64 = 1.0;

impl Goals {
    /// Judges a step of `seconds` at `rate`. `cpus` is the number of CPUs that the server and the
    /// load generator share, if they do.
    pub(super) fn judge(
        &self,
        rate: f64,
        seconds: f64,
        cpus: Option<f64>,
        report: &Report,
    ) -> Step {
        let moments = || report.timeline.iter();
        // A short step has no time after the warm-up.
        let is_short = seconds <= 2.0 * WARM_UP_S;
        let warm = if is_short { 0.0 } else { WARM_UP_S };
        let during = || {
            moments()
                .filter(move |moment| moment.at_s > warm && moment.at_s <= seconds)
                .filter_map(|moment| moment.server.as_ref())
        };
        let wrong = report.lost + report.duplicated + report.reordered + report.errors;
        let memory = moments().filter_map(|moment| moment.server.as_ref()?.machine_memory_percent);
        let memory = memory.reduce(f64::max);
        let mut step = Step {
            rate,
            deliveries_per_s: report.deliveries_per_s,
            p50_ms: report.p50_ms,
            p99_ms: report.p99_ms,
            cpu_percent: mean(during().filter_map(|server| server.machine_cpu_percent)),
            memory_percent: memory,
            server_cpu_percent: mean(during().map(|server| server.cpu_percent)),
            own_cpu_percent: report.cpu_seconds / report.publish_seconds.max(seconds) * 100.0,
            stolen_percent: mean(moments().filter_map(|moment| moment.stolen_percent)),
            wrong,
            fanout: most(during()),
            ..Step::default()
        };
        step.others_cpu_percent = cpus.and_then(|cpus| {
            let ours = (step.server_cpu_percent? + step.own_cpu_percent) / cpus;
            Some((step.cpu_percent? - ours).max(0.0))
        });
        let lossy = wrong > 0 || report.delivered < report.expected;
        let broke = [
            (Goal::Cpu, above(step.cpu_percent, self.cpu_percent)),
            (Goal::Memory, above(memory, self.memory_percent)),
            (Goal::Latency, step.p99_ms > self.p99_ms),
            (Goal::Loss, lossy),
        ];
        let broke = broke.into_iter().filter(|(_, broke)| *broke);
        step.broke = broke.map(|(goal, _)| goal).collect();
        step
    }
}

/// Returns the highest of each figure of the pool for fan-out.
fn most<'a>(moments: impl Iterator<Item = &'a ServerMoment>) -> Option<PoolMoment> {
    let pools = moments.filter_map(|server| server.pools.get("fanout").cloned());
    pools.reduce(|most, pool| PoolMoment {
        capacity: most.capacity.max(pool.capacity),
        in_flight: most.in_flight.max(pool.in_flight),
        running: most.running.max(pool.running),
        queued: most.queued.max(pool.queued),
        waiting: most.waiting.max(pool.waiting),
        threads: most.threads.max(pool.threads),
    })
}

#[cfg(test)]
mod tests {
    use super::super::moments::Moment;
    use super::*;

    const GOALS: Goals = Goals {
        p99_ms: 50.0,
        cpu_percent: 85.0,
        memory_percent: 90.0,
    };

    /// Moments as (time, CPU of the machine, memory of the machine).
    fn report(moments: &[(f64, f64, f64)]) -> Report {
        let moment = |&(at_s, cpu, memory): &(f64, f64, f64)| Moment {
            at_s,
            server: Some(ServerMoment {
                cpu_percent: cpu,
                machine_cpu_percent: Some(cpu),
                machine_memory_percent: Some(memory),
                ..ServerMoment::default()
            }),
            ..Moment::default()
        };
        Report {
            timeline: moments.iter().map(moment).collect(),
            publish_seconds: 4.0,
            p99_ms: 10.0,
            ..Report::default()
        }
    }

    #[test]
    fn cpu_time_counts_after_the_warm_up_until_the_end() {
        let report = report(&[
            (1.0, 100.0, 20.0),
            (2.0, 60.0, 30.0),
            (4.0, 80.0, 20.0),
            (5.0, 0.0, 20.0),
        ]);
        let step = GOALS.judge(100.0, 4.0, None, &report);
        assert_eq!(
            (step.cpu_percent, step.memory_percent),
            (Some(70.0), Some(30.0))
        );
        assert!(step.held(), "{step}");
    }

    #[test]
    fn a_step_shorter_than_the_warm_up_is_measured() {
        let step = GOALS.judge(100.0, 0.5, None, &report(&[(0.5, 90.0, 20.0)]));
        assert_eq!(step.broke, [Goal::Cpu]);
    }

    #[test]
    fn cpu_of_other_programs_is_known_on_one_machine() {
        let mut report = report(&[(2.0, 60.0, 30.0)]);
        report.cpu_seconds = 0.8;
        let others = |cpus| GOALS.judge(1.0, 4.0, cpus, &report).others_cpu_percent;
        // 60 of 100 are used: 40 by server and load generator on two CPUs, 20 by others.
        assert!((others(Some(2.0)).expect("one machine") - 20.0).abs() < 1e-9);
        assert_eq!(others(None), None);
    }

    #[test]
    fn only_a_step_that_missed_a_goal_counts_as_disturbed() {
        let mut step = Step {
            others_cpu_percent: Some(60.0),
            ..Step::default()
        };
        assert!(!step.is_disturbed());
        step.broke.push(Goal::Latency);
        assert!(step.is_disturbed());
        step.broke.push(Goal::Memory);
        assert!(!step.is_disturbed(), "other programs do not explain memory");
        step.broke.pop();
        step.others_cpu_percent = Some(10.0);
        step.stolen_percent = Some(20.0);
        assert!(step.is_disturbed(), "the host stole CPU time");
        step.stolen_percent = Some(0.5);
        assert!(!step.is_disturbed());
    }

    #[test]
    fn without_server_figures_latency_decides() {
        let report = Report {
            p99_ms: 51.0,
            ..Report::default()
        };
        let step = GOALS.judge(100.0, 1.0, None, &report);
        assert_eq!(
            (step.cpu_percent, step.broke.as_slice()),
            (None, &[Goal::Latency][..])
        );
    }

    #[test]
    fn each_mismatch_breaks_the_step() {
        for spoil in [
            |report: &mut Report| report.lost = 1,
            |report: &mut Report| report.duplicated = 1,
            |report: &mut Report| report.reordered = 1,
            |report: &mut Report| report.errors = 1,
            |report: &mut Report| report.expected = 1,
        ] {
            let mut report = report(&[]);
            spoil(&mut report);
            assert_eq!(GOALS.judge(1.0, 1.0, None, &report).broke, [Goal::Loss]);
        }
    }

    #[test]
    fn a_step_prints_its_rate_and_verdict() {
        let mut step = GOALS.judge(128.0, 4.0, None, &report(&[(2.0, 60.0, 30.0)]));
        let line = step.to_string();
        assert!(
            line.starts_with("128.0/s: ") && line.ends_with(": holds"),
            "{line}"
        );
        step.broke = vec![Goal::Cpu, Goal::Latency];
        assert!(
            step.to_string().ends_with(": breaks CPU, latency"),
            "{step}"
        );
    }
}
