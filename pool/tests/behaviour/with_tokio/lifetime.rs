//! What becomes of sockets, timers and tasks of tokio when the pool ends.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anthill::Pool;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::{pool, run, timer};
use crate::support::eventually;

#[test]
fn exiting_worker_hands_the_reactor_over() {
    let (leave, leaves) = std::sync::mpsc::channel::<()>();
    let (leaving, left) = std::sync::mpsc::channel();
    let leaves = std::sync::Mutex::new(leaves);
    let pool = Pool::builder()
        .threads(1..=2)
        .idle_expiry(Duration::ZERO)
        .on_thread_stop(move |_| {
            leaving.send(()).unwrap();
            // Blocks until the test sends, or ends.
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
        timer().await;
        own.submit_with_handle(move || {
            begun.send(()).unwrap();
            Handle::current().block_on(timer());
        })
    });
    begins.recv().unwrap();
    leave.send(()).unwrap();
    waits.unwrap().wait().unwrap();
    drop(leave);
}

#[test]
fn task_may_drop_the_last_handle() {
    for beside in [false, true] {
        let pool = pool(1);
        let (tell, told) = std::sync::mpsc::channel();
        let own = pool.clone();
        let start = pool.clone();
        let last = async move {
            timer().await;
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
fn sockets_and_timers_resume_after_a_reopen() {
    let pool = pool(1);
    let (mut left, mut right) = run(&pool, async { UnixStream::pair() }).unwrap();
    let handle = run(&pool, async { Handle::current() });
    let (tell, told) = std::sync::mpsc::channel();
    pool.shutdown().wait().unwrap();
    // Accepted, but not polled until a worker starts.
    drop(handle.spawn(async move {
        timer().await;
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
fn dropped_pool_drops_tokio_tasks_and_fails_sockets() {
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
fn shutdown_may_be_awaited_on_the_reactor_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let builder = Pool::builder().threads(0..=2);
        let pool = builder.tokio_handle(Handle::current()).build().unwrap();
        for _ in 0..10 {
            pool.slot().await.map(|slot| slot.spawn(timer())).unwrap();
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
    let (pool, gate) = (pool(1), crate::support::Gate::new());
    crate::support::occupy(&pool, &gate);
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
