//! After a close and a shutdown every accepted task has run.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use anthill::{Pool, ShutdownError};

use crate::support::{Gate, PATIENCE, block_on, eventually, pool};

#[test]
fn shutdown_runs_everything_accepted_and_ends_the_threads() {
    let pool = pool(1000, 4);
    let ran = Arc::new(AtomicUsize::new(0));
    for _ in 0..1000 {
        let ran = Arc::clone(&ran);
        pool.submit(move || _ = ran.fetch_add(1, Ordering::Relaxed))
            .unwrap();
    }
    pool.shutdown().wait().unwrap();
    assert_eq!(ran.load(Ordering::Relaxed), 1000);
    assert_eq!(pool.stats().threads, 0);
    pool.shutdown().wait().unwrap();
}

#[test]
fn timed_out_shutdown_reports_what_is_left_and_can_retry() {
    let pool = pool(2, 1);
    let gate = Gate::new();
    let (begun, seen) = mpsc::channel();
    let wait = gate.waiter();
    pool.submit(move || {
        begun.send(()).unwrap();
        wait();
    })
    .unwrap();
    pool.submit(|| ()).unwrap();
    seen.recv().unwrap();
    let Err(ShutdownError::Timeout(left)) = pool.shutdown().wait_timeout(Duration::from_millis(5))
    else {
        panic!("a task was still running");
    };
    assert_eq!((left.stats.in_flight, left.stats.running), (2, 1));
    gate.open();
    pool.shutdown().wait_timeout(Duration::MAX).unwrap();
    assert_eq!(pool.stats().completed, 2);
}

#[test]
fn worker_cannot_wait_for_its_own_end() {
    let pool = pool(1, 1);
    let (told, seen) = mpsc::channel();
    let own = pool.clone();
    pool.submit(move || told.send(own.shutdown().wait()).unwrap())
        .unwrap();
    assert_eq!(seen.recv().unwrap(), Err(ShutdownError::FromWorker));
    assert!(pool.is_closed());
    pool.shutdown().wait().unwrap();
}

#[test]
fn many_threads_wait_for_the_same_end() {
    let pool = pool(4, 2);
    let gate = Gate::new();
    pool.submit(gate.waiter()).unwrap();
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let pool = pool.clone();
            thread::spawn(move || pool.shutdown().wait())
        })
        .collect();
    eventually(|| pool.is_closed());
    gate.open();
    assert!(
        waiting
            .into_iter()
            .all(|thread| thread.join().unwrap().is_ok())
    );
}

#[test]
fn dropping_the_last_handle_runs_what_was_accepted() {
    let (ran, seen) = mpsc::channel();
    {
        let pool = pool(100, 2);
        for n in 0..100 {
            let ran = ran.clone();
            pool.submit(move || ran.send(n).unwrap()).unwrap();
        }
    }
    drop(ran);
    let mut seen: Vec<i32> = seen.into_iter().collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..100).collect::<Vec<_>>());
}

#[test]
fn submits_racing_with_a_close_run_or_are_refused() {
    for _ in 0..300 {
        let pool = pool(16, 2);
        let ran = Arc::new(AtomicUsize::new(0));
        let submitters: Vec<_> = (0..3)
            .map(|_| {
                let (pool, ran) = (pool.clone(), Arc::clone(&ran));
                thread::spawn(move || {
                    let task = || {
                        let ran = Arc::clone(&ran);
                        move || _ = ran.fetch_add(1, Ordering::Relaxed)
                    };
                    let mut accepted = 0;
                    while pool.submit(task()).is_ok() {
                        accepted += 1;
                    }
                    accepted
                })
            })
            .collect();
        eventually(|| ran.load(Ordering::Relaxed) > 0);
        pool.shutdown().wait().unwrap();
        let accepted: usize = submitters
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum();
        assert_eq!(ran.load(Ordering::Relaxed), accepted);
    }
}

/// Sends the result of a shutdown that is called when the thread destroys its thread-locals.
struct AtEnd(Option<(Pool, mpsc::Sender<Result<(), ShutdownError>>)>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some((pool, said)) = self.0.take() {
            // Lets a shutdown that does not wait for this destructor return first.
            for _ in 0..100 {
                thread::yield_now();
            }
            said.send(pool.shutdown().wait()).unwrap();
        }
    }
}

thread_local! {
    static AT_END: std::cell::RefCell<AtEnd> = const { std::cell::RefCell::new(AtEnd(None)) };
}

/// Returns a pool whose only thread has an `AtEnd`, and its receiver.
fn with_destructor() -> (Pool, mpsc::Receiver<Result<(), ShutdownError>>) {
    let (said, heard) = mpsc::channel();
    let pool = Pool::builder().threads(1..=1).build().unwrap();
    let own = pool.clone();
    let keep = move || AT_END.with_borrow_mut(|at_end| at_end.0 = Some((own, said)));
    pool.submit_with_handle(keep).unwrap().wait().unwrap();
    (pool, heard)
}

#[test]
fn shutdown_waits_for_thread_local_destructors() {
    for _ in 0..100 {
        let (pool, heard) = with_destructor();
        pool.shutdown().wait().unwrap();
        assert_eq!(heard.try_recv(), Ok(Err(ShutdownError::FromWorker)));

        let (pool, heard) = with_destructor();
        pool.shutdown().wait_timeout(PATIENCE).unwrap();
        assert!(heard.try_recv().is_ok());

        let (pool, heard) = with_destructor();
        block_on(pool.shutdown()).unwrap();
        assert!(heard.try_recv().is_ok());
    }
}

#[test]
fn shutdown_times_out_in_a_thread_local_destructor() {
    struct Waits(Option<Gate>);
    impl Drop for Waits {
        fn drop(&mut self) {
            if let Some(gate) = self.0.take() {
                gate.wait();
            }
        }
    }
    thread_local! {
        static WAITS: std::cell::RefCell<Waits> = const { std::cell::RefCell::new(Waits(None)) };
    }

    let gate = Gate::new();
    let pool = pool(1, 1);
    let wait = gate.clone();
    pool.submit(move || WAITS.with_borrow_mut(|waits| waits.0 = Some(wait)))
        .unwrap();
    let late = pool
        .shutdown()
        .wait_timeout(Duration::from_millis(5))
        .unwrap_err();
    assert!(matches!(late, ShutdownError::Timeout(_)), "{late}");
    gate.open();
    pool.shutdown().wait().unwrap();
}

#[test]
fn dropped_guard_waits_for_accepted_tasks() {
    let (pool, gate) = (pool(100, 1), Gate::new());
    pool.submit(gate.waiter()).unwrap();
    for _ in 0..99 {
        pool.submit(|| ()).unwrap();
    }
    let guard = pool.shutdown_on_drop();
    let own = pool.clone();
    let dropping = thread::spawn(move || {
        drop(guard);
        let stats = own.stats();
        (stats.completed, stats.threads)
    });
    eventually(|| pool.is_closed());
    assert!(!dropping.is_finished(), "a task still runs");
    gate.open();
    assert_eq!(dropping.join().unwrap(), (100, 0));
}

#[test]
fn dropped_guard_does_not_block_a_worker_of_its_pool() {
    let pool = pool(2, 1);
    let (closed, seen) = mpsc::channel();
    let own = pool.clone();
    pool.submit(move || {
        drop(own.shutdown_on_drop());
        closed.send(own.is_closed()).unwrap();
    })
    .unwrap();
    assert_eq!(seen.recv_timeout(PATIENCE), Ok(true));
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 1);
}
