//! A parallel map over many short items: how much do order and a bound cost?

use std::io;

use futures_util::{StreamExt, stream};
use pariter::IteratorExt;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::spin::spin_one_us;
use super::{CPU_NS, Case, NS, PEAK, Plan, Runner, Work, unnamed};
use crate::meter::{Figures, Meter};

pub(super) const WORK: Work = Work {
    name: "map",
    about: "A map over items that take 1 us each, collected in order; on two threads the floor is 500 ns an item",
    cases: |plan: &Plan| {
        vec![Case::new(
            plan.threads,
            plan.effort.of(1_000_000, 100_000, 1_000),
        )]
    },
    label: unnamed,
    runners,
    max_rounds: usize::MAX,
    counts_allocations: false,
    is_server: false,
    shown: &[NS, CPU_NS, PEAK],
};

fn runners() -> Vec<Runner> {
    let runner = |name, crate_name, run| Runner {
        name,
        crate_name,
        bounds: false,
        run,
    };
    vec![
        runner("anthill", "anthill", |case| measure(case, anthill)),
        runner("anthill-unordered", "anthill", |case| {
            measure(case, anthill_unordered)
        }),
        runner("pariter", "pariter", |case| measure(case, pariter)),
        runner("rayon", "rayon", |case| measure(case, rayon)),
        runner("tokio-buffered", "tokio", |case| {
            measure(case, tokio_buffered)
        }),
    ]
}

/// Maps a tenth of the items to warm up, then measures until all results are there.
fn measure(case: &Case, map: fn(&Case) -> Vec<u64>) -> io::Result<Figures> {
    map(&case.warm_up());
    let meter = Meter::start(case.count)?;
    let mut results = map(case);
    let figures = meter.stop(case.tasks)?;
    results.sort_unstable();
    if results.iter().copied().ne(0..case.tasks as u64) {
        return Err(io::Error::other("the map lost or doubled an item"));
    }
    Ok(figures)
}

fn item(n: u64) -> u64 {
    spin_one_us();
    n
}

fn items(case: &Case) -> std::ops::Range<u64> {
    0..case.tasks as u64
}

fn pool(case: &Case) -> anthill::Pool {
    let builder = anthill::Pool::builder().threads(0..=case.threads);
    builder.build().expect("the settings are valid")
}

fn anthill(case: &Case) -> Vec<u64> {
    pool(case).map(items(case), item).collect()
}

fn anthill_unordered(case: &Case) -> Vec<u64> {
    pool(case).map(items(case), item).unordered().collect()
}

fn rayon(case: &Case) -> Vec<u64> {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(case.threads);
    let pool = builder.build().expect("threads start");
    pool.install(|| items(case).into_par_iter().map(item).collect())
}

fn pariter(case: &Case) -> Vec<u64> {
    let threads = case.threads;
    let map = items(case).parallel_map_custom(|options| options.threads(threads), item);
    map.collect()
}

/// As many closures in flight as threads could work on for a while.
fn tokio_buffered(case: &Case) -> Vec<u64> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(case.threads)
        .build()
        .expect("the runtime starts");
    let results = stream::iter(items(case))
        .map(|n| async move {
            let result = tokio::task::spawn_blocking(move || item(n)).await;
            result.expect("no item panics")
        })
        .buffered(1_000);
    runtime.block_on(results.collect())
}
