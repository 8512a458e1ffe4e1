//! tokio's sockets and timers in the tasks of a pool whose idle worker drives them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use anthill::{Balance, Pool};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::time::timeout;

use crate::support::{eventually, yield_now};

fn pool(threads: usize) -> Pool {
    let builder = Pool::builder().capacity(10_000).threads(threads..=threads);
    builder.tokio().build().unwrap()
}

/// A timer that must fire. No test depends on when.
async fn timer() {
    let never = std::future::pending::<()>();
    timeout(Duration::from_millis(1), never).await.unwrap_err();
}

/// An event of the reactor: the socket becomes ready only through it.
async fn event() {
    let (mut left, mut right) = UnixStream::pair().unwrap();
    left.write_all(&[7]).await.unwrap();
    assert_eq!(right.read_u8().await.unwrap(), 7);
}

async fn echo_once(listener: TcpListener) {
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut bytes = [0; 5];
    socket.read_exact(&mut bytes).await.unwrap();
    socket.write_all(&bytes).await.unwrap();
}

async fn talk() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let both = async {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(b"hello").await.unwrap();
        let mut bytes = [0; 5];
        socket.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"hello");
    };
    tokio::join!(echo_once(listener), both);
}

#[test]
fn sockets_and_timers_work_in_every_task() {
    for threads in 1..=3 {
        let pool = pool(threads);
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let task = async {
                    timer().await;
                    talk().await;
                };
                pool.spawn_with_handle(task).unwrap()
            })
            .collect();
        for task in tasks {
            task.wait().unwrap();
        }
        pool.shutdown().wait().unwrap();
    }
}

#[test]
fn futures_of_a_strand_use_the_reactor() {
    let pool = pool(2);
    let strand = pool.strand();
    let (tell, told) = mpsc::channel();
    for turn in 0..5 {
        let tell = tell.clone();
        let future = async move {
            event().await;
            tell.send(turn).unwrap();
        };
        strand.spawn(future).unwrap();
    }
    drop(tell);
    assert_eq!(told.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

#[test]
fn submit_wakes_the_only_worker_in_the_reactor() {
    let pool = pool(1);
    for value in 0..1_000 {
        eventually(|| pool.stats().idle_threads == pool.stats().threads);
        let task = pool.submit_with_handle(move || value);
        assert_eq!(task.unwrap().wait().unwrap(), value);
    }
    assert!(pool.stats().wakeups > 0);
}

#[test]
fn closure_on_one_worker_does_not_stop_events() {
    let pool = pool(2);
    for _ in 0..200 {
        let (tell, told) = mpsc::channel();
        let own = pool.clone();
        let first = pool.spawn_with_handle(async move {
            event().await;
            // This worker has just left the reactor, and now runs a closure that waits for the next event.
            let (woken, wait) = mpsc::channel();
            own.try_submit(move || wait.recv().unwrap()).unwrap();
            own.try_spawn(async move {
                event().await;
                woken.send(()).unwrap();
            })
            .unwrap();
            tell.send(()).unwrap();
        });
        first.unwrap().wait().unwrap();
        told.recv().unwrap();
        eventually(|| pool.in_flight() == 0);
    }
}

#[test]
fn blocked_closure_does_not_hold_the_reactor() {
    let pool = pool(2);
    for _ in 0..200 {
        let (woken, wait) = mpsc::channel();
        let waits = pool.submit_with_handle(move || wait.recv().unwrap());
        pool.spawn(async move {
            event().await;
            woken.send(()).unwrap();
        })
        .unwrap();
        waits.unwrap().wait().unwrap();
    }
}

#[test]
fn timers_fire_on_a_worker_that_is_never_idle() {
    let pool = pool(1);
    let fired = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&fired);
    let busy = pool.spawn_with_handle(async move {
        while !seen.load(Ordering::Relaxed) {
            yield_now().await;
        }
    });
    pool.spawn(async move {
        timer().await;
        fired.store(true, Ordering::Relaxed);
    })
    .unwrap();
    busy.unwrap().wait().unwrap();
}

#[test]
fn endless_submits_do_not_starve_timers() {
    let pool = pool(1);
    let fired = Arc::new(AtomicBool::new(false));
    let fire = Arc::clone(&fired);
    pool.spawn(async move {
        for _ in 0..10 {
            timer().await;
        }
        fire.store(true, Ordering::Relaxed);
    })
    .unwrap();
    while !fired.load(Ordering::Relaxed) {
        pool.submit(|| ()).unwrap();
    }
}

#[test]
fn tokio_spawn_works_inside_tasks() {
    let pool = pool(1);
    let sum = pool.spawn_with_handle(async {
        let spawned = tokio::spawn(async {
            timer().await;
            tokio::task::spawn_blocking(|| 40).await.unwrap()
        });
        let local = tokio::spawn(async { 2 });
        spawned.await.unwrap() + local.await.unwrap()
    });
    assert_eq!(sum.unwrap().wait().unwrap(), 42);
    // Also from a closure, and without a wait for the task.
    let (tell, told) = mpsc::channel();
    pool.submit(move || drop(tokio::spawn(async move { tell.send(7).unwrap() })))
        .unwrap();
    assert_eq!(told.recv().unwrap(), 7);
}

#[test]
fn reactor_keeps_one_thread_and_the_others_expire() {
    let builder = Pool::builder().threads(0..=4).idle_expiry(Duration::ZERO);
    let pool = builder.tokio().build().unwrap();
    assert_eq!(pool.threads(), 1..=4);
    for _ in 0..50 {
        let tasks: Vec<_> = (0..8)
            .map(|_| pool.spawn_with_handle(event()).unwrap())
            .collect();
        for task in tasks {
            task.wait().unwrap();
        }
        eventually(|| pool.stats().threads == 1);
    }
    pool.set_threads(0..=1).unwrap();
    assert_eq!(pool.threads(), 1..=1);
}

#[test]
fn reopened_pool_has_its_reactor_again() {
    let pool = pool(2);
    for _ in 0..20 {
        pool.spawn(event()).unwrap();
        pool.shutdown().wait().unwrap();
        pool.reopen().unwrap();
    }
    assert_eq!((pool.stats().completed, pool.stats().panicked), (20, 0));
    let task = pool.spawn_with_handle(event());
    task.unwrap().wait().unwrap();
}

#[test]
fn each_shard_has_its_own_reactor() {
    let builder = Pool::builder().threads(1..=1).tokio();
    let shards = builder.build_multi(3, Balance::RoundRobin).unwrap();
    for _ in 0..6 {
        let task = shards.spawn_with_handle(event());
        task.unwrap().wait().unwrap();
    }
}

#[test]
fn existing_runtime_serves_as_the_reactor() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let builder = Pool::builder().threads(0..=2);
    let builder = builder.tokio_handle(runtime.handle().clone());
    let pool = builder.build().unwrap();
    let task = pool.spawn_with_handle(async {
        timer().await;
        talk().await;
        tokio::spawn(async { 5 }).await.unwrap()
    });
    assert_eq!(task.unwrap().wait().unwrap(), 5);
    pool.shutdown().wait().unwrap();
}

/// Ping-pong over many sockets with submits from outside, expiry and tuning. A lost readiness event
/// would stall a pair for ever. `WAKEUPS` sets the number of events.
#[test]
fn no_readiness_event_is_lost() {
    const PAIRS: u64 = 50;
    let wakeups: u64 = std::env::var("WAKEUPS").map_or(200_000, |count| count.parse().unwrap());
    let rounds = wakeups.div_ceil(2 * PAIRS);
    let builder = Pool::builder().capacity(1_000).threads(0..=3);
    let builder = builder.idle_expiry(Duration::ZERO);
    let pool = builder.tokio().build().unwrap();
    let heard = Arc::new(AtomicU64::new(0));
    let all = Arc::clone(&heard);
    let own = pool.clone();
    let begin = pool.submit_with_handle(move || {
        for _ in 0..PAIRS {
            let (mut left, mut right) = UnixStream::pair().unwrap();
            let heard = Arc::clone(&heard);
            own.try_spawn(async move {
                let mut byte = [0];
                for _ in 0..rounds {
                    left.write_all(&byte).await.unwrap();
                    left.read_exact(&mut byte).await.unwrap();
                    heard.fetch_add(1, Ordering::Relaxed);
                }
            })
            .unwrap();
            own.try_spawn(async move {
                let mut byte = [0];
                for _ in 0..rounds {
                    right.read_exact(&mut byte).await.unwrap();
                    right.write_all(&byte).await.unwrap();
                }
            })
            .unwrap();
        }
    });
    begin.unwrap().wait().unwrap();
    let mut threads = 1;
    while pool.in_flight() > 0 {
        // Closures are submitted and threads expire meanwhile.
        pool.submit_with_handle(|| ()).unwrap().wait().unwrap();
        threads = threads % 3 + 1;
        pool.set_threads(0..=threads).unwrap();
    }
    pool.shutdown().wait().unwrap();
    let stats = pool.stats();
    assert_eq!(all.load(Ordering::Relaxed), PAIRS * rounds);
    assert_eq!((stats.panicked, stats.completed), (0, stats.accepted));
}
