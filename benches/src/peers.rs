//! The peers, each as its own documentation says to use it.

use std::thread;

use crate::{Peer, THREADS};

/// This project's pool.
#[derive(Debug)]
pub struct Anthill(anthill::Pool);

impl Peer for Anthill {
    const NAME: &'static str = "anthill";

    fn new(capacity: usize) -> Self {
        let builder = anthill::Pool::builder()
            .capacity(capacity)
            .threads(0..=THREADS);
        Self(builder.build().expect("valid settings"))
    }

    fn submit(&self, task: impl FnOnce() + Send + 'static) {
        self.0.submit(task).expect("the pool is open");
    }
}

/// rayon's `spawn`, which has no bound.
#[derive(Debug)]
pub struct Rayon(rayon::ThreadPool);

impl Peer for Rayon {
    const NAME: &'static str = "rayon";

    fn new(_capacity: usize) -> Self {
        let builder = rayon::ThreadPoolBuilder::new().num_threads(THREADS);
        Self(builder.build().expect("threads can be started"))
    }

    fn submit(&self, task: impl FnOnce() + Send + 'static) {
        self.0.spawn(task);
    }
}

/// tokio's `spawn` on the multi-thread runtime, which has no bound.
#[derive(Debug)]
pub struct Tokio(tokio::runtime::Runtime);

impl Peer for Tokio {
    const NAME: &'static str = "tokio";

    fn new(_capacity: usize) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        Self(
            builder
                .worker_threads(THREADS)
                .build()
                .expect("threads can be started"),
        )
    }

    fn submit(&self, task: impl FnOnce() + Send + 'static) {
        self.0.spawn(async move { task() });
    }
}

/// threadpool's `execute`, which has no bound.
#[derive(Debug)]
pub struct Threadpool(threadpool::ThreadPool);

impl Peer for Threadpool {
    const NAME: &'static str = "threadpool";

    fn new(_capacity: usize) -> Self {
        Self(threadpool::ThreadPool::new(THREADS))
    }

    fn submit(&self, task: impl FnOnce() + Send + 'static) {
        self.0.execute(task);
    }
}

/// Threads behind a bounded crossbeam-channel of boxed closures: what one writes without a pool.
#[derive(Debug)]
pub struct Channel(crossbeam_channel::Sender<Job>);

type Job = Box<dyn FnOnce() + Send>;

impl Peer for Channel {
    const NAME: &'static str = "crossbeam-channel";

    fn new(capacity: usize) -> Self {
        let (jobs, queue) = crossbeam_channel::bounded::<Job>(capacity);
        for _ in 0..THREADS {
            let queue = queue.clone();
            // Ends when the sender is dropped.
            thread::spawn(move || queue.into_iter().for_each(|job| job()));
        }
        Self(jobs)
    }

    fn submit(&self, task: impl FnOnce() + Send + 'static) {
        self.0.send(Box::new(task)).expect("the threads are there");
    }
}
