//! What the tests see of the tasks from within, and where futures sleep.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use anthill::{Builder, MultiPool, Pool};

use super::kinds::Kind;

/// A wait that is for ever, but with an end.
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// Counts in each task how many are there at once, and what the pool says about that.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Counts>);

#[derive(Default)]
struct Counts {
    inside: AtomicUsize,
    most: AtomicUsize,
    most_in_flight: AtomicUsize,
    ended: AtomicU64,
}

/// A task that is there, until it is dropped.
pub(crate) struct Inside(Watch);

impl Watch {
    pub(crate) fn enter(&self, pool: &impl InFlight) -> Inside {
        let counts = &self.0;
        let inside = counts.inside.fetch_add(1, Ordering::Relaxed) + 1;
        counts.most.fetch_max(inside, Ordering::Relaxed);
        let in_flight = pool.in_flight();
        counts
            .most_in_flight
            .fetch_max(in_flight, Ordering::Relaxed);
        Inside(self.clone())
    }

    /// The most tasks that were there at once.
    pub(crate) fn most(&self) -> usize {
        self.0.most.load(Ordering::Relaxed)
    }

    pub(crate) fn ended(&self) -> u64 {
        self.0.ended.load(Ordering::Acquire)
    }

    pub(crate) fn assert_never_beyond(&self, capacity: usize) {
        let in_flight = self.0.most_in_flight.load(Ordering::Relaxed);
        assert!(self.most() <= capacity, "{} at once", self.most());
        assert!(in_flight <= capacity, "{in_flight} in flight");
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let counts = &self.0.0;
        counts.inside.fetch_sub(1, Ordering::Relaxed);
        counts.ended.fetch_add(1, Ordering::Release);
    }
}

/// What can be asked how many tasks it has.
pub(crate) trait InFlight {
    fn in_flight(&self) -> usize;
}

impl InFlight for Pool {
    fn in_flight(&self) -> usize {
        self.in_flight()
    }
}

impl InFlight for MultiPool {
    fn in_flight(&self) -> usize {
        self.stats().in_flight
    }
}

/// A pool of a kind whose tasks are watched.
pub(crate) fn watched<K: Kind>(
    builder: Builder,
    watch: &Watch,
    function: impl Fn(u64) + Send + Sync + 'static,
) -> K {
    let pool = builder.build().unwrap();
    let (watch, own) = (watch.clone(), pool.clone());
    K::over(pool, move |argument| {
        let _inside = watch.enter(&own);
        function(argument);
    })
}

/// Where futures sleep until so many others have come after them.
#[derive(Clone)]
pub(crate) struct Dormitory {
    beds: usize,
    asleep: Arc<Mutex<Asleep>>,
}

#[derive(Default)]
struct Asleep {
    wakers: VecDeque<Waker>,
    /// Whether futures no longer suspend.
    over: bool,
}

impl Dormitory {
    pub(crate) fn new(beds: usize) -> Self {
        Self {
            beds,
            asleep: Arc::default(),
        }
    }

    pub(crate) async fn sleep(&self) {
        let mut slept = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut slept, true) {
                return Poll::Ready(());
            }
            let mut asleep = self.asleep.lock().unwrap();
            if asleep.over {
                return Poll::Ready(());
            }
            asleep.wakers.push_back(cx.waker().clone());
            let oldest = if asleep.wakers.len() > self.beds {
                asleep.wakers.pop_front()
            } else {
                None
            };
            drop(asleep);
            if let Some(oldest) = oldest {
                oldest.wake();
            }
            Poll::Pending
        })
        .await;
    }

    pub(crate) fn sleepers(&self) -> usize {
        self.asleep.lock().unwrap().wakers.len()
    }

    pub(crate) fn wake_all(&self) {
        let mut asleep = self.asleep.lock().unwrap();
        asleep.over = true;
        let wakers = std::mem::take(&mut asleep.wakers);
        drop(asleep);
        wakers.into_iter().for_each(Waker::wake);
    }
}
