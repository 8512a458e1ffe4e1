//! shuttle: random schedules, for models that have too many to explore all.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;

use shuttle::Runner;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};

/// The number of schedules of a model, half of them by each method. `ANTHILL_SCHEDULES` changes it.
const SCHEDULES: usize = 20_000;

/// The depth of the PCT schedules: the number of ordering constraints that a bug may take.
const DEPTH: usize = 3;

/// Runs `model` under random schedules: half of them with a random choice at every step, half by PCT, which finds bugs
/// of few preemptions with a known probability.
///
/// `ANTHILL_SEED` repeats a run from its seed, and `ANTHILL_REPLAY` the one schedule that a failure prints.
///
/// PCT: Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs", ASPLOS 2010.
///
/// # Panics
///
/// If the model does.
pub fn check(model: impl Fn() + Send + Sync + Clone + 'static) {
    if let Ok(schedule) = std::env::var("ANTHILL_REPLAY") {
        return shuttle::replay(model, &schedule);
    }
    let seed = number("ANTHILL_SEED").unwrap_or_else(rand_seed);
    let schedules = number("ANTHILL_SCHEDULES").map_or(SCHEDULES, |count| {
        usize::try_from(count).expect("the number of schedules fits into usize")
    });
    let half = schedules.div_ceil(2);
    run(
        "by random choice",
        RandomScheduler::new_from_seed(seed, half),
        (seed, half),
        model.clone(),
    );
    run(
        "by PCT",
        PctScheduler::new_from_seed(seed, DEPTH, half),
        (seed, half),
        model,
    );
}

fn run(
    how: &str,
    scheduler: impl Scheduler + 'static,
    (seed, schedules): (u64, usize),
    model: impl Fn() + Send + Sync + 'static,
) {
    let mut config = shuttle::Config::new();
    config.silence_warnings = true;
    let begin = Instant::now();
    let runner = Runner::new(scheduler, config);
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| runner.run(model))) {
        eprintln!(
            "failed {how}: ANTHILL_SEED={seed} runs all its schedules again, ANTHILL_REPLAY the one printed above"
        );
        resume_unwind(panic);
    }
    let took = begin.elapsed().as_secs_f64();
    println!("{schedules} schedules explored {how} in {took:.1} s, seed {seed}");
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is not a number: {value}")),
    )
}

/// A different seed on each call.
fn rand_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(())
}
