//! Measures a sample of the tasks: how long they wait for a worker, and how long they run.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;
use pin_project_lite::pin_project;

use crate::figures::histogram::{Histogram, Recorder};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::task::{End, Job, Turn};

/// How long the measured tasks have waited and run since the pool was built, from
/// [`Pool::times`](crate::Pool::times).
///
/// A closure that runs in place inside another task, or is never run, is not included. A future
/// that panics, or is dropped before it completes, may be included in `queue_wait` only. A future
/// that expires, or is cancelled through its handle, may be included in both.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = anthill::Pool::builder().sample_times(1).build()?;
/// pool.submit(|| println!("measured"))?;
/// pool.shutdown().wait()?;
/// if let Some(times) = pool.times() {
///     let (wait, run) = (times.queue_wait.quantile(0.99), times.run.quantile(0.99));
///     println!("99 of 100 tasks waited for at most {wait:?} and ran for at most {run:?}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Times {
    /// The time from acceptance until a worker begins: the call of a closure, or the first poll of
    /// a future.
    pub queue_wait: Histogram,
    /// The time on a worker: the call of a closure, or all polls of a future together.
    pub run: Histogram,
}

pub(crate) struct Sampler {
    one_in: u64,
    count: CachePadded<AtomicU64>,
    queue_wait: Recorder,
    run: Recorder,
}

impl Sampler {
    pub(crate) fn new(one_in: u64) -> Self {
        Self {
            one_in,
            count: CachePadded::new(AtomicU64::new(0)),
            queue_wait: Recorder::new(),
            run: Recorder::new(),
        }
    }

    /// Returns the measurement of a task that is accepted now, if the task is one to measure.
    pub(crate) fn pick(self: &Arc<Self>) -> Option<Sample> {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        (count % self.one_in == 0).then(|| Sample {
            sampler: Arc::clone(self),
            accepted: Instant::now(),
        })
    }

    pub(crate) fn times(&self) -> Times {
        Times {
            queue_wait: self.queue_wait.snapshot(),
            run: self.run.snapshot(),
        }
    }
}

/// The measurement of one task.
pub(crate) struct Sample {
    sampler: Arc<Sampler>,
    accepted: Instant,
}

impl Sample {
    fn waited_until(&self, begin: Instant) {
        let waited = begin.saturating_duration_since(self.accepted);
        self.sampler.queue_wait.record(waited);
    }

    fn ran(&self, time: Duration) {
        self.sampler.run.record(time);
    }

    pub(crate) fn future<F>(self, future: F) -> Sampled<F> {
        Sampled {
            future,
            sample: self,
            busy: None,
        }
    }
}

/// A closure that is measured.
pub(crate) struct SampledJob<J> {
    pub(crate) job: J,
    pub(crate) sample: Sample,
}

impl<J: Job> Job for SampledJob<J> {
    const ENDS_TURN: bool = J::ENDS_TURN;

    fn run(self, turn: &impl Turn) -> End {
        let timed = Timed {
            turn,
            begin: Cell::new(None),
        };
        let end = End::of(self.job, &timed);
        // `None` if the job was spent and did not run.
        if let Some(begin) = timed.begin.get() {
            self.sample.waited_until(begin);
            self.sample.ran(begin.elapsed());
        }
        end
    }

    fn discard(self, turn: &impl Turn) -> End {
        self.job.discard(turn)
    }

    fn is_spent(&mut self) -> bool {
        self.job.is_spent()
    }
}

/// Records when a job begins.
struct Timed<'a, T> {
    turn: &'a T,
    begin: Cell<Option<Instant>>,
}

impl<T: Turn> Turn for Timed<'_, T> {
    fn begin(&self) {
        self.begin.set(Some(Instant::now()));
        self.turn.begin();
    }

    fn end(&self, end: &End) {
        self.turn.end(end);
    }
}

pin_project! {
    /// A future that is measured.
    pub(crate) struct Sampled<F> {
        #[pin]
        future: F,
        sample: Sample,
        // The time of all polls so far; `None` before the first.
        busy: Option<Duration>,
    }
}

impl<F: Future> Future for Sampled<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let begin = Instant::now();
        if this.busy.is_none() {
            this.sample.waited_until(begin);
        }
        let polled = this.future.poll(cx);
        let busy = this.busy.unwrap_or_default() + begin.elapsed();
        *this.busy = Some(busy);
        if polled.is_ready() {
            this.sample.ran(busy);
        }
        polled
    }
}
