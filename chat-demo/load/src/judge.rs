//! Holds what a step of load showed against the goals.

use super::goals::{Goal, Goals, Step, mean};
use super::moments::{PoolMoment, ServerMoment};
use super::report::Report;

/// The first second is no measure of a step: the server wakes up.
const WARM_UP_S: f64 = 1.0;

impl Goals {
    /// What a step at `rate` of `seconds` showed, held against the goals. `cpus` are the processors that the server and
    /// the load generator share, if they do.
    pub(super) fn judge(
        &self,
        rate: f64,
        seconds: f64,
        cpus: Option<f64>,
        report: &Report,
    ) -> Step {
        let moments = || report.timeline.iter();
        // A short step has nothing but its beginning.
        let warm = if seconds > 2.0 * WARM_UP_S {
            WARM_UP_S
        } else {
            0.0
        };
        let during = || {
            moments()
                .filter(move |moment| moment.at_s > warm && moment.at_s <= seconds)
                .filter_map(|moment| moment.server.as_ref())
        };
        let wrong = report.lost + report.duplicated + report.reordered + report.errors;
        let memory = moments().filter_map(|moment| moment.server.as_ref()?.machine_memory_percent);
        let mut step = Step {
            rate,
            search: 0,
            deliveries_per_s: report.deliveries_per_s,
            p50_ms: report.p50_ms,
            p99_ms: report.p99_ms,
            cpu_percent: mean(during().filter_map(|server| server.machine_cpu_percent)),
            memory_percent: memory.reduce(f64::max),
            server_cpu_percent: mean(during().map(|server| server.cpu_percent)),
            own_cpu_percent: report.cpu_seconds / report.publish_seconds.max(seconds) * 100.0,
            others_cpu_percent: None,
            stolen_percent: mean(moments().filter_map(|moment| moment.stolen_percent)),
            wrong,
            fanout: most(during()),
            broke: Vec::new(),
        };
        step.others_cpu_percent = cpus.and_then(|cpus| {
            let ours = (step.server_cpu_percent? + step.own_cpu_percent) / cpus;
            Some((step.cpu_percent? - ours).max(0.0))
        });
        let above = |value: Option<f64>, goal| value.is_some_and(|value| value > goal);
        let broke = [
            (Goal::Cpu, above(step.cpu_percent, self.cpu_percent)),
            (
                Goal::Memory,
                above(step.memory_percent, self.memory_percent),
            ),
            (Goal::Latency, step.p99_ms > self.p99_ms),
            (Goal::Loss, wrong > 0 || report.delivered < report.expected),
        ];
        let broke = broke.into_iter().filter(|(_, broke)| *broke);
        step.broke = broke.map(|(goal, _)| goal).collect();
        step
    }
}

/// The most of each figure of the fan-out's pool.
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

    /// A moment each second: (when, CPU of the machine, its memory).
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
    fn the_first_second_and_what_comes_after_the_step_are_no_part_of_its_processor_time() {
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
    fn a_step_that_is_all_beginning_is_measured_nevertheless() {
        let step = GOALS.judge(100.0, 0.5, None, &report(&[(0.5, 90.0, 20.0)]));
        assert_eq!(step.broke, [Goal::Cpu]);
    }

    #[test]
    fn what_others_take_is_told_where_all_run_on_one_machine() {
        let mut report = report(&[(2.0, 60.0, 30.0)]);
        report.cpu_seconds = 0.8;
        let others = |cpus| GOALS.judge(1.0, 4.0, cpus, &report).others_cpu_percent;
        // 60 of 100 are taken; half of the server's 60 and of the load generator's 20 are 40.
        assert!((others(Some(2.0)).expect("told") - 20.0).abs() < 1e-9);
        assert_eq!(others(None), None);
    }

    #[test]
    fn only_a_step_that_broke_can_have_been_disturbed() {
        let mut step = Step {
            others_cpu_percent: Some(60.0),
            ..Step::default()
        };
        assert!(!step.is_disturbed());
        step.broke.push(Goal::Latency);
        assert!(step.is_disturbed());
        step.broke.push(Goal::Memory);
        assert!(!step.is_disturbed(), "others' processors are no reason");
        step.broke.pop();
        step.others_cpu_percent = Some(10.0);
        step.stolen_percent = Some(20.0);
        assert!(step.is_disturbed(), "its processors were elsewhere");
        step.stolen_percent = Some(0.5);
        assert!(!step.is_disturbed());
    }

    #[test]
    fn a_server_that_tells_nothing_is_judged_by_its_latency_alone() {
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
    fn a_line_tells_the_step_and_its_verdict() {
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
