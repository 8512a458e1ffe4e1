//! Benches of anthill's hot paths, to compare before and after a change: `cargo bench -p benches`.

mod closures;
mod futures;
mod handoff;
mod held;
mod idle;
mod mixed;
mod slots;
mod strands;
mod timing;

use std::time::Duration;

use criterion::Criterion;

fn main() {
    // Shorter than criterion's defaults, so that all benches take about two minutes. Arguments
    // override it.
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2))
        .nresamples(10_000)
        .configure_from_args();
    closures::bench(&mut criterion);
    futures::bench(&mut criterion);
    slots::bench(&mut criterion);
    strands::bench(&mut criterion);
    handoff::bench(&mut criterion);
    idle::bench(&mut criterion);
    mixed::bench(&mut criterion);
    criterion.final_summary();
}
