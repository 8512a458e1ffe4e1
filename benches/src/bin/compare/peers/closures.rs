//! Pools that run only closures.

use std::thread;
use std::time::Duration;

use executors::Executor;
use executors::crossbeam_workstealing_pool::{self as workstealing, ThreadPool};
use executors::parker::{DynParker, SmallThreadData, StaticParker};

use super::{Expiring, Peer};

/// rayon's `spawn`.
pub(crate) struct Rayon(pub(crate) rayon::ThreadPool);

impl Peer for Rayon {
    const NAME: &'static str = "rayon";
    const BOUNDS: bool = false;

    fn new(threads: usize, _capacity: Option<usize>) -> Self {
        let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
        Self(builder.build().expect("threads can be started"))
    }

    fn submit(&self, task: impl FnOnce() + Send + 'static) {
        self.0.spawn(task);
    }
}

/// threadpool's `execute`.
pub(crate) struct Threadpool(threadpool::ThreadPool);

impl Peer for Threadpool {
    const NAME: &'static str = "threadpool";
    const BOUNDS: bool = false;

    fn new(threads: usize, _capacity: Option<usize>) -> Self {
        Self(threadpool::ThreadPool::new(threads))
    }

    fn submit(&self, task: impl FnOnce() + Send + 'static) {
        self.0.execute(task);
    }
}

/// `rusty_pool`'s `execute`.
pub(crate) struct RustyPool(rusty_pool::ThreadPool);

impl Peer for RustyPool {
    const NAME: &'static str = "rusty_pool";
    const BOUNDS: bool = false;

    fn new(threads: usize, _capacity: Option<usize>) -> Self {
        Self(rusty_pool::ThreadPool::new(threads, threads, Duration::MAX))
    }

    fn submit(&self, task: impl FnOnce() + Send + 'static) {
        self.0.execute(task);
    }
}

impl Expiring for RustyPool {
    fn expiring(threads: usize, expiry: Duration) -> Self {
        Self(rusty_pool::ThreadPool::new(0, threads, expiry))
    }
}

/// The work-stealing pool of executors.
pub(crate) enum Executors {
    Small(ThreadPool<StaticParker<SmallThreadData>>),
    /// For more threads than a small pool supports.
    Large(ThreadPool<DynParker>),
}

impl Peer for Executors {
    const NAME: &'static str = "executors";
    const BOUNDS: bool = false;

    fn new(threads: usize, _capacity: Option<usize>) -> Self {
        if threads <= 32 {
            Self::Small(workstealing::small_pool(threads))
        } else {
            Self::Large(workstealing::pool_with_auto_parker(threads))
        }
    }

    fn submit(&self, task: impl FnOnce() + Send + 'static) {
        match self {
            Self::Small(pool) => pool.execute(task),
            Self::Large(pool) => pool.execute(task),
        }
    }
}

/// Threads that receive boxed closures from a crossbeam-channel: the usual way without a pool.
pub(crate) struct Channel(crossbeam_channel::Sender<Job>);

impl Peer for Channel {
    const NAME: &'static str = "crossbeam-channel";
    const BOUNDS: bool = true;

    fn new(threads: usize, capacity: Option<usize>) -> Self {
        let (jobs, queue) = match length(threads, capacity) {
            Some(length) => crossbeam_channel::bounded(length),
            None => crossbeam_channel::unbounded(),
        };
        receive(threads, &queue);
        Self(jobs)
    }

    fn submit(&self, task: impl FnOnce() + Send + 'static) {
        self.0.send(Box::new(task)).expect("the threads run");
    }
}

/// The same with a channel of kanal.
pub(crate) struct Kanal(kanal::Sender<Job>);

impl Peer for Kanal {
    const NAME: &'static str = "kanal";
    const BOUNDS: bool = true;

    fn new(threads: usize, capacity: Option<usize>) -> Self {
        let (jobs, queue) = match length(threads, capacity) {
            Some(length) => kanal::bounded(length),
            None => kanal::unbounded(),
        };
        receive(threads, &queue);
        Self(jobs)
    }

    fn submit(&self, task: impl FnOnce() + Send + 'static) {
        self.0.send(Box::new(task)).expect("the threads run");
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// Returns the length of a channel for at most `capacity` tasks. Each thread holds one more.
fn length(threads: usize, capacity: Option<usize>) -> Option<usize> {
    Some(capacity?.saturating_sub(threads))
}

/// Starts threads that run what they receive.
fn receive(threads: usize, queue: &(impl IntoIterator<Item = Job> + Clone + Send + 'static)) {
    for _ in 0..threads {
        let queue = queue.clone();
        thread::spawn(move || queue.into_iter().for_each(|job| job()));
    }
}
