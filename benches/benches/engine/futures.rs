//! Futures: spawning, running, waking from another thread.

use std::future::poll_fn;
use std::hint::black_box;
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use anthill::Pool;
use criterion::Criterion;

use crate::held::HeldPool;
use crate::timing;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("futures");
    timing::add(&mut group, "spawn", HeldPool::new, |held, iters| {
        held.time_enqueue(iters, || spawn(&held.pool))
    });
    timing::add(&mut group, "run", HeldPool::new, |held, iters| {
        held.time_run(
            iters,
            || spawn(&held.pool),
            |last| {
                let last = async move { _ = last.send(Instant::now()) };
                held.pool.spawn(last).expect("the pool is open");
            },
        )
    });
    timing::add(&mut group, "wake", HeldPool::new, time_wakes);
    group.finish();
}

fn spawn(pool: &Pool) {
    let number = black_box(1_u64);
    let task = async move {
        black_box(number);
    };
    pool.spawn(task).expect("the pool is open");
}

/// Times waking suspended futures while the worker is held, one future per call.
fn time_wakes(held: &HeldPool, iters: u64) -> Duration {
    timing::batches(iters, |size| {
        held.wait_until_empty();
        let (suspends, suspended) = mpsc::channel();
        for _ in 0..size {
            let suspends = suspends.clone();
            let task = suspend(move |waker| _ = suspends.send(waker));
            held.pool.spawn(task).expect("the pool is open");
        }
        // Drop the sender, or the iterator below waits for one more waker.
        drop(suspends);
        let wakers: Vec<Waker> = suspended.iter().collect();
        let mut wakers = wakers.into_iter();
        let hold = held.hold();
        let time = timing::steps(size, || wakers.next().expect("one for each").wake());
        hold.release();
        time
    })
}

/// Suspends until woken, and passes its waker to `send`.
pub(crate) async fn suspend(send: impl FnOnce(Waker) + Send) {
    let mut send = Some(send);
    poll_fn(|cx| match send.take() {
        Some(send) => {
            send(cx.waker().clone());
            Poll::Pending
        }
        None => Poll::Ready(()),
    })
    .await;
}
