//! Tasks that expire in the queue.

use std::future::Future;
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::time::{Duration, Instant};

use anthill::{Balance, JoinError, Pool, Slot};

use crate::support::{Gate, block_on, eventually, occupy, pool, yield_now};

fn in_an_hour() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

#[test]
fn late_tasks_are_dropped_unrun_and_counted() {
    let pool = pool(10, 1);
    let gate = Gate::new();
    occupy(&pool, &gate);
    let owned = Arc::new(());
    let slot = || pool.slot().wait().unwrap().expires_at(Instant::now());
    let inside = || Arc::clone(&owned);
    let (a, b, c, d) = (inside(), inside(), inside(), inside());
    slot().submit(move || panic!("{a:?}"));
    slot().spawn(async move { panic!("{b:?}") });
    let closure = slot().submit_with_handle(move || panic!("{c:?}"));
    let future = slot()
        .named("late")
        .spawn_with_handle(async move { panic!("{d:?}") });
    let waiting = pool.stats().queued_normal;
    assert_eq!(waiting, 2, "closures, dropped when a worker reaches them");
    gate.open();
    assert!(matches!(closure.wait(), Err(JoinError::Expired)));
    assert!(matches!(block_on(future), Err(JoinError::Expired)));
    pool.shutdown().wait().unwrap();
    assert_eq!(Arc::strong_count(&owned), 1);
    let stats = pool.stats();
    assert_eq!((stats.expired, stats.completed, stats.accepted), (4, 1, 5));
    assert_eq!((stats.panicked, stats.in_flight), (0, 0));
}

#[test]
fn task_in_time_runs_on_every_handle() {
    fn runs(slot: Slot<'_>) {
        let task = slot.expires_at(in_an_hour()).submit_with_handle(|| 7);
        assert_eq!(task.wait().unwrap(), 7);
    }
    let pool = pool(10, 1);
    let subpool = pool.subpool().capacity(1).build().unwrap();
    let shards = Pool::builder().build_multi(2, Balance::default()).unwrap();
    runs(pool.slot().wait().unwrap());
    runs(pool.strand().slot().wait().unwrap());
    runs(subpool.slot().wait().unwrap());
    runs(shards.slot().wait().unwrap());
    let slot = pool.slot().wait().unwrap().expires_at(in_an_hour());
    assert_eq!(slot.spawn_with_handle(async { 7 }).wait().unwrap(), 7);
}

#[test]
fn late_task_of_a_strand_lets_the_next_run() {
    let pool = pool(10, 1);
    let strand = pool.strand();
    let late = || strand.slot().wait().unwrap().expires_at(Instant::now());
    late().submit(|| unreachable!());
    late().spawn(async { unreachable!() });
    let future = late().spawn_with_handle(async { unreachable!() });
    let next = strand.submit_with_handle(|| "next").unwrap();
    assert_eq!(next.wait().unwrap(), "next");
    assert!(matches!(future.wait(), Err(JoinError::Expired)));
    assert_eq!(pool.stats().expired, 3);
}

#[test]
fn future_that_began_in_time_goes_on() {
    let pool = pool(10, 1);
    let deadline = Instant::now() + Duration::from_millis(30);
    let slot = pool.slot().wait().unwrap().expires_at(deadline);
    let (begun, begins) = mpsc::channel();
    let task = slot.spawn_with_handle(async move {
        begun.send(()).unwrap();
        while Instant::now() < deadline {
            yield_now().await;
        }
        "done"
    });
    // On a very slow machine it may be late already.
    match begins.recv() {
        Ok(()) => assert_eq!(task.wait().unwrap(), "done"),
        Err(_) => assert!(matches!(task.wait(), Err(JoinError::Expired))),
    }
}

#[test]
fn joiner_in_the_pool_does_not_run_a_late_closure() {
    let pool = pool(10, 1);
    let inner = pool.clone();
    let outer = pool.submit_with_handle(move || {
        let slot = inner.try_slot().unwrap().expires_at(Instant::now());
        let late = slot.submit_with_handle(|| unreachable!());
        let result = late.wait();
        (result.is_err(), inner.in_flight(), inner.stats().expired)
    });
    assert_eq!(outer.unwrap().wait().unwrap(), (true, 1, 1));
}

#[test]
fn discard_wins_over_expiry() {
    let pool = pool(10, 1);
    let gate = Gate::new();
    occupy(&pool, &gate);
    let slot = pool.slot().wait().unwrap().expires_at(Instant::now());
    let task = slot.submit_with_handle(|| ());
    pool.discard();
    gate.open();
    assert!(matches!(task.wait(), Err(JoinError::Cancelled)));
    pool.shutdown().wait().unwrap();
    assert_eq!((pool.stats().discarded, pool.stats().expired), (1, 0));
}

#[test]
fn panic_of_a_late_tasks_capture_is_reported() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    let (reported, reports) = mpsc::channel();
    let builder = Pool::builder().threads(0..=1);
    let builder = builder.panic_handler(move |panic| {
        reported.send(panic.message().map(str::to_owned)).unwrap();
    });
    let pool = builder.build().unwrap();
    let slot = || pool.slot().wait().unwrap().expires_at(Instant::now());
    let (a, b) = (Bomb, Bomb);
    slot().submit(move || drop(a));
    let task = slot().submit_with_handle(move || drop(b));
    assert!(matches!(task.wait(), Err(JoinError::Expired)));
    for _ in 0..2 {
        assert_eq!(reports.recv().unwrap().as_deref(), Some("on purpose"));
    }
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.in_flight(), 0);
}

#[test]
fn handle_that_cancels_on_drop_drops_queued_work() {
    let pool = pool(10, 1);
    let gate = Gate::new();
    occupy(&pool, &gate);
    let closure = pool.submit_with_handle(|| unreachable!()).unwrap();
    drop(closure.cancel_on_drop());
    assert_eq!(pool.in_flight(), 1, "its slot is free at once");
    gate.open();
    eventually(|| pool.in_flight() == 0);
    assert_eq!(pool.stats().cancelled, 1);
}

#[test]
fn handle_that_cancels_on_drop_drops_a_running_future() {
    let pool = pool(10, 1);
    let (begun, begins) = mpsc::channel();
    let gate = Gate::new();
    let wait = gate.clone();
    let future = std::future::poll_fn(move |_| {
        begun.send(()).unwrap();
        wait.wait();
        Poll::<()>::Pending
    });
    let task = pool.spawn_with_handle(future).unwrap().cancel_on_drop();
    begins.recv().unwrap();
    drop(task);
    gate.open();
    eventually(|| pool.in_flight() == 0);
    assert_eq!(pool.stats().cancelled, 1);
}

#[test]
fn waited_handle_that_cancels_on_drop_returns_the_result() {
    let pool = pool(10, 1);
    let task = pool.submit_with_handle(|| 7).unwrap().cancel_on_drop();
    assert_eq!(task.wait().unwrap(), 7);
    let task = pool
        .spawn_with_handle(async { 8 })
        .unwrap()
        .cancel_on_drop();
    assert_eq!(block_on(task).unwrap(), 8);
}

/// The future of a handler that a server drops when its client leaves.
fn handler(pool: &Pool) -> impl Future<Output = Result<u32, anthill::RunError>> + '_ {
    pool.run(|| 42)
}

#[test]
fn dropped_run_costs_nothing() {
    let pool = pool(10, 1);
    let gate = Gate::new();
    occupy(&pool, &gate);
    {
        let mut request = std::pin::pin!(handler(&pool));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(request.as_mut().poll(&mut cx).is_pending());
        assert_eq!(pool.in_flight(), 2);
    }
    assert_eq!(pool.in_flight(), 1);
    gate.open();
    pool.shutdown().wait().unwrap();
    assert_eq!((pool.stats().completed, pool.stats().cancelled), (1, 1));
}
