//! The model deques behave as crossbeam-deque: all three execute the same random sequences of operations.

#[path = "../../../pool/src/sync/deque_ordered.rs"]
mod ordered;
#[path = "../../../pool/src/sync/deque_plain.rs"]
mod plain;
mod real {
    pub(crate) use crossbeam_deque::{Injector, Stealer, Worker as Local};
}

use crossbeam_deque::Steal;
use proptest::prelude::*;

/// An operation on the shared queue or on one of the local queues `Mine` and `Yours`.
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

/// The values taken and the lengths after each operation, comparable between the deques.
type Seen = Vec<Option<usize>>;

fn stolen<T>(steal: Steal<T>) -> Option<T> {
    match steal {
        Steal::Success(value) => Some(value),
        Steal::Empty => None,
        Steal::Retry => panic!("a single thread has no contention"),
    }
}

macro_rules! run {
    ($deque:ident) => {
        fn $deque(operations: &[Operation]) -> Seen {
            use $deque::{Injector, Local, Stealer};

            let shared = Injector::new();
            let (mine, yours) = (Local::new_fifo(), Local::new_fifo());
            let stealers: [Stealer<usize>; 2] = [mine.stealer(), yours.stealer()];
            let mut seen = Seen::new();
            for (value, operation) in operations.iter().enumerate() {
                let taken = match *operation {
                    Operation::Push => {
                        shared.push(value);
                        None
                    }
                    Operation::Take => stolen(shared.steal()),
                    Operation::TakeBatch(most) => {
                        stolen(shared.steal_batch_with_limit_and_pop(&mine, most))
                    }
                    Operation::Refill(most) => {
                        stolen(shared.steal_batch_with_limit(&mine, most)).map(|()| value)
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
                seen.push(taken);
                seen.push(Some(shared.len()));
                seen.extend(stealers.iter().map(|stealer| Some(stealer.len())));
                seen.extend([&mine, &yours].map(|local| Some(local.len())));
                let empty = [
                    shared.is_empty(),
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
            while let Some(value) = stolen(shared.steal()) {
                seen.push(Some(value));
            }
            seen
        }
    };
}

run!(ordered);
run!(plain);
run!(real);

/// Runs the sequence in a model with one thread, which has one execution.
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

/// The ordered deque has room for this many values in a queue.
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
    fn model_deques_match_crossbeam_deque(operations in operations()) {
        let expected = real(&operations);
        prop_assert_eq!(&in_a_model(plain, &operations), &expected);
        prop_assert_eq!(&in_a_model(ordered, &operations), &expected);
    }
}
