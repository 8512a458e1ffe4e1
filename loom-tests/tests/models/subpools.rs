//! The closures of a subpool with a limit of one thread run one at a time, and each is run.

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom_tests::{Record, beside, check, check_within, pool};

#[test]
fn closures_of_a_capped_subpool_never_overlap() {
    check_within(1, || {
        let pool = pool(1, 2);
        let side = pool.subpool().capacity(2).threads(1).build().unwrap();
        let inside = loom::sync::Arc::new(AtomicUsize::new(0));
        let met = Record::new();
        let task = || {
            let (inside, met) = (inside.clone(), met.clone());
            move || {
                // A load and a store instead of one operation: the second task must also see the writes of the first.
                if inside.load(Ordering::Relaxed) % 2 == 1 {
                    met.add();
                }
                inside.store(inside.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                inside.store(inside.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            }
        };
        side.submit(task()).unwrap();
        side.submit(task()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!((met.count(), inside.load(Ordering::Relaxed)), (0, 4));
    });
}

/// Two threads submit to a subpool with a limit of one thread.
fn two_submit_to_a_capped_subpool(threads: usize) {
    let pool = pool(1, threads);
    let side = pool.subpool().capacity(2).threads(1).build().unwrap();
    let ran = Record::new();
    let task = ran.task();
    let submitter = beside(&side, move |side| side.submit(task).unwrap());
    side.submit(ran.task()).unwrap();
    submitter.join().unwrap();
    pool.shutdown().wait().unwrap();
    assert_eq!((ran.count(), side.in_flight()), (2, 0));
}

#[test]
fn closure_submitted_while_the_attendant_leaves_is_run() {
    check(|| two_submit_to_a_capped_subpool(1));
}

#[test]
fn two_submitters_and_two_workers_lose_no_capped_closure() {
    check_within(1, || two_submit_to_a_capped_subpool(2));
}

#[test]
fn discard_beside_an_attendant_loses_no_slot() {
    check_within(1, || {
        let pool = pool(1, 1);
        let side = pool.subpool().capacity(2).threads(1).build().unwrap();
        let ran = Record::new();
        side.submit(ran.task()).unwrap();
        side.submit(ran.task()).unwrap();
        pool.discard();
        pool.shutdown().wait().unwrap();
        let stats = side.stats();
        let ended = (stats.completed + stats.discarded, side.in_flight());
        assert_eq!((ended, stats.completed), ((2, 0), ran.count() as u64));
    });
}
