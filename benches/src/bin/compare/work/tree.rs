//! A tree of closures: each spawns two more on its pool.

use std::io;

use rayon::Scope;

use super::{ALLOCATIONS, CPU_NS, Case, ClosureWork, NS, PEAK, Plan, Runner, Work, unnamed};
use crate::meter::{Figures, Meter};
use crate::peers::{Peer, Rayon};
use crate::tally::Tally;

pub(super) const WORK: Work = Work {
    name: "tree",
    about: "A binary tree of closures, each spawned by its parent on a worker, without a bound",
    cases,
    label: unnamed,
    runners,
    max_rounds: usize::MAX,
    counts_allocations: true,
    is_server: false,
    shown: &[NS, CPU_NS, ALLOCATIONS, PEAK],
};

fn cases(plan: &Plan) -> Vec<Case> {
    let levels = plan.effort.of(20, 17, 9);
    vec![Case::new(plan.threads, (1 << levels) - 1)]
}

fn runners() -> Vec<Runner> {
    let mut runners = super::runners::<Tree>();
    runners.push(Runner {
        name: "rayon-scope",
        crate_name: "rayon",
        bounds: false,
        run: run_scope,
    });
    runners
}

struct Tree;

impl ClosureWork for Tree {
    fn run<P: Peer>(case: &Case) -> io::Result<Figures> {
        let pool = super::leaked::<P>(case);
        measure(case, |tally, depth| {
            pool.submit(move || run_node(pool, tally, depth));
        })
    }
}

/// Runs a node that is `depth` levels above the leaves.
fn run_node<P: Peer>(pool: &'static P, tally: &'static Tally, depth: u32) {
    if depth > 0 {
        pool.submit(move || run_node(pool, tally, depth - 1));
        pool.submit(move || run_node(pool, tally, depth - 1));
    }
    tally.ran();
}

/// The same through rayon's scope, which waits for the tree itself.
fn run_scope(case: &Case) -> io::Result<Figures> {
    let pool = super::leaked::<Rayon>(case);
    measure(case, |tally, depth| {
        pool.0.scope(|scope| run_scoped_node(scope, tally, depth));
    })
}

fn run_scoped_node(scope: &Scope<'_>, tally: &'static Tally, depth: u32) {
    if depth > 0 {
        scope.spawn(move |scope| run_scoped_node(scope, tally, depth - 1));
        scope.spawn(move |scope| run_scoped_node(scope, tally, depth - 1));
    }
    tally.ran();
}

fn measure(case: &Case, spawn_root: impl Fn(&'static Tally, u32)) -> io::Result<Figures> {
    let depth = (case.tasks + 1).ilog2() - 1;
    let nodes = |depth: u32| (2 << depth) - 1;
    let few = depth.min(10);
    let warm_up = Tally::new(None);
    spawn_root(warm_up, few);
    warm_up.wait(nodes(few));
    let tally = case.tally();
    let meter = Meter::start(case.count)?;
    spawn_root(tally, depth);
    tally.wait(nodes(depth));
    let figures = meter.stop(nodes(depth))?;
    tally.check(nodes(depth))?;
    Ok(figures)
}
