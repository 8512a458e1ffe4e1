//! Sockets, timers and channels of tokio in the tasks of a pool.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anthill::Pool;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{interval, sleep, timeout};

use super::{pool, run, until_idle};

#[test]
fn accept_loop_serves_more_clients_than_there_are_slots() {
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
fn task_may_await_blocking_work_of_tokio() {
    let pool = pool(1);
    let sum = run(&pool, async {
        let file = tokio::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).await;
        assert!(!file.unwrap().is_empty());
        tokio::task::spawn_blocking(|| 42).await.unwrap()
    });
    assert_eq!(sum, 42);
}

#[test]
fn outside_thread_wakes_futures_of_a_parked_worker() {
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
fn timers_tick_and_can_be_dropped() {
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
fn long_closure_delays_no_event() {
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
fn closure_may_block_on_events_beside_a_free_thread() {
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
fn pool_without_threads_uses_the_given_runtime() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let builder = Pool::builder().threads(0..=2).stack_size(1 << 60);
    let pool = builder.tokio_handle(runtime.handle().clone()).build();
    let pool = pool.unwrap();
    run(&pool, async { sleep(Duration::from_millis(1)).await });
    assert!(pool.stats().thread_start_failures > 0);
}

#[test]
fn panic_of_a_tokio_task_goes_to_its_tokio_handle() {
    let pool = pool(1);
    let ended = run(&pool, async {
        let task = tokio::spawn(async { std::panic::resume_unwind(Box::new("on purpose")) });
        task.await.map_err(|error| error.is_panic())
    });
    assert_eq!(ended, Err::<(), _>(true));
    pool.shutdown().wait().unwrap();
    assert_eq!((pool.stats().completed, pool.stats().panicked), (1, 0));
}
