//! How long tasks wait for a worker. Once a second a task of each lane that does nothing is timed.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use anthill::Pool;
use parking_lot::Mutex;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct QueueAge {
    futures: Age,
    normal: Age,
    low: Age,
}

/// How long the last timed task waited, or the present one has waited if that is longer.
#[derive(Default)]
struct Age(Mutex<State>);

#[derive(Default)]
struct State {
    last: Duration,
    /// When the present task was submitted, until it begins.
    since: Option<Instant>,
}

impl Age {
    fn get(&self) -> Duration {
        let state = self.0.lock();
        let present = state.since.map(|since| since.elapsed());
        state.last.max(present.unwrap_or_default())
    }

    /// Times a task, which returns when it began.
    async fn time<E>(&self, task: impl Future<Output = Result<Instant, E>>) -> Result<(), E> {
        let since = Instant::now();
        self.0.lock().since = Some(since);
        let last = task.await?.saturating_duration_since(since);
        *self.0.lock() = State { last, since: None };
        Ok(())
    }
}

impl QueueAge {
    pub(crate) fn lanes(&self) -> [(&'static str, Duration); 3] {
        [
            ("futures", self.futures.get()),
            ("normal", self.normal.get()),
            ("low", self.low.get()),
        ]
    }

    /// Times tasks until the server drains: futures of the calling pool, and closures of two pools.
    pub(crate) async fn watch(
        self: Arc<Self>,
        normal: Pool,
        low: Pool,
        draining: CancellationToken,
    ) {
        let lanes = async {
            tokio::join!(
                each_second(&self.futures, yield_once),
                each_second(&self.normal, || normal.run(Instant::now)),
                each_second(&self.low, || low.run(Instant::now)),
            );
        };
        draining.run_until_cancelled(lanes).await;
    }
}

/// Ends when a task is refused: its pool is closed.
async fn each_second<F, E>(age: &Age, task: impl Fn() -> F)
where
    F: Future<Output = Result<Instant, E>>,
{
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if age.time(task()).await.is_err() {
            return;
        }
    }
}

/// Wakes itself, and returns when a worker polls it again.
async fn yield_once() -> Result<Instant, ()> {
    let mut is_woken = false;
    poll_fn(|context| {
        if is_woken {
            return Poll::Ready(Ok(Instant::now()));
        }
        is_woken = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn task_that_still_waits_counts_from_its_submit() {
        let age = Age::default();
        let waits = age.time(std::future::pending::<Result<Instant, ()>>());
        assert!(waits.now_or_never().is_none());
        let long = Duration::from_secs(40);
        age.0.lock().since = Instant::now().checked_sub(long);
        assert!(age.get() >= long);
        let begun = age.time(async { Ok::<_, ()>(Instant::now()) });
        assert_eq!(begun.now_or_never(), Some(Ok(())));
        assert!(age.get() < long);
    }
}
