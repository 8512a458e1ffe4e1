//! Scopes, groups and joins inside a task return after the tasks that they wait for, and each of those runs once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use loom::sync::Notify;
use loom::sync::mpsc::channel;

use anthill::{Group, JoinError, Pool};
use loom_tests::{Record, beside, check, check_within, held_up, pool};

#[test]
fn scope_returns_after_its_tasks() {
    check(|| {
        let pool = pool(2, 1);
        let ran = Record::new();
        let late = || {
            // Lets the scope return now if it does not wait for running tasks.
            loom::thread::yield_now();
            ran.add();
        };
        pool.scope(|scope| {
            scope.submit(late).unwrap();
            scope.submit(late).unwrap();
        });
        assert_eq!(ran.count(), 2);
        drop((pool.try_slot().unwrap(), pool.try_slot().unwrap()));
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.stats().completed, 2);
    });
}

#[test]
fn scope_returns_after_its_slots_are_free() {
    check(|| {
        let pool = pool(1, 1);
        let ends = Notify::new();
        pool.scope(|scope| {
            scope.submit(|| ends.notify()).unwrap();
            // The scope may find its task at any step of its end.
            ends.wait();
        });
        drop(pool.try_slot().unwrap());
        pool.shutdown().wait().unwrap();
    });
}

#[test]
fn scope_with_a_panicking_task_returns() {
    check(|| {
        let pool = pool(2, 1);
        let ran = Record::new();
        let ended = catch_unwind(AssertUnwindSafe(|| {
            pool.scope(|scope| {
                scope.submit(ran.panicking()).unwrap();
                scope.submit(|| ran.add()).unwrap();
            });
        }));
        assert!(ended.is_err());
        assert_eq!(ran.count(), 2);
        pool.shutdown().wait().unwrap();
    });
}

/// Runs a task whose scope has one task.
fn scope_within_a_task(pool: &Pool) {
    let ran = Record::new();
    let (own, count) = (pool.clone(), ran.clone());
    let task = pool.submit_with_handle(move || own.scope(|scope| scope.submit(|| count.add())));
    assert!(task.unwrap().wait().unwrap().is_ok());
    assert_eq!(ran.count(), 1);
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 2);
}

#[test]
fn scope_inside_a_task_needs_no_other_worker() {
    check(|| scope_within_a_task(&pool(2, 1)));
}

#[test]
fn scope_task_is_run_by_one_of_two_workers() {
    // Either the worker that waits in the scope runs the task, or the other worker.
    check_within(1, || scope_within_a_task(&pool(2, 2)));
}

#[test]
fn joined_task_is_run_by_one_of_two_workers() {
    check_within(1, || {
        let pool = pool(2, 2);
        let ran = Record::new();
        let (own, count) = (pool.clone(), ran.clone());
        let task = pool.submit_with_handle(move || {
            let part = own.submit_with_handle(count.task());
            part.unwrap().wait().is_ok()
        });
        assert!(task.unwrap().wait().unwrap());
        pool.shutdown().wait().unwrap();
        assert_eq!(ran.count(), 1);
        let stats = pool.stats();
        assert_eq!((stats.completed, stats.cancelled), (2, 0));
    });
}

#[test]
fn task_put_back_by_a_sweep_is_run() {
    check_within(1, || {
        let pool = pool(3, 2);
        let own = pool.clone();
        let task = pool.submit_with_handle(move || {
            let other = own.submit_with_handle(|| ()).ok();
            // The worker runs this task itself and sweeps its queue while the other worker may be going to sleep.
            let part = own.submit_with_handle(|| ()).ok();
            let joined = part.is_some_and(|part| part.wait().is_ok());
            // A wait with a timeout runs no task, so the other worker must.
            joined && other.is_some_and(|other| other.wait_timeout(Duration::MAX).is_ok())
        });
        assert!(task.unwrap().wait().unwrap());
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.stats().completed, 3);
    });
}

#[test]
fn sweep_removes_no_task_of_a_scope() {
    // One preemption is enough to lose one.
    check_within(1, || {
        let (pool, ran) = (pool(4, 2), Record::new());
        let (own, count) = (pool.clone(), ran.clone());
        let task = pool.submit_with_handle(move || {
            let (has_begun, goes_on, ends) = (Notify::new(), Notify::new(), Notify::new());
            own.scope(|scope| {
                let (count, has_begun, goes_on, ends) = (&count, &has_begun, &goes_on, &ends);
                let first = scope.submit(move || {
                    has_begun.notify();
                    goes_on.wait();
                    // Meanwhile the waiting task removes the stub of the second task.
                    let third = scope.submit(|| {
                        count.add();
                        ends.notify();
                    });
                    if third.is_ok() {
                        ends.wait();
                        count.add();
                    }
                });
                has_begun.wait();
                let second = scope.submit(|| {
                    count.add();
                    goes_on.notify();
                });
                first.is_ok() && second.is_ok()
            })
        });
        assert!(task.unwrap().wait().unwrap());
        pool.shutdown().wait().unwrap();
        assert_eq!((ran.count(), pool.stats().completed), (3, 4));
    });
}

#[test]
fn stopped_group_runs_no_more_tasks() {
    check(|| {
        let pool = pool(2, 1);
        let ran = Record::new();
        let (go, wait) = channel::<()>();
        let mut group = Group::new().stop_at_error();
        let first = move || wait.recv().map_err(drop).and(Err(()));
        group.push(pool.submit_with_handle(first).unwrap());
        let second = ran.clone();
        // Queued behind the task that stops the group.
        let behind = move || {
            second.add();
            Ok(())
        };
        group.push(pool.submit_with_handle(behind).unwrap());
        go.send(()).unwrap();
        let results = group.wait();
        assert_eq!(results.failed(), Some(0));
        let results = results.into_vec();
        assert!(matches!(
            results[..],
            [Ok(Err(())), Err(JoinError::Cancelled)]
        ));
        pool.shutdown().wait().unwrap();
        let stats = pool.stats();
        assert_eq!((stats.completed, stats.cancelled, ran.count()), (1, 1, 0));
    });
}

#[test]
fn task_pushed_to_a_stopped_group_is_cancelled() {
    check_within(1, || {
        let pool = pool(2, 1);
        // The only worker is busy, so the task cannot start before the push.
        let go = held_up(&pool);
        let ran = Record::new();
        let mut group = Group::new();
        group.cancel();
        group.push(pool.submit_with_handle(ran.task()).unwrap());
        let results = group.wait().into_vec();
        assert!(matches!(results[..], [Err(JoinError::Cancelled)]));
        go.send(()).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!((ran.count(), pool.stats().cancelled), (0, 1));
    });
}

#[test]
fn group_results_name_the_task_that_stopped_it() {
    check(|| {
        let pool = pool(1, 1);
        let mut group = Group::new().stop_at_error();
        group.push(pool.submit_with_handle(|| Err::<(), _>(7)).unwrap());
        let results = group.wait();
        assert_eq!(results.failed(), Some(0));
        assert!(matches!(results.into_vec()[..], [Ok(Err(7))]));
        pool.shutdown().wait().unwrap();
    });
}

#[test]
fn two_group_tasks_ending_at_once_wake_the_waiter() {
    check_within(1, || {
        let pool = pool(2, 2);
        let mut group = Group::new();
        group.push(pool.submit_with_handle(|| 1).unwrap());
        group.push(pool.submit_with_handle(|| 2).unwrap());
        assert_eq!(group.wait().values().unwrap(), [1, 2]);
        pool.shutdown().wait().unwrap();
    });
}

/// A task on the only worker waits for a task that it submits, while another thread discards.
fn a_wait_beside_a_discard(wait: fn(&Pool)) {
    let pool = pool(2, 1);
    let own = pool.clone();
    pool.submit(move || wait(&own)).unwrap();
    let discards = beside(&pool, Pool::discard);
    discards.join().unwrap();
    // Hangs if `wait` does.
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.in_flight(), 0);
}

#[test]
fn join_returns_despite_a_discard() {
    check(|| {
        a_wait_beside_a_discard(|pool| {
            if let Ok(part) = pool.submit_with_handle(|| 1) {
                assert!(matches!(part.wait(), Ok(1) | Err(JoinError::Cancelled)));
            }
        });
    });
}

#[test]
fn scope_returns_despite_a_discard() {
    check(|| {
        a_wait_beside_a_discard(|pool| {
            let scope = || pool.scope(|scope| _ = scope.submit(|| ()));
            let _discarded = catch_unwind(AssertUnwindSafe(scope));
        });
    });
}

#[test]
fn group_wait_returns_despite_a_discard() {
    check(|| {
        a_wait_beside_a_discard(|pool| {
            let mut group = Group::new();
            // Nothing is added if the pool is already closed.
            group.extend(pool.submit_with_handle(|| 1));
            let _cancelled = group.wait();
        });
    });
}
