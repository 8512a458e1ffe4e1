//! What the clients of one process share: the plan, the pace, and the counts.

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Duration, Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::ledger::Place;
use super::pace::Pace;
use super::plan::Plan;
use super::snapshot::{Room, Snapshot};
use super::system;

/// Latencies have three significant digits, up to an hour.
const DIGITS: u8 = 3;
const MAX_LATENCY: u64 = 3_600_000_000;
const SHARDS: usize = 4;

pub(super) struct Shared {
    pub(super) plan: Plan,
    pub(super) clock: Clock,
    connecting: Semaphore,
    begun: Instant,
    /// The pace, while clients publish.
    pub(super) pace: watch::Sender<Option<Pace>>,
    /// Cancelled at the end of the run.
    pub(super) done: CancellationToken,
    /// Sharded by client to avoid contention.
    shards: [Mutex<Shard>; SHARDS],
}

/// The counts of some clients, and their latencies in microseconds since the last snapshot.
struct Shard {
    counts: Snapshot,
    latencies: Histogram<u64>,
}

impl Shared {
    pub(super) fn new(plan: Plan) -> Self {
        let shard = || Shard {
            counts: Snapshot::default(),
            latencies: histogram(),
        };
        Self {
            clock: Clock::new(),
            connecting: Semaphore::new(plan.args.concurrency),
            begun: Instant::now(),
            pace: watch::Sender::new(None),
            done: CancellationToken::new(),
            shards: std::array::from_fn(|_| Mutex::new(shard())),
            plan,
        }
    }

    /// Waits for a client's turn to connect, then connects.
    pub(super) async fn take_turn<T>(&self, client: usize, connect: impl Future<Output = T>) -> T {
        if let Some(rate) = self.plan.args.connect_rate {
            sleep_until(self.begun + Duration::from_secs_f64(client as f64 / rate)).await;
        }
        let _turn = self.connecting.acquire().await;
        connect.await
    }

    pub(super) fn count(&self, client: usize, count: impl FnOnce(&mut Snapshot)) {
        count(&mut self.shards[client % SHARDS].lock().counts);
    }

    pub(super) fn count_in_room(&self, client: usize, count: impl FnOnce(&mut Room)) {
        let room = self.plan.room_of(client);
        self.count(client, |all| count(all.rooms.entry(room).or_default()));
    }

    /// Counts a delivery, with its latency if that counts.
    pub(super) fn delivered(&self, client: usize, place: Place, now: u64, latency: Option<u64>) {
        let Shard { counts, latencies } = &mut *self.shards[client % SHARDS].lock();
        if place == Place::Again {
            counts.duplicated += 1;
            return;
        }
        counts.reordered += u64::from(place == Place::Late);
        counts.delivered += 1;
        counts.last_delivery = counts.last_delivery.max(now);
        if let Some(latency) = latency {
            latencies.saturating_record(latency);
        }
    }

    /// Returns the counts so far, and the latencies since the previous call.
    pub(super) fn snapshot(&self) -> Snapshot {
        let mut all = Snapshot {
            cpu_seconds: system::cpu_seconds(),
            ..Snapshot::default()
        };
        // Lock all shards, or a delivery is counted before its message.
        for mut shard in self.shards.each_ref().map(Mutex::lock) {
            all += &shard.counts;
            let values = shard.latencies.iter_recorded();
            all.latencies.extend(values.map(|value| {
                let count = value.count_since_last_iteration();
                (value.value_iterated_to(), count)
            }));
            shard.latencies.reset();
        }
        all
    }
}

/// Returns an empty histogram for latencies in microseconds.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MAX_LATENCY, DIGITS)
        .expect("the bounds are an hour and a microsecond")
}
