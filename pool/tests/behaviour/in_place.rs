//! A task that waits for tasks of its own pool runs them in place.

use std::sync::{Arc, Mutex};

use anthill::{Group, JoinError, Pool};

use crate::support::pool;

/// Splits recursively, and waits for the parts.
fn sum(pool: &anthill::Pool, from: u64, to: u64) -> u64 {
    if to - from <= 1 {
        return from;
    }
    let middle = from.midpoint(to);
    let own = pool.clone();
    let left = pool.submit_with_handle(move || sum(&own, from, middle));
    let left = left.unwrap();
    sum(pool, middle, to) + left.wait().unwrap()
}

#[test]
fn closures_that_wait_for_their_parts_need_no_free_worker() {
    let pool = pool(10_000, 1);
    let own = pool.clone();
    let total = pool.submit_with_handle(move || sum(&own, 0, 1000)).unwrap();
    assert_eq!(total.wait().unwrap(), 499_500);
    pool.shutdown().wait().unwrap();
    let stats = pool.stats();
    assert_eq!((stats.accepted, stats.completed), (1000, 1000));
    assert_eq!((stats.cancelled, stats.in_flight), (0, 0));
}

#[test]
fn panic_of_a_task_run_in_place_goes_to_the_waiter() {
    let pool = pool(8, 1);
    let own = pool.clone();
    let outer = pool.submit_with_handle(move || {
        let fail = || -> () { std::panic::resume_unwind(Box::new("part")) };
        let part = own.submit_with_handle(fail);
        let Err(JoinError::Panicked(panic)) = part.unwrap().wait() else {
            panic!("it panicked");
        };
        panic.message().map(str::to_owned)
    });
    assert_eq!(outer.unwrap().wait().unwrap().as_deref(), Some("part"));
    pool.shutdown().wait().unwrap();
    assert_eq!((pool.stats().panicked, pool.stats().completed), (1, 1));
}

#[test]
fn task_of_another_entrance_does_not_run_in_place() {
    // A waiter that ran it in its own slot would exceed the thread limit of the subpool.
    let pool = pool(8, 2);
    let side = pool.subpool().capacity(1).build().unwrap();
    let joins = pool.submit_with_handle(move || {
        let here = || std::thread::current().id();
        side.submit_with_handle(here).unwrap().wait().unwrap() == here()
    });
    assert!(!joins.unwrap().wait().unwrap());
}

#[test]
fn task_that_runs_in_place_releases_its_slot_at_once() {
    // The only thread that runs closures never reaches the queue.
    let pool = pool(3, 1);
    let own = pool.clone();
    let task = move || {
        for _ in 0..1_000 {
            let joined = own.submit_with_handle(|| 1).expect("there is room");
            assert_eq!(joined.wait().unwrap(), 1);
            own.scope(|scope| scope.submit(|| ()).expect("there is room"));
            let mut group = Group::new();
            group.push(own.submit_with_handle(|| ()).expect("there is room"));
            group.wait().values().unwrap();
        }
        own.in_flight()
    };
    assert_eq!(pool.submit_with_handle(task).unwrap().wait().unwrap(), 1);
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 3_001);
}

#[test]
fn tasks_run_in_place_leave_the_queue_in_order() {
    let pool = Pool::builder()
        .capacity(1_000_000)
        .threads(1..=1)
        .build()
        .unwrap();
    let ran = Arc::new(Mutex::new(Vec::new()));
    let (own, order) = (pool.clone(), Arc::clone(&ran));
    let task = move || {
        let mut queued = 0;
        for round in 0..1_000 {
            if round % 100 == 0 {
                let order = Arc::clone(&order);
                own.submit(move || order.lock().unwrap().push(round))
                    .unwrap();
            }
            assert_eq!(own.submit_with_handle(|| 1).unwrap().wait().unwrap(), 1);
            own.scope(|scope| scope.submit(|| ()).unwrap());
            queued = own.stats().queued.max(queued);
        }
        queued
    };
    let queued = pool.submit_with_handle(task).unwrap().wait().unwrap();
    assert!(
        queued < 200,
        "at most {queued} waited, of 10 that could run"
    );
    pool.shutdown().wait().unwrap();
    let expected: Vec<_> = (0..10).map(|round| round * 100).collect();
    assert_eq!(*ran.lock().unwrap(), expected);
    assert_eq!(pool.stats().completed, 2_011);
}
