//! The statistics and getters of a pool are exact.

use anthill::{BuildError, SlotError};
use loom_tests::{Record, beside, busy, check, check_within, expiring, held_up, keeping, pool};

#[test]
fn stats_of_a_busy_and_an_ended_pool_are_exact() {
    check_within(1, || {
        let pool = pool(4, 1);
        let (begun, go) = busy(&pool);
        pool.submit(|| ()).unwrap();
        pool.submit(|| ()).unwrap();
        begun.recv().unwrap();
        let stats = pool.stats();
        assert_eq!((stats.capacity, stats.in_flight, stats.free), (4, 3, 1));
        // The worker may have moved one of them to its own queue.
        assert_eq!((stats.queued, stats.waiting), (2, 0));
        assert_eq!(
            (stats.running, stats.threads, stats.idle_threads),
            (1, 1, 0)
        );
        assert_eq!((stats.accepted, stats.completed), (3, 0));
        go.send(()).unwrap();
        pool.shutdown().wait().unwrap();
        let stats = pool.stats();
        assert_eq!((stats.in_flight, stats.free, stats.queued), (0, 4, 0));
        assert_eq!((stats.threads, stats.threads_started), (0, 1));
        assert_eq!(stats.completed, 3);
    });
}

#[test]
fn sleeping_worker_does_not_count_as_running() {
    check_within(0, || {
        let pool = keeping(2..=2).capacity(1).build().unwrap();
        let (begun, go) = busy(&pool);
        begun.recv().unwrap();
        // Until the other worker has found no task.
        while pool.stats().idle_threads == 0 {
            loom::thread::yield_now();
        }
        let stats = pool.stats();
        assert_eq!(
            (stats.running, stats.threads, stats.idle_threads),
            (1, 2, 1)
        );
        go.send(()).unwrap();
        pool.shutdown().wait().unwrap();
    });
}

#[test]
fn getters_return_the_last_limits_set() {
    check(|| {
        let pool = pool(2, 3);
        assert_eq!((pool.capacity(), pool.threads()), (2, 0..=3));
        pool.set_capacity(5);
        pool.set_threads(0..=2).unwrap();
        assert_eq!((pool.capacity(), pool.threads()), (5, 0..=2));
        let most = usize::from(u16::MAX) - 1;
        assert!(pool.set_threads(0..=most).is_ok());
        assert!(matches!(
            pool.set_threads(0..=most + 1),
            Err(BuildError::TooManyThreads { limit, .. }) if limit == most
        ));
        pool.shutdown().wait().unwrap();
    });
}

#[test]
fn submitter_in_line_counts_as_waiting() {
    check_within(1, || {
        let pool = pool(1, 1);
        let go = held_up(&pool);
        let waiter = beside(&pool, |pool| pool.submit(|| ()).unwrap());
        while pool.stats().waiting == 0 {
            loom::thread::yield_now();
        }
        let refused = pool.try_submit(|| ()).map_err(SlotError::from);
        assert_eq!(refused, Err(SlotError::Full));
        go.send(()).unwrap();
        waiter.join().unwrap();
        while pool.in_flight() > 0 {
            loom::thread::yield_now();
        }
        // The line is empty again.
        pool.try_submit(|| ()).unwrap();
        pool.shutdown().wait().unwrap();
        let stats = pool.stats();
        assert_eq!((stats.completed, stats.rejected_full), (3, 1));
    });
}

#[test]
fn idle_pool_retires_its_last_thread() {
    check(|| {
        let pool = expiring(0..=1).capacity(1).build().unwrap();
        let ran = Record::new();
        pool.submit(ran.task()).unwrap();
        // A thread that stays makes this loop endless, which loom reports.
        while ran.count() == 0 || pool.stats().threads > 0 {
            loom::thread::yield_now();
        }
        assert_eq!(pool.stats().threads_expired, 1);
        pool.shutdown().wait().unwrap();
    });
}

#[test]
fn in_flight_is_read_at_one_instant() {
    check(|| {
        let pool = pool(4, 1);
        let take_two_in_turn = |pool: &anthill::Pool| {
            drop(pool.try_slot().unwrap());
            drop(pool.try_slot().unwrap());
        };
        let other = beside(&pool, take_two_in_turn);
        assert!(pool.in_flight() <= 1);
        other.join().unwrap();
        assert_eq!(pool.in_flight(), 0);
    });
}

#[test]
fn task_counted_as_running_cannot_be_cancelled() {
    check(|| {
        let pool = pool(1, 1);
        let task = pool.submit_with_handle(|| ()).unwrap();
        let (running, cancelled) = (pool.stats().running, task.cancel());
        assert!(running == 0 || !cancelled);
        drop(task);
        pool.shutdown().wait().unwrap();
    });
}
