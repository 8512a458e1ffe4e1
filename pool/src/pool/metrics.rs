//! Publishes the figures of a pool through the `metrics` facade.

use metrics::{counter, gauge};

use crate::figures::Histogram;
use crate::pool::handle::Pool;

const QUANTILES: [(f64, &str); 4] = [(0.5, "0.5"), (0.9, "0.9"), (0.99, "0.99"), (1.0, "1")];

impl Pool {
    /// Publishes [`stats`](Self::stats), and [`times`](Self::times) if sampling is on, to the
    /// recorder that the program has installed for the [`metrics`] facade. Never blocks on the
    /// pool.
    ///
    /// Call it before each scrape. The pool does no work for metrics between two calls.
    ///
    /// `label` becomes the label `pool`. It distinguishes the pools of a program, and subpools from
    /// their pool, whose [`name`](Self::name) they share.
    ///
    /// | metric | labels besides `pool` | |
    /// |---|---|---|
    /// | `anthill_capacity`, `anthill_in_flight`, `anthill_free` | | slots; a task with several counts with all |
    /// | `anthill_running`, `anthill_queued` | | tasks on a worker; ready tasks without one |
    /// | `anthill_running_closures`, `anthill_running_futures`, `anthill_in_reactor` | | workers by activity |
    /// | `anthill_waiting` | | submitters waiting for a slot |
    /// | `anthill_threads`, `anthill_idle_threads` | | worker threads |
    /// | `anthill_accepted_total` | | tasks accepted |
    /// | `anthill_ended_total` | `end`: `completed`, `panicked`, `cancelled`, `discarded`, `expired` | tasks ended |
    /// | `anthill_rejected_total` | `reason`: `full`, `closed`, `timeout`, `would_deadlock` | submits refused |
    /// | `anthill_handler_panics_total` | | panic handlers and hooks that panicked |
    /// | `anthill_threads_started_total`, `anthill_threads_expired_total`, `anthill_thread_start_failures_total` | | |
    /// | `anthill_wakeups_total` | | parked threads woken |
    /// | `anthill_queue_wait_seconds`, `anthill_run_seconds` | `quantile`: `0.5`, `0.9`, `0.99`, `1` | measured tasks |
    ///
    /// A group of items of a [map](Self::map) counts as one task. Failures that tasks report to a
    /// tuner are a figure of the program: publish `Failures::count` next to these.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = anthill::Pool::builder().name("thumbnails").build()?;
    /// pool.publish_metrics(pool.name());
    /// # Ok(())
    /// # }
    /// ```
    pub fn publish_metrics(&self, label: &str) {
        let stats = self.stats();
        let pool = || label.to_owned();
        for (name, value) in [
            ("anthill_capacity", stats.capacity),
            ("anthill_in_flight", stats.in_flight),
            ("anthill_free", stats.free),
            ("anthill_running", stats.running),
            ("anthill_running_closures", stats.running_closures),
            ("anthill_running_futures", stats.running_futures),
            ("anthill_in_reactor", stats.in_reactor),
            ("anthill_queued", stats.queued),
            ("anthill_waiting", stats.waiting),
            ("anthill_threads", stats.threads),
            ("anthill_idle_threads", stats.idle_threads),
        ] {
            gauge!(name, "pool" => pool()).set(value as f64);
        }
        for (name, value) in [
            ("anthill_accepted_total", stats.accepted),
            ("anthill_handler_panics_total", stats.handler_panics),
            ("anthill_threads_started_total", stats.threads_started),
            ("anthill_threads_expired_total", stats.threads_expired),
            (
                "anthill_thread_start_failures_total",
                stats.thread_start_failures,
            ),
            ("anthill_wakeups_total", stats.wakeups),
        ] {
            counter!(name, "pool" => pool()).absolute(value);
        }
        for (end, value) in [
            ("completed", stats.completed),
            ("panicked", stats.panicked),
            ("cancelled", stats.cancelled),
            ("discarded", stats.discarded),
            ("expired", stats.expired),
        ] {
            counter!("anthill_ended_total", "pool" => pool(), "end" => end).absolute(value);
        }
        for (reason, value) in [
            ("full", stats.rejected_full),
            ("closed", stats.rejected_closed),
            ("timeout", stats.rejected_timeout),
            ("would_deadlock", stats.rejected_would_deadlock),
        ] {
            counter!("anthill_rejected_total", "pool" => pool(), "reason" => reason)
                .absolute(value);
        }
        if let Some(times) = self.times() {
            publish_times("anthill_queue_wait_seconds", label, &times.queue_wait);
            publish_times("anthill_run_seconds", label, &times.run);
        }
    }
}

fn publish_times(name: &'static str, label: &str, times: &Histogram) {
    for (quantile, text) in QUANTILES {
        gauge!(name, "pool" => label.to_owned(), "quantile" => text)
            .set(times.quantile(quantile).as_secs_f64());
    }
}
