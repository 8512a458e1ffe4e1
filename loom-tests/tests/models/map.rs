//! A map returns each result once and in order, whatever happens to its pool.

use loom_tests::{Record, beside, check_within, pool};

#[test]
fn map_on_a_closing_pool_keeps_its_order() {
    check_within(1, || {
        let pool = pool(2, 1);
        let closer = beside(&pool, anthill::Pool::close);
        // Refused items run on this thread, after the items in the pool.
        let results: Vec<_> = pool.map(0..2, |n| n).window(2).collect();
        assert_eq!(results, [0, 1]);
        closer.join().unwrap();
        pool.shutdown().wait().unwrap();
    });
}

#[test]
fn map_shares_its_only_slot_with_other_tasks() {
    check_within(1, || {
        let pool = pool(1, 1);
        let ran = Record::new();
        let task = ran.task();
        let submitter = beside(&pool, move |pool| pool.submit(task).unwrap());
        let results: Vec<_> = pool.map(0..1, |n| n).collect();
        assert_eq!(results, [0]);
        submitter.join().unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(ran.count(), 1);
    });
}
