//! I12: a strand runs its tasks one at a time and in order, and leaves none queued.

use std::sync::{Arc, Mutex};

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom_tests::{Record, check, check_within, other, pool};

#[test]
fn two_tasks_of_a_strand_never_overlap() {
    check_within(1, || {
        let pool = pool(2, 2);
        let strand = pool.strand();
        let inside = loom::sync::Arc::new(AtomicUsize::new(0));
        let met = Record::new();
        for _ in 0..2 {
            let (inside, met) = (inside.clone(), met.clone());
            let task = move || {
                // A load and a store instead of one operation: the second task must also see the writes of the first.
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
fn strand_runs_tasks_in_order_of_acceptance() {
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
fn task_submitted_while_the_strand_goes_idle_is_run() {
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
fn panicking_future_ends_its_turn() {
    check_within(1, || {
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
fn strand_continues_after_its_budget_is_spent() {
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

#[test]
fn first_uses_of_a_key_at_once_share_a_strand() {
    check(|| {
        let pool = pool(1, 1);
        let strands = pool.strands::<u8>();
        let also = strands.clone();
        let there = other(move || also.strand(&7));
        let here = strands.strand(&7);
        let there = there.join().unwrap();
        assert_eq!(strands.len(), 1);
        drop((here, there));
        pool.shutdown().wait().unwrap();
    });
}

#[test]
fn tasks_of_a_key_never_overlap_after_a_search() {
    check_within(1, || {
        let pool = pool(2, 2);
        // Each call searches for unneeded strands. No handle keeps the strand.
        let strands = pool.strands::<u8>();
        let inside = loom::sync::Arc::new(AtomicUsize::new(0));
        let met = Record::new();
        for _ in 0..2 {
            let (inside, met) = (inside.clone(), met.clone());
            let task = move || {
                if inside.load(Ordering::Relaxed) % 2 == 1 {
                    met.add();
                }
                inside.store(inside.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                inside.store(inside.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            };
            strands.strand(&7).submit(task).unwrap();
        }
        pool.shutdown().wait().unwrap();
        assert_eq!(met.count(), 0);
    });
}
