//! What people of tokio do in the tasks of a pool, and what is left of it when the pool ends.

mod support;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anthill::Pool;
use support::eventually;
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
    pool.spawn_with_handle(future).unwrap().join().unwrap()
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
            let slot = own.slot_async().await.unwrap();
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
    pool.shutdown().unwrap();
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
    assert_eq!(task.unwrap().join().unwrap(), 42);
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
    task.unwrap().join().unwrap();
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
        assert_eq!(task.join().unwrap(), 7);
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
    assert_eq!(sum.unwrap().join().unwrap(), 4950);
}

#[test]
fn a_closure_that_runs_in_place_leaves_the_reactor_to_the_other_worker() {
    let builder = Pool::builder().capacity(1).threads(2..=2);
    let builder = builder.reentrancy(anthill::Reentrancy::RunInPlace);
    let pool = builder.tokio().build().unwrap();
    eventually(|| pool.stats().idle_threads == 2);
    let own = pool.clone();
    run(&pool, async move {
        sleep(Duration::from_millis(1)).await;
        own.submit(|| Handle::current().block_on(sleep(Duration::from_millis(1))))
            .unwrap();
    });
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
    waits.unwrap().join().unwrap();
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
    pool.shutdown().unwrap();
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
    pool.shutdown().unwrap();
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
    pool.shutdown().unwrap();
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
            pool.spawn_async(sleep(Duration::from_millis(1)))
                .await
                .unwrap();
        }
        pool.shutdown_async().await.unwrap();
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
    pool.shutdown().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_does_not_wait_for_tasks_of_a_pool() {
    let (pool, gate) = (support::pool(1, 1), support::Gate::new());
    let task = pool.submit_with_handle(gate.waiter()).unwrap();
    // tokio finds nothing to do and advances its clock, although the task runs.
    let late = timeout(Duration::from_secs(100), task).await;
    assert!(late.is_err());
    gate.open();
    pool.shutdown_async().await.unwrap();
}
