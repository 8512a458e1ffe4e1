//! loom: every schedule and every memory order, up to a number of preemptions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::schedule;

/// The number of executions between two looks at the clock.
const INTERVAL: usize = 1_000;

/// Explores every schedule of `model` with at most 2 preemptions.
///
/// `LOOM_MAX_PREEMPTIONS` changes the number, and `LOOM_MAX_DURATION` ends the exploration after that many seconds.
/// `ANTHILL_SCHEDULE` prints the schedule of an execution that fails.
pub fn check(model: impl Fn() + Sync + Send + 'static) {
    check_within(2, model);
}

/// Explores every schedule of `model` with at most `preemptions` preemptions.
///
/// `LOOM_MAX_PREEMPTIONS` changes the number, and `LOOM_MAX_DURATION` ends the exploration after that many seconds.
pub fn check_within(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    let bound = *builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = 20_000;
    builder.checkpoint_interval = INTERVAL;
    let most = builder.max_duration;
    let explored = Arc::new(AtomicUsize::new(0));
    let executions = Arc::clone(&explored);
    let begin = Instant::now();
    let explore = move || {
        builder.check(move || {
            executions.fetch_add(1, Ordering::Relaxed);
            // An earlier model on this thread may have left some.
            anthill::refuse_thread_starts(0..0);
            anthill::wake_early(0);
            model();
        });
    };
    if std::env::var_os("ANTHILL_SCHEDULE").is_some() {
        schedule::printed(explore);
    } else {
        explore();
    }
    let took = begin.elapsed();
    let count = explored.load(Ordering::Relaxed);
    // The time may also be over when there is nothing left to explore.
    let stopped = (count + 1).is_multiple_of(INTERVAL) && most.is_some_and(|most| took >= most);
    let all = if stopped {
        "and then stopped"
    } else {
        "all there are"
    };
    println!(
        "{count} executions, {all}, within {bound} preemptions in {:.1} s",
        took.as_secs_f64()
    );
}

/// Runs `f` on another thread of the model.
pub fn other<T: 'static>(f: impl FnOnce() -> T + 'static) -> loom::thread::JoinHandle<T> {
    loom::thread::spawn(f)
}
