//! A tree of closures, each of which spawns two more on the pool that it runs on.

use std::io;

use rayon::Scope;

use super::{ALLOCATIONS, CPU_NS, Case, NS, OfClosures, PEAK, Plan, Player, Work, unnamed};
use crate::meter::{Figures, Meter};
use crate::peers::{Peer, Rayon};
use crate::tally::Tally;

pub(super) const WORK: Work = Work {
    name: "tree",
    about: "A binary tree of closures, each spawned by its parent on a worker, without a bound",
    cases,
    label: unnamed,
    players,
    most_rounds: usize::MAX,
    counted: true,
    serves: false,
    shown: &[NS, CPU_NS, ALLOCATIONS, PEAK],
};

fn cases(plan: &Plan) -> Vec<Case> {
    let levels = plan.effort.of(20, 17, 9);
    vec![Case::new(plan.threads, (1 << levels) - 1)]
}

fn players() -> Vec<Player> {
    let mut players = super::players::<Tree>();
    players.push(Player {
        name: "rayon-scope",
        crate_name: "rayon",
        bounds: false,
        play: play_scope,
    });
    players
}

struct Tree;

impl OfClosures for Tree {
    fn play<P: Peer>(case: &Case) -> io::Result<Figures> {
        let pool = super::kept::<P>(case);
        measure(case, |tally, depth| {
            pool.submit(move || grow(pool, tally, depth));
        })
    }
}

/// A node `depth` levels above the leaves.
fn grow<P: Peer>(pool: &'static P, tally: &'static Tally, depth: u32) {
    if depth > 0 {
        pool.submit(move || grow(pool, tally, depth - 1));
        pool.submit(move || grow(pool, tally, depth - 1));
    }
    tally.ran();
}

/// The same through rayon's scope, which waits for the tree by itself.
fn play_scope(case: &Case) -> io::Result<Figures> {
    let pool = super::kept::<Rayon>(case);
    measure(case, |tally, depth| {
        pool.0.scope(|scope| branch(scope, tally, depth));
    })
}

fn branch(scope: &Scope<'_>, tally: &'static Tally, depth: u32) {
    if depth > 0 {
        scope.spawn(move |scope| branch(scope, tally, depth - 1));
        scope.spawn(move |scope| branch(scope, tally, depth - 1));
    }
    tally.ran();
}

fn measure(case: &Case, plant: impl Fn(&'static Tally, u32)) -> io::Result<Figures> {
    let depth = (case.tasks + 1).ilog2() - 1;
    let nodes = |depth: u32| (2 << depth) - 1;
    let few = depth.min(10);
    let warm_up = Tally::new(None);
    plant(warm_up, few);
    warm_up.wait(nodes(few));
    let tally = case.tally();
    let meter = Meter::start(case.count)?;
    plant(tally, depth);
    tally.wait(nodes(depth));
    let figures = meter.stop(nodes(depth))?;
    tally.check(nodes(depth))?;
    Ok(figures)
}
