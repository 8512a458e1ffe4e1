//! The hot paths, each walked so many times in a process of its own.

use std::future::poll_fn;
use std::hint::black_box;
use std::sync::mpsc;

use std::time::Duration;
use std::{task, thread};

use anthill::Pool;
use clap::ValueEnum;

/// Long enough for a worker to fall asleep, also when its instructions are counted.
const REST: Duration = Duration::from_millis(100);

/// What is counted, and on which side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Path {
    /// A closure is submitted while the worker is busy
    Submit,
    /// A worker takes such a closure and runs it
    Run,
    /// A closure is submitted while the worker sleeps, and wakes it
    SubmitToSleeper,
    /// A worker is woken for a closure, runs it, and falls asleep again
    Wake,
    /// A future is spawned while the worker is busy
    Spawn,
    /// A worker polls a future that has woken itself
    Poll,
    /// A worker is started for a closure, and expires
    Expire,
}

/// Whose instructions are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The submitter's, in the function of that name alone.
    Submitter,
    /// The workers', all of them.
    Worker,
}

impl Path {
    pub(crate) fn side(self) -> Side {
        match self {
            Self::Submit | Self::SubmitToSleeper | Self::Spawn => Side::Submitter,
            Self::Run | Self::Wake | Self::Poll | Self::Expire => Side::Worker,
        }
    }

    /// How often it is walked: enough that what comes now and then evens out.
    pub(crate) fn times(self) -> usize {
        match self {
            Self::Submit | Self::Run | Self::Spawn | Self::Poll => 20_000,
            Self::SubmitToSleeper | Self::Wake | Self::Expire => 20,
        }
    }

    pub(crate) fn walk(self, times: usize) {
        match self {
            Self::Submit | Self::Run => behind_a_gate(times, |pool| {
                for number in 0..times {
                    submit(pool, number);
                }
            }),
            Self::Spawn => behind_a_gate(times, |pool| {
                for number in 0..times {
                    spawn(pool, number);
                }
            }),
            Self::Poll => behind_a_gate(times, |pool| yield_often(pool, times)),
            Self::SubmitToSleeper | Self::Wake => wake(times),
            Self::Expire => expire(times),
        }
    }
}

/// Fills a pool of one busy worker, then lets it go.
fn behind_a_gate(times: usize, fill: impl FnOnce(&Pool)) {
    let builder = Pool::builder().capacity(times + 1).threads(1..=1);
    let pool = builder.build().expect("valid settings");
    let (open, gate) = mpsc::channel::<()>();
    pool.submit(move || gate.recv().expect("it opens"))
        .expect("there is room");
    fill(&pool);
    open.send(()).expect("the worker waits");
    pool.shutdown().wait().expect("all ends");
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
        thread::sleep(REST);
        submit(&pool, number);
    }
    pool.shutdown().wait().expect("all ends");
    let wakeups = pool.stats().wakeups;
    assert_eq!(wakeups, times as u64, "each found the worker asleep");
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
    pool.shutdown().wait().expect("all ends");
    assert_eq!(pool.stats().threads_expired, times as u64);
}
