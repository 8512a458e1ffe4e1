//! I15, I16: woken futures run while closures occupy every worker, closures run while futures keep waking, and every
//! queued closure has a worker that looks for it.

use std::future::poll_fn;
use std::task::{Poll, Waker};

use anthill::Pool;
use loom::sync::mpsc::channel;
use loom::sync::{Arc, Mutex};
use loom_tests::{Record, check, check_within, other, pool};

/// A flag that one thread sets and one future awaits.
#[derive(Clone, Default)]
struct Signal(Arc<Mutex<(bool, Option<Waker>)>>);

impl Signal {
    fn new() -> Self {
        Self(Arc::new(Mutex::new((false, None))))
    }

    fn set(&self) {
        let waker = {
            let mut state = self.0.lock().unwrap();
            state.0 = true;
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn wait(self) {
        poll_fn(|cx| {
            let mut state = self.0.lock().unwrap();
            if state.0 {
                return Poll::Ready(());
            }
            state.1 = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Shuts the pool down and asserts the number of completed tasks.
fn end(pool: &Pool, tasks: u64) {
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, tasks);
}

#[test]
fn future_woken_by_a_closure_runs_beside_it() {
    check_within(1, || {
        let (pool, signal) = (pool(2, 1), Signal::new());
        let (send, wait) = channel();
        let woken = signal.clone().wait();
        pool.spawn(async move {
            woken.await;
            send.send(()).unwrap();
        })
        .unwrap();
        pool.submit(move || {
            signal.set();
            wait.recv().unwrap();
        })
        .unwrap();
        end(&pool, 2);
    });
}

#[test]
fn future_woken_outside_the_pool_runs_beside_a_closure() {
    check_within(1, || {
        let (pool, signal) = (pool(2, 1), Signal::new());
        let (send, wait) = channel();
        let woken = signal.clone().wait();
        pool.spawn(async move {
            woken.await;
            send.send(()).unwrap();
        })
        .unwrap();
        pool.submit(move || wait.recv().unwrap()).unwrap();
        let waker = other(move || signal.set());
        waker.join().unwrap();
        end(&pool, 2);
    });
}

#[test]
fn new_future_runs_beside_a_closure() {
    check_within(1, || {
        let pool = pool(2, 1);
        let (send, wait) = channel();
        pool.submit(move || wait.recv().unwrap()).unwrap();
        pool.spawn(async move { send.send(()).unwrap() }).unwrap();
        end(&pool, 2);
    });
}

#[test]
fn futures_before_and_after_a_closure_run_beside_it() {
    check(|| {
        let pool = pool(3, 1);
        let (send, wait) = channel();
        let (first, second) = (send.clone(), send);
        pool.spawn(async move { first.send(()).unwrap() }).unwrap();
        pool.submit(move || {
            wait.recv().unwrap();
            wait.recv().unwrap();
        })
        .unwrap();
        pool.spawn(async move { second.send(()).unwrap() }).unwrap();
        end(&pool, 3);
    });
}

#[test]
fn closure_submitted_by_a_future_waits_for_a_closure_worker() {
    check_within(1, || {
        let pool = pool(3, 1);
        let (send, wait) = channel();
        let ran = Record::new();
        let slot = pool.try_slot().unwrap().into_owned();
        let last = ran.task();
        pool.submit(move || wait.recv().unwrap()).unwrap();
        // The future runs beside the first closure, on a thread that may run no closure.
        pool.spawn(async move {
            slot.submit(last);
            send.send(()).unwrap();
        })
        .unwrap();
        end(&pool, 3);
        assert_eq!(ran.count(), 1);
    });
}

#[test]
fn closures_running_at_once_stay_within_the_thread_limit() {
    check_within(1, || {
        let pool = pool(3, 1);
        // Neither is loom's, so they add no schedules.
        let running = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let most = Record::new();
        let closure = || {
            let (running, most) = (running.clone(), most.clone());
            move || {
                if running.fetch_add(1, std::sync::atomic::Ordering::SeqCst) > 0 {
                    most.add();
                }
                loom::thread::yield_now();
                running.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
            }
        };
        pool.submit(closure()).unwrap();
        pool.spawn(async {}).unwrap();
        pool.submit(closure()).unwrap();
        end(&pool, 3);
        assert_eq!(most.count(), 0, "two closures ran at once");
    });
}

/// Spawns a future that calls `begin`, and then wakes itself until the returned closure has run.
fn spawn_until_run(
    pool: &Pool,
    begin: impl FnOnce() + Send + 'static,
) -> impl FnOnce() + Send + 'static {
    let ran = Record::new();
    let runs = ran.task();
    let mut begin = Some(begin);
    pool.spawn(poll_fn(move |cx| {
        if let Some(begin) = begin.take() {
            begin();
        }
        if ran.count() > 0 {
            return Poll::Ready(());
        }
        loom::thread::yield_now();
        cx.waker().wake_by_ref();
        Poll::Pending
    }))
    .unwrap();
    runs
}

#[test]
fn closure_runs_beside_a_future_that_wakes_itself() {
    check(|| {
        let pool = pool(2, 1);
        let runs = spawn_until_run(&pool, || ());
        pool.submit(runs).unwrap();
        end(&pool, 2);
    });
}

#[test]
fn new_future_runs_beside_a_future_that_wakes_itself() {
    check(|| {
        let pool = pool(2, 1);
        let runs = spawn_until_run(&pool, || ());
        // No closure is queued, so no other worker looks for work.
        pool.spawn(async move { runs() }).unwrap();
        end(&pool, 2);
    });
}

/// Blocks a closure until the closure that it submits, `runs`, has run.
fn block_until_run(pool: &Pool, runs: impl FnOnce() + Send + 'static) {
    let own = pool.clone();
    let closure = move || {
        let (send, wait) = channel();
        let child = move || {
            runs();
            send.send(()).unwrap();
        };
        own.submit(child).unwrap();
        wait.recv().unwrap();
    };
    pool.submit_with_handle(closure).unwrap().wait().unwrap();
    loom::stop_exploring();
}

#[test]
fn closure_behind_a_blocked_closure_runs_beside_a_future() {
    check_within(0, || {
        let pool = pool(3, 2);
        let runs = spawn_until_run(&pool, || ());
        block_until_run(&pool, runs);
        end(&pool, 3);
    });
}

#[test]
fn closure_behind_a_blocked_closure_runs_beside_a_join() {
    check_within(0, || {
        let pool = pool(4, 2);
        let own = pool.clone();
        let join = move || own.submit_with_handle(|| ()).unwrap().wait().unwrap();
        let runs = spawn_until_run(&pool, join);
        block_until_run(&pool, runs);
        end(&pool, 4);
    });
}

/// Submits a closure that submits itself again until `ran` is set.
fn submit_until(pool: &Pool, ran: Record) {
    let own = pool.clone();
    let closure = move || {
        if ran.count() == 0 {
            loom::thread::yield_now();
            submit_until(&own, ran);
        }
    };
    // Refused only after `ran` is set, when the pool is closed.
    _ = pool.try_submit(closure);
}

#[test]
fn future_runs_beside_closures_that_resubmit_themselves() {
    check_within(1, || {
        let pool = pool(3, 1);
        let ran = Record::new();
        let runs = ran.task();
        submit_until(&pool, ran);
        let future = pool.spawn_with_handle(async move { runs() }).unwrap();
        future.wait().unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.stats().panicked, 0);
    });
}

/// Yields more often than a worker runs tasks between two checks beyond its local queues.
async fn yield_often() {
    for _ in 0..8 {
        let mut yielded = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

#[test]
fn future_runs_after_a_worker_stepped_aside() {
    check_within(1, || {
        let pool = pool(2, 1);
        let (send, wait) = channel();
        pool.submit(move || wait.recv().unwrap()).unwrap();
        // Begins beside the closure, on a second thread. When the closure has ended, the first
        // thread may take it over, and then leave it to the second.
        let future = pool.spawn_with_handle(async move {
            send.send(()).unwrap();
            yield_often().await;
        });
        future.unwrap().wait().unwrap();
        loom::stop_exploring();
        end(&pool, 2);
    });
}

#[test]
fn raised_limit_allows_another_thread_for_futures() {
    check_within(0, || {
        let pool = pool(4, 1);
        let (first, wait_first) = channel();
        let (second, wait_second) = channel();
        let (send, started) = channel();
        pool.submit(move || wait_first.recv().unwrap()).unwrap();
        pool.spawn(async move { send.send(()).unwrap() }).unwrap();
        started.recv().unwrap();
        // The extra thread of the future is now within the limit and may run closures.
        pool.set_threads(0..=2).unwrap();
        pool.submit(move || wait_second.recv().unwrap()).unwrap();
        pool.spawn(async move {
            first.send(()).unwrap();
            second.send(()).unwrap();
        })
        .unwrap();
        end(&pool, 4);
    });
}
