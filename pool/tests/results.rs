//! Tasks with a result: joined by threads, awaited by futures, cancelled, let go.

mod support;

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use anthill::{Group, JoinError, Pool, SlotError};
use support::{Gate, block_on, eventually, pool, yield_now};

#[test]
fn a_thread_joins_a_closure_and_a_future() {
    let pool = pool(4, 2);
    let closure = pool.submit_with_handle(|| vec![1, 2]).unwrap();
    let future = pool
        .spawn_with_handle(async {
            yield_now().await;
            "done"
        })
        .unwrap();
    assert_eq!(closure.wait().unwrap(), [1, 2]);
    assert_eq!(future.wait().unwrap(), "done");
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 2);
}

#[test]
fn a_future_awaits_a_task_of_its_own_pool() {
    let pool = pool(2, 1);
    let own = pool.clone();
    let outer = pool.spawn_with_handle(async move {
        let inner = own.submit_with_handle(|| 20).unwrap();
        inner.await.unwrap() + 1
    });
    assert_eq!(block_on(outer.unwrap()).unwrap(), 21);
}

#[test]
fn a_join_that_runs_out_of_time_hands_the_handle_back() {
    let pool = pool(1, 1);
    let gate = Gate::new();
    let handle = pool.submit_with_handle(gate.waiter()).unwrap();
    let handle = handle.wait_timeout(Duration::from_millis(5)).unwrap_err();
    assert!(!handle.is_finished());
    gate.open();
    handle.wait_timeout(Duration::MAX).unwrap().unwrap();
}

#[test]
fn a_panic_goes_to_the_handle_and_not_to_the_handler() {
    let (report, reports) = mpsc::channel();
    let builder = Pool::builder().capacity(2).threads(0..=1);
    let pool = builder
        .panic_handler(move |panic| report.send(panic).unwrap())
        .build()
        .unwrap();
    let closure = pool
        .submit_with_handle(|| panic!("in the closure"))
        .unwrap();
    let future = pool
        .spawn_with_handle(async { panic!("in the future") })
        .unwrap();
    assert_eq!(
        closure.wait().unwrap_err().to_string(),
        "a task of pool `anthill` panicked: in the closure"
    );
    let error = block_on(future).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a task of pool `anthill` panicked: in the future"
    );
    pool.shutdown().wait().unwrap();
    assert!(reports.try_recv().is_err());
    assert_eq!((pool.stats().panicked, pool.stats().completed), (2, 0));
}

#[test]
fn a_panic_of_a_task_that_was_let_go_goes_to_the_handler() {
    let (report, reports) = mpsc::channel();
    let builder = Pool::builder().capacity(1).threads(0..=1);
    let pool = builder
        .panic_handler(move |panic| report.send(panic).unwrap())
        .build()
        .unwrap();
    let gate = Gate::new();
    let wait = gate.waiter();
    let handle = pool.submit_with_handle(move || {
        wait();
        panic!("nobody joins");
    });
    drop(handle.unwrap());
    gate.open();
    assert_eq!(reports.recv().unwrap().message(), Some("nobody joins"));
}

#[test]
fn a_closure_that_has_not_begun_is_cancelled_and_dropped_at_once() {
    let pool = pool(2, 1);
    let gate = Gate::new();
    let running = pool.submit_with_handle(gate.waiter()).unwrap();
    eventually(|| pool.stats().running == 1 && pool.stats().queued == 0);
    let owned = Arc::new(());
    let inside = Arc::clone(&owned);
    let queued = pool.submit_with_handle(move || drop(inside)).unwrap();
    assert!(!running.cancel(), "it runs");
    assert!(queued.cancel());
    assert!(!queued.cancel(), "only once");
    assert_eq!(Arc::strong_count(&owned), 1);
    assert!(queued.is_finished());
    assert!(matches!(queued.wait(), Err(JoinError::Cancelled)));
    gate.open();
    running.wait().unwrap();
    pool.shutdown().wait().unwrap();
    let stats = pool.stats();
    assert_eq!(
        (stats.completed, stats.cancelled, stats.in_flight),
        (1, 1, 0)
    );
}

#[test]
fn a_suspended_future_is_cancelled_and_gives_its_slot_back() {
    let pool = pool(1, 1);
    let owned = Arc::new(());
    let inside = Arc::clone(&owned);
    let (begun, seen) = mpsc::channel();
    let handle = pool.spawn_with_handle(async move {
        begun.send(()).unwrap();
        pending::<()>().await;
        drop(inside);
    });
    let handle = handle.unwrap();
    seen.recv().unwrap();
    eventually(|| pool.stats().idle_threads == 1);
    assert!(handle.cancel());
    assert!(matches!(block_on(handle), Err(JoinError::Cancelled)));
    eventually(|| pool.in_flight() == 0);
    assert_eq!(Arc::strong_count(&owned), 1);
    assert_eq!(pool.stats().cancelled, 1);
}

#[test]
fn a_suspended_future_without_wakers_is_dropped_once_it_is_let_go() {
    let pool = pool(1, 1);
    let handle = pool.spawn_with_handle(pending::<()>()).unwrap();
    drop(handle);
    eventually(|| pool.in_flight() == 0);
    assert_eq!(pool.stats().cancelled, 1);
}

#[test]
fn refused_try_returns_its_task_unchanged() {
    let pool = pool(1, 1);
    pool.close();
    let (ran, seen) = mpsc::channel();
    let polled = ran.clone();
    let refused = pool.try_submit(move || ran.send(7).unwrap()).unwrap_err();
    assert_eq!(refused.reason(), SlotError::Closed);
    refused.into_task()();
    let future = async move { polled.send(8).unwrap() };
    let refused = pool.try_spawn(future).unwrap_err();
    assert_eq!(refused.reason(), SlotError::Closed);
    block_on(refused.into_task());
    assert!(seen.into_iter().eq([7, 8]));
}

#[test]
fn refused_submit_with_handle_drops_its_task() {
    let pool = pool(1, 1);
    pool.close();
    let owned = Arc::new(());
    let (closure, future) = (Arc::clone(&owned), Arc::clone(&owned));
    let refused = pool.submit_with_handle(move || drop(closure));
    assert_eq!(refused.unwrap_err(), SlotError::Closed);
    let refused = pool.spawn_with_handle(async move { drop(future) });
    assert_eq!(refused.unwrap_err(), SlotError::Closed);
    assert_eq!(Arc::strong_count(&owned), 1);
}

#[test]
fn results_by_way_of_a_slot_and_its_patience() {
    let pool = pool(1, 1);
    let held = pool.try_slot().unwrap();
    assert!(matches!(
        pool.slot().wait_timeout(Duration::from_millis(1)),
        Err(SlotError::Timeout)
    ));
    let waiting = {
        let pool = pool.clone();
        thread::spawn(move || {
            let slot = pool.slot().wait_timeout(Duration::from_secs(60));
            slot.unwrap().into_owned()
        })
    };
    eventually(|| pool.stats().waiting == 1);
    drop(held);
    assert_eq!(
        waiting
            .join()
            .unwrap()
            .submit_with_handle(|| 3)
            .wait()
            .unwrap(),
        3
    );
    assert_eq!(
        pool.slot()
            .wait_timeout(Duration::MAX)
            .unwrap()
            .spawn_with_handle(async { 4 })
            .wait()
            .unwrap(),
        4
    );
}

/// Splits until there is nothing to split, and joins the parts.
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
fn closures_that_join_their_parts_need_no_free_worker() {
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
fn a_panic_in_place_of_the_one_that_joins_goes_to_it() {
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
fn a_task_of_another_entrance_does_not_run_in_place() {
    // Its bound would not hold if those that wait for it ran it in their slots.
    let pool = pool(8, 2);
    let side = pool.subpool().capacity(1).build().unwrap();
    let joins = pool.submit_with_handle(move || {
        let here = || std::thread::current().id();
        side.submit_with_handle(here).unwrap().wait().unwrap() == here()
    });
    assert!(!joins.unwrap().wait().unwrap());
}

#[test]
fn a_handle_that_was_polled_joined_for_a_while_and_polled_again_hears_of_the_end() {
    let (pool, gate) = (pool(4, 1), Gate::new());
    let mut handle = pool.submit_with_handle(gate.waiter()).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut handle).poll(&mut cx).is_pending());
    let mut handle = handle.wait_timeout(Duration::ZERO).unwrap_err();
    gate.open();
    eventually(|| handle.is_finished());
    assert!(Pin::new(&mut handle).poll(&mut cx).is_ready());
}

#[test]
fn the_books_balance_when_a_result_that_nobody_wants_panics_in_its_drop() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new(()));
        }
    }
    let (pool, gate) = (pool(4, 1), Gate::new());
    pool.submit(gate.waiter()).unwrap();
    drop(pool.submit_with_handle(|| Bomb).unwrap());
    gate.open();
    pool.shutdown().wait().unwrap();
    let stats = pool.stats();
    assert_eq!((stats.accepted, stats.completed, stats.panicked), (2, 1, 1));
}

#[test]
fn a_task_that_polled_its_own_handle_does_not_keep_itself_alive() {
    let pool = pool(1, 1);
    let (said, heard) = mpsc::channel::<anthill::JoinHandle<()>>();
    let mut own = None;
    let task = std::future::poll_fn(move |cx| {
        let mut handle = own.take().unwrap_or_else(|| heard.recv().unwrap());
        assert!(Pin::new(&mut handle).poll(cx).is_pending());
        // Dropped with the task's waker in it; with the last one the task goes.
        std::task::Poll::<()>::Pending
    });
    said.send(pool.spawn_with_handle(task).unwrap()).unwrap();
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().cancelled, 1);
}

/// Ends a task with each of these 2,000 times, in a pool with one slot, and expects the slot to be free each time.
#[track_caller]
fn leaves_room(end: impl Fn(&Pool)) {
    let pool = pool(1, 2);
    for round in 1..=2_000 {
        end(&pool);
        let ended = pool.stats().completed;
        drop(pool.try_slot().expect("its slot has gone back"));
        assert_eq!(ended, round, "and it is counted");
    }
}

#[test]
fn a_joined_task_has_released_its_slot() {
    leaves_room(|pool| pool.submit_with_handle(|| ()).unwrap().wait().unwrap());
    leaves_room(|pool| pool.spawn_with_handle(yield_now()).unwrap().wait().unwrap());
    leaves_room(|pool| block_on(pool.submit_with_handle(|| ()).unwrap()).unwrap());
    leaves_room(|pool| {
        let strand = pool.strand();
        strand.submit_with_handle(|| ()).unwrap().wait().unwrap();
    });
    leaves_room(|pool| pool.scope(|scope| scope.submit(|| ()).unwrap()));
    leaves_room(|pool| {
        let mut group = Group::new();
        group.push(pool.submit_with_handle(|| ()).unwrap());
        group.wait().values().unwrap();
    });
}

#[test]
fn a_task_that_runs_in_place_releases_its_slot_at_once() {
    // The only thread that runs closures never comes to the queue.
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
fn tasks_that_ran_in_place_leave_the_queue_and_the_others_keep_their_order() {
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

#[test]
fn cancelled_closure_releases_slot_and_memory_at_once() {
    let (pool, gate) = (pool(2, 1), Gate::new());
    support::occupy(&pool, &gate);
    for _ in 0..10_000 {
        let slot = pool.try_slot().expect("the last one has released its slot");
        let queued = slot.submit_with_handle(|| ());
        assert!(queued.cancel());
        assert!(matches!(queued.wait(), Err(JoinError::Cancelled)));
    }
    let stats = pool.stats();
    assert_eq!((stats.in_flight, stats.cancelled), (1, 10_000));
    assert!(
        stats.queued < 2_000,
        "{} are left in the queue",
        stats.queued
    );
    gate.open();
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 1);
}
