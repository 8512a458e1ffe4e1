//! The hot paths. Each runs many times in a process of its own.

use std::future::poll_fn;
use std::hint::black_box;
use std::sync::mpsc;

use std::time::Duration;
use std::{task, thread};

use anthill::Pool;
use clap::ValueEnum;

/// Long enough for a worker to park, even under callgrind.
const PAUSE: Duration = Duration::from_millis(100);

/// The path that is counted, and on which side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Path {
    /// Submit a closure while the worker is busy
    Submit,
    /// Take and run a queued closure
    Run,
    /// Submit a closure while the worker is parked, and wake it
    SubmitToSleeper,
    /// Wake up for a closure, run it, and park again
    Wake,
    /// Spawn a future while the worker is busy
    Spawn,
    /// Poll a future that has woken itself
    Poll,
    /// Start a worker for a closure, and let the worker expire
    Expire,
}

/// Whose instructions are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The submitter's, only in the function of that name.
    Submitter,
    /// Those of all workers.
    Worker,
}

impl Path {
    pub(crate) fn side(self) -> Side {
        match self {
            Self::Submit | Self::SubmitToSleeper | Self::Spawn => Side::Submitter,
            Self::Run | Self::Wake | Self::Poll | Self::Expire => Side::Worker,
        }
    }

    /// Returns the number of runs: enough to average out rare events.
    pub(crate) fn times(self) -> usize {
        match self {
            Self::Submit | Self::Run | Self::Spawn | Self::Poll => 20_000,
            Self::SubmitToSleeper | Self::Wake | Self::Expire => 20,
        }
    }

    pub(crate) fn run(self, times: usize) {
        match self {
            Self::Submit | Self::Run => while_worker_is_held(times, |pool| {
                for number in 0..times {
                    submit(pool, number);
                }
            }),
            Self::Spawn => while_worker_is_held(times, |pool| {
                for number in 0..times {
                    spawn(pool, number);
                }
            }),
            Self::Poll => while_worker_is_held(times, |pool| yield_often(pool, times)),
            Self::SubmitToSleeper | Self::Wake => wake(times),
            Self::Expire => expire(times),
        }
    }
}

/// Fills a pool while its only worker is held, then releases the worker.
fn while_worker_is_held(times: usize, fill: impl FnOnce(&Pool)) {
    let builder = Pool::builder().capacity(times + 1).threads(1..=1);
    let pool = builder.build().expect("valid settings");
    let (release, released) = mpsc::channel::<()>();
    pool.submit(move || released.recv().expect("the submitter releases it"))
        .expect("there is room");
    fill(&pool);
    release.send(()).expect("the worker waits");
    pool.shutdown().wait().expect("all tasks end");
}

#[inline(never)]
fn submit(pool: &Pool, number: usize) {
    let task = move || {
        black_box(number);
    };
    pool.submit(task).expect("there is room");
}

#[inline(never)]
fn spawn(pool: &Pool, number: usize) {
    let task = async move {
        black_box(number);
    };
    pool.spawn(task).expect("there is room");
}

fn yield_often(pool: &Pool, times: usize) {
    let mut left = times;
    let task = poll_fn(move |cx| {
        if left == 0 {
            return task::Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        task::Poll::Pending
    });
    pool.spawn(task).expect("there is room");
}

fn wake(times: usize) {
    let builder = Pool::builder().capacity(8).threads(1..=1);
    let pool = builder.build().expect("valid settings");
    for number in 0..times {
        thread::sleep(PAUSE);
        submit(&pool, number);
    }
    pool.shutdown().wait().expect("all tasks end");
    let wakeups = pool.stats().wakeups;
    assert_eq!(
        wakeups, times as u64,
        "every submit found the worker parked"
    );
}

fn expire(times: usize) {
    let builder = Pool::builder()
        .capacity(8)
        .threads(0..=1)
        .idle_expiry(Duration::from_millis(1));
    let pool = builder.build().expect("valid settings");
    for number in 0..times {
        submit(&pool, number);
        while pool.stats().threads > 0 {
            thread::sleep(Duration::from_millis(1));
        }
    }
    pool.shutdown().wait().expect("all tasks end");
    assert_eq!(pool.stats().threads_expired, times as u64);
}
