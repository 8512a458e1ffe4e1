//! The pool against a sequential model: after any sequence of operations both have returned the
//! same answers and are in the same state.
//!
//! The workers are real threads. Each task ends only when the test orders it to, so the test drives
//! the schedule: after each operation it waits until the pool has reached the state of the model.

mod board;
mod check;
mod model;
mod op;
mod real;
mod schedule;
mod task;

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use self::check::Run;
use self::model::Model;
use self::op::{Act, Op, Settings};
use self::task::Stage;

/// The most operations of a case.
const LONGEST: usize = 60;

/// The fewest cases that are tried.
const FEWEST: u32 = 1000;

/// Applies the operations, then ends every task.
fn live(settings: Settings, ops: &[Op]) -> TestCaseResult {
    let mut run = Run::new(settings)?;
    for &op in ops {
        run.apply(op)?;
    }
    // From here on no submitter waits, and only tasks that hold a slot are accepted.
    run.apply(Op::Close)?;
    while let Some(op) = last_rites(&run.model) {
        run.apply(op)?;
    }
    run.apply(Op::Shutdown)?;
    run.end()
}

/// Returns the next operation that ends a task, if one is left.
fn last_rites(model: &Model) -> Option<Op> {
    let suspended = |id: usize| model.tasks[id].stage == Stage::Suspended;
    let find = |act, wants: &dyn Fn(usize) -> bool| {
        let place = model.subjects(act).into_iter().position(wants)?;
        Some(Op::On(act, place))
    };
    find(Act::GiveUp, &|_| true)
        .or_else(|| find(Act::Return, &|_| true))
        .or_else(|| find(Act::Wake, &suspended))
        // These can no longer be woken.
        .or_else(|| find(Act::Cancel, &suspended))
        .or_else(|| find(Act::LetGo, &|_| true))
}

proptest! {
    #![proptest_config(ProptestConfig {
        // A few seconds; `PROPTEST_CASES` asks for more.
        cases: ProptestConfig::default().cases.max(FEWEST),
        failure_persistence: None,
        // Each run of a case that fails by a timeout takes a while.
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
