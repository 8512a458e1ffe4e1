//! Scopes run tasks that borrow.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use anthill::{Pool, Scope, SlotError};

use crate::support::{Gate, pool};

fn panic_of(f: impl FnOnce()) -> &'static str {
    let payload = catch_unwind(AssertUnwindSafe(f)).unwrap_err();
    *payload.downcast::<&str>().unwrap()
}

fn fail(with: &'static str) -> impl FnOnce() + Send {
    move || resume_unwind(Box::new(with))
}

#[test]
fn scope_returns_when_all_tasks_have_ended() {
    let pool = pool(4, 3);
    let mut squares = vec![0; 1000];
    pool.scope(|scope| {
        for (n, square) in squares.iter_mut().enumerate() {
            scope.submit(move || *square = n * n).unwrap();
        }
    });
    assert!((0..1000).all(|n| squares[n] == n * n));
}

#[test]
fn scope_returns_the_result_of_its_function() {
    let pool = pool(1, 1);
    let text = String::from("borrowed");
    assert_eq!(pool.scope(|_| text.len()), 8);
}

#[test]
fn panic_of_a_task_resumes_after_all_have_ended() {
    let pool = pool(8, 2);
    let (ran, gate) = (AtomicUsize::new(0), Gate::new());
    let message = panic_of(|| {
        pool.scope(|scope| {
            let last = gate.clone();
            scope.submit(fail("of a task")).unwrap();
            for _ in 0..3 {
                scope
                    .submit(|| {
                        gate.wait();
                        ran.fetch_add(1, Ordering::Relaxed);
                    })
                    .unwrap();
            }
            last.open();
        });
    });
    assert_eq!((message, ran.load(Ordering::Relaxed)), ("of a task", 3));
}

#[test]
fn panic_of_the_function_waits_for_tasks_and_wins() {
    let (said, heard) = mpsc::channel();
    let builder = Pool::builder().threads(0..=1).panic_handler(move |panic| {
        said.send(panic.message().map(str::to_owned)).unwrap();
    });
    let pool = builder.build().unwrap();
    let ran = AtomicUsize::new(0);
    let message = panic_of(|| {
        pool.scope(|scope| {
            scope.submit(fail("of a task")).unwrap();
            scope
                .submit(|| _ = ran.fetch_add(1, Ordering::Relaxed))
                .unwrap();
            resume_unwind(Box::new("of the function"));
        });
    });
    assert_eq!(message, "of the function");
    assert_eq!(ran.load(Ordering::Relaxed), 1);
    assert_eq!(heard.recv().unwrap().as_deref(), Some("of a task"));
}

#[test]
fn second_panic_of_a_scope_goes_to_the_handler() {
    let (said, heard) = mpsc::channel();
    let builder = Pool::builder().threads(0..=1);
    let pool = builder
        .panic_handler(move |panic| said.send(panic.message().map(str::to_owned)).unwrap())
        .build()
        .unwrap();
    let message = panic_of(|| {
        pool.scope(|scope| {
            scope.submit(fail("first")).unwrap();
            scope.submit(fail("second")).unwrap();
        });
    });
    assert_eq!(message, "first");
    assert_eq!(heard.recv().unwrap().as_deref(), Some("second"));
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().panicked, 2);
}

/// Splits recursively.
fn sort<'scope>(scope: &'scope Scope<'scope, '_>, part: &'scope mut [u32]) {
    let Some((pivot, rest)) = part.split_first_mut() else {
        return;
    };
    let pivot = *pivot;
    let (mut less, mut more): (Vec<_>, Vec<_>) = rest.iter().partition(|n| **n < pivot);
    less.push(pivot);
    let (left, right) = part.split_at_mut(less.len());
    left.copy_from_slice(&less);
    right.copy_from_slice(&more);
    more.clear();
    let (_, left) = left.split_last_mut().unwrap();
    for part in [left, right] {
        if let Err(refused) = scope.try_submit(move || sort(scope, part)) {
            refused.into_task()();
        }
    }
}

#[test]
fn tasks_submit_to_their_own_scope() {
    let pool = pool(64, 3);
    // Each number once, in no order.
    let mut numbers: Vec<u32> = (0..2_000).map(|n| n * 7_919 % 2_000).collect();
    pool.scope(|scope| sort(scope, &mut numbers));
    assert!(numbers.is_sorted());
}

fn sum(pool: &Pool, numbers: &[u64]) -> u64 {
    if numbers.len() <= 1 {
        return numbers.iter().sum();
    }
    let (left, right) = numbers.split_at(numbers.len() / 2);
    let (mut a, mut b) = (0, 0);
    pool.scope(|scope| {
        scope.submit(|| a = sum(pool, left)).unwrap();
        b = sum(pool, right);
    });
    a + b
}

#[test]
fn scopes_within_scopes_need_no_free_worker() {
    let pool = pool(10_000, 1);
    let numbers: Vec<_> = (0..500).collect();
    let total = Mutex::new(0);
    pool.scope(|scope| {
        scope
            .submit(|| *total.lock().unwrap() = sum(&pool, &numbers))
            .unwrap();
    });
    assert_eq!(*total.lock().unwrap(), 124_750);
    pool.shutdown().wait().unwrap();
    let stats = pool.stats();
    assert_eq!(stats.accepted, stats.completed);
}

#[test]
fn scope_works_inside_a_future() {
    let pool = pool(8, 1);
    let own = pool.clone();
    let task = pool.spawn_with_handle(async move {
        let mut sum = 0;
        own.scope(|scope| scope.submit(|| sum += 5).unwrap());
        sum
    });
    assert_eq!(task.unwrap().wait().unwrap(), 5);
}

#[test]
fn refused_scope_task_is_returned() {
    let pool = pool(1, 1);
    let held = pool.try_slot().unwrap();
    let count = AtomicUsize::new(0);
    pool.scope(|scope| {
        let add = || _ = count.fetch_add(1, Ordering::Relaxed);
        let refused = scope.try_submit(add).unwrap_err();
        assert_eq!(refused.reason(), SlotError::Full);
        refused.into_task()();
    });
    drop(held);
    pool.close();
    pool.scope(|scope| {
        assert!(matches!(scope.submit(|| ()), Err(SlotError::Closed)));
    });
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[test]
fn scope_panics_when_its_tasks_were_discarded() {
    let (pool, gate) = (pool(8, 1), Gate::new());
    let ran = AtomicUsize::new(0);
    let (said, begun) = mpsc::channel();
    let payload = catch_unwind(AssertUnwindSafe(|| {
        pool.scope(|scope| {
            let wait = gate.clone();
            scope
                .submit(move || {
                    said.send(()).unwrap();
                    wait.wait();
                })
                .unwrap();
            begun.recv().unwrap();
            for _ in 0..3 {
                scope
                    .submit(|| _ = ran.fetch_add(1, Ordering::Relaxed))
                    .unwrap();
            }
            pool.discard();
            gate.open();
        });
    }));
    assert_eq!(
        *payload.unwrap_err().downcast::<String>().unwrap(),
        "the pool discarded 3 tasks of the scope"
    );
    pool.shutdown().wait().unwrap();
    assert_eq!(ran.load(Ordering::Relaxed), 0);
    assert_eq!((pool.stats().discarded, pool.stats().completed), (3, 1));
}

/// A worker that waits in a scope also runs later tasks of the scope.
#[test]
fn scope_in_a_task_runs_tasks_that_are_submitted_later() {
    let pool = pool(16, 2);
    let own = pool.clone();
    let outer = pool.submit_with_handle(move || {
        let (late, ran) = (Gate::new(), Gate::new());
        own.scope(|scope| {
            let begun = Gate::new();
            let begins = begun.clone();
            let (late, ran) = (&late, &ran);
            scope
                .submit(move || {
                    begins.open();
                    late.wait();
                    // This worker waits for the task below, so the one in the scope must run it.
                    scope.submit(|| ran.open()).unwrap();
                    ran.wait();
                })
                .unwrap();
            begun.wait();
            late.open();
        });
    });
    outer.unwrap().wait().unwrap();
}

#[test]
fn tasks_of_a_scope_in_a_task_run_in_submission_order() {
    let pool = pool(10, 1);
    let own = pool.clone();
    let task = pool.submit_with_handle(move || {
        let order = Mutex::new(Vec::new());
        own.scope(|scope| {
            for n in 0..5 {
                let order = &order;
                scope.submit(move || order.lock().unwrap().push(n)).unwrap();
            }
        });
        order.into_inner().unwrap()
    });
    assert_eq!(task.unwrap().wait().unwrap(), [0, 1, 2, 3, 4]);
    pool.shutdown().wait().unwrap();
}
