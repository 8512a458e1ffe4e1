//! Runs steps of load until the highest rate that meets the goals is found.

use std::thread;
use std::time::Instant;

use super::{
    args::{Args, LimitArgs},
    error::LoadError,
    interrupts::Interrupts,
    limit::{Range, Searches},
    pace::Load,
    progress::Search,
    redact::without_secrets,
    report::Report,
    run::Run,
    verdict::{Bound, Limit},
};
use crate::console;

/// Deliveries a second of the first step without `--rate`: few for any server.
const FIRST_DELIVERIES: f64 = 1000.0;

/// The most disturbed steps that are repeated, so that a search on a busy machine ends.
const MAX_DISTURBED: usize = 60;

/// Finds the limit of the server. The report is of the step nearest to it.
pub(super) async fn find(args: &Args, interrupts: &Interrupts) -> Result<Report, LoadError> {
    let (goals, seconds) = (args.limit.goals, args.limit.step.as_secs_f64());
    // A server that this program started is on the same machine.
    let shared = args.serve.serve.then(|| cpus() as f64);
    let mut searches = Searches::new(args.limit.range(args), args.limit.repeat);
    let (mut steps, mut reports, mut twice_or_late) = (Vec::new(), Vec::new(), (0, 0));
    let mut disturbed = 0;
    let mut run = Run::new(args, interrupts).await?;
    let mut connect_seconds = run.connect().await;
    let mut run = Some(run);
    let begun = Instant::now();
    while let (Some(rate), Some(members)) = (searches.next(), &mut run) {
        let load = Load {
            rate: Some(rate),
            ramp: args.ramp,
            time: Some(args.limit.step),
            messages: None,
        };
        let ahead = search(&searches, args, begun, steps.len());
        let report = members.step(load, Some(ahead)).await;
        twice_or_late.0 += report.duplicated;
        twice_or_late.1 += report.reordered;
        if report.interrupted {
            break;
        }
        let mut step = goals.judge(rate, seconds, shared, &report);
        step.search = searches.number();
        let line = format!("step {}: {step}", steps.len() + 1);
        let last = report.timeline.last();
        let some_left = last.is_some_and(|moment| moment.members < report.connections);
        if step.is_disturbed() && disturbed < MAX_DISTURBED {
            disturbed += 1;
            console::note(format_args!(
                "{line}; other programs took much of the machine: trying again"
            ));
        } else {
            searches.record(step.held());
            steps.push(step);
            reports.push(report);
            let ahead = search(&searches, args, begun, steps.len());
            console::note(format_args!("{line}; {ahead}"));
        }
        // Dropped clients no longer load the server, so connect all clients again.
        if some_left {
            end(run.take()).await;
            match Run::new(args, interrupts).await {
                Ok(mut anew) => {
                    connect_seconds = anew.connect().await;
                    run = Some(anew);
                }
                // Report what was found until then.
                Err(error) => console::note(format_args!("the search ends here: {error}")),
            }
        }
    }
    end(run).await;

    let mut limit = Limit {
        rate: searches.limit(),
        noise_percent: searches.noise_percent(),
        goals,
        options: without_secrets(args.serve.options.clone()),
        limits: searches.limits.clone(),
        steps,
        ..Limit::default()
    };
    limit.bound_by = Bound::of(&limit.just_above(), &goals, cpus() as f64);
    limit.advice = limit.bound_by.advice();
    let mut report = if let Some(number) = limit.nearest_held(limit.rate) {
        let step = &limit.steps[number];
        limit.deliveries_per_s = step.deliveries_per_s;
        limit.p99_ms = step.p99_ms;
        limit.cpu_percent = step.cpu_percent;
        limit.memory_percent = step.memory_percent;
        reports.swap_remove(number)
    } else {
        reports.pop().unwrap_or_default()
    };
    report.connect_seconds = connect_seconds;
    report.interrupted = interrupts.stop.is_cancelled();
    // Repeated and reordered messages are wrong at any load.
    (report.duplicated, report.reordered) = twice_or_late;
    report.limit = Some(limit);
    Ok(report)
}

/// Returns the progress of the search after `done` steps.
fn search(searches: &Searches, args: &Args, begun: Instant, done: usize) -> Search {
    let each = |done| begun.elapsed().checked_div(done);
    Search {
        number: searches.number().min(args.limit.repeat),
        of: args.limit.repeat,
        done,
        left: searches.remaining(),
        each: u32::try_from(done)
            .ok()
            .and_then(each)
            .unwrap_or(args.limit.step),
    }
}

async fn end(run: Option<Run>) {
    if let Some(run) = run {
        run.end().await;
    }
}

impl LimitArgs {
    /// Returns the range from one message a step to the highest allowed rate.
    fn range(&self, args: &Args) -> Range {
        let highest = self.max_rate;
        let members = args.connections as f64 / args.rooms() as f64;
        Range {
            first: args.rate.unwrap_or(FIRST_DELIVERIES / members),
            lowest: (1.0 / self.step.as_secs_f64()).min(highest),
            highest,
        }
    }
}

fn cpus() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
