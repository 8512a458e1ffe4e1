//! Futures run while closures occupy every worker, and closures run while futures keep coming.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anthill::{Pool, Priority};

use crate::support::{Gate, PATIENCE, eventually, yield_now};

/// Fills every worker with a closure that waits at the gate.
fn hold_all(pool: &Pool, gate: &Gate) {
    let count = *pool.threads().end();
    for _ in 0..count {
        pool.submit(gate.waiter()).unwrap();
    }
    eventually(|| pool.stats().running_closures == count);
}

/// A future that ends when the sender sends, and can be woken from any thread.
async fn told(told: tokio::sync::oneshot::Receiver<()>) {
    told.await.unwrap();
}

#[test]
fn new_future_runs_while_closures_hold_every_worker() {
    for threads in 1..=3 {
        let (pool, gate) = (crate::support::pool(100, threads), Gate::new());
        hold_all(&pool, &gate);
        for n in 0..10 {
            let task = pool.spawn_with_handle(async move { n }).unwrap();
            assert_eq!(task.wait().unwrap(), n);
        }
        assert_eq!(pool.stats().running_closures, threads);
        gate.open();
        pool.shutdown().wait().unwrap();
    }
}

#[test]
fn woken_future_runs_while_closures_hold_every_worker() {
    for threads in 1..=3 {
        let (pool, gate) = (crate::support::pool(100, threads), Gate::new());
        let (tell, wait) = tokio::sync::oneshot::channel();
        let task = pool.spawn_with_handle(told(wait)).unwrap();
        hold_all(&pool, &gate);
        tell.send(()).unwrap();
        task.wait().unwrap();
        gate.open();
        pool.shutdown().wait().unwrap();
    }
}

#[test]
fn future_woken_by_a_running_closure_runs_at_once() {
    let (pool, gate) = (crate::support::pool(100, 1), Gate::new());
    let (tell, wait) = tokio::sync::oneshot::channel();
    let task = pool.spawn_with_handle(told(wait)).unwrap();
    let waiting = gate.clone();
    // The closure wakes the future before its end, and ends after the future.
    let closure = pool.submit_with_handle(move || {
        tell.send(()).unwrap();
        waiting.wait();
    });
    task.wait().unwrap();
    gate.open();
    closure.unwrap().wait().unwrap();
    pool.shutdown().wait().unwrap();
}

#[test]
fn thread_beyond_the_limit_sleeps_once_a_worker_is_free() {
    let pool = Pool::builder()
        .capacity(100)
        .threads(0..=1)
        .idle_expiry(PATIENCE)
        .build()
        .unwrap();
    let (gate, polls) = (Gate::new(), Arc::new(AtomicUsize::new(0)));
    let end = Arc::new(AtomicBool::new(false));
    hold_all(&pool, &gate);
    for _ in 0..8 {
        let (polls, end) = (polls.clone(), end.clone());
        let future = async move {
            while !end.load(Ordering::Relaxed) {
                polls.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
        };
        pool.spawn(future).unwrap();
    }
    eventually(|| polls.load(Ordering::Relaxed) > 0);
    assert_eq!(pool.stats().threads, 2);
    gate.open();
    eventually(|| pool.stats().idle_threads == 1);
    let before = polls.load(Ordering::Relaxed);
    eventually(|| polls.load(Ordering::Relaxed) > before + 10_000);
    assert_eq!(pool.stats().idle_threads, 1);
    end.store(true, Ordering::Relaxed);
    pool.shutdown().wait().unwrap();
}

#[test]
fn thread_limit_bounds_running_closures() {
    let pool = crate::support::pool(1_000, 2);
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    for _ in 0..2_000 {
        let (running, most) = (running.clone(), most.clone());
        pool.submit(move || {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::yield_now();
            running.fetch_sub(1, Ordering::SeqCst);
        })
        .unwrap();
        pool.spawn(yield_now()).unwrap();
    }
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().completed, 4_000);
    assert!(most.load(Ordering::SeqCst) <= 2);
}

#[test]
fn thread_for_futures_sleeps_while_closures_queue() {
    let (pool, gate) = (crate::support::pool(100, 1), Gate::new());
    hold_all(&pool, &gate);
    pool.submit(|| ()).unwrap();
    pool.spawn_with_handle(async {}).unwrap().wait().unwrap();
    eventually(|| pool.stats().idle_threads == 1);
    assert_eq!((pool.stats().threads, pool.stats().queued), (2, 1));
    gate.open();
    pool.shutdown().wait().unwrap();
}

#[test]
fn lower_thread_limit_lowers_running_closures() {
    let gates: [Gate; 3] = Default::default();
    let pool = Pool::builder()
        .threads(2..=2)
        .idle_expiry(Duration::ZERO)
        .build()
        .unwrap();
    gates[..2]
        .iter()
        .for_each(|gate| pool.submit(gate.waiter()).unwrap());
    eventually(|| pool.stats().running_closures == 2);
    pool.set_threads(0..=1).unwrap();
    // The thread for futures expires, so that two workers are left, both inside closures.
    pool.spawn_with_handle(async {}).unwrap().wait().unwrap();
    eventually(|| pool.stats().threads == 2);
    pool.submit(gates[2].waiter()).unwrap();
    gates[0].open();
    // The worker that has ended its closure does not begin the next beside the other one.
    eventually(|| {
        let stats = pool.stats();
        stats.threads - stats.idle_threads == 1
    });
    assert_eq!(pool.stats().queued, 1);
    gates[1].open();
    gates[2].open();
    pool.shutdown().wait().unwrap();
}

#[test]
fn thread_for_futures_expires_when_idle() {
    let builder = Pool::builder().threads(0..=1).idle_expiry(Duration::ZERO);
    let (pool, gate) = (builder.build().unwrap(), Gate::new());
    hold_all(&pool, &gate);
    let task = pool.spawn_with_handle(async {}).unwrap();
    task.wait().unwrap();
    eventually(|| pool.stats().threads == 1);
    assert_eq!((pool.threads(), pool.stats().threads_started), (0..=1, 2));
    gate.open();
    eventually(|| pool.stats().threads == 0);
}

#[test]
fn closures_run_beside_futures_that_never_stop_yielding() {
    for threads in 1..=2 {
        let pool = crate::support::pool(100, threads);
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..4 {
            let stop = stop.clone();
            pool.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    yield_now().await;
                }
            })
            .unwrap();
        }
        for n in 0..100 {
            let task = pool.submit_with_handle(move || n).unwrap();
            assert_eq!(task.wait().unwrap(), n);
        }
        stop.store(true, Ordering::Relaxed);
        pool.shutdown().wait().unwrap();
    }
}

#[cfg(feature = "tokio")]
mod with_a_reactor {
    use std::sync::mpsc;

    use super::*;
    use crate::with_tokio::timer;

    fn pool(threads: usize) -> Pool {
        let builder = Pool::builder().capacity(10_000).threads(0..=threads);
        builder.tokio().build().unwrap()
    }

    #[test]
    fn timers_fire_while_closures_hold_every_worker() {
        for threads in 1..=3 {
            let (pool, gate) = (pool(threads), Gate::new());
            hold_all(&pool, &gate);
            for _ in 0..10 {
                pool.spawn_with_handle(timer()).unwrap().wait().unwrap();
            }
            eventually(|| pool.stats().in_reactor == 1);
            let stats = pool.stats();
            assert_eq!(
                (stats.running_closures, stats.running_futures),
                (threads, 0)
            );
            gate.open();
            pool.shutdown().wait().unwrap();
        }
    }

    #[test]
    fn closure_on_the_only_worker_may_block_on_an_event() {
        let pool = pool(1);
        for _ in 0..100 {
            let task = pool.submit_with_handle(|| {
                tokio::runtime::Handle::current().block_on(timer());
            });
            task.unwrap().wait().unwrap();
        }
        pool.shutdown().wait().unwrap();
    }

    #[test]
    fn timers_fire_beside_a_strand_that_is_never_empty() {
        let pool = pool(1);
        let strand = pool.strand();
        let fired = Arc::new(AtomicBool::new(false));
        for _ in 0..100 {
            go_on(&strand, &fired);
        }
        let fires = fired.clone();
        let timers = pool.spawn_with_handle(async move {
            for _ in 0..10 {
                timer().await;
            }
            fires.store(true, Ordering::Relaxed);
        });
        timers.unwrap().wait().unwrap();
        pool.shutdown().wait().unwrap();
    }

    /// Keeps a task in the strand until the timers have fired.
    fn go_on(strand: &anthill::Strand, fired: &Arc<AtomicBool>) {
        let (own, seen) = (strand.clone(), fired.clone());
        let again = move || {
            if !seen.load(Ordering::Relaxed) {
                go_on(&own, &seen);
            }
        };
        // Refused only when all timers have fired and the pool is closed.
        _ = strand.try_submit(again);
    }

    #[test]
    fn task_of_tokio_may_await_what_it_submits() {
        let pool = pool(4);
        for n in 0..20 {
            let own = pool.clone();
            let (tell, told) = mpsc::channel();
            pool.spawn(async move {
                tokio::spawn(async move {
                    timer().await;
                    let closure = own.submit_with_handle(move || n).unwrap();
                    let future = own.spawn_with_handle(async move { n }).unwrap();
                    tell.send((closure.await.unwrap(), future.await.unwrap()))
                        .unwrap();
                });
            })
            .unwrap();
            assert_eq!(told.recv().unwrap(), (n, n));
        }
        pool.shutdown().wait().unwrap();
    }

    #[test]
    fn pool_on_an_existing_runtime_runs_futures() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let builder = Pool::builder().threads(0..=1);
        let builder = builder.tokio_handle(runtime.handle().clone());
        let (pool, gate) = (builder.build().unwrap(), Gate::new());
        hold_all(&pool, &gate);
        for _ in 0..10 {
            pool.spawn_with_handle(timer()).unwrap().wait().unwrap();
        }
        gate.open();
        pool.shutdown().wait().unwrap();
    }
}

#[test]
fn queued_tasks_are_counted_by_lane() {
    let (pool, gate) = (crate::support::pool(100, 1), Gate::new());
    let hold = gate.waiter();
    pool.spawn(async move { hold() }).unwrap();
    eventually(|| pool.stats().running_futures == 1);
    for _ in 0..4 {
        pool.spawn(async {}).unwrap();
    }
    pool.submit(|| ()).unwrap();
    for (priority, count) in [(Priority::High, 3), (Priority::Low, 2)] {
        let subpool = pool.subpool().priority(priority).build().unwrap();
        for _ in 0..count {
            subpool.submit(|| ()).unwrap();
        }
    }
    let stats = pool.stats();
    let closures = (stats.queued_high, stats.queued_normal, stats.queued_low);
    assert_eq!((stats.queued_futures, closures), (4, (3, 1, 2)));
    assert_eq!(stats.queued, 10);
    gate.open();
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.stats().queued, 0);
}
