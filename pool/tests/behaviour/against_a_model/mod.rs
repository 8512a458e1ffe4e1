//! The pool against a sequential model of it: whatever is done to both, in whatever order, both give the same answers
//! and are in the same state afterwards.
//!
//! The workers are real. Yet each task ends only when it is told to, so it is the test that drives the schedule: after
//! each operation it waits until the pool is where the model says that it must come.

mod board;
mod check;
mod model;
mod op;
mod real;
mod schedule;

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use self::check::Run;
use self::model::{Model, Stage};
use self::op::{Act, Op, Settings};

/// How many operations a case has at most.
const LONGEST: usize = 60;

/// How many cases are tried at least.
const FEWEST: u32 = 1000;

/// Does the operations, then brings everything to its end.
fn live(settings: Settings, ops: &[Op]) -> TestCaseResult {
    let mut run = Run::new(settings)?;
    for &op in ops {
        run.apply(op)?;
    }
    // From here on nobody waits for a slot, and nothing gets in but what has one.
    run.apply(Op::Close)?;
    while let Some(op) = last_rites(&run.model) {
        run.apply(op)?;
    }
    run.apply(Op::Shutdown)?;
    run.end()
}

/// What brings a task nearer to its end, as long as there is one.
fn last_rites(model: &Model) -> Option<Op> {
    let suspended = |id: usize| model.tasks[id].stage == Stage::Suspended;
    let find = |act, wants: &dyn Fn(usize) -> bool| {
        let place = model.subjects(act).into_iter().position(wants)?;
        Some(Op::On(act, place))
    };
    find(Act::GiveUp, &|_| true)
        .or_else(|| find(Act::Return, &|_| true))
        .or_else(|| find(Act::Wake, &suspended))
        // Nobody can wake these.
        .or_else(|| find(Act::Cancel, &suspended))
        .or_else(|| find(Act::LetGo, &|_| true))
}

proptest! {
    #![proptest_config(ProptestConfig {
        // A few seconds; `PROPTEST_CASES` asks for more.
        cases: ProptestConfig::default().cases.max(FEWEST),
        failure_persistence: None,
        // A case that fails by a wait takes a while each time.
        max_shrink_time: 120_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn pool_behaves_as_its_model(
        settings in op::settings(),
        ops in prop::collection::vec(op::op(), 1..LONGEST),
    ) {
        live(settings, &ops)?;
    }
}
