//! I12: a strand runs its tasks one at a time and in order, and never sleeps with work in it.
#![cfg(anthill_loom)]

use std::sync::{Arc, Mutex};

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom_tests::{Record, check, check_within, other, pool};

#[test]
fn two_tasks_of_a_strand_never_meet() {
    check(|| {
        let pool = pool(2, 2);
        let strand = pool.strand();
        let inside = loom::sync::Arc::new(AtomicUsize::new(0));
        let met = Record::new();
        for _ in 0..2 {
            let (inside, met) = (inside.clone(), met.clone());
            let task = move || {
                // A load and a store, not one step: the second task must also see what the first one did.
                if inside.load(Ordering::Relaxed) % 2 == 1 {
                    met.add();
                }
                inside.store(inside.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                inside.store(inside.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            };
            strand.submit(task).unwrap();
        }
        pool.shutdown().wait().unwrap();
        assert_eq!((met.count(), inside.load(Ordering::Relaxed)), (0, 4));
    });
}

#[test]
fn the_order_is_that_of_acceptance() {
    check_within(1, || {
        let pool = pool(2, 2);
        let strand = pool.strand();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let first = {
            let seen = seen.clone();
            async move { seen.lock().unwrap().push(1) }
        };
        strand.spawn(first).unwrap();
        let second = seen.clone();
        strand
            .submit(move || second.lock().unwrap().push(2))
            .unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(*seen.lock().unwrap(), [1, 2]);
    });
}

#[test]
fn a_task_that_comes_while_the_strand_goes_idle_is_run() {
    check(|| {
        let pool = pool(2, 1);
        let strand = pool.strand();
        let ran = Record::new();
        let (also, task) = (strand.clone(), ran.task());
        let submitter = other(move || also.submit(task).unwrap());
        strand.submit(ran.task()).unwrap();
        submitter.join().unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!((ran.count(), strand.queued()), (2, 0));
    });
}

#[test]
fn a_future_that_panics_gives_up_its_turn() {
    check(|| {
        let pool = pool(2, 1);
        let strand = pool.strand();
        let ran = Record::new();
        let panicking = ran.panicking();
        strand.spawn(async move { panicking() }).unwrap();
        strand.submit(ran.task()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(ran.count(), 2);
    });
}

#[test]
fn a_strand_with_more_than_it_runs_in_a_row_goes_on() {
    check(|| {
        let pool = pool(4, 1);
        let strand = pool.strand();
        let ran = Record::new();
        for _ in 0..4 {
            strand.submit(ran.task()).unwrap();
        }
        pool.shutdown().wait().unwrap();
        assert_eq!(ran.count(), 4);
    });
}
