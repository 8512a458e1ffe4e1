//! What people of tokio do in the tasks of a pool, and what is left of it when the pool ends.

mod support;

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anthill::{Group, Pool};
use support::{Gate, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{interval, sleep, timeout};

fn pool(threads: usize) -> Pool {
    let builder = Pool::builder().capacity(100).threads(threads..=threads);
    builder.tokio().build().unwrap()
}

/// The result of a future that runs in the pool.
fn run<T: Send + 'static>(pool: &Pool, future: impl Future<Output = T> + Send + 'static) -> T {
    pool.spawn_with_handle(future).unwrap().wait().unwrap()
}

/// Waits until every worker is parked, one of them in the reactor.
fn until_idle(pool: &Pool) {
    eventually(|| pool.stats().idle_threads == pool.stats().threads);
}

#[test]
fn an_accept_loop_serves_more_clients_than_there_are_slots() {
    const CLIENTS: usize = 50;
    let pool = Pool::builder().capacity(4).tokio().build().unwrap();
    // The accept loop is not one of the four.
    let service = pool.subpool().capacity(1).build().unwrap();
    let listener = run(&service, TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let (own, most) = (pool.clone(), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let accepting = service.spawn_with_handle(async move {
        loop {
            let slot = own.slot().await.unwrap();
            let (mut socket, _) = listener.accept().await.unwrap();
            seen.fetch_max(own.in_flight(), Ordering::Relaxed);
            slot.spawn(async move {
                let byte = socket.read_u8().await.unwrap();
                socket.write_u8(byte + 1).await.unwrap();
            });
        }
    });
    let clients = async move {
        let mut sockets = Vec::new();
        for _ in 0..CLIENTS {
            sockets.push(TcpStream::connect(address).await.unwrap());
        }
        for socket in &mut sockets {
            socket.write_u8(1).await.unwrap();
            assert_eq!(socket.read_u8().await.unwrap(), 2);
        }
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(clients);
    assert!(most.load(Ordering::Relaxed) <= 4);
    accepting.unwrap().cancel();
    pool.shutdown().wait().unwrap();
    assert_eq!((pool.stats().panicked, pool.stats().rejected_full), (0, 0));
}

#[test]
fn what_threads_of_tokio_s_own_do_can_be_awaited() {
    let pool = pool(1);
    let sum = run(&pool, async {
        let file = tokio::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).await;
        assert!(!file.unwrap().is_empty());
        tokio::task::spawn_blocking(|| 42).await.unwrap()
    });
    assert_eq!(sum, 42);
}

#[test]
fn a_thread_outside_wakes_futures_of_a_worker_in_the_reactor() {
    let pool = pool(1);
    let (one, waits_for_one) = oneshot::channel();
    let (many, mut waits_for_many) = mpsc::channel(1);
    let notify = Arc::new(Notify::new());
    let notified = Arc::clone(&notify);
    let task = pool.spawn_with_handle(async move {
        let sum: u32 = waits_for_one.await.unwrap();
        notified.notified().await;
        sum + waits_for_many.recv().await.unwrap()
    });
    until_idle(&pool);
    one.send(40).unwrap();
    until_idle(&pool);
    notify.notify_one();
    until_idle(&pool);
    thread::spawn(move || many.blocking_send(2).unwrap());
    assert_eq!(task.unwrap().wait().unwrap(), 42);
}

#[test]
fn timers_tick_and_are_given_up() {
    let pool = pool(1);
    run(&pool, async {
        let mut ticks = interval(Duration::from_millis(1));
        for _ in 0..5 {
            ticks.tick().await;
        }
        // In time: the timer goes before it fires.
        let done = timeout(Duration::from_secs(3600), sleep(Duration::from_millis(1)));
        done.await.unwrap();
    });
}

#[test]
fn a_long_computation_in_a_closure_holds_up_no_event() {
    let pool = pool(2);
    let (mut left, right) = run(&pool, async { UnixStream::pair() }).unwrap();
    let own = pool.clone();
    let echo = pool.spawn(async move {
        let (mut read, mut write) = right.into_split();
        tokio::io::copy(&mut read, &mut write).await.unwrap();
    });
    echo.unwrap();
    let (go, wait) = std::sync::mpsc::channel();
    let task = pool.spawn_with_handle(async move {
        let long = own.submit_with_handle(move || wait.recv().unwrap());
        left.write_u8(7).await.unwrap();
        assert_eq!(left.read_u8().await.unwrap(), 7);
        go.send(()).unwrap();
        long.unwrap().await.unwrap();
    });
    task.unwrap().wait().unwrap();
}

#[test]
fn a_closure_may_block_on_events_while_a_thread_is_left_for_them() {
    let pool = pool(2);
    for _ in 0..50 {
        let closure = || {
            Handle::current().block_on(async {
                sleep(Duration::from_millis(1)).await;
                let (mut left, mut right) = UnixStream::pair().unwrap();
                left.write_u8(7).await.unwrap();
                right.read_u8().await.unwrap()
            })
        };
        let task = pool.submit_with_handle(closure).unwrap();
        assert_eq!(task.wait().unwrap(), 7);
    }
    let (send, mut receive) = mpsc::channel(1);
    let sum = pool.spawn_with_handle(async move {
        let mut sum = 0;
        while let Some(number) = receive.recv().await {
            sum += number;
        }
        sum
    });
    pool.submit(move || (0..100).for_each(|number| send.blocking_send(number).unwrap()))
        .unwrap();
    assert_eq!(sum.unwrap().wait().unwrap(), 4950);
}

#[test]
fn a_worker_that_leaves_passes_the_reactor_on() {
    let (leave, leaves) = std::sync::mpsc::channel::<()>();
    let (leaving, left) = std::sync::mpsc::channel();
    let leaves = std::sync::Mutex::new(leaves);
    let pool = Pool::builder()
        .threads(1..=2)
        .idle_expiry(Duration::ZERO)
        .on_thread_stop(move || {
            leaving.send(()).unwrap();
            // Until the test says so, or is over.
            let _ = leaves.lock().unwrap().recv();
        })
        .tokio()
        .build()
        .unwrap();
    // Two at once, so there are two workers; then one of them leaves, and takes its time.
    let barrier = Arc::new(std::sync::Barrier::new(2));
    for _ in 0..2 {
        let barrier = Arc::clone(&barrier);
        pool.submit(move || _ = barrier.wait()).unwrap();
    }
    left.recv().unwrap();
    let own = pool.clone();
    let (begun, begins) = std::sync::mpsc::channel();
    let waits = run(&pool, async move {
        sleep(Duration::from_millis(1)).await;
        own.submit_with_handle(move || {
            begun.send(()).unwrap();
            Handle::current().block_on(sleep(Duration::from_millis(1)));
        })
    });
    begins.recv().unwrap();
    leave.send(()).unwrap();
    waits.unwrap().wait().unwrap();
    drop(leave);
}

#[test]
fn a_pool_that_gets_no_thread_finds_the_runtime_all_the_same() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let builder = Pool::builder().threads(0..=2).stack_size(1 << 60);
    let pool = builder.tokio_handle(runtime.handle().clone()).build();
    let pool = pool.unwrap();
    run(&pool, async { sleep(Duration::from_millis(1)).await });
    assert!(pool.stats().thread_start_failures > 0);
}

#[test]
fn a_panic_of_tokio_s_own_task_is_its_handle_s() {
    let pool = pool(1);
    let ended = run(&pool, async {
        let task = tokio::spawn(async { std::panic::resume_unwind(Box::new("on purpose")) });
        task.await.map_err(|error| error.is_panic())
    });
    assert_eq!(ended, Err::<(), _>(true));
    pool.shutdown().wait().unwrap();
    assert_eq!((pool.stats().completed, pool.stats().panicked), (1, 0));
}

#[test]
fn the_last_handle_may_be_dropped_by_a_task() {
    for beside in [false, true] {
        let pool = pool(1);
        let (tell, told) = std::sync::mpsc::channel();
        let own = pool.clone();
        let start = pool.clone();
        let last = async move {
            sleep(Duration::from_millis(1)).await;
            drop(own);
            tell.send(()).unwrap();
        };
        start
            .submit(move || {
                if beside {
                    drop(tokio::spawn(last));
                } else {
                    pool.spawn(last).unwrap();
                }
            })
            .unwrap();
        drop(start);
        told.recv().unwrap();
    }
}

#[test]
fn sockets_and_timers_that_outlive_a_shutdown_hear_again_after_a_reopen() {
    let pool = pool(1);
    let (mut left, mut right) = run(&pool, async { UnixStream::pair() }).unwrap();
    let handle = run(&pool, async { Handle::current() });
    let (tell, told) = std::sync::mpsc::channel();
    pool.shutdown().wait().unwrap();
    // Taken, and asleep until there is a worker again.
    drop(handle.spawn(async move {
        sleep(Duration::from_millis(1)).await;
        tell.send(()).unwrap();
    }));
    pool.reopen().unwrap();
    let byte = run(&pool, async move {
        left.write_u8(7).await.unwrap();
        right.read_u8().await.unwrap()
    });
    assert_eq!(byte, 7);
    told.recv().unwrap();
}

#[test]
fn what_is_left_when_the_last_handle_goes_is_dropped_or_fails() {
    let pool = pool(1);
    let listener = run(&pool, TcpListener::bind("127.0.0.1:0")).unwrap();
    let (kept, mut gone) = mpsc::channel::<()>(1);
    run(&pool, async {
        drop(tokio::spawn(async move {
            pending::<()>().await;
            drop(kept);
        }));
    });
    pool.shutdown().wait().unwrap();
    drop(pool);
    // The task that never ends is dropped with the reactor, and its sender with it.
    assert_eq!(gone.blocking_recv(), None);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    assert!(runtime.block_on(listener.accept()).is_err());
}

#[test]
fn a_shutdown_can_be_awaited_on_the_very_thread_that_drives_the_reactor() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let builder = Pool::builder().threads(0..=2);
        let pool = builder.tokio_handle(Handle::current()).build().unwrap();
        for _ in 0..10 {
            pool.slot()
                .await
                .map(|slot| slot.spawn(sleep(Duration::from_millis(1))))
                .unwrap();
        }
        pool.shutdown().await.unwrap();
        assert_eq!((pool.stats().completed, pool.stats().threads), (10, 0));
    });
}

/// Notes, when it is dropped, whether a task of tokio can be spawned there.
struct Cleanup(Arc<AtomicUsize>);

impl Drop for Cleanup {
    fn drop(&mut self) {
        if Handle::try_current().is_ok() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn discarded_tasks_are_dropped_in_the_context_of_tokio() {
    let (pool, gate) = (pool(1), support::Gate::new());
    support::occupy(&pool, &gate);
    let in_context = Arc::new(AtomicUsize::new(0));
    let wait = gate.clone();
    // The thread for futures is busy as well, so that the tasks are dropped by `discard`.
    pool.spawn(async move { wait.wait() }).unwrap();
    eventually(|| pool.stats().running_futures == 1);
    let cleanup = || Cleanup(Arc::clone(&in_context));
    let (closure, future) = (cleanup(), cleanup());
    pool.submit(move || drop(closure)).unwrap();
    pool.spawn(async move { drop(future) }).unwrap();
    pool.discard();
    assert_eq!(in_context.load(Ordering::Relaxed), 2);
    gate.open();
    pool.shutdown().wait().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_does_not_wait_for_tasks_of_a_pool() {
    let (pool, gate) = (support::pool(1, 1), support::Gate::new());
    let task = pool.submit_with_handle(gate.waiter()).unwrap();
    // tokio finds nothing to do and advances its clock, although the task runs.
    let late = timeout(Duration::from_secs(100), task).await;
    assert!(late.is_err());
    gate.open();
    pool.shutdown().await.unwrap();
}

/// A pool without a runtime, and a pool whose tasks run in the calling runtime.
fn without_and_with_runtime(capacity: usize) -> [Pool; 2] {
    let builder = Pool::builder().capacity(capacity).threads(0..=1);
    let with_runtime = builder.tokio_handle(Handle::current()).build();
    [support::pool(capacity, 1), with_runtime.unwrap()]
}

fn assert_panics<T>(wait: impl FnOnce() -> T) {
    assert!(catch_unwind(AssertUnwindSafe(wait)).is_err());
}

/// Calls everything that blocks while no slot is free.
async fn assert_waits_for_slot_panic(pool: Pool) {
    // With a free slot the same calls do not block.
    let task = pool.submit_with_handle(|| 1).unwrap();
    assert_eq!(task.await.unwrap(), 1);
    let held = pool.slot().wait().unwrap();
    assert_panics(|| pool.submit(|| ()));
    assert_panics(|| pool.submit_with_handle(|| ()));
    assert_panics(|| pool.spawn(async {}));
    assert_panics(|| pool.spawn_with_handle(async {}));
    assert_panics(|| pool.slot().wait());
    assert_panics(|| pool.slot().wait_timeout(Duration::MAX));
    assert_panics(|| pool.run(|| ()).wait());
    assert_panics(|| pool.strand().submit(|| ()));
    drop(held);
}

#[tokio::test]
async fn blocking_wait_for_slot_panics_on_current_thread() {
    for pool in without_and_with_runtime(1) {
        assert_waits_for_slot_panic(pool).await;
    }
    for pool in without_and_with_runtime(1) {
        let task = tokio::spawn(assert_waits_for_slot_panic(pool));
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocking_wait_for_slot_panics_on_multi_thread() {
    for pool in without_and_with_runtime(1) {
        assert_waits_for_slot_panic(pool).await;
    }
    for pool in without_and_with_runtime(1) {
        let task = tokio::spawn(assert_waits_for_slot_panic(pool));
        task.await.unwrap();
    }
}

/// Calls everything that blocks while a task runs.
async fn assert_waits_for_end_panic(pool: Pool) {
    let gate = Gate::new();
    let task = || pool.submit_with_handle(gate.waiter()).unwrap();
    let (first, second, third) = (task(), task(), task());
    assert_panics(|| first.wait());
    assert_panics(|| second.wait_timeout(Duration::MAX));
    let group = Group::from_iter([third]);
    assert_panics(|| group.wait());
    assert_panics(|| pool.shutdown().wait());
    gate.open();
    pool.shutdown().await.unwrap();
    assert_eq!(pool.stats().completed, 3);
}

#[tokio::test]
async fn blocking_wait_for_end_panics_on_current_thread() {
    for pool in without_and_with_runtime(3) {
        assert_waits_for_end_panic(pool).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocking_wait_for_end_panics_on_multi_thread() {
    for pool in without_and_with_runtime(3) {
        assert_waits_for_end_panic(pool).await;
    }
}

#[tokio::test]
async fn thread_for_blocking_work_may_wait_for_slot() {
    for pool in without_and_with_runtime(1) {
        let held = pool.try_slot().unwrap();
        let own = pool.clone();
        let waits = tokio::task::spawn_blocking(move || own.submit(|| ()));
        eventually(|| pool.stats().waiting == 1);
        drop(held);
        waits.await.unwrap().unwrap();
        pool.shutdown().await.unwrap();
    }
}

/// Both waits depend on the calling thread: it releases the slot, then sends the answer.
async fn assert_run_does_not_block(pool: Pool) {
    let held = pool.try_slot().unwrap();
    let (sender, answers) = std::sync::mpsc::channel();
    let beside = async {
        assert_eq!(pool.stats().waiting, 1);
        drop(held);
        while pool.stats().running == 0 {
            tokio::task::yield_now().await;
        }
        sender.send(42).unwrap();
    };
    let run = pool.run(move || answers.recv().unwrap());
    let (answer, ()) = tokio::join!(run, beside);
    assert_eq!(answer.unwrap(), 42);
    pool.shutdown().await.unwrap();
}

#[tokio::test]
async fn awaited_run_does_not_block_current_thread() {
    for pool in without_and_with_runtime(1) {
        assert_run_does_not_block(pool).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn awaited_run_does_not_block_multi_thread() {
    for pool in without_and_with_runtime(1) {
        tokio::spawn(assert_run_does_not_block(pool)).await.unwrap();
    }
}

/// The task that the guard would wait for ends after the drop.
async fn assert_guard_does_not_block(pool: Pool) {
    let gate = Gate::new();
    let task = pool.submit_with_handle(gate.waiter()).unwrap();
    drop(pool.shutdown_on_drop());
    assert!(pool.is_closed());
    assert!(!task.is_finished());
    gate.open();
    pool.shutdown().await.unwrap();
    task.await.unwrap();
}

#[tokio::test]
async fn dropped_guard_does_not_block_current_thread() {
    for pool in without_and_with_runtime(1) {
        assert_guard_does_not_block(pool).await;
    }
    for pool in without_and_with_runtime(1) {
        tokio::spawn(assert_guard_does_not_block(pool))
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn dropped_guard_does_not_block_task_on_multi_thread() {
    for pool in without_and_with_runtime(1) {
        tokio::spawn(assert_guard_does_not_block(pool))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn refused_blocking_wait_leaves_the_line() {
    for pool in without_and_with_runtime(1) {
        let held = pool.try_slot().unwrap();
        assert_panics(|| pool.submit(|| ()));
        drop(held);
        // Otherwise the free slot goes to a waiter that is gone.
        assert_eq!((pool.stats().waiting, pool.in_flight()), (0, 0));
        pool.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn scope_in_async_code_never_leaves_a_task_behind() {
    let (pool, gate) = (support::pool(1, 1), Gate::new());
    let ended = AtomicBool::new(false);
    let (leave, leaves) = std::sync::mpsc::channel::<()>();
    let opener = gate.clone();
    let opens = thread::spawn(move || {
        _ = leaves.recv();
        opener.open();
    });
    let task = || {
        gate.wait();
        // Time for a scope that does not wait.
        (0..1_000).for_each(|_| thread::yield_now());
        ended.store(true, Ordering::SeqCst);
    };
    let submitted = catch_unwind(AssertUnwindSafe(|| {
        pool.scope(|scope| {
            let submitted = scope.submit(task);
            drop(leave);
            submitted.is_ok()
        })
    }));
    let ended_in_time = ended.load(Ordering::SeqCst);
    opens.join().unwrap();
    // The task borrows from this test.
    pool.shutdown().await.unwrap();
    // Either it panics before there is a task, or it waits for the task.
    let has_run = ended.load(Ordering::SeqCst);
    assert!(ended_in_time || !has_run, "{submitted:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn dropped_guard_waits_in_multi_thread_main() {
    for pool in without_and_with_runtime(8) {
        let guard = pool.shutdown_on_drop();
        for _ in 0..7 {
            pool.submit(thread::yield_now).unwrap();
        }
        pool.spawn(support::yield_now()).unwrap();
        drop(guard);
        assert_eq!(pool.stats().completed, 8);
    }
}
