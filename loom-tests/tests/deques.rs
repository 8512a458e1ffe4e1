//! The stand-ins for crossbeam-deque do what it does: all three are run through the same random sequences.
#![cfg(anthill_loom)]

#[path = "../../pool/src/sync/deque_ordered.rs"]
mod ordered;
#[path = "../../pool/src/sync/deque_plain.rs"]
mod plain;
mod real {
    pub(crate) use crossbeam_deque::{Injector, Stealer, Worker as Local};
}

use crossbeam_deque::Steal;
use proptest::prelude::*;

/// The common queue, or one of two local ones, `Mine` and `Yours`.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Push,
    Take,
    TakeBatch(usize),
    Refill(usize),
    PushMine,
    PopMine,
    PushYours,
    PopYours,
    StealYours,
    StealBatchOfYours,
}

/// A number that came out, or a state: each means the same in all runs.
type Seen = Vec<Option<usize>>;

fn stolen<T>(steal: Steal<T>) -> Option<T> {
    match steal {
        Steal::Success(value) => Some(value),
        Steal::Empty => None,
        Steal::Retry => panic!("a single thread has no rival"),
    }
}

macro_rules! run {
    ($deque:ident) => {
        fn $deque(operations: &[Operation]) -> Seen {
            use $deque::{Injector, Local, Stealer};

            let common = Injector::new();
            let (mine, yours) = (Local::new_fifo(), Local::new_fifo());
            let stealers: [Stealer<usize>; 2] = [mine.stealer(), yours.stealer()];
            let mut seen = Seen::new();
            for (value, operation) in operations.iter().enumerate() {
                let came = match *operation {
                    Operation::Push => {
                        common.push(value);
                        None
                    }
                    Operation::Take => stolen(common.steal()),
                    Operation::TakeBatch(most) => {
                        stolen(common.steal_batch_with_limit_and_pop(&mine, most))
                    }
                    Operation::Refill(most) => {
                        stolen(common.steal_batch_with_limit(&mine, most)).map(|()| value)
                    }
                    Operation::PushMine => {
                        mine.push(value);
                        None
                    }
                    Operation::PopMine => mine.pop(),
                    Operation::PushYours => {
                        yours.push(value);
                        None
                    }
                    Operation::PopYours => yours.pop(),
                    Operation::StealYours => stolen(stealers[1].steal()),
                    Operation::StealBatchOfYours => stolen(stealers[1].steal_batch_and_pop(&mine)),
                };
                seen.push(came);
                seen.push(Some(common.len()));
                seen.extend(stealers.iter().map(|stealer| Some(stealer.len())));
                seen.extend([&mine, &yours].map(|local| Some(local.len())));
                let empty = [
                    common.is_empty(),
                    mine.is_empty(),
                    yours.is_empty(),
                    stealers[0].is_empty(),
                    stealers[1].is_empty(),
                ];
                seen.extend(empty.map(|empty| Some(usize::from(empty))));
            }
            while let Some(value) = mine.pop() {
                seen.push(Some(value));
            }
            while let Some(value) = yours.pop() {
                seen.push(Some(value));
            }
            while let Some(value) = stolen(common.steal()) {
                seen.push(Some(value));
            }
            seen
        }
    };
}

run!(ordered);
run!(plain);
run!(real);

/// The same sequence, inside of a model that has a single thread and so a single execution.
fn in_a_model(run: fn(&[Operation]) -> Seen, operations: &[Operation]) -> Seen {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Seen::new()));
    let (write, operations) = (seen.clone(), operations.to_vec());
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 20_000;
    builder.check(move || {
        *write.lock().unwrap() = run(&operations);
    });
    std::mem::take(&mut *seen.lock().unwrap())
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => Just(Operation::Push),
        1 => Just(Operation::Take),
        2 => (1..5usize).prop_map(Operation::TakeBatch),
        1 => (1..5usize).prop_map(Operation::Refill),
        1 => Just(Operation::PushMine),
        2 => Just(Operation::PopMine),
        3 => Just(Operation::PushYours),
        1 => Just(Operation::PopYours),
        1 => Just(Operation::StealYours),
        2 => Just(Operation::StealBatchOfYours),
    ]
}

/// The ordered one has room for so many in a queue.
const PUSHES: usize = 12;

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    prop::collection::vec(operation(), 0..50).prop_map(|mut operations| {
        let mut pushes = 0;
        operations.retain(|operation| {
            let pushing = matches!(
                operation,
                Operation::Push | Operation::PushMine | Operation::PushYours
            );
            pushes += usize::from(pushing);
            !pushing || pushes <= PUSHES
        });
        operations
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_stand_ins_do_what_the_real_one_does(operations in operations()) {
        let expected = real(&operations);
        prop_assert_eq!(&in_a_model(plain, &operations), &expected);
        prop_assert_eq!(&in_a_model(ordered, &operations), &expected);
    }
}
