//! What a step of load showed, and whether it kept its goals.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::report::{PoolMoment, Report, ServerMoment};

/// The first second is no measure of a step: the server wakes up.
const WARM_UP_S: f64 = 1.0;

/// Some of what nobody's process has is the kernel's own, for the sockets of ours; what is above are other programs.
const MANY_OTHERS_PERCENT: f64 = 30.0;

/// So much of a virtual machine's processors may be its host's for others: more, and all that runs on it comes late.
const MUCH_STOLEN_PERCENT: f64 = 1.0;

/// What a load must keep to count as borne.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Goals {
    /// 99 of 100 deliveries take no longer, in milliseconds.
    pub p99_ms: f64,
    /// Processors busy at most, in percent of the machine.
    pub cpu_percent: f64,
    /// Memory taken at most, in percent of the machine.
    pub memory_percent: f64,
}

/// One of the goals; that nothing is lost is one, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// The processors have room to spare.
    Cpu,
    /// The memory has.
    Memory,
    /// Messages come in time.
    Latency,
    /// Each comes once and in order, and nothing else goes wrong.
    Loss,
}

/// One step of load: so many messages a second, for a while.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Step {
    /// Messages a second that were to be sent, over all rooms.
    pub rate: f64,
    /// Which of the searches it belongs to, from 1.
    pub search: usize,
    /// What came of it.
    pub deliveries_per_s: f64,
    /// Half of the deliveries took no longer.
    pub p50_ms: f64,
    /// 99 of 100 took no longer.
    pub p99_ms: f64,
    /// Of the server's machine, all that runs there together; the mean.
    pub cpu_percent: Option<f64>,
    /// The same of its memory; the most.
    pub memory_percent: Option<f64>,
    /// Of the server's process, 100 is one processor; the mean.
    pub server_cpu_percent: Option<f64>,
    /// Of the load generator itself, 100 is one processor.
    pub own_cpu_percent: f64,
    /// Of the machine, what is neither the server's nor the load generator's, where both run on it.
    pub others_cpu_percent: Option<f64>,
    /// Of the load generator's machine, what its host gave to others, where it is a virtual one; the mean.
    pub stolen_percent: Option<f64>,
    /// Deliveries that did not come, came twice or late, and errors.
    pub wrong: u64,
    /// The most that was seen in the server's pool for fan-out.
    pub fanout: Option<PoolMoment>,
    /// The goals that it did not keep.
    pub broke: Vec<Goal>,
}

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

impl Step {
    /// Whether it says nothing of the server: it broke while other programs, or other machines on the same host, took much
    /// of the processors.
    pub(super) fn is_disturbed(&self) -> bool {
        let others = self.others_cpu_percent;
        let much = others.is_some_and(|others| others > MANY_OTHERS_PERCENT);
        let stolen = self.stolen_percent;
        let stolen = stolen.is_some_and(|stolen| stolen > MUCH_STOLEN_PERCENT);
        let of_processors = |goal: &Goal| matches!(goal, Goal::Cpu | Goal::Latency);
        !self.held() && self.broke.iter().all(of_processors) && (much || stolen)
    }

    /// Whether it kept the goals.
    #[must_use]
    pub fn held(&self) -> bool {
        self.broke.is_empty()
    }
}

/// For people: one line.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rate,
            deliveries_per_s,
            p50_ms,
            p99_ms,
            ..
        } = self;
        write!(
            f,
            "{rate:.1}/s: {deliveries_per_s:.0} deliveries/s, p50 {p50_ms:.2} ms, p99 {p99_ms:.2} ms"
        )?;
        if let Some(cpu) = self.cpu_percent {
            write!(f, ", CPU {cpu:.0} %")?;
        }
        if let Some(memory) = self.memory_percent {
            write!(f, ", memory {memory:.0} %")?;
        }
        if let Some(stolen) = self.stolen_percent.filter(|stolen| *stolen >= 1.0) {
            write!(f, ", {stolen:.0} % stolen by the host")?;
        }
        if self.wrong > 0 {
            write!(f, ", {} wrong", self.wrong)?;
        }
        if self.held() {
            return write!(f, ": holds");
        }
        write!(f, ": breaks ")?;
        for (n, goal) in self.broke.iter().enumerate() {
            write!(f, "{}{goal}", if n > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "CPU",
            Self::Memory => "memory",
            Self::Latency => "latency",
            Self::Loss => "loss",
        })
    }
}

pub(super) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, all) = values.fold((0.0, 0.0), |(sum, all), value| (sum + value, all + 1.0));
    (all > 0.0).then(|| sum / all)
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
    use super::super::report::Moment;
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
